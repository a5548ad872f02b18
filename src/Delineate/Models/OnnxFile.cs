using System.Globalization;
using System.Text.Json;
using Delineate.Tensors;

namespace Delineate.Models;

/// <summary>What an exported model takes and gives.</summary>
public sealed record OnnxExportOptions
{
    /// <summary>The number of images at a time; null for any. A detector takes one.</summary>
    public int? Batch { get; init; }

    /// <summary>The images' height and width; null for any.</summary>
    public Size2d? Size { get; init; }

    /// <summary>
    /// The file takes bytes of red, green and blue, [N, H, W, 3], and normalises them as the model was trained; else normalised floats, [N, 3, H, W], and of a detector,
    /// which normalises in any case, values in 0…1.
    /// </summary>
    public bool WithPreprocessing { get; init; }

    /// <summary>The file gives the class of each pixel, bytes [N, H, W]; else the scores, [N, classes, H, W].</summary>
    public bool WithArgmax { get; init; }

    /// <summary>Batch norms stay ops of their own instead of moving into the weights before them.</summary>
    public bool KeepBatchNorm { get; init; }
}

/// <summary>Models as ONNX files, for runtimes outside of .NET or with other hardware.</summary>
public static class OnnxFile
{
    /// <summary>
    /// Writes a model's network in evaluation mode; of a detector all that it does with one image, from resizing to the objects in pixels of that image, with the
    /// thresholds and sizes of <see cref="DetectionModel.Detection"/>. The file's metadata holds the <paramref name="card"/> (or what the model knows of itself) and, for readers that
    /// know nothing of it, classes, palette and preprocessing one by one.
    /// </summary>
    /// <exception cref="GraphException">An op of the network has no form in ONNX, or the file would be too large; the message names it.</exception>
    /// <exception cref="ShapeException">The size is too small for the network.</exception>
    public static OnnxInterface Save(string path, Model model, OnnxExportOptions? options = null, ModelCard? card = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new OnnxExportOptions();
        card ??= ModelCard.Of(model);
        if (options.Size is { } size && Math.Min(size.Height, size.Width) < model.MinimumSize)
            throw new ShapeException($"{model.Name} takes images of {model.MinimumSize} pixels a side at least, not {size}");
        if (model is DetectionModel given) card = card with { Options = card.Options with { Detection = given.Detection } };
        var about = new OnnxOptions { ProducerVersion = typeof(OnnxFile).Assembly.GetName().Version?.ToString(3) ?? "", Metadata = Metadata(model, card) };
        if (model is DetectionModel detector)
        {
            if (options.WithArgmax) throw new GraphException($"{model.Name} gives objects: there are no scores of each pixel to take the largest of");
            if (options.Batch is > 1) throw new GraphException($"{model.Name} takes one image at a time, as the number of objects differs from image to image");
            return OnnxWriter.Save(path, second => detector.ToOnnx(options, second), model.Name, about);
        }
        (IReadOnlyList<float>? scale, IReadOnlyList<float>? shift) = model.Preprocessing.BytesToInput();
        return OnnxWriter.Save(path, model.Name, model.TraceForAnySize, model.MinimumSize, about with
        {
            Batch = options.Batch,
            Size = options.Size,
            KeepBatchNorm = options.KeepBatchNorm,
            Pixels = options.WithPreprocessing ? new OnnxPixels { Scale = scale, Shift = shift } : null,
            Labels = options.WithArgmax,
        });
    }

    private static List<KeyValuePair<string, string>> Metadata(Model model, ModelCard card)
    {
        var metadata = new List<KeyValuePair<string, string>>
        {
            new("model", card.Model),
            new("classes", JsonSerializer.Serialize(card.Classes, ModelCardJson.Default.IReadOnlyListString)),
            new("palette", JsonSerializer.Serialize(card.Palette, ModelCardJson.Default.IReadOnlyListString)),
            new("preprocessing", JsonSerializer.Serialize(card.Preprocessing, ModelCardJson.Default.Preprocessing)),
            new("ignore_index", card.IgnoreIndex.ToString(CultureInfo.InvariantCulture)),
            new("minimum_size", model.MinimumSize.ToString(CultureInfo.InvariantCulture)),
            new(ModelFile.CardKey, JsonSerializer.Serialize(card, ModelCardJson.Default.ModelCard)),
        };
        if (card.License is { } license) metadata.Add(new("license", license));
        return metadata;
    }
}

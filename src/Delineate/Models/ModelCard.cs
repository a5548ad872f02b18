using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors.Weights;

namespace Delineate.Models;

/// <summary>What a model file says of itself beside its weights, so that every command takes that file alone.</summary>
public sealed record ModelCard
{
    /// <summary>The name in the catalog.</summary>
    public required string Model { get; init; }

    public ModelOptions Options { get; init; } = new();

    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>Colours as <c>#rrggbb</c>, one for each class.</summary>
    public IReadOnlyList<string> Palette { get; init; } = [];

    public byte IgnoreIndex { get; init; } = 255;

    /// <summary>The label that overlays leave clear, or null.</summary>
    public int? Background { get; init; }

    public Preprocessing Preprocessing { get; init; } = new();

    /// <summary>The recipe it was trained by, where it was trained here.</summary>
    public JsonElement? Recipe { get; init; }

    /// <summary>The validation figures of these weights, in 0…1, by name.</summary>
    public IReadOnlyDictionary<string, double>? Metrics { get; init; }

    /// <summary>The licence of the weights, where it is known.</summary>
    public string? License { get; init; }

    /// <summary>The card of a model as it stands; what is known of its training is the caller's to add.</summary>
    public static ModelCard Of(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new ModelCard
        {
            Model = model.Name,
            Options = model.Options,
            Classes = model.Classes.Names,
            Palette = [.. model.Classes.Names.Select((_, i) => model.Classes.Palette[i].ToString())],
            IgnoreIndex = model.Classes.IgnoreIndex,
            Background = model.Classes.Background,
            Preprocessing = model.Preprocessing,
        };
    }

    /// <summary>A new model as the card describes it. The card may come from anywhere: every figure is checked before anything is built.</summary>
    /// <exception cref="WeightsFormatException">The card does not describe a model of the catalog; the message names the file and the figure.</exception>
    internal Model NewModel(string fileName)
    {
        if (Preprocessing.Fault() is { } fault) throw Faulty(fault);
        if (Background is { } background && (background < 0 || background >= Classes.Count))
            throw Faulty($"background {background} is not one of its {Classes.Count} classes");
        try
        {
            var table = new ClassTable(Classes) { IgnoreIndex = IgnoreIndex, Background = Background };
            if (Palette.Count > 0) table = table with { Palette = new Palette([.. Palette.Select(Color)]) };
            return ModelCatalog.Create(Model, Options, table, Preprocessing);
        }
        catch (Exception e) when (e is ArgumentException or UnknownModelException or ModelOptionsException)
        {
            throw Faulty(e.Message, e);
        }

        WeightsFormatException Faulty(string reason, Exception? inner = null) => new(fileName, "metadata", $"the model card is faulty: {reason}", inner);
    }

    private static Rgb Color(string text) =>
        text is ['#', _, _, _, _, _, _] && int.TryParse(text.AsSpan(1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int rgb)
            ? new Rgb((byte)(rgb >> 16), (byte)(rgb >> 8), (byte)rgb)
            : throw new ArgumentException($"'{text}' is not a colour of the form #rrggbb");
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ModelCard))]
internal sealed partial class ModelCardJson : JsonSerializerContext;

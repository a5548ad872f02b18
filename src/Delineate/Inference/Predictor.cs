using System.Numerics.Tensors;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Tensor = Delineate.Tensors.Tensor;

namespace Delineate.Inference;

/// <summary>
/// Predicts with more care than <see cref="Model.Predict"/>: window by window where an image is too large to be seen at once, and from several views of
/// each, whose probabilities are averaged. Any number of threads may use one at once.
/// </summary>
public sealed class Predictor
{
    private readonly Model model;
    private readonly PredictorOptions options;

    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">The options need scores of pixels, which the model does not have.</exception>
    public Predictor(Model model, PredictorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        (this.model, this.options) = (model, (options ?? new PredictorOptions()).Checked());
        if (!this.options.IsPlain && model is not SemanticModel)
            throw new ArgumentException($"{model.Name} has no scores of pixels that windows, scales and mirrored views could be blended from", nameof(model));
    }

    /// <summary>The model that predicts.</summary>
    public Model Model => model;

    /// <summary>What the network says of each image, at the image's own size. Records nothing.</summary>
    /// <exception cref="ShapeException">An image is too small for the network at one of the scales.</exception>
    public IReadOnlyList<Prediction> Predict(ImageBatch images, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        return [.. images.Images.Select(image => Predict(image, null, cancel))];
    }

    /// <summary>The same for one image; <paramref name="progress"/> gets (windows done, windows in all), or what the model tells of its own parts where there are none.</summary>
    public Prediction Predict(Image image, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        cancel.ThrowIfCancellationRequested();
        if (IsPlain(image)) return model.Predict(new ImageBatch([image]), progress, cancel)[0];
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        return new Prediction { Semantic = Blend((SemanticModel)model, image, progress, cancel) };
    }

    /// <summary>The size at which the network sees an image, whole or through windows, where it looks at one size: what the model's preprocessing says.</summary>
    /// <exception cref="DatasetException">The image is so long and thin that it would become too large.</exception>
    public Size2d SeenSize(int height, int width) => options.OwnSize ? (height, width) : model.Preprocessing.NetworkSize(height, width);

    /// <summary>True where the network sees the image once, whole and at the size that the preprocessing says.</summary>
    private bool IsPlain(Image image)
    {
        if (options.IsPlain) return true;
        if (options.Flip || options.Scales is not [1.0] || (options.OwnSize && model.Preprocessing.ShortSide is not null)) return false;
        Size2d seen = SeenSize(image.Height, image.Width);
        return options.Window is not { } window || (window.Height >= seen.Height && window.Width >= seen.Width);
    }

    /// <summary>Window after window, row by row. A whole image is one window.</summary>
    private LabelMap Blend(SemanticModel semantic, Image image, Action<int, int>? progress, CancellationToken cancel)
    {
        Size2d size = (image.Height, image.Width), seen = SeenSize(image.Height, image.Width), window = options.Window ?? seen;
        if (seen != size) image = image.Resize(seen.Height, seen.Width);
        Preprocessing preprocessing = semantic.Preprocessing.FixedFor(image);
        var layout = new WindowLayout(0, options.Overlap, options.Context, WindowLayout.LargestStride * options.StepsToWhole());
        WindowAxis rows = new(seen.Height, layout with { Size = window.Height }), columns = new(seen.Width, layout with { Size = window.Width });
        using MemoryScope memory = TensorMemory.Scope();
        var blend = new WindowBlend(rows, columns, seen, size, semantic.Classes.Count);
        var cuts = new Image?[options.BatchSize];
        for (int row = 0; row < rows.Count; row++)
        {
            for (int column = 0, count; column < columns.Count; column += count)
            {
                cancel.ThrowIfCancellationRequested();
                count = Math.Min(options.BatchSize, columns.Count - column);
                while (columns.Sizes[column + count - 1] != columns.Sizes[column]) count--; // those at the image's edges are smaller
                Image[] windows = new Image[count];
                for (int n = 0; n < count; n++) windows[n] = Cut(image, rows.Starts[row], columns.Starts[column + n], (rows.Sizes[row], columns.Sizes[column + n]), ref cuts[n]);
                using MemoryScope scope = TensorMemory.Scope();
                Tensor scores = Scores(semantic, preprocessing, windows, cancel);
                for (int n = 0; n < count; n++)
                {
                    blend.Add(scores, n, row, column + n);
                    progress?.Invoke((row * columns.Count) + column + n + 1, rows.Count * columns.Count);
                }
            }
        }
        return blend.Labels();
    }

    /// <summary>
    /// The scores of equally large images, at their size: the network's own where there is one view, the mean of the probabilities in all views where there are
    /// several. N × [H, W, 3] → [N, H, W, classes].
    /// </summary>
    private Tensor Scores(SemanticModel semantic, Preprocessing preprocessing, Image[] images, CancellationToken cancel)
    {
        Size2d size = (images[0].Height, images[0].Width);
        Tensor? mean = null;
        using MemoryScope views = TensorMemory.Scope();
        foreach (double scale in options.Scales)
        {
            Size2d seen = (Scaled(size.Height, scale), Scaled(size.Width, scale));
            Image[] scaled = [.. images.Select(image => seen == size ? image : image.Resize(seen.Height, seen.Width))];
            foreach (bool mirrored in options.Flip ? [false, true] : (bool[])[false])
            {
                cancel.ThrowIfCancellationRequested();
                using MemoryScope scope = TensorMemory.Scope();
                Tensor input = preprocessing.ToTensor(mirrored ? [.. scaled.Select(image => image.FlipHorizontal())] : scaled, atLeast: semantic.MinimumSize);
                Tensor view = SemanticModel.Fit(semantic.Scores(input, cancel: cancel).Out, seen, size);
                if (!options.HasOneView) view = view.Softmax();
                if (mirrored) MirrorRows(view);
                if (mean is null)
                {
                    scope.PassOut(mean = view);
                    continue;
                }
                TensorPrimitives.Add(mean.Span, view.Span, mean.Span);
            }
        }
        int count = options.Scales.Count * (options.Flip ? 2 : 1);
        if (count > 1) TensorPrimitives.Multiply(mean!.Span, 1f / count, mean.Span);
        views.PassOut(mean!);
        return mean!;

        static int Scaled(int side, double scale) => Math.Max(1, (int)Math.Round(side * scale));
    }

    /// <summary>A part of an image, in the memory of the part before it where that had the same size: hundreds of windows would leave hundreds of megabytes behind.</summary>
    private static Image Cut(Image image, int top, int left, Size2d size, ref Image? memory)
    {
        if (size == (image.Height, image.Width)) return image;
        if (memory is null || size != (memory.Height, memory.Width)) memory = new Image(size.Height, size.Width);
        for (int y = 0; y < size.Height; y++)
            image.Pixels.AsSpan((((top + y) * image.Width) + left) * 3, size.Width * 3).CopyTo(memory.Pixels.AsSpan(y * size.Width * 3));
        return memory;
    }

    /// <summary>Left and right exchanged. [N, H, W, C].</summary>
    private static void MirrorRows(Tensor map)
    {
        (int width, int classes) = (map.Shape[2], map.Shape[3]);
        Span<float> pixel = stackalloc float[classes];
        for (Span<float> rest = map.Span; !rest.IsEmpty; rest = rest[(width * classes)..])
        {
            for (int x = 0; x < width / 2; x++)
            {
                Span<float> one = rest.Slice(x * classes, classes), other = rest.Slice((width - 1 - x) * classes, classes);
                one.CopyTo(pixel);
                other.CopyTo(one);
                pixel.CopyTo(other);
            }
        }
    }
}

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
        if (options.IsPlain) return model.Predict(new ImageBatch([image]), progress, cancel)[0];
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        return new Prediction { Semantic = Blend((SemanticModel)model, image, progress, cancel) };
    }

    /// <summary>
    /// Windows row by row, from left to right. What no later window touches becomes labels at once; what lies on the next window of the row waits in
    /// <c>sums</c>, and what lies on the next row in <c>carried</c>, so that the whole image's scores are never there.
    /// </summary>
    private LabelMap Blend(SemanticModel semantic, Image image, Action<int, int>? progress, CancellationToken cancel)
    {
        Preprocessing preprocessing = semantic.Preprocessing.FixedFor(image);
        Size2d window = options.Window ?? (image.Height, image.Width);
        WindowAxis rows = new(image.Height, window.Height, options.Overlap), columns = new(image.Width, window.Width, options.Overlap);
        (int height, int width, int classes) = (rows.Size, columns.Size, semantic.Classes.Count);
        var labels = new LabelMap(image.Height, image.Width);
        int all = rows.Starts.Length * columns.Starts.Length;
        int mostCarried = Enumerable.Range(0, rows.Starts.Length).Max(i => height - rows.Done(i));
        using MemoryScope memory = TensorMemory.Scope();
        Tensor sums = Tensor.Empty([height, width, classes]), carried = Tensor.Empty([mostCarried, image.Width, classes]);
        for (int i = 0, carriedRows = 0; i < rows.Starts.Length; carriedRows = height - rows.Done(i), i++)
        {
            sums.Span.Clear();
            for (int first = 0; first < columns.Starts.Length; first += options.BatchSize)
            {
                cancel.ThrowIfCancellationRequested();
                int count = Math.Min(options.BatchSize, columns.Starts.Length - first);
                Image[] windows = [.. Enumerable.Range(first, count).Select(j => Cut(image, rows.Starts[i], columns.Starts[j], height, width))];
                using MemoryScope scope = TensorMemory.Scope();
                Tensor probabilities = Probabilities(semantic, preprocessing, windows, cancel);
                for (int n = 0; n < count; n++)
                {
                    int j = first + n;
                    Add(probabilities.Span.Slice(n * height * width * classes, height * width * classes), rows.Weights[i], columns.Weights[j], sums.Span, classes);
                    Settle(sums, carried, carriedRows, rows.Done(i), columns.Done(j), rows.Starts[i], columns.Starts[j], labels, classes);
                    progress?.Invoke((i * columns.Starts.Length) + j + 1, all);
                }
            }
        }
        return labels;
    }

    /// <summary>The mean of the probabilities in all views of equally large images, at their size. N × [H, W, 3] → [N, H, W, classes].</summary>
    private Tensor Probabilities(SemanticModel semantic, Preprocessing preprocessing, Image[] images, CancellationToken cancel)
    {
        Size2d size = (images[0].Height, images[0].Width);
        // Windows are seen at the image's own size; a whole image as the model's preprocessing has it.
        Size2d usual = options.Window is null ? preprocessing.NetworkSize(size.Height, size.Width) : size;
        Tensor? mean = null;
        using MemoryScope views = TensorMemory.Scope();
        foreach (double scale in options.Scales)
        {
            Size2d seen = (Scaled(usual.Height, scale), Scaled(usual.Width, scale));
            Image[] scaled = [.. images.Select(image => seen == size ? image : image.Resize(seen.Height, seen.Width))];
            foreach (bool mirrored in options.Flip ? [false, true] : (bool[])[false])
            {
                cancel.ThrowIfCancellationRequested();
                using MemoryScope scope = TensorMemory.Scope();
                Tensor input = preprocessing.ToTensor(mirrored ? [.. scaled.Select(image => image.FlipHorizontal())] : scaled, atLeast: semantic.MinimumSize);
                Tensor view = SemanticModel.Fit(semantic.Scores(input, cancel: cancel).Out, seen, size).Softmax();
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

    /// <summary>Adds a window's probabilities by its weights. [height, width, classes].</summary>
    private static void Add(Span<float> window, float[] rowWeights, float[] columnWeights, Span<float> sums, int classes)
    {
        int row = columnWeights.Length * classes;
        for (int y = 0; y < rowWeights.Length; y++)
        {
            for (int x = 0, at = y * row; x < columnWeights.Length; x++, at += classes)
            {
                float weight = rowWeights[y] * columnWeights[x];
                for (int c = at; c < at + classes; c++) sums[c] += weight * window[c];
            }
        }
    }

    /// <summary>
    /// Turns the first <paramref name="doneColumns"/> columns of a window's sums, with what earlier rows of windows left there, into labels down to
    /// <paramref name="doneRows"/>, leaves the rest for the next row of windows, and moves the sums on to the next window.
    /// </summary>
    private static void Settle(Tensor sums, Tensor carried, int carriedRows, int doneRows, int doneColumns, int top, int left, LabelMap labels, int classes)
    {
        (int height, int row, int carriedRow) = (sums.Shape[0], sums.Shape[1] * classes, labels.Width * classes);
        Span<float> here = sums.Span, before = carried.Span;
        int length = doneColumns * classes;
        for (int y = 0; y < height; y++)
        {
            Span<float> line = here.Slice(y * row, row), done = line[..length];
            if (y < carriedRows) TensorPrimitives.Add<float>(done, before.Slice((y * carriedRow) + (left * classes), length), done);
            if (y < doneRows)
            {
                Span<byte> to = labels.Labels.AsSpan(((top + y) * labels.Width) + left, doneColumns);
                for (int x = 0; x < to.Length; x++) to[x] = (byte)TensorPrimitives.IndexOfMax<float>(done.Slice(x * classes, classes));
            }
            else
            {
                done.CopyTo(before.Slice(((y - doneRows) * carriedRow) + (left * classes), length)); // a row that was read before: doneRows is at least 1
            }
            line[length..].CopyTo(line);
            line[(row - length)..].Clear();
        }
    }

    private static Image Cut(Image image, int top, int left, int height, int width) =>
        (height, width) == (image.Height, image.Width) ? image : image.Crop(top, left, height, width);

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

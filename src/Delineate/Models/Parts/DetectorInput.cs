using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// Images as a detector takes them (torchvision's <c>GeneralizedRCNNTransform</c>): normalised, resized bilinearly without antialiasing until the shorter side
/// has the wanted length or the longer one its greatest, and padded with zeros on the right and at the bottom to one size that 32 divides.
/// </summary>
/// <param name="Images">[N, H, W, 3].</param>
/// <param name="Sizes">Each image's size after resizing, before padding.</param>
/// <param name="Originals">Each image's size before.</param>
internal sealed record DetectorInput(Tensor Images, IReadOnlyList<Size2d> Sizes, IReadOnlyList<Size2d> Originals)
{
    private const int Multiple = 32;
    private const double LeastDeviation = 0.01; // a blank image stays blank

    /// <summary>The same with one short side for all.</summary>
    public static DetectorInput Of(IReadOnlyList<Tensor> images, Preprocessing preprocessing, int minSize, int maxSize) =>
        Of(images, preprocessing, [.. images.Select(_ => minSize)], maxSize);

    /// <summary>Prepares images of values in 0…1, [h, w, 3] each, to short sides of <paramref name="minSizes"/>.</summary>
    public static DetectorInput Of(IReadOnlyList<Tensor> images, Preprocessing preprocessing, IReadOnlyList<int> minSizes, int maxSize)
    {
        Size2d[] originals = [.. images.Select(SizeOf)];
        Size2d[] sizes = [.. originals.Select((size, i) => Resized(size, minSizes[i], maxSize))];
        Size2d padded = Padded(sizes);
        Tensor batch = Tensor.Zeros([images.Count, padded.Height, padded.Width, 3]);
        int row = padded.Width * 3;
        for (int n = 0; n < images.Count; n++)
        {
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            using MemoryScope scope = TensorMemory.Scope();
            Tensor resized = Normalised(images[n], preprocessing).ResizeBilinear(sizes[n].Height, sizes[n].Width);
            int used = sizes[n].Width * 3;
            for (int y = 0; y < sizes[n].Height; y++) resized.Span.Slice(y * used, used).CopyTo(batch.Span.Slice(((n * padded.Height) + y) * row));
        }
        return new DetectorInput(batch, sizes, originals);
    }

    /// <summary>
    /// The same in an ONNX file, for one image of values in 0…1. [1, 3, h, w] → the network's input [1, 3, H, W], and the image's height and width after resizing
    /// and before, two whole numbers each.
    /// </summary>
    public static (OnnxValue Images, OnnxValue Size, OnnxValue Original) ToOnnx(OnnxBuilder onnx, OnnxValue image, Preprocessing preprocessing, int minSize, int maxSize)
    {
        OnnxValue normalised;
        if (preprocessing.Standardize)
        {
            OnnxValue centred = image - Mean(image);
            normalised = centred / Mean(centred * centred).Apply("Sqrt").Maximum(onnx.Number((float)LeastDeviation));
        }
        else
        {
            normalised = (image - onnx.Numbers($"{onnx.Path}.mean", [.. preprocessing.Mean], 3, 1, 1)) / onnx.Numbers($"{onnx.Path}.deviation", [.. preprocessing.Deviation], 3, 1, 1);
        }
        OnnxValue original = image.Sizes(2, 4), lengths = original.Cast(OnnxType.Float);
        // Not 1 / length: ONNX Runtime makes one division of that and the product, which rounds otherwise.
        OnnxValue shorter = lengths.Apply("ReduceMin").Apply("Reciprocal"), longer = lengths.Apply("ReduceMax").Apply("Reciprocal");
        OnnxValue scale = (shorter * (float)minSize).Minimum(longer * (float)maxSize).Cast(OnnxType.Double);
        OnnxValue size = (original.Cast(OnnxType.Double) * scale).Cast(OnnxType.Int64).Maximum(onnx.Whole(1));
        OnnxValue resized = Along(Along(normalised, 3), 2);
        OnnxValue lack = ((size + (Multiple - 1)) / Multiple * Multiple) - size;
        OnnxValue images = onnx.Add("Pad", [resized, onnx.Concat(0, onnx.Wholes(0, 0, 0, 0, 0, 0), lack), onnx.Number(0)]);
        return (images, size, original);

        // The op Resize rounds places otherwise, by up to 1e-4 pixels on large images, which deep networks do not take for nothing.
        OnnxValue Along(OnnxValue x, int axis)
        {
            OnnxValue inputs = original.Column(axis - 2), outputs = size.Column(axis - 2), last = inputs - 1;
            OnnxValue places = (((onnx.Range(outputs).Cast(OnnxType.Float) + 0.5f) * (inputs.Cast(OnnxType.Float) / outputs.Cast(OnnxType.Float))) - 0.5f).Maximum(onnx.Number(0));
            OnnxValue low = places.Cast(OnnxType.Int64).Minimum(last), high = (low + 1).Minimum(last);
            OnnxValue share = (places - low.Cast(OnnxType.Float)).Minimum(onnx.Number(1));
            if (axis == 2) share = share.Unsqueeze(1);
            return (At(low) * (1f - share)) + (At(high) * share);

            OnnxValue At(OnnxValue pixels) => x.With(pixels, "Gather", new OnnxAttribute("axis", axis));
        }

        static OnnxValue Mean(OnnxValue x) => x.Apply("ReduceMean", new("axes", [2, 3]), new("keepdims", 1));
    }

    /// <summary>A photo's bytes as values in 0…1. [h, w, 3].</summary>
    public static Tensor Values(Image image)
    {
        Tensor values = Tensor.Empty([image.Height, image.Width, 3]);
        Span<float> to = values.Span;
        ReadOnlySpan<byte> from = image.Pixels;
        for (int i = 0; i < to.Length; i++) to[i] = from[i] / 255f;
        return values;
    }

    /// <summary>The size that an image of a size is resized to.</summary>
    public static Size2d Resized(Size2d size, int minSize, int maxSize)
    {
        // torchvision divides a number by a tensor of one float, which PyTorch computes as number · (1 / float).
        float shorter = Math.Min(size.Height, size.Width), longer = Math.Max(size.Height, size.Width);
        double scale = Math.Min(1 / shorter * minSize, 1 / longer * maxSize);
        return (Math.Max(1, (int)(size.Height * scale)), Math.Max(1, (int)(size.Width * scale)));
    }

    /// <summary>The least size that holds all of them and that 32 divides.</summary>
    public static Size2d Padded(IReadOnlyList<Size2d> sizes) => (Up(sizes.Max(s => s.Height)), Up(sizes.Max(s => s.Width)));

    private static int Up(int length) => (length + Multiple - 1) / Multiple * Multiple;

    private static Size2d SizeOf(Tensor image) => image.Shape is { Rank: 3 } shape && shape[2] == 3 && shape.Length > 0
        ? (shape[0], shape[1])
        : throw new ShapeException($"a detector takes images of [H, W, 3], none of them 0, got {image.Shape}");

    /// <summary>(x − mean) / deviation. [h, w, 3] → [1, h, w, 3].</summary>
    private static Tensor Normalised(Tensor image, Preprocessing preprocessing)
    {
        (float[] mean, float[] deviation) = preprocessing.Standardize ? Figures(image.Span) : ([.. preprocessing.Mean], [.. preprocessing.Deviation]);
        Tensor y = Tensor.Empty([1, image.Shape[0], image.Shape[1], 3]);
        Span<float> to = y.Span;
        ReadOnlySpan<float> from = image.Span;
        for (int i = 0; i < to.Length; i += 3)
        {
            for (int c = 0; c < 3; c++) to[i + c] = (from[i + c] - mean[c]) / deviation[c];
        }
        return y;
    }

    /// <summary>An image's own mean and deviation, as <see cref="Preprocessing.Standardize"/> asks for them.</summary>
    private static (float[] Mean, float[] Deviation) Figures(ReadOnlySpan<float> pixels)
    {
        (float[] mean, float[] deviation) = (new float[3], new float[3]);
        double count = pixels.Length / 3;
        for (int c = 0; c < 3; c++)
        {
            (double sum, double squares) = (0, 0);
            for (int i = c; i < pixels.Length; i += 3) (sum, squares) = (sum + pixels[i], squares + ((double)pixels[i] * pixels[i]));
            mean[c] = (float)(sum / count);
            deviation[c] = (float)Math.Max(LeastDeviation, Math.Sqrt(Math.Max(0, (squares / count) - (sum / count * (sum / count)))));
        }
        return (mean, deviation);
    }
}

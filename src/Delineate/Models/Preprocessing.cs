using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Models;

/// <summary>How an image becomes a network's input. Saved in the model file, so that a prediction prepares images as training did.</summary>
public sealed record Preprocessing
{
    /// <summary>Mean of red, green and blue in 0…1. Default: ImageNet's, as torchvision's networks expect.</summary>
    public IReadOnlyList<float> Mean { get; init; } = [0.485f, 0.456f, 0.406f];

    /// <summary>Deviation of red, green and blue in 0…1. Default: ImageNet's.</summary>
    public IReadOnlyList<float> Deviation { get; init; } = [0.229f, 0.224f, 0.225f];

    /// <summary>
    /// Each image is brought to mean 0 and deviation 1 by its own figures instead of <see cref="Mean"/> and <see cref="Deviation"/>: for pictures whose
    /// brightness says more about the microscope than about what they show.
    /// </summary>
    public bool Standardize { get; init; }

    /// <summary>Evaluation resizes the shorter side to this many pixels, keeping the aspect; null leaves images at their own size.</summary>
    public int? ShortSide { get; init; }

    /// <summary>
    /// The images as one normalised batch, channels last, padded with zeros on the right and at the bottom to the largest of them, and to
    /// <paramref name="atLeast"/> pixels a side. N × [h, w, 3] → [N, H, W, 3].
    /// </summary>
    public Tensor ToTensor(IReadOnlyList<Image> images, int atLeast = 1)
    {
        ArgumentNullException.ThrowIfNull(images);
        int height = Math.Max(atLeast, images.Max(i => i.Height)), width = Math.Max(atLeast, images.Max(i => i.Width));
        Tensor batch = Tensor.Empty([images.Count, height, width, 3]);
        (float[] Scale, float[] Shift)[] steps = [.. images.Select(Normalisation)];
        ThreadTeam.Run(images.Count * height, row =>
        {
            Image image = images[row / height];
            (float[] scale, float[] shift) = steps[row / height];
            int y = row % height;
            Span<float> to = batch.Span.Slice(row * width * 3, width * 3);
            int used = 0;
            if (y < image.Height)
            {
                ReadOnlySpan<byte> from = image.Pixels.AsSpan(y * image.Width * 3, image.Width * 3);
                for (int i = 0; i + 2 < from.Length; i += 3)
                {
                    to[i] = (from[i] * scale[0]) + shift[0];
                    to[i + 1] = (from[i + 1] * scale[1]) + shift[1];
                    to[i + 2] = (from[i + 2] * scale[2]) + shift[2];
                }
                used = from.Length;
            }
            to[used..].Clear();
        });
        return batch;
    }

    /// <summary>Per channel, what turns a byte of any image into a network's input, value·scale + shift; null where each image has figures of its own.</summary>
    internal (float[]? Scale, float[]? Shift) BytesToInput() =>
        Standardize ? (null, null) : ([.. Deviation.Select(d => 1 / (255 * d))], [.. Mean.Zip(Deviation, (m, d) => -m / d)]);

    /// <summary>The same for one image.</summary>
    private (float[] Scale, float[] Shift) Normalisation(Image image)
    {
        const double LeastDeviation = 0.01; // in 0…1: a blank image stays blank
        if (BytesToInput() is ({ } known, { } fixedShift)) return (known, fixedShift);
        Span<long> sum = stackalloc long[3], squares = stackalloc long[3];
        ReadOnlySpan<byte> pixels = image.Pixels;
        for (int i = 0; i < pixels.Length; i += 3)
        {
            for (int c = 0; c < 3; c++)
            {
                int value = pixels[i + c];
                sum[c] += value;
                squares[c] += value * value;
            }
        }
        (float[] scale, float[] shift) = (new float[3], new float[3]);
        double count = pixels.Length / 3;
        for (int c = 0; c < 3; c++)
        {
            double mean = sum[c] / count, deviation = Math.Sqrt(Math.Max(0, (squares[c] / count) - (mean * mean)));
            deviation = Math.Max(deviation, 255 * LeastDeviation);
            (scale[c], shift[c]) = ((float)(1 / deviation), (float)(-mean / deviation));
        }
        return (scale, shift);
    }

    /// <summary>The same for parts of an image: where images are standardised, by the figures of the whole.</summary>
    internal Preprocessing FixedFor(Image image)
    {
        if (!Standardize) return this;
        (float[] scale, float[] shift) = Normalisation(image);
        return this with { Standardize = false, Mean = [.. shift.Zip(scale, (move, factor) => -move / (factor * 255))], Deviation = [.. scale.Select(factor => 1 / (factor * 255))] };
    }

    /// <summary>The image at the size the network sees in evaluation.</summary>
    public Image Resize(Image image)
    {
        ArgumentNullException.ThrowIfNull(image);
        (int height, int width) = NetworkSize(image.Height, image.Width);
        return (height, width) == (image.Height, image.Width) ? image : image.Resize(height, width, Interpolation.Bilinear);
    }

    /// <summary>The size at which the network sees an image of <paramref name="height"/> × <paramref name="width"/> in evaluation.</summary>
    /// <exception cref="DatasetException">The image is so long and thin that it would become too large.</exception>
    public (int Height, int Width) NetworkSize(int height, int width)
    {
        const long MostPixels = 1 << 28; // as many as a decoded image may have
        if (ShortSide is not { } side) return (height, width);
        long longSide = (long)side * Math.Max(height, width) / Math.Min(height, width); // rounded down as torchvision does
        if (side * longSide > MostPixels)
            throw new DatasetException($"an image of {height}×{width} is too long and thin to be brought to a short side of {side} pixels: cut it into parts");
        return height <= width ? (side, (int)longSide) : ((int)longSide, side);
    }

    /// <summary>Why these figures cannot prepare an image, or null where they can.</summary>
    internal string? Fault()
    {
        if (Mean.Count != 3 || !Mean.All(float.IsFinite)) return "the preprocessing's mean must be three numbers";
        if (Deviation.Count != 3 || !Deviation.All(d => float.IsFinite(d) && d > 0)) return "the preprocessing's deviation must be three numbers above 0";
        return ShortSide is null or (>= 8 and <= 8192) ? null : $"the preprocessing's short side must be 8 to 8192; it is {ShortSide}";
    }
}

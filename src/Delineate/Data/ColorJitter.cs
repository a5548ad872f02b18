using Delineate.Imaging;
using Delineate.Tensors;

namespace Delineate.Data;

/// <summary>
/// Random brightness, contrast, saturation and hue, in random order. A strength s draws a factor from [max(0, 1 − s), 1 + s]; the hue turns
/// by a share of the colour circle from [−s, s]. Black stays black under all but contrast. [h, w, 3] → [h, w, 3]. Source: torchvision's
/// <c>ColorJitter</c> in its tensor form.
/// </summary>
public sealed record ColorJitter
{
    /// <summary>Strength of the change of brightness: 0 for none.</summary>
    public double Brightness { get; init; }

    /// <summary>Strength of the change of contrast about the mean grey: 0 for none.</summary>
    public double Contrast { get; init; }

    /// <summary>Strength of the change of saturation: 0 for none.</summary>
    public double Saturation { get; init; }

    /// <summary>Largest turn of the hue as a share of the colour circle: 0 for none, at most 0.5.</summary>
    public double Hue { get; init; }

    /// <summary>The picture in other colours; the given one is left as it is.</summary>
    /// <exception cref="ArgumentException">A strength is negative, or the hue's above 0.5.</exception>
    public Image Apply(Image image, Philox random)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(random);
        if (!(Brightness >= 0 && Contrast >= 0 && Saturation >= 0 && Hue is >= 0 and <= 0.5))
            throw new ArgumentException($"strengths of a colour jitter are at least 0, the hue's at most 0.5: {this}");
        int[] order = random.Permutation(4);
        // Every number is drawn whether it is used or not: turning one change off leaves the others as they were.
        float brightness = Factor(Brightness), contrast = Factor(Contrast), saturation = Factor(Saturation);
        float turn = (float)(Hue * ((2 * random.NextDouble()) - 1));
        Image changed = image.Clone();
        foreach (int step in order)
        {
            switch (step)
            {
                case 0 when Brightness > 0: ScaleBrightness(changed.Pixels, brightness); break;
                case 1 when Contrast > 0: ScaleContrast(changed.Pixels, contrast); break;
                case 2 when Saturation > 0: ScaleSaturation(changed.Pixels, saturation); break;
                case 3 when Hue > 0: TurnHue(changed.Pixels, turn); break;
            }
        }
        return changed;

        float Factor(double strength)
        {
            double low = Math.Max(0, 1 - strength);
            return (float)(low + (random.NextDouble() * (1 + strength - low)));
        }
    }

    internal static void ScaleBrightness(Span<byte> pixels, float factor)
    {
        Span<byte> table = stackalloc byte[256];
        for (int value = 0; value < 256; value++) table[value] = ToByte(value * factor);
        foreach (ref byte p in pixels) p = table[p];
    }

    internal static void ScaleContrast(Span<byte> pixels, float factor)
    {
        long sum = 0;
        for (int i = 0; i < pixels.Length; i += 3) sum += (int)Grey(pixels[i], pixels[i + 1], pixels[i + 2]);
        float rest = (1 - factor) * ((float)sum / (pixels.Length / 3));
        Span<byte> table = stackalloc byte[256];
        for (int value = 0; value < 256; value++) table[value] = ToByte((value * factor) + rest);
        foreach (ref byte p in pixels) p = table[p];
    }

    internal static void ScaleSaturation(Span<byte> pixels, float factor)
    {
        for (int i = 0; i < pixels.Length; i += 3)
        {
            float rest = (1 - factor) * (int)Grey(pixels[i], pixels[i + 1], pixels[i + 2]);
            for (int c = i; c < i + 3; c++) pixels[c] = ToByte((pixels[c] * factor) + rest);
        }
    }

    /// <summary>Turns the hue of every pixel; lightest and darkest channel keep their values (HSV; Smith 1978).</summary>
    internal static void TurnHue(Span<byte> pixels, float turn)
    {
        for (int i = 0; i < pixels.Length; i += 3)
        {
            int r = pixels[i], g = pixels[i + 1], b = pixels[i + 2];
            int most = Math.Max(r, Math.Max(g, b)), least = Math.Min(r, Math.Min(g, b)), range = most - least;
            if (range == 0) continue;
            // The hue in sixths of the circle, red at 0.
            float hue = most == r ? (float)(g - b) / range : most == g ? 2 + ((float)(b - r) / range) : 4 + ((float)(r - g) / range);
            hue += turn * 6;
            pixels[i] = Channel(hue, 5);
            pixels[i + 1] = Channel(hue, 3);
            pixels[i + 2] = Channel(hue, 1);

            // A channel's share of the range over the circle is a trapezoid, offset for red, green and blue.
            byte Channel(float sixths, int offset)
            {
                float k = (offset + sixths + 12) % 6;
                return ToByte(most - (range * Math.Clamp(Math.Min(k, 4 - k), 0f, 1f)) + 0.5f);
            }
        }
    }

    // ITU-R BT.601 luma with torchvision's weights, cut to a whole number as there.
    private static float Grey(byte r, byte g, byte b) => (0.2989f * r) + (0.587f * g) + (0.114f * b);

    private static byte ToByte(float value) => (byte)Math.Clamp(value, 0f, 255f);
}

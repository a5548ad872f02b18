namespace Delineate.Imaging;

/// <summary>An sRGB colour, 8 bits a channel.</summary>
public readonly record struct Rgb(byte R, byte G, byte B)
{
    /// <summary>The colour as <c>#rrggbb</c>.</summary>
    public override string ToString() => $"#{R:x2}{G:x2}{B:x2}";

    /// <summary>Black or white, whichever has the higher contrast on this colour (by WCAG 2.1 the two are equal at a luminance of 0.179).</summary>
    internal Rgb TextColor() => Luminance > 0.179 ? new Rgb(0, 0, 0) : new Rgb(255, 255, 255);

    /// <summary>The colour itself where it is light, else its hue made light enough for a thin line to show on a dark ground.</summary>
    internal Rgb Lit() => Luminance > 0.179 ? this : Canvas.Mix(this, new Rgb(255, 255, 255), 102);

    private double Luminance => (0.2126 * Linear(R)) + (0.7152 * Linear(G)) + (0.0722 * Linear(B));

    /// <summary>A channel's light, 0…1 (IEC 61966-2-1).</summary>
    internal static double Linear(byte channel)
    {
        double v = channel / 255.0;
        return v <= 0.04045 ? v / 12.92 : Math.Pow((v + 0.055) / 1.055, 2.4);
    }
}

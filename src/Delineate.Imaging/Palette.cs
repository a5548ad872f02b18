namespace Delineate.Imaging;

/// <summary>Up to 256 colours, one for each class id.</summary>
public sealed class Palette
{
    private readonly Rgb[] colors;

    /// <summary>A palette of 1…256 <paramref name="colors"/>; ids beyond them are black.</summary>
    public Palette(ReadOnlySpan<Rgb> colors)
    {
        if (colors.Length is 0 or > 256) throw new ArgumentException($"a palette holds 1 to 256 colours, not {colors.Length}", nameof(colors));
        this.colors = colors.ToArray();
    }

    /// <summary>PASCAL VOC's 256 colours: the bits of the id, three at a time, fill red, green and blue from the highest bit down.</summary>
    public static Palette Voc { get; } = MakeVoc();

    /// <summary>Up to 256 colours that differ as much as so many can, to colour-blind eyes too; the first n are the same for every count.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not 1…256.</exception>
    public static Palette Distinct(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 256);
        return new Palette(DistinctColors.Take(count));
    }

    /// <summary>How many colours were given.</summary>
    public int Count => colors.Length;

    /// <summary>The colour of class <paramref name="id"/>.</summary>
    public Rgb this[int id] => (uint)id < (uint)colors.Length ? colors[id] : default;

    private static Palette MakeVoc()
    {
        var colors = new Rgb[256];
        for (int id = 0; id < 256; id++)
        {
            int r = 0, g = 0, b = 0;
            for (int bit = 7, rest = id; bit >= 0; bit--, rest >>= 3)
            {
                r |= (rest & 1) << bit;
                g |= ((rest >> 1) & 1) << bit;
                b |= ((rest >> 2) & 1) << bit;
            }
            colors[id] = new Rgb((byte)r, (byte)g, (byte)b);
        }
        return new Palette(colors);
    }
}

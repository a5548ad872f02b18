namespace Delineate.Imaging;

/// <summary>One object id a pixel (0 is "no object"), row-major. [H, W]. Holds the 16-bit and colour-coded ids that a byte cannot.</summary>
public sealed class IdMap
{
    /// <summary>A map of zeros.</summary>
    public IdMap(int height, int width)
        : this(height, width, new int[PixelGrid.Length(height, width, 1)])
    {
    }

    /// <summary>A map over <paramref name="ids"/>, which it keeps: H·W ids.</summary>
    public IdMap(int height, int width, int[] ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Length != PixelGrid.Length(height, width, 1))
            throw new ArgumentException($"a {height}×{width} id map holds {(long)height * width} ids, not {ids.Length}", nameof(ids));
        (Height, Width, Ids) = (height, width, ids);
    }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Object ids, row-major.</summary>
    public int[] Ids { get; }

    /// <summary>The id of pixel (<paramref name="y"/>, <paramref name="x"/>).</summary>
    public int this[int y, int x]
    {
        get => Ids[PixelGrid.Index(y, x, Height, Width)];
        set => Ids[PixelGrid.Index(y, x, Height, Width)] = value;
    }
}

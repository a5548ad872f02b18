namespace Delineate.Imaging;

/// <summary>One class id a pixel (0…255), row-major. [H, W]. 255 means "ignore" where a data set says so.</summary>
public sealed class LabelMap
{
    /// <summary>A map of zeros.</summary>
    public LabelMap(int height, int width)
        : this(height, width, new byte[PixelGrid.Length(height, width, 1)])
    {
    }

    /// <summary>A map over <paramref name="labels"/>, which it keeps: H·W bytes.</summary>
    public LabelMap(int height, int width, byte[] labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        if (labels.Length != PixelGrid.Length(height, width, 1))
            throw new ArgumentException($"a {height}×{width} label map holds {(long)height * width} bytes, not {labels.Length}", nameof(labels));
        (Height, Width, Labels) = (height, width, labels);
    }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Class ids, row-major.</summary>
    public byte[] Labels { get; }

    /// <summary>The class id of pixel (<paramref name="y"/>, <paramref name="x"/>).</summary>
    public byte this[int y, int x]
    {
        get => Labels[PixelGrid.Index(y, x, Height, Width)];
        set => Labels[PixelGrid.Index(y, x, Height, Width)] = value;
    }

    /// <summary>A copy that shares nothing.</summary>
    public LabelMap Clone() => new(Height, Width, (byte[])Labels.Clone());
}

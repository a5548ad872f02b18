namespace Delineate.Tensors;

/// <summary>A size, stride or distance on the image plane, height first. A single number stands for both.</summary>
public readonly record struct Size2d(int Height, int Width)
{
    public static implicit operator Size2d(int both) => new(both, both);

    public static implicit operator Size2d((int Height, int Width) size) => new(size.Height, size.Width);

    public override string ToString() => $"{Height}×{Width}";
}

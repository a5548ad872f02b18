namespace Delineate.Imaging;

/// <summary>How <see cref="Resizing"/> makes a sample between pixels; each is the filter of the same name in PIL.</summary>
public enum Interpolation
{
    /// <summary>The pixel under the sample: the only choice for labels.</summary>
    Nearest,

    /// <summary>A triangle that widens with the scale, so that shrinking averages instead of skipping.</summary>
    Bilinear,

    /// <summary>Keys' cubic with a = −½, widened likewise.</summary>
    Bicubic,

    /// <summary>A sinc of three lobes, widened likewise.</summary>
    Lanczos,
}

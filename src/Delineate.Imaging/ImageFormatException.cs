namespace Delineate.Imaging;

/// <summary>An image file that cannot be read: its name, the byte where reading stopped, and why, in plain words.</summary>
public sealed class ImageFormatException : IOException
{
    public ImageFormatException(string fileName, long offset, string reason, Exception? inner = null)
        : base($"{fileName}: {reason} (at byte {offset})", inner)
    {
        (FileName, Offset) = (fileName, offset);
    }

    /// <summary>The file's path, or the name the caller gave its bytes.</summary>
    public string FileName { get; }

    /// <summary>The byte of the file at which reading stopped.</summary>
    public long Offset { get; }
}

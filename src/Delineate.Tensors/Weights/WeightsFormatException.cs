namespace Delineate.Tensors.Weights;

/// <summary>A weight file that cannot be read: its path, the place in it, and why, in plain words.</summary>
public sealed class WeightsFormatException : IOException
{
    public WeightsFormatException(string path, string place, string reason, Exception? inner = null)
        : base($"{path}: {Shorten(reason)} ({Shorten(place)})", inner)
    {
        (FilePath, Place, Reason) = (path, place, reason);
    }

    /// <summary>The file's path, or the name that the caller gave its bytes.</summary>
    public string FilePath { get; }

    /// <summary>Where in the file: a byte, a tensor's name, an entry.</summary>
    public string Place { get; }

    internal string Reason { get; }

    /// <summary>Names out of a hostile file can be as long as the file.</summary>
    private static string Shorten(string text) => text.Length <= 400 ? text : text[..400] + "…";
}

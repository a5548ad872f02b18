namespace Delineate.Tensors.Weights;

/// <summary>Writes files that are there whole or not at all, whenever the process ends.</summary>
public static class AtomicFile
{
    /// <summary>The unfinished file that a killed write of <paramref name="path"/> leaves behind.</summary>
    public static string PartialOf(string path) => path + ".partial";

    /// <summary>
    /// Writes <c>PATH.partial</c> beside <paramref name="path"/>, flushes it to the disk and renames it. A reader of <paramref name="path"/> sees
    /// the old file or the new one; what a killed process leaves behind is a <c>.partial</c> file that the next write replaces.
    /// </summary>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        string partial = PartialOf(path);
        try
        {
            using (var file = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }
            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }
}

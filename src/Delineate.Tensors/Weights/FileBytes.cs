using Microsoft.Win32.SafeHandles;

namespace Delineate.Tensors.Weights;

/// <summary>
/// The bytes of an open weight file, read at any place by any thread. A file that is deleted, or replaced by another of its name, stays readable as it
/// was when it was opened; one that is written over or cut short meanwhile is refused.
/// </summary>
internal sealed class FileBytes : IDisposable
{
    private readonly SafeFileHandle? handle; // of a path; null for a stream
    private readonly Stream? stream; // the caller's: it is read under a lock and never closed
    private readonly FileBytes? packed; // the file that these bytes were unpacked from
    private readonly ReadOnlyMemory<byte> memory; // of what was unpacked
    private readonly Lock gate = new();
    private readonly DateTime written;
    private volatile bool isClosed;

    public FileBytes(string path)
    {
        Name = path;
        handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.SequentialScan);
        try
        {
            (Length, written) = (RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));
        }
        catch (NotSupportedException e)
        {
            handle.Dispose();
            throw new WeightsFormatException(path, "byte 0", "not a file but a pipe or a device: values are read at any place, so save it to a file", e);
        }
    }

    public FileBytes(Stream stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        (this.stream, Name, Length) = (stream, name, stream.Length);
    }

    private FileBytes(FileBytes packed, ReadOnlyMemory<byte> memory) => (this.packed, this.memory, Name, Length) = (packed, memory, packed.Name, memory.Length);

    /// <summary>The path, or what stands for it in messages.</summary>
    public string Name { get; }

    /// <summary>Bytes of the file when it was opened.</summary>
    public long Length { get; }

    /// <summary>Fills <paramref name="bytes"/> from a place in the file; <paramref name="place"/> names it in messages.</summary>
    /// <exception cref="WeightsFormatException">The file ends before, or cannot be read.</exception>
    public void Read(long at, Span<byte> bytes, string place)
    {
        while (bytes.Length > 0)
        {
            int count = ReadSome(at, bytes, place);
            if (count == 0) throw new WeightsFormatException(Name, place, $"the file ends at byte {at:N0}, {Length:N0} bytes were there when it was opened: it was cut short meanwhile");
            bytes = bytes[count..];
            at += count;
        }
    }

    /// <summary>Bytes of this file that had to be unpacked into memory: read as those of a file, until this one is closed.</summary>
    public FileBytes Unpacked(ReadOnlyMemory<byte> memory) => new(this, memory);

    /// <summary>Refuses a file that is not the one that was opened any more, as far as its length and the time of its last change tell.</summary>
    /// <exception cref="WeightsFormatException">The file was changed.</exception>
    public void RefuseChanged(string place)
    {
        RefuseClosed();
        if (packed is not null) return; // nothing changes what is in memory
        bool isSame = handle is null ? stream!.Length == Length : RandomAccess.GetLength(handle) == Length && File.GetLastWriteTimeUtc(handle) == written;
        if (!isSame) throw new WeightsFormatException(Name, place, "the file was changed after it was opened: load it again");
    }

    public void Dispose()
    {
        isClosed = true;
        handle?.Dispose();
    }

    private int ReadSome(long at, Span<byte> bytes, string place)
    {
        RefuseClosed();
        try
        {
            if (handle is not null) return RandomAccess.Read(handle, bytes, at);
            if (packed is not null)
            {
                int count = (int)Math.Min(bytes.Length, memory.Length - at);
                memory.Span.Slice((int)at, count).CopyTo(bytes);
                return count;
            }
            lock (gate)
            {
                stream!.Position = at;
                return stream.Read(bytes);
            }
        }
        catch (IOException e)
        {
            throw new WeightsFormatException(Name, place, $"the file cannot be read: {e.Message}", e);
        }
    }

    private void RefuseClosed()
    {
        if (isClosed || packed is { isClosed: true }) throw new ObjectDisposedException(nameof(WeightFile), $"{Name} is closed: the values of its tensors are read only while it is open");
    }
}

using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>
/// The bytes of a pickle from a place in a file on, read in their order. The values of arrays are stepped over; of all else no more than
/// <see cref="MostRead"/> bytes are read, for every one of them can become an object many times its size.
/// </summary>
internal sealed class PickleBytes
{
    /// <summary>The longest piece that <see cref="Take"/> gives.</summary>
    public const int MostAtOnce = 1 << 12;

    private const int BufferLength = 1 << 16, MostRead = 64 << 20;
    private readonly FileBytes file;
    private readonly long start, end;
    private readonly string entry;
    private readonly byte[] buffer;
    private long bufferAt;
    private int buffered;
    private int read;

    /// <param name="file">The file.</param>
    /// <param name="start">The pickle's first byte.</param>
    /// <param name="end">The byte behind its last.</param>
    /// <param name="entry">What messages put before the byte's number, which counts from the start: <c>"data.pkl, "</c>.</param>
    public PickleBytes(FileBytes file, long start, long end, string entry)
    {
        (this.file, this.start, this.end, this.entry) = (file, start, end, entry);
        (At, bufferAt, buffer) = (start, start, new byte[(int)Math.Min(BufferLength, end - start)]);
    }

    /// <summary>Where in the file the next byte is.</summary>
    public long At { get; private set; }

    public FileBytes File => file;

    /// <summary>The next bytes, at most <see cref="MostAtOnce"/>; they are there until the next call.</summary>
    public ReadOnlySpan<byte> Take(int count)
    {
        if (count > end - At) throw Bad(At, "it ends too early");
        if ((read += count) > MostRead) throw Bad(At, $"it has more than the {MostRead:N0} bytes beside the values of arrays that are read");
        ReadOnlySpan<byte> bytes = Buffered(count)[..count];
        At += count;
        return bytes;
    }

    /// <summary>A text that ends with its line.</summary>
    public string Line()
    {
        int length = Buffered(MostAtOnce).IndexOf((byte)'\n');
        if (length < 0) throw Bad(At, "a name does not end");
        string line = Encoding.UTF8.GetString(Take(length));
        Take(1);
        return line;
    }

    /// <summary>Steps over bytes that stay in the file.</summary>
    public long Skip(long count)
    {
        long at = At;
        At += Claimed((ulong)count);
        return at;
    }

    /// <summary>A length that the pickle claims, where so many bytes are left.</summary>
    public long Claimed(ulong length) => length <= (ulong)(end - At) ? (long)length : throw Bad(At, $"{length:N0} bytes are claimed where {end - At:N0} are left");

    public WeightsFormatException Bad(long at, string reason) => new(file.Name, $"{entry}byte {at - start}", reason);

    /// <summary>At least so many of the next bytes, where the file has them.</summary>
    private ReadOnlySpan<byte> Buffered(int count)
    {
        long used = At - bufferAt;
        if (used > buffered || buffered - used < Math.Min(count, end - At))
        {
            bufferAt = At;
            buffered = (int)Math.Min(buffer.Length, end - At);
            file.Read(At, buffer.AsSpan(0, buffered), entry.Length > 0 ? entry.TrimEnd(' ', ',') : $"byte {At}");
            used = 0;
        }
        return buffer.AsSpan((int)used, buffered - (int)used);
    }
}

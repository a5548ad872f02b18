using System.Buffers.Binary;
using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>
/// An entry of a zip archive of <paramref name="Length"/> bytes. Only one that <see cref="IsStored"/>, neither packed nor encrypted, has them in the archive
/// as they are; others have <paramref name="PackedLength"/> there.
/// </summary>
internal sealed record ZipEntry(string Name, long Length, long PackedLength, int Method, bool IsEncrypted, long HeaderAt)
{
    private const int Stored = 0, Deflated = 8;

    public bool IsStored => Method == Stored && !IsEncrypted && PackedLength == Length;

    public bool IsDeflated => Method == Deflated && !IsEncrypted;
}

/// <summary>
/// The entries of a zip archive and where their bytes lie, which .NET's own reader keeps to itself (PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16,
/// with the 64-bit fields). Checksums are not compared: PyTorch can be told to write none.
/// </summary>
internal sealed class ZipDirectory
{
    private const int MostBytes = 64 << 20;
    private const int EndLength = 22, End64Length = 56, LocatorLength = 20, EntryLength = 46, LocalLength = 30; // of records without their variable parts
    private const uint EndMagic = 0x06054B50, End64Magic = 0x06064B50, LocatorMagic = 0x07064B50, EntryMagic = 0x02014B50, LocalMagic = 0x04034B50;
    private readonly FileBytes file;

    /// <exception cref="WeightsFormatException">The archive is damaged or cut short.</exception>
    public ZipDirectory(FileBytes file)
    {
        this.file = file;
        (ulong count, ulong bytes, ulong at) = FindDirectory();
        if (at > (ulong)file.Length || bytes > (ulong)file.Length - at) throw Damaged();
        if (bytes > MostBytes) throw new WeightsFormatException(file.Name, "archive", $"a directory of {bytes:N0} bytes is more than the {MostBytes:N0} that are read");
        Entries = ReadEntries(Read((long)at, (int)bytes), count);
    }

    public IReadOnlyList<ZipEntry> Entries { get; }

    /// <summary>Where the entry's bytes begin; all of them lie in the file.</summary>
    /// <exception cref="WeightsFormatException">There is no such entry at its place.</exception>
    public long DataAt(ZipEntry entry)
    {
        if (entry.HeaderAt > file.Length - LocalLength) throw Damaged();
        ReadOnlySpan<byte> header = Read(entry.HeaderAt, LocalLength);
        long at = entry.HeaderAt + LocalLength + UInt16(header, 26) + UInt16(header, 28); // behind its name and its extra fields
        return UInt32(header, 0) == LocalMagic && at <= file.Length - (entry.IsDeflated ? entry.PackedLength : entry.Length) ? at : throw Damaged();
    }

    /// <summary>The record at the archive's end, which only a comment may follow, says where the directory is.</summary>
    private (ulong Count, ulong Bytes, ulong At) FindDirectory()
    {
        int tailLength = (int)Math.Min(file.Length, EndLength + ushort.MaxValue);
        byte[] tail = Read(file.Length - tailLength, tailLength);
        for (int i = tailLength - EndLength; i >= 0; i--)
        {
            ReadOnlySpan<byte> end = tail.AsSpan(i);
            if (UInt32(end, 0) != EndMagic || UInt16(end, 20) > end.Length - EndLength) continue;
            (ushort count, uint bytes, uint at) = (UInt16(end, 10), UInt32(end, 12), UInt32(end, 16));
            bool is64 = count == ushort.MaxValue || bytes == uint.MaxValue || at == uint.MaxValue;
            return is64 ? FindDirectory64(file.Length - tailLength + i) : (count, bytes, at);
        }
        throw Damaged();
    }

    private (ulong Count, ulong Bytes, ulong At) FindDirectory64(long endAt)
    {
        if (endAt < LocatorLength + End64Length) throw Damaged();
        ReadOnlySpan<byte> locator = Read(endAt - LocatorLength, LocatorLength);
        ulong at = UInt64(locator, 8);
        if (UInt32(locator, 0) != LocatorMagic || at > (ulong)(endAt - LocatorLength - End64Length)) throw Damaged();
        ReadOnlySpan<byte> end = Read((long)at, End64Length);
        return UInt32(end, 0) == End64Magic ? (UInt64(end, 32), UInt64(end, 40), UInt64(end, 48)) : throw Damaged();
    }

    private List<ZipEntry> ReadEntries(ReadOnlySpan<byte> directory, ulong count)
    {
        var entries = new List<ZipEntry>();
        for (ulong i = 0; i < count; i++)
        {
            if (directory.Length < EntryLength || UInt32(directory, 0) != EntryMagic) throw Damaged();
            (int name, int extra, int comment) = (UInt16(directory, 28), UInt16(directory, 30), UInt16(directory, 32));
            if (directory.Length - EntryLength < name + extra + comment) throw Damaged();
            (bool isEncrypted, int method) = ((UInt16(directory, 8) & 1) != 0, UInt16(directory, 10));
            ulong packed = UInt32(directory, 20), length = UInt32(directory, 24), header = UInt32(directory, 42);
            ReadOnlySpan<byte> wide = WideFields(directory.Slice(EntryLength + name, extra));
            // Of the three, those too large for 32 bits stand in the extra field, in this order.
            Widen(ref length, ref wide);
            Widen(ref packed, ref wide);
            Widen(ref header, ref wide);
            if (length > long.MaxValue || packed > long.MaxValue || header > long.MaxValue) throw Damaged();
            string fullName = Encoding.UTF8.GetString(directory.Slice(EntryLength, name));
            entries.Add(new ZipEntry(fullName, (long)length, (long)packed, method, isEncrypted, (long)header));
            directory = directory[(EntryLength + name + extra + comment)..];
        }
        return entries;
    }

    /// <summary>The body of the extra field with 64-bit numbers, empty where there is none.</summary>
    private static ReadOnlySpan<byte> WideFields(ReadOnlySpan<byte> extra)
    {
        const int Zip64 = 1, Head = 4;
        while (extra.Length >= Head)
        {
            int length = Math.Min(UInt16(extra, 2), extra.Length - Head);
            if (UInt16(extra, 0) == Zip64) return extra.Slice(Head, length);
            extra = extra[(Head + length)..];
        }
        return default;
    }

    private static void Widen(ref ulong value, ref ReadOnlySpan<byte> wide)
    {
        if (value != uint.MaxValue || wide.Length < sizeof(ulong)) return;
        value = UInt64(wide, 0);
        wide = wide[sizeof(ulong)..];
    }

    private byte[] Read(long at, int length)
    {
        byte[] bytes = new byte[length];
        file.Read(at, bytes, "archive");
        return bytes;
    }

    private static ushort UInt16(ReadOnlySpan<byte> record, int at) => BinaryPrimitives.ReadUInt16LittleEndian(record[at..]);

    private static uint UInt32(ReadOnlySpan<byte> record, int at) => BinaryPrimitives.ReadUInt32LittleEndian(record[at..]);

    private static ulong UInt64(ReadOnlySpan<byte> record, int at) => BinaryPrimitives.ReadUInt64LittleEndian(record[at..]);

    private WeightsFormatException Damaged() => new(file.Name, "archive", "the zip archive is damaged or cut short");
}

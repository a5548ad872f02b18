using System.IO.Compression;

namespace Delineate.Tensors.Weights;

/// <summary>
/// A <c>.npz</c> file: a zip archive of arrays, as <c>numpy.savez</c> writes it. The arrays of <c>numpy.savez_compressed</c> are unpacked into memory when
/// the file is opened, the others stay in it until they are asked for.
/// </summary>
public static class NpzFile
{
    private const string Suffix = ".npy";
    private const int MostGrowth = 64, MostSmall = 16 << 20; // what unpacking may make of the file: its size many times over, and a little more
    private const int MostRatio = 1100, RatioSlack = 1 << 10; // more than DEFLATE's 1032 is a lie

    /// <summary>Opens a file; a prefix <c>module.</c> common to all names is taken off.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged, not of this format, holds anything but numbers, or would grow beyond measure.</exception>
    public static WeightFile Open(string path) => WeightFile.Open(new FileBytes(path), file => Read(file, new ZipDirectory(file)));

    /// <summary>The same from a stream: see <see cref="WeightFile.Open(Stream, string)"/>.</summary>
    /// <exception cref="WeightsFormatException">As above.</exception>
    public static WeightFile Open(Stream stream, string name) => WeightFile.Open(new FileBytes(stream, name), file => Read(file, new ZipDirectory(file)));

    internal static bool IsArray(ZipEntry entry) => entry.Name.EndsWith(Suffix, StringComparison.Ordinal);

    internal static WeightFile.Contents Read(FileBytes file, ZipDirectory zip)
    {
        long packedLeft = file.Length, unpackedLeft = (MostGrowth * file.Length) + MostSmall;
        var tensors = new Dictionary<string, RawTensor>(zip.Entries.Count);
        foreach (ZipEntry entry in zip.Entries)
        {
            WeightsFormatException Bad(string reason) => new(file.Name, entry.Name, reason);
            if (!IsArray(entry)) throw Bad("an archive of arrays has only entries that end in .npy");
            string name = entry.Name[..^Suffix.Length];
            if ((packedLeft -= entry.PackedLength) < 0) throw Bad("the entries claim more bytes than the file has");
            RawTensor tensor;
            if (entry.IsStored)
            {
                tensor = NpyFile.ReadArray(file, zip.DataAt(entry), entry.Length, $"tensor '{name}'");
            }
            else
            {
                if (!entry.IsDeflated) throw Bad("the entry is encrypted, or packed in a way that is not read");
                if ((unpackedLeft -= entry.Length) < 0 || entry.Length > (MostRatio * entry.PackedLength) + RatioSlack)
                    throw Bad($"it unpacks to {entry.Length:N0} bytes, which is beyond measure for a file of {file.Length:N0}: save it with numpy.savez");
                FileBytes unpacked = file.Unpacked(Inflate(file, zip.DataAt(entry), entry));
                tensor = NpyFile.ReadArray(unpacked, 0, unpacked.Length, $"tensor '{name}'");
            }
            if (!tensors.TryAdd(name, tensor)) throw Bad("the archive has this entry twice");
        }
        return new WeightFile.Contents(tensors);
    }

    private static byte[] Inflate(FileBytes file, long at, ZipEntry entry)
    {
        byte[] packed = new byte[entry.PackedLength], bytes = new byte[entry.Length];
        file.Read(at, packed, entry.Name);
        using var inflated = new DeflateStream(new MemoryStream(packed), CompressionMode.Decompress);
        try
        {
            int length = inflated.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length < bytes.Length || inflated.ReadByte() >= 0) throw new WeightsFormatException(file.Name, entry.Name, $"it does not unpack to the {entry.Length:N0} bytes that the archive says");
        }
        catch (InvalidDataException e)
        {
            throw new WeightsFormatException(file.Name, entry.Name, "its packed bytes are damaged", e);
        }
        return bytes;
    }
}

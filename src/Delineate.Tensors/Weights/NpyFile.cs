using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Delineate.Tensors.Weights;

/// <summary>A <c>.npy</c> file: one array of NumPy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).</summary>
public static partial class NpyFile
{
    private const int MostHeaderBytes = 1 << 14; // NumPy reads 10 000

    /// <summary>Opens a file; the name of its one tensor is the file's without the suffix.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged, not of this format, or holds anything but numbers.</exception>
    public static WeightFile Open(string path) => WeightFile.Open(new FileBytes(path), Read);

    /// <summary>The same from a stream: see <see cref="WeightFile.Open(Stream, string)"/>.</summary>
    /// <exception cref="WeightsFormatException">As above.</exception>
    public static WeightFile Open(Stream stream, string name) => WeightFile.Open(new FileBytes(stream, name), Read);

    internal static bool IsNpy(ReadOnlySpan<byte> head) => head is [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', ..];

    internal static WeightFile.Contents Read(FileBytes file)
    {
        string name = Path.GetFileNameWithoutExtension(file.Name);
        return new WeightFile.Contents(new Dictionary<string, RawTensor> { [name] = ReadArray(file, 0, file.Length, name) });
    }

    /// <summary>The array that begins at a byte and takes all of <paramref name="length"/>.</summary>
    internal static RawTensor ReadArray(FileBytes file, long at, long length, string name)
    {
        const int Head = 10, LongHead = 12;
        WeightsFormatException Bad(string reason) => new(file.Name, $"tensor '{name}'", reason);
        Span<byte> head = stackalloc byte[(int)Math.Min(LongHead, length)];
        file.Read(at, head, $"tensor '{name}'");
        if (!IsNpy(head)) throw Bad("not an array in NumPy's format");
        if (head.Length < LongHead) throw Bad("its header is cut short");
        int version = head[6], start = version == 1 ? Head : LongHead;
        if (version is < 1 or > 3) throw Bad($"version {version} of NumPy's format is not read");
        uint headerLength = version == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(head[8..]) : BinaryPrimitives.ReadUInt32LittleEndian(head[8..]);
        if (headerLength > MostHeaderBytes) throw Bad($"a header of {headerLength:N0} bytes is more than the {MostHeaderBytes:N0} that are read");
        if (headerLength > length - start) throw Bad("its header is cut short");
        byte[] header = new byte[headerLength];
        file.Read(at + start, header, $"tensor '{name}'");
        string text = Encoding.UTF8.GetString(header);
        if (Header().Match(text) is not { Success: true } parts)
            throw Bad(text.Contains("'descr': [", StringComparison.Ordinal) ? "records of several fields are not read" : "its header is no description of an array");
        char order = parts.Groups["order"].ValueSpan is [var sign] ? sign : '=';
        ElementType type = NumpyValues.TypeOf(order, parts.Groups["code"].Value, Bad);
        string[] written = parts.Groups["shape"].Value.Split(',', StringSplitOptions.TrimEntries);
        if (written[^1].Length == 0) written = written[..^1]; // (3,) and ()
        long[] sizes = Array.ConvertAll(written, s => long.TryParse(s.TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? size : throw Bad($"a size of '{s}'"));
        return NumpyValues.View(file, at + start + headerLength, length - start - headerLength, type, sizes, parts.Groups["fortran"].Value == "True", $"tensor '{name}'", Bad);
    }

    /// <summary>The dictionary that NumPy writes: its keys sorted, one way to write each value; Python 2 put an L behind sizes.</summary>
    [GeneratedRegex(@"^\{\s*'descr':\s*'(?<order>[<>=|]?)(?<code>\w+)',\s*'fortran_order':\s*(?<fortran>True|False),\s*'shape':\s*\((?<shape>[0-9L, ]*)\),?\s*\}\s*$", RegexOptions.CultureInvariant)]
    private static partial Regex Header();
}

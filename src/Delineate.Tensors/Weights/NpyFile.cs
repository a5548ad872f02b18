using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Delineate.Tensors.Weights;

/// <summary>
/// A <c>.npy</c> file: one array of numbers, versions 1 to 3 of the format (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
/// Opened, it is a weight file of one tensor; loaded, it is what another program computed, values with a shape.
/// </summary>
public static partial class NpyFile
{
    private const int Head = 10, LongHead = 12; // bytes before the header: signature, version and the header's length, of two bytes or four
    private const int MostHeaderBytes = 1 << 14; // NumPy reads 10 000
    private static ReadOnlySpan<byte> Signature => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Opens a file; the name of its one tensor is the file's without the suffix.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged, not of this format, or holds anything but numbers.</exception>
    public static WeightFile Open(string path) => WeightFile.Open(new FileBytes(path), Read);

    /// <summary>The same from a stream: see <see cref="WeightFile.Open(Stream, string)"/>.</summary>
    /// <exception cref="WeightsFormatException">As above.</exception>
    public static WeightFile Open(Stream stream, string name) => WeightFile.Open(new FileBytes(stream, name), Read);

    /// <summary>The array as float32, row-major in the order of its own axes, whatever they mean: no axis changes its place.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged, not of this format, or holds anything but numbers.</exception>
    public static (Shape Shape, float[] Values) Load(string path)
    {
        using WeightFile file = Open(path);
        RawTensor array = file.Tensors.Values.Single();
        return (array.Shape, array.ToArray());
    }

    /// <summary>Writes an array as float32, row-major; the file is there whole or not at all.</summary>
    /// <exception cref="ShapeException">The count of values is not the shape's.</exception>
    public static void Save(string path, Shape shape, ReadOnlyMemory<float> values)
    {
        const int Alignment = 64; // of the values, as NumPy has it
        if (shape.Length != values.Length) throw new ShapeException($"{shape} has {shape.Length} elements, but {values.Length} values were given");
        string header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({string.Join(", ", shape)}{(shape.Rank == 1 ? "," : "")}), }}";
        int length = header.Length + 1; // and a line's end
        length += -(Head + length) & (Alignment - 1);
        byte[] head = [.. Signature, 1, 0, (byte)length, (byte)(length >> 8), .. Encoding.ASCII.GetBytes(header.PadRight(length - 1)), (byte)'\n'];
        AtomicFile.Write(path, file =>
        {
            file.Write(head);
            file.Write(MemoryMarshal.AsBytes(values.Span));
        });
    }

    internal static bool IsNpy(ReadOnlySpan<byte> head) => head.StartsWith(Signature);

    internal static WeightFile.Contents Read(FileBytes file)
    {
        string name = Path.GetFileNameWithoutExtension(file.Name);
        return new WeightFile.Contents(new Dictionary<string, RawTensor> { [name] = ReadArray(file, 0, file.Length, "the array") });
    }

    /// <summary>The array that begins at a byte and takes all of <paramref name="length"/>; <paramref name="place"/> names it in messages.</summary>
    internal static RawTensor ReadArray(FileBytes file, long at, long length, string place)
    {
        WeightsFormatException Bad(string reason) => new(file.Name, place, reason);
        Span<byte> head = stackalloc byte[(int)Math.Min(LongHead, length)];
        file.Read(at, head, place);
        if (!IsNpy(head)) throw Bad("this is no array in NumPy's format (.npy)");
        if (head.Length < LongHead) throw Bad("its header is cut short");
        int version = head[6], start = version == 1 ? Head : LongHead;
        if (version is < 1 or > 3) throw Bad($"version {version} of NumPy's format is not read, only 1 to 3");
        uint headerLength = version == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(head[8..]) : BinaryPrimitives.ReadUInt32LittleEndian(head[8..]);
        if (headerLength > MostHeaderBytes) throw Bad($"a header of {headerLength:N0} bytes is more than the {MostHeaderBytes:N0} that are read");
        if (headerLength > length - start) throw Bad("its header is cut short");
        byte[] header = new byte[headerLength];
        file.Read(at + start, header, place);
        string text = Encoding.UTF8.GetString(header);
        GroupCollection parts = Header().Match(text).Groups;
        if (!new[] { "code", "fortran", "shape" }.All(key => parts[key].Captures.Count == 1))
            throw Bad(text.Contains("'descr': [", StringComparison.Ordinal) ? "records of several fields are not read" : "its header does not give descr, fortran_order and shape of one array");
        char order = parts["order"].ValueSpan is [var sign] ? sign : '=';
        NumpyType type = NumpyValues.TypeOf(order, parts["code"].Value, Bad);
        string[] written = parts["shape"].Value.Split(',', StringSplitOptions.TrimEntries);
        if (written[^1].Length == 0) written = written[..^1]; // (3,) and ()
        long[] sizes = Array.ConvertAll(written, s => long.TryParse(s.TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture, out long size) ? size : throw Bad($"a size of '{s}'"));
        return NumpyValues.View(file, at + start + headerLength, length - start - headerLength, type, sizes, parts["fortran"].Value == "True", place, Bad);
    }

    /// <summary>
    /// A dictionary as Python writes it. NumPy sorts its keys, but a reader must not count on that. Python 2 put an L behind sizes. What a part of the
    /// pattern has taken it keeps, so that no header takes long.
    /// </summary>
    [GeneratedRegex(
        @"^\{(?>\s*(?:['""]descr['""]\s*:\s*['""](?<order>[<>=|]?)(?<code>\w+)['""]|['""]fortran_order['""]\s*:\s*(?<fortran>True|False)|['""]shape['""]\s*:\s*\((?<shape>[^()]*)\))\s*(?:,|(?=\})))+\s*\}\s*$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Header();
}

using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Delineate.Tensors;
using Delineate.Tensors.Weights;

namespace Delineate;

/// <summary>A NumPy file that cannot be read: its path and why.</summary>
public sealed class NumpyFormatException(string path, string reason) : IOException($"{path}: {reason}");

/// <summary>Arrays of numbers in NumPy's <c>.npy</c> format, versions 1 to 3: what other frameworks hand over and take.</summary>
public static partial class NumpyFile
{
    private const int MostHeaderBytes = 1 << 16, MostAxes = 32; // NumPy's own limits are 10 000 characters and 64 axes
    private static ReadOnlySpan<byte> Signature => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>The array's values, row-major in the order of its axes. float32 and float64 of either byte order, row- or column-major.</summary>
    /// <exception cref="NumpyFormatException">The file is damaged, or holds something else.</exception>
    public static (int[] Shape, float[] Values) Load(string path)
    {
        using FileStream file = File.OpenRead(path);
        Header header = ReadHeader(file, path);
        int count = Count(header, file.Length - file.Position, path);
        float[] values = new float[count];
        ReadValues(file, header, values);
        return (header.Shape, header.IsColumnMajor && header.Shape.Length > 1 ? ToRowMajor(values, header.Shape) : values);
    }

    /// <summary>Writes float32 values, row-major, whole or not at all.</summary>
    /// <exception cref="ShapeException">The count of values is not the shape's.</exception>
    public static void Save(string path, ReadOnlySpan<int> shape, ReadOnlyMemory<float> values)
    {
        Shape checkedShape = Shape.Of(shape);
        if (checkedShape.Length != values.Length) throw new ShapeException($"{checkedShape} has {checkedShape.Length} elements, but {values.Length} values were given");
        const int Alignment = 64, Prefix = 10;
        string sizes = string.Join(", ", shape.ToArray());
        string text = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}{(shape.Length == 1 ? "," : "")}), }}";
        int padding = Alignment - ((Prefix + text.Length + 1) % Alignment);
        text += new string(' ', padding % Alignment) + "\n";
        AtomicFile.Write(path, stream =>
        {
            Span<byte> prefix = stackalloc byte[Prefix];
            Signature.CopyTo(prefix);
            (prefix[6], prefix[7]) = (1, 0);
            BinaryPrimitives.WriteUInt16LittleEndian(prefix[8..], (ushort)text.Length);
            stream.Write(prefix);
            stream.Write(Encoding.Latin1.GetBytes(text));
            WriteValues(stream, values.Span);
        });
    }

    private static Header ReadHeader(FileStream file, string path)
    {
        Span<byte> start = stackalloc byte[12];
        int read = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (read < start.Length || !start.StartsWith(Signature)) throw new NumpyFormatException(path, "this is not a NumPy file (.npy)");
        if (start[6] is 0 or > 3) throw new NumpyFormatException(path, $"NumPy files of version {start[6]} are not read, only 1 to 3");
        bool wide = start[6] >= 2;
        long length = wide ? BinaryPrimitives.ReadUInt32LittleEndian(start[8..]) : BinaryPrimitives.ReadUInt16LittleEndian(start[8..]);
        file.Position = wide ? 12 : 10;
        if (length > MostHeaderBytes || length > file.Length - file.Position)
            throw new NumpyFormatException(path, $"the header is said to have {length} bytes; the file has {file.Length - file.Position} more, and {MostHeaderBytes} are the limit");
        byte[] bytes = new byte[length];
        file.ReadExactly(bytes);
        string text = Encoding.Latin1.GetString(bytes);
        Match type = TypePattern().Match(text), order = OrderPattern().Match(text), shape = ShapePattern().Match(text);
        if (!type.Success || !order.Success || !shape.Success) throw new NumpyFormatException(path, "the header does not give descr, fortran_order and shape of one array");
        int size = type.Groups[1].Value switch
        {
            "<f4" or ">f4" => 4,
            "<f8" or ">f8" => 8,
            var other => throw new NumpyFormatException(path, $"the values are of type '{other}'; float32 and float64 are read: save array.astype(numpy.float32)"),
        };
        string[] sizes = shape.Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var axes = new int[sizes.Length];
        if (sizes.Length > MostAxes) throw new NumpyFormatException(path, $"the array has {sizes.Length} axes");
        for (int i = 0; i < axes.Length; i++)
        {
            if (!int.TryParse(sizes[i], NumberStyles.None, CultureInfo.InvariantCulture, out axes[i])) throw new NumpyFormatException(path, $"a size of the array is '{sizes[i]}'");
        }
        return new Header(axes, size, type.Groups[1].Value[0] == '>', order.Groups[1].Value == "True");
    }

    /// <summary>The number of values, which the file's length must bear out before memory is taken.</summary>
    private static int Count(Header header, long bytes, string path)
    {
        long count;
        try
        {
            count = Shape.Of(header.Shape).Length;
        }
        catch (ShapeException e)
        {
            throw new NumpyFormatException(path, e.Message);
        }
        if (count * header.ValueBytes != bytes)
            throw new NumpyFormatException(path, $"an array of [{string.Join(", ", header.Shape)}] takes {count * header.ValueBytes} bytes, but the file has {bytes} after its header");
        return (int)count;
    }

    private static void ReadValues(Stream file, Header header, Span<float> values)
    {
        if (header.ValueBytes == sizeof(float))
        {
            file.ReadExactly(MemoryMarshal.AsBytes(values));
            if (header.IsBigEndian != !BitConverter.IsLittleEndian) Swap(values);
            return;
        }
        var piece = new byte[1 << 16];
        for (int done = 0; done < values.Length;)
        {
            int count = Math.Min(piece.Length / sizeof(double), values.Length - done);
            Span<byte> bytes = piece.AsSpan(0, count * sizeof(double));
            file.ReadExactly(bytes);
            for (int i = 0; i < count; i++)
            {
                Span<byte> value = bytes.Slice(i * sizeof(double), sizeof(double));
                values[done + i] = (float)(header.IsBigEndian ? BinaryPrimitives.ReadDoubleBigEndian(value) : BinaryPrimitives.ReadDoubleLittleEndian(value));
            }
            done += count;
        }
    }

    private static void WriteValues(Stream stream, ReadOnlySpan<float> values)
    {
        const int Piece = 1 << 20;
        for (; !values.IsEmpty; values = values[Math.Min(Piece, values.Length)..])
        {
            ReadOnlySpan<float> some = values[..Math.Min(Piece, values.Length)];
            if (!BitConverter.IsLittleEndian)
            {
                float[] swapped = some.ToArray();
                Swap(swapped);
                some = swapped;
            }
            stream.Write(MemoryMarshal.AsBytes(some));
        }
    }

    private static void Swap(Span<float> values)
    {
        Span<int> bits = MemoryMarshal.Cast<float, int>(values);
        BinaryPrimitives.ReverseEndianness(bits, bits);
    }

    /// <summary>Column-major values, whose first axis runs fastest, with the last axis fastest.</summary>
    private static float[] ToRowMajor(float[] values, int[] shape)
    {
        var result = new float[values.Length];
        if (result.Length == 0) return result;
        var strides = new long[shape.Length];
        long stride = 1;
        for (int axis = 0; axis < shape.Length; axis++)
        {
            strides[axis] = stride;
            stride *= shape[axis];
        }
        var place = new int[shape.Length];
        long from = 0;
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = values[from];
            for (int axis = shape.Length - 1; axis >= 0; axis--)
            {
                from += strides[axis];
                if (++place[axis] < shape[axis]) break;
                from -= place[axis] * strides[axis];
                place[axis] = 0;
            }
        }
        return result;
    }

    [GeneratedRegex(@"'descr':\s*'([^']{1,20})'")]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"'fortran_order':\s*(True|False)")]
    private static partial Regex OrderPattern();

    [GeneratedRegex(@"'shape':\s*\(([^)]*)\)")]
    private static partial Regex ShapePattern();

    private sealed record Header(int[] Shape, int ValueBytes, bool IsBigEndian, bool IsColumnMajor);
}

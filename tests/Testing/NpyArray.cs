using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Delineate.Testing;

/// <summary>An array read from a <c>.npy</c> golden: its shape and its values, row-major, widened to double (exact for every type in the goldens).</summary>
public sealed partial class NpyArray
{
    private NpyArray(int[] shape, double[] values) => (Shape, Values) = (shape, values);

    public int[] Shape { get; }

    public double[] Values { get; }

    public float[] Floats => Array.ConvertAll(Values, v => (float)v);

    public int[] Ints => Array.ConvertAll(Values, v => (int)v);

    public byte[] Bytes => Array.ConvertAll(Values, v => checked((byte)v));

    public static NpyArray Load(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        if (file.Length < 10 || file[0] != 0x93 || Encoding.ASCII.GetString(file, 1, 5) != "NUMPY") throw new IOException($"{path}: not an .npy file");
        bool wide = file[6] >= 2;
        int start = wide ? 12 : 10;
        int headerLength = wide ? (int)BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(8)) : BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(8));
        string header = Encoding.Latin1.GetString(file, start, headerLength);
        string type = TypePattern().Match(header).Groups[1].Value;
        int[] shape = [.. ShapePattern().Match(header).Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(s => int.Parse(s, CultureInfo.InvariantCulture))];
        int count = shape.Aggregate(1, (a, b) => checked(a * b));
        double[] values = Widen(type, file.AsSpan(start + headerLength), count, path);
        return new NpyArray(shape, header.Contains("'fortran_order': True", StringComparison.Ordinal) ? ToRowMajor(values, shape) : values);
    }

    private static double[] ToRowMajor(double[] values, int[] shape)
    {
        var result = new double[values.Length];
        for (int i = 0; i < result.Length; i++)
        {
            (int rest, int from, int stride) = (i, 0, values.Length);
            for (int axis = shape.Length - 1; axis >= 0; axis--)
            {
                stride /= shape[axis];
                from += rest % shape[axis] * stride;
                rest /= shape[axis];
            }
            result[i] = values[from];
        }
        return result;
    }

    private static double[] Widen(string type, ReadOnlySpan<byte> data, int count, string path) => type switch
    {
        "<f4" => Each<float>(data, count, v => v),
        "<f8" => Each<double>(data, count, v => v),
        "<i8" => Each<long>(data, count, v => v),
        "<i4" => Each<int>(data, count, v => v),
        "<i2" => Each<short>(data, count, v => v),
        "<u2" => Each<ushort>(data, count, v => v),
        "<u4" => Each<uint>(data, count, v => v),
        "|u1" or "|b1" => Each<byte>(data, count, v => v),
        "|i1" => Each<sbyte>(data, count, v => v),
        _ => throw new IOException($"{path}: element type {type} is not read"),
    };

    private static double[] Each<T>(ReadOnlySpan<byte> data, int count, Func<T, double> widen)
        where T : unmanaged
    {
        ReadOnlySpan<T> typed = MemoryMarshal.Cast<byte, T>(data)[..count];
        var values = new double[count];
        for (int i = 0; i < count; i++) values[i] = widen(typed[i]);
        return values;
    }

    [GeneratedRegex(@"'descr':\s*'([^']+)'")]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"'shape':\s*\(([^)]*)\)")]
    private static partial Regex ShapePattern();
}

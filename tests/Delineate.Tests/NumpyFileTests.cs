using System.Text;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests;

public sealed class NumpyFileTests
{
    private static byte[] File(string header, byte[] values, byte version = 1)
    {
        byte[] text = Encoding.Latin1.GetBytes(header);
        byte[] length = version == 1 ? [(byte)text.Length, (byte)(text.Length >> 8)] : [(byte)text.Length, (byte)(text.Length >> 8), 0, 0];
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. values];
    }

    private static byte[] Bytes<T>(Func<T, byte[]> of, params T[] values) => [.. values.SelectMany(of)];

    [Theory]
    [InlineData(new int[0])]
    [InlineData(new[] { 6 })]
    [InlineData(new[] { 2, 0, 3 })]
    [InlineData(new[] { 1, 3, 5, 7 })]
    public void What_was_saved_is_loaded(int[] shape)
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.npy");
        float[] values = [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(i => (i / 3f) - 1)];
        NumpyFile.Save(path, shape, values);
        (int[] read, float[] back) = NumpyFile.Load(path);
        Assert.Equal(shape, read);
        Assert.Equal(values, back);
        byte[] bytes = System.IO.File.ReadAllBytes(path);
        Assert.Equal(0, (bytes.Length - (4 * values.Length)) % 64); // values begin on a line, as NumPy's own
    }

    [Fact]
    public void Both_types_byte_orders_and_orders_of_axes_are_read()
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.npy");
        float[] floats = [1, 2.5f, -3, 4, 5, 6];
        double[] doubles = [.. floats.Select(f => (double)f)];
        (string Type, byte[] Values)[] files =
        [
            ("<f4", Bytes(BitConverter.GetBytes, floats)),
            (">f4", Bytes(f => [.. BitConverter.GetBytes(f).Reverse()], floats)),
            ("<f8", Bytes(BitConverter.GetBytes, doubles)),
            (">f8", Bytes(d => [.. BitConverter.GetBytes(d).Reverse()], doubles)),
        ];
        foreach ((string type, byte[] values) in files)
        {
            foreach (byte version in (byte[])[1, 2, 3])
            {
                System.IO.File.WriteAllBytes(path, File($"{{'descr': '{type}', 'fortran_order': False, 'shape': (2, 3), }}\n", values, version));
                Assert.Equal(floats, NumpyFile.Load(path).Values);
                System.IO.File.WriteAllBytes(path, File($"{{'descr': '{type}', 'fortran_order': True, 'shape': (2, 3), }}\n", values, version));
                Assert.Equal([1, -3, 5, 2.5f, 4, 6], NumpyFile.Load(path).Values); // columns (1, 2.5), (-3, 4), (5, 6)
            }
        }
    }

    [Theory]
    [InlineData("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", 8, "float32 and float64")]
    [InlineData("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, "type '|O'")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4, "takes 8 bytes")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 9, "takes 4 bytes")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }", 4, "more elements")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, "a size of the array is '-1'")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1,), }", 4, "a size of the array is '1 1'")]
    [InlineData("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, "the header does not give")]
    [InlineData("", 40, "the header does not give")]
    public void A_file_that_cannot_be_read_is_told(string header, int bytes, string message)
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.npy");
        System.IO.File.WriteAllBytes(path, File(header, new byte[bytes]));
        NumpyFormatException e = Assert.Throws<NumpyFormatException>(() => NumpyFile.Load(path));
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_cut_and_every_changed_byte_of_the_header_ends_in_values_or_an_error()
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.npy");
        NumpyFile.Save(path, [2, 3], new float[6]);
        byte[] whole = System.IO.File.ReadAllBytes(path);
        for (int cut = 0; cut < whole.Length; cut += 3)
        {
            System.IO.File.WriteAllBytes(path, whole[..cut]);
            Assert.Throws<NumpyFormatException>(() => NumpyFile.Load(path));
        }
        for (int i = 0; i < whole.Length - 24; i++)
        {
            byte[] changed = [.. whole];
            changed[i] ^= (byte)(1 << (i % 8));
            System.IO.File.WriteAllBytes(path, changed);
            try
            {
                Assert.Equal(6, NumpyFile.Load(path).Values.Length);
            }
            catch (NumpyFormatException)
            {
            }
        }
    }
}

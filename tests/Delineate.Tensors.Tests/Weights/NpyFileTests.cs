using System.Runtime.InteropServices;
using System.Text;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class NpyFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("delineate-").FullName;

    private string FilePath => Path.Combine(folder, "x.npy");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("<f8", "000000000000F8BF", -1.5f)]
    [InlineData("<f4", "0000C0BF", -1.5f)]
    [InlineData("<f2", "00BE", -1.5f)]
    [InlineData("<i8", "FEFFFFFFFFFFFFFF", -2f)]
    [InlineData("<i4", "FEFFFFFF", -2f)]
    [InlineData("<i2", "FEFF", -2f)]
    [InlineData("|i1", "FE", -2f)]
    [InlineData("<u8", "FE00000000000000", 254f)]
    [InlineData("<u4", "FEFFFFFF", 4294967294f)]
    [InlineData("<u2", "FEFF", 65534f)]
    [InlineData("|u1", "FE", 254f)]
    [InlineData("|b1", "01", 1f)]
    [InlineData(">f8", "BFF8000000000000", -1.5f)]
    [InlineData(">f4", "BFC00000", -1.5f)]
    [InlineData(">f2", "BE00", -1.5f)]
    [InlineData(">i8", "FFFFFFFFFFFFFFFE", -2f)]
    [InlineData(">i4", "FFFFFFFE", -2f)]
    [InlineData(">i2", "FFFE", -2f)]
    [InlineData(">u8", "00000000000000FE", 254f)]
    [InlineData(">u4", "FFFFFFFE", 4294967294f)]
    [InlineData(">u2", "FFFE", 65534f)]
    public void Every_type_becomes_float(string type, string hex, float expected)
    {
        byte[] file = Npy(type, false, "(40, 500)", [.. Enumerable.Repeat(Convert.FromHexString(hex), 20_000).SelectMany(b => b)]); // more than one chunk
        RawTensor tensor = Assert.Single(Read(file, "folder/conv.weight.npy")).Value;
        Assert.Equal([40, 500], tensor.Shape);
        Assert.All(tensor.ToArray(), v => Assert.Equal(expected, v));
        File.WriteAllBytes(FilePath, file);
        Assert.All(NpyFile.Load(FilePath).Values, v => Assert.Equal(expected, v));
    }

    [Fact]
    public void The_name_is_that_of_the_file() => Assert.Equal(["conv.weight"], Read(Npy("<f4", false, "()", new byte[4]), "folder/conv.weight.npy").Keys);

    [Fact]
    public void Columns_first_becomes_rows_first()
    {
        byte[] values = Floats(1, 2, 3, 4, 5, 6);
        Assert.Equal([1f, 2, 3, 4, 5, 6], Only(Npy("<f4", false, "(2, 3)", values)).ToArray());
        Assert.Equal([1f, 3, 5, 2, 4, 6], Only(Npy("<f4", true, "(2, 3)", values)).ToArray());
        Assert.Equal([6], Only(Npy("<f4", true, "(6,)", values)).Shape);
        Assert.Equal([6], Only(Npy("<f4", true, "(6L,)", values)).Shape);
        Assert.Equal([0, 3], Only(Npy("<f4", true, "(0, 3)", [])).Shape);
    }

    /// <summary>Of a loaded array no axis changes its place, however many it has.</summary>
    [Theory]
    [InlineData("<f4", false)]
    [InlineData("<f4", true)]
    [InlineData(">f8", false)]
    [InlineData(">f8", true)]
    public void A_loaded_array_is_row_major_in_the_order_of_its_own_axes(string type, bool isFortran)
    {
        float[] values = [.. Enumerable.Range(0, 2 * 3 * 5 * 7).Select(i => (i / 8f) - 3)];
        float[] stored = isFortran ? [.. Enumerable.Range(0, values.Length).Select(i => values[(((((i % 2) * 3) + (i / 2 % 3)) * 5) + (i / 6 % 5)) * 7 + (i / 30)])] : values;
        byte[] bytes = type == "<f4" ? Floats(stored) : [.. stored.SelectMany(v => BitConverter.GetBytes((double)v).Reverse())];
        foreach (byte version in (byte[])[1, 2, 3])
        {
            File.WriteAllBytes(FilePath, Npy(type, isFortran, "(2, 3, 5, 7)", bytes, version));
            (Shape shape, float[] read) = NpyFile.Load(FilePath);
            Assert.Equal([2, 3, 5, 7], shape);
            Assert.Equal(values, read);
        }
    }

    [Theory]
    [InlineData(new int[0])]
    [InlineData(new[] { 6 })]
    [InlineData(new[] { 2, 0, 3 })]
    [InlineData(new[] { 1, 3, 5, 7 })]
    public void What_was_saved_is_loaded(int[] sizes)
    {
        var shape = Shape.Of(sizes);
        float[] values = [.. Enumerable.Range(0, shape.Length).Select(i => (i / 3f) - 1)];
        NpyFile.Save(FilePath, shape, values);
        (Shape read, float[] back) = NpyFile.Load(FilePath);
        Assert.Equal(shape, read);
        Assert.Equal(values, back);
        byte[] bytes = File.ReadAllBytes(FilePath);
        Assert.Equal(0, (bytes.Length - (4 * values.Length)) % 64); // values begin on a line, as NumPy's own
        Assert.Equal((byte)'\n', bytes[^((4 * values.Length) + 1)]);
        Assert.Throws<ShapeException>(() => NpyFile.Save(FilePath, [values.Length + 1], values));
    }

    [Theory]
    [InlineData("{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}")]
    [InlineData("{ \"fortran_order\" :False,\"descr\":\"<f4\", \"shape\":(2 ,),}  ")]
    public void Keys_may_come_in_any_order(string header) => Assert.Equal([1f, 2], Only(NpyWith(header, Floats(1, 2))).ToArray());

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Later_versions_have_longer_headers(byte version) => Assert.Equal([1f, 2], Only(Npy("<f4", false, "(2,)", Floats(1, 2), version)).ToArray());

    [Theory]
    [InlineData("<c8", "(1,)", 8, "'c8' is not read")]
    [InlineData("|O", "(1,)", 8, "Python objects")]
    [InlineData("<U3", "(1,)", 12, "'U3' is not read")]
    [InlineData("<f4", "(2,)", 4, "takes 8 bytes, but 4 are given")]
    [InlineData("<f4", "(1,)", 8, "takes 4 bytes, but 8 are given")]
    [InlineData("<f4", "(1,)", 9, "takes 4 bytes, but 9 are given")]
    [InlineData("<f4", "(-1,)", 4, "a size of '-1'")]
    [InlineData("<f4", "(1 1,)", 4, "a size of '1 1'")]
    [InlineData("<f4", "(99999999999, 0)", 0, "a size of")]
    [InlineData("<f4", "(9999999999999999999,)", 0, "a size of")]
    [InlineData("<f4", "(99999999, 99999999)", 4, "more elements")]
    [InlineData("<f4", "(100000, 100000, 100000)", 0, "more elements")]
    [InlineData("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)", 4, "34 axes")]
    public void Arrays_that_are_not_read_are_refused(string type, string shape, int bytes, string reason) => AssertRefused(Npy(type, false, shape, new byte[bytes]), reason);

    [Theory]
    [InlineData("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "several fields")]
    [InlineData("{'descr': '<f4', 'shape': (1,), }", "does not give descr, fortran_order and shape")]
    [InlineData("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "does not give")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "does not give")]
    [InlineData("", "does not give")]
    public void Headers_of_something_else_are_refused(string header, string reason) => AssertRefused(NpyWith(header, new byte[4]), reason);

    [Fact]
    public void A_header_of_blanks_takes_no_time() =>
        AssertRefused(NpyWith($"{{'descr': '<f4',{new string(' ', 8000)}{string.Concat(Enumerable.Repeat("'shape': (),", 600))}", []), "does not give");

    [Fact]
    public void Other_files_are_refused() => AssertRefused([1, 2, 3], "NumPy");

    [Fact]
    public void Truncation_at_any_byte_is_refused()
    {
        byte[] file = Npy("<f4", false, "(2, 3)", new byte[24]);
        for (int length = 0; length < file.Length; length++)
        {
            Assert.Throws<WeightsFormatException>(() => Read(file[..length], "x"));
            File.WriteAllBytes(FilePath, file[..length]);
            Assert.Throws<WeightsFormatException>(() => NpyFile.Load(FilePath));
        }
    }

    [Fact]
    public void Mutated_arrays_are_read_or_refused()
    {
        byte[][] corpus = [Npy("<f4", false, "(2, 3)", new byte[24]), Npy(">i2", true, "(3, 2, 2)", new byte[24], version: 2), .. WeightFixture.Seeds(".npy", "unet/in.x.npy")];
        FuzzReport report = Fuzzer.Run<WeightsFormatException>(corpus, Fuzzer.InputCount, 17,
            file => ReadAll(NpyFile.Open(new MemoryStream(file), "x.npy")), file => (16L * file.Length) + (1 << 20), damage: WeightFileDamage.Npy);
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    /// <summary>An array, byte by byte.</summary>
    internal static byte[] Npy(string type, bool isFortran, string shape, byte[] data, byte version = 1) =>
        NpyWith($"{{'descr': '{type}', 'fortran_order': {(isFortran ? "True" : "False")}, 'shape': {shape}, }}", data, version);

    private static byte[] NpyWith(string header, byte[] data, byte version = 1)
    {
        byte[] text = Encoding.ASCII.GetBytes(header.PadRight(117) + "\n");
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes(text.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. data];
    }

    private static byte[] Floats(params float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    /// <summary>As weights and as an array, in words that begin with the file's name.</summary>
    private void AssertRefused(byte[] file, string reason)
    {
        File.WriteAllBytes(FilePath, file);
        foreach (WeightsFormatException e in new[] { Assert.Throws<WeightsFormatException>(() => NpyFile.Open(FilePath)), Assert.Throws<WeightsFormatException>(() => NpyFile.Load(FilePath)) })
        {
            Assert.StartsWith($"{FilePath}: ", e.Message, StringComparison.Ordinal);
            Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        }
    }

    private static RawTensor Only(byte[] file) => Assert.Single(Read(file, "x.npy")).Value;

    private static IReadOnlyDictionary<string, RawTensor> Read(byte[] file, string name) => WeightFile.Open(new MemoryStream(file), name).Tensors;

    private static void ReadAll(WeightFile file)
    {
        foreach (RawTensor tensor in file.Tensors.Values) tensor.ToArray();
    }
}

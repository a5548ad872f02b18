using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class NumpyFileTests
{
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
    public void Every_type_becomes_float(string type, string hex, float expected)
    {
        RawTensor tensor = Assert.Single(Read(Npy(type, false, "(1, 1)", Convert.FromHexString(hex)), "folder/conv.weight.npy")).Value;
        Assert.Equal([1, 1], tensor.Shape);
        Assert.Equal([expected], tensor.ToArray());
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

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Later_versions_have_longer_headers(byte version) => Assert.Equal([1f, 2], Only(Npy("<f4", false, "(2,)", Floats(1, 2), version)).ToArray());

    [Theory]
    [InlineData(">f4", "(1,)", 4, "big-endian")]
    [InlineData("<c8", "(1,)", 8, "'c8' is not read")]
    [InlineData("|O", "(1,)", 8, "Python objects")]
    [InlineData("<U3", "(1,)", 12, "'U3' is not read")]
    [InlineData("<f4", "(2,)", 4, "takes 8 bytes, but 4 are given")]
    [InlineData("<f4", "(1,)", 8, "takes 4 bytes, but 8 are given")]
    [InlineData("<f4", "(-1,)", 4, "no description")]
    [InlineData("<f4", "(99999999999, 0)", 0, "a size of")]
    [InlineData("<f4", "(9999999999999999999,)", 0, "a size of")]
    [InlineData("<f4", "(100000, 100000, 100000)", 0, "more elements")]
    [InlineData("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)", 4, "34 axes")]
    public void Arrays_that_are_not_read_are_refused(string type, string shape, int bytes, string reason) =>
        Assert.Contains(reason, Refusal(Npy(type, false, shape, new byte[bytes])), StringComparison.Ordinal);

    [Fact]
    public void Records_of_fields_are_refused() =>
        Assert.Contains("several fields", Refusal(NpyWith("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", new byte[4])), StringComparison.Ordinal);

    [Theory]
    [InlineData(CompressionLevel.NoCompression)]
    [InlineData(CompressionLevel.SmallestSize)]
    public void An_archive_has_an_array_by_each_name(CompressionLevel level)
    {
        IReadOnlyDictionary<string, RawTensor> state = Read(Sample(level), "x.npz");
        Assert.Equal(["a.weight", "b"], state.Keys);
        Assert.Equal([1f, 2, 3], state["a.weight"].ToArray());
        Assert.All(state["b"].ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void A_bomb_is_refused_before_it_is_unpacked()
    {
        byte[] file = Npz(CompressionLevel.SmallestSize, ("b.npy", Npy("<f4", false, "(8000000,)", new byte[32_000_000])));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("beyond measure", Refusal(file), StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void A_length_that_is_a_lie_is_refused()
    {
        byte[] file = Sample(CompressionLevel.SmallestSize);
        int directory = file.AsSpan().IndexOf("PK\x01\x02"u8);
        file[directory + 24]++;
        Assert.Contains("does not unpack to", Refusal(file), StringComparison.Ordinal);
        file[directory + 24] -= 2;
        Assert.Contains("does not unpack to", Refusal(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_entries_are_refused() =>
        Assert.Contains("end in .npy", Refusal(Npz(CompressionLevel.NoCompression, ("a.npy", Npy("<f4", false, "()", new byte[4])), ("notes.txt", [1]))), StringComparison.Ordinal);

    [Fact]
    public void Truncation_at_any_byte_is_refused()
    {
        byte[][] files = [Npy("<f4", false, "(2, 3)", new byte[24]), Sample(CompressionLevel.SmallestSize), Sample(CompressionLevel.NoCompression)];
        foreach (byte[] file in files)
        {
            for (int length = 0; length < file.Length; length++) Assert.Throws<WeightsFormatException>(() => Read(file[..length], "x"));
        }
    }

    [Fact]
    public void Mutated_arrays_are_read_or_refused()
    {
        FuzzReport report = Fuzzer.Run<WeightsFormatException>([Npy("<f4", false, "(2, 3)", new byte[24]), Npy("<i2", true, "(3, 2, 2)", new byte[24])], Fuzzer.InputCount, 17,
            file => ReadAll(NpyFile.Open(new MemoryStream(file), "x.npy")), file => (64L * file.Length) + (1 << 20));
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    [Fact]
    public void Mutated_archives_are_read_or_refused()
    {
        FuzzReport report = Fuzzer.Run<WeightsFormatException>([Sample(CompressionLevel.SmallestSize), Sample(CompressionLevel.NoCompression)], Fuzzer.InputCount, 19,
            file => ReadAll(NpzFile.Open(new MemoryStream(file), "x.npz")), file => (256L * file.Length) + (2 << 20));
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    private static byte[] Sample(CompressionLevel level) =>
        Npz(level, ("module.a.weight.npy", Npy("<f4", false, "(3,)", Floats(1, 2, 3))), ("module.b.npy", Npy("<f2", false, "(10, 50)", new byte[1000])));

    private static byte[] Npz(CompressionLevel level, params (string Name, byte[] Bytes)[] entries)
    {
        var archive = new MemoryStream();
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] bytes) in entries)
            {
                using Stream entry = zip.CreateEntry(name, level).Open();
                entry.Write(bytes);
            }
        }
        return archive.ToArray();
    }

    private static byte[] Npy(string type, bool isFortran, string shape, byte[] data, byte version = 1) =>
        NpyWith($"{{'descr': '{type}', 'fortran_order': {(isFortran ? "True" : "False")}, 'shape': {shape}, }}", data, version);

    private static byte[] NpyWith(string header, byte[] data, byte version = 1)
    {
        byte[] text = Encoding.ASCII.GetBytes(header.PadRight(117) + "\n");
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes(text.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. data];
    }

    private static byte[] Floats(params float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    private static string Refusal(byte[] file) => Assert.Throws<WeightsFormatException>(() => Read(file, "x")).Message;

    private static RawTensor Only(byte[] file) => Assert.Single(Read(file, "x.npy")).Value;

    private static IReadOnlyDictionary<string, RawTensor> Read(byte[] file, string name) => WeightFile.Open(new MemoryStream(file), name).Tensors;

    private static void ReadAll(WeightFile file)
    {
        foreach (RawTensor tensor in file.Tensors.Values) tensor.ToArray();
    }
}

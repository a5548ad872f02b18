using System.Buffers.Binary;
using System.Text;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("delineate-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_is_saved_is_read_back_with_its_metadata()
    {
        string path = Path.Combine(folder, "w.safetensors");
        Tensor conv = GradCheck.Input([3, 2, 5, 4]), bias = GradCheck.Input([3], 2), scalar = Tensor.Scalar(7), none = Tensor.Zeros([0, 4]);
        SafetensorsFile.Save(path, [("conv.weight", conv), ("conv.bias", bias), ("scalar", scalar), ("none", none)], new Dictionary<string, string> { ["classes"] = "a\n\"b\" Ü" });
        using WeightFile file = SafetensorsFile.Open(path);
        Assert.Equal("a\n\"b\" Ü", file.Metadata["classes"]);
        Assert.Equal("a\n\"b\" Ü", SafetensorsFile.LoadMetadata(path)["classes"]);
        Assert.Equal(["conv.weight", "conv.bias", "scalar", "none"], file.Tensors.Keys);
        foreach ((string name, Tensor tensor) in new[] { ("conv.weight", conv), ("conv.bias", bias), ("scalar", scalar), ("none", none) })
        {
            Assert.Equal(tensor.Shape, file.Tensors[name].ToTensor().Shape);
            TensorAssert.SameBits(tensor.Span, file.Tensors[name].ToTensor().Span, name);
        }
    }

    [Fact]
    public void Four_axes_lie_in_the_file_with_channels_second()
    {
        string path = Path.Combine(folder, "w.safetensors");
        SafetensorsFile.Save(path, [("w", Tensor.From([1, 2, 3, 4, 5, 6], [1, 3, 1, 2]))]); // [Co, Kh, Kw, Ci]
        using WeightFile file = SafetensorsFile.Open(path);
        Assert.Equal([1, 2, 3, 1], file.Tensors["w"].Shape);
        Assert.Equal([1f, 3, 5, 2, 4, 6], file.Tensors["w"].ToArray());
    }

    [Fact]
    public void A_file_without_tensors_is_read()
    {
        string path = Path.Combine(folder, "w.safetensors");
        SafetensorsFile.Save(path, []);
        using WeightFile file = SafetensorsFile.Open(path);
        Assert.Empty(file.Tensors);
    }

    [Fact]
    public void The_data_begins_on_a_multiple_of_eight_bytes()
    {
        string path = Path.Combine(folder, "w.safetensors");
        for (int length = 1; length < 9; length++)
        {
            SafetensorsFile.Save(path, [(new string('n', length), Tensor.Scalar(1))]);
            Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(System.IO.File.ReadAllBytes(path)) % 8);
        }
    }

    [Fact]
    public void Saving_replaces_the_old_file_and_leaves_nothing_beside_it()
    {
        string path = Path.Combine(folder, "w.safetensors");
        SafetensorsFile.Save(path, [("w", Tensor.Zeros([100]))]);
        SafetensorsFile.Save(path, [("w", Tensor.Scalar(3))]);
        Assert.Equal([3f], Values(path));
        Assert.Equal([path], Directory.GetFiles(folder));
    }

    [Fact]
    public void A_failed_save_leaves_the_old_file_as_it_was()
    {
        string path = Path.Combine(folder, "w.safetensors");
        SafetensorsFile.Save(path, [("w", Tensor.Scalar(3))]);
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100]);
            throw new InvalidOperationException("the disk is full, say");
        }));
        Assert.Equal([3f], Values(path));
        Assert.Equal([path], Directory.GetFiles(folder));
    }

    [Fact]
    public void Two_tensors_of_one_name_are_refused_when_saving() =>
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Save(Path.Combine(folder, "w"), [("w", Tensor.Scalar(1)), ("w", Tensor.Scalar(2))]));

    [Theory]
    [InlineData("F64", "000000000000F8BF", -1.5f)]
    [InlineData("F32", "0000C0BF", -1.5f)]
    [InlineData("F16", "00BE", -1.5f)]
    [InlineData("BF16", "C0BF", -1.5f)]
    [InlineData("I64", "FEFFFFFFFFFFFFFF", -2f)]
    [InlineData("I32", "FEFFFFFF", -2f)]
    [InlineData("I16", "FEFF", -2f)]
    [InlineData("I8", "FE", -2f)]
    [InlineData("U8", "FE", 254f)]
    [InlineData("BOOL", "01", 1f)]
    public void Every_element_type_becomes_float(string type, string hex, float expected)
    {
        byte[] one = Convert.FromHexString(hex);
        byte[] data = [.. Enumerable.Repeat(one, 20_000).SelectMany(b => b)]; // more than one chunk
        WeightFile file = Read($$$"""{"x":{"dtype":"{{{type}}}","shape":[200,100],"data_offsets":[0,{{{data.Length}}}]}}""", data);
        Assert.All(file.Tensors["x"].ToArray(), v => Assert.Equal(expected, v));
    }

    [Theory]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "takes 8 bytes, but 4 are given")]
    [InlineData("""{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "outside the 8 bytes")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""", "outside")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "belong to no tensor")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "overlap or leave a gap")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "overlap")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"x":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}""", "twice")]
    [InlineData("""{"x":{"dtype":"F32","shape":[4294967298],"data_offsets":[0,8]}}""", "shape")]
    [InlineData("""{"x":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}}""", "more elements than a tensor can hold")]
    [InlineData("""{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}""", "shape")]
    [InlineData("""{"x":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""", "F8_E4M3 is not read")]
    [InlineData("""{"x":{"dtype":"F32","data_offsets":[0,8]}}""", "lacks dtype, shape or data_offsets")]
    [InlineData("""{"x":[1,2]}""", "lacks dtype")]
    [InlineData("""{"__metadata__":{"a":1}}""", "not a string")]
    [InlineData("""{"__metadata__":[]}""", "not a map of strings")]
    [InlineData("""{"x":{"dtype":"F32","shape":[[[[[[1]]]]]],"data_offsets":[0,8]}}""", "not valid JSON")]
    [InlineData("""{"x":{"dtype":"F32\ud800","shape":[2],"data_offsets":[0,8]}}""", "UTF-8")]
    [InlineData("""{"x":""", "not valid JSON")]
    [InlineData("""[1]""", "no JSON object")]
    public void A_damaged_header_is_refused_in_plain_words(string header, string reason)
    {
        var e = Assert.Throws<WeightsFormatException>(() => Read(header, new byte[8]));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("test.safetensors: ", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    public void A_file_shorter_than_any_header_is_refused(int length) =>
        Assert.Throws<WeightsFormatException>(() => SafetensorsFile.Open(new MemoryStream(new byte[length]), "x"));

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 40)]
    [InlineData(0UL)]
    public void A_header_of_absurd_length_takes_no_memory(ulong length)
    {
        byte[] file = new byte[64];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);
        Assert.Throws<WeightsFormatException>(() => SafetensorsFile.Open(new MemoryStream(file), "x"));
    }

    [Fact]
    public void Truncation_at_any_byte_is_refused()
    {
        byte[] file = Sample();
        for (int length = 0; length < file.Length; length++)
            Assert.Throws<WeightsFormatException>(() => SafetensorsFile.Open(new MemoryStream(file, 0, length), "x"));
    }

    [Fact]
    public void Mutated_files_are_read_or_refused()
    {
        FuzzReport report = Fuzzer.Run<WeightsFormatException>([Sample(), Saved()], Fuzzer.InputCount, 5, ReadAll, file => (32L * file.Length) + (1 << 20), damage: WeightFileDamage.Safetensors);
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    private static byte[] Sample() => File("""{"__metadata__":{"k":"v"},"a.weight":{"dtype":"F32","shape":[2,3,1,1],"data_offsets":[0,24]},"b":{"dtype":"F16","shape":[4],"data_offsets":[24,32]}}""", new byte[32]);

    /// <summary>A file as networks are saved: many tensors, and a card.</summary>
    private byte[] Saved()
    {
        string path = Path.Combine(folder, "network.safetensors");
        var network = new Sequential(new Conv2d(new Philox(1), 3, 4, (3, 2)), new BatchNorm2d(4), new Conv2d(new Philox(2), 4, 2, 1));
        SafetensorsFile.Save(path, network.StateDict(), new Dictionary<string, string> { ["format"] = "pt", ["card"] = """{"model":"unet","classes":["a","ü"]}""" });
        return System.IO.File.ReadAllBytes(path);
    }

    private static float[] Values(string path)
    {
        using WeightFile file = SafetensorsFile.Open(path);
        return file.Tensors["w"].ToArray();
    }

    private static void ReadAll(byte[] file)
    {
        foreach (RawTensor tensor in SafetensorsFile.Open(new MemoryStream(file), "x").Tensors.Values) tensor.ToArray();
    }

    private static WeightFile Read(string header, byte[] data) => SafetensorsFile.Open(new MemoryStream(File(header, data)), "test.safetensors");

    private static byte[] File(string header, byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        return [.. length, .. json, .. data];
    }
}

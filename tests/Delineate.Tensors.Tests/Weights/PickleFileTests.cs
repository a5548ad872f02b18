using System.Runtime.InteropServices;
using System.Text;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class PickleFileTests
{
    [Fact]
    public void Arrays_under_model_are_found()
    {
        IReadOnlyDictionary<string, RawTensor> state = Read(Sample());
        Assert.Equal(["w", "f", "b"], state.Keys);
        Assert.Equal([1f, 2, 3, 4, 5, 6], state["w"].ToArray());
        Assert.Equal([2, 3], state["w"].Shape);
        Assert.Equal([1f, 3, 5, 2, 4, 6], state["f"].ToArray());
        Assert.Equal([1f, -2], state["b"].ToArray());
        Assert.Equal("F64", state["b"].ElementType);
    }

    [Theory]
    [InlineData("f8", "000000000000F8BF", -1.5f)]
    [InlineData("f4", "0000C0BF", -1.5f)]
    [InlineData("f2", "00BE", -1.5f)]
    [InlineData("i8", "FEFFFFFFFFFFFFFF", -2f)]
    [InlineData("i1", "FE", -2f)]
    [InlineData("u8", "FE00000000000000", 254f)]
    [InlineData("u2", "FEFF", 65534f)]
    [InlineData("b1", "01", 1f)]
    public void Scalars_and_every_type_become_float(string code, string hex, float expected)
    {
        byte[] data = Convert.FromHexString(hex);
        byte[] file = new CheckpointBuilder().Op('}').Op('(')
            .Text("array").Array(code, [1, 1], data)
            .Text("scalar").Global("numpy.core.multiarray", "scalar").Dtype(code).Bytes(data).Op(0x86).Op('R').Op('u').BuildPickle();
        IReadOnlyDictionary<string, RawTensor> state = Read(file);
        Assert.Equal([expected], state["array"].ToArray());
        Assert.Equal([expected], state["scalar"].ToArray());
        Assert.Equal(0, state["scalar"].Shape.Rank);
    }

    [Fact]
    public void Big_endian_numbers_are_turned_round()
    {
        byte[] file = new CheckpointBuilder().Op('}').Text("w").Array("f4", [2, 2], Convert.FromHexString("BFC000003F800000C000000040400000"), isFortran: true, order: ">").Op('s').BuildPickle();
        Assert.Equal([-1.5f, -2, 1, 3], Read(file)["w"].ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5000)] // longer than what is taken for a name
    public void Bytes_written_as_text_for_Python_2_are_bytes_again(int count)
    {
        float[] values = [.. Enumerable.Range(0, count).Select(i => -1.7f * i)];
        string text = Encoding.Latin1.GetString(MemoryMarshal.AsBytes<float>(values));
        byte[] file = new CheckpointBuilder().Op('}').Text("w").EmptyArray().Op('(').Number(1).Numbers(count).Dtype("f4").Op(0x89)
            .Global("_codecs", "encode").Text(text).Text("latin1").Op(0x86).Op('R').Op('t').Op('b').Op('s').BuildPickle();
        WeightFile open = PickleFile.Open(new MemoryStream(file), "x.pkl");
        Assert.Equal(values, open.Tensors["w"].ToArray());
        open.Dispose();
        Assert.Throws<ObjectDisposedException>(() => open.Tensors["w"].ToArray());
    }

    [Theory]
    [InlineData(3)]
    [InlineData(2000)]
    public void Texts_of_Python_2_are_bytes(int count)
    {
        float[] values = [.. Enumerable.Range(0, count).Select(i => -1.7f * i)];
        byte[] bytes = MemoryMarshal.AsBytes<float>(values).ToArray();
        byte[] text = bytes.Length < 256 ? [(byte)'U', (byte)bytes.Length, .. bytes] : [(byte)'T', .. BitConverter.GetBytes(bytes.Length), .. bytes];
        byte[] file = new CheckpointBuilder().Op('}').Op((byte)'U', 1, (byte)'w').EmptyArray().Op('(').Number(1).Numbers(count).Dtype("f4").Op(0x89).Op(text).Op('t').Op('b').Op('s').BuildPickle();
        Assert.Equal(values, Read(file)["w"].ToArray());
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("builtins", "getattr")]
    [InlineData("numpy.core.multiarray", "frombuffer")]
    public void Names_that_could_run_code_are_refused(string module, string name)
    {
        byte[] file = new CheckpointBuilder().Global(module, name).Text("echo pwned").Op(0x85).Op('R').BuildPickle();
        Assert.Contains($"'{module}.{name}'", Refusal(file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("c8", "<", 8, "'c8' is not read")]
    [InlineData("O8", "|", 8, "Python objects")]
    [InlineData("f4", "<", 5, "takes 4 bytes, but 5 are given")]
    public void Arrays_that_are_not_read_are_refused(string code, string order, int bytes, string reason) =>
        Assert.Contains(reason, Refusal(new CheckpointBuilder().Op('}').Text("w").Array(code, [1], new byte[bytes], order: order).Op('s').BuildPickle()), StringComparison.Ordinal);

    [Fact]
    public void Lists_that_are_copied_again_and_again_cannot_fill_the_memory()
    {
        var builder = new CheckpointBuilder().Global("collections", "OrderedDict").Op((byte)'q', 0).Op(']').Op((byte)'q', 1).Op('(');
        for (int i = 0; i < 1000; i++) builder.Op((byte)'N', (byte)'N', 0x86);
        builder.Op('e');
        for (int i = 0; i < 1000; i++) builder.Op((byte)'h', 0, (byte)'h', 1, 0x85, (byte)'R');
        Assert.Contains("more memory", Refusal(builder.BuildPickle()), StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_that_are_encoded_again_and_again_cannot_fill_the_memory()
    {
        var builder = new CheckpointBuilder().Global("_codecs", "encode").Op((byte)'q', 0).Text(new string('x', 100_000)).Text("latin1").Op(0x86).Op((byte)'q', 1);
        for (int i = 0; i < 1000; i++) builder.Op((byte)'h', 0, (byte)'h', 1, (byte)'R');
        Assert.Contains("more memory", Refusal(builder.BuildPickle()), StringComparison.Ordinal);
    }

    [Fact]
    public void Shapes_that_are_used_again_and_again_cannot_fill_the_memory()
    {
        CheckpointBuilder builder = new CheckpointBuilder().Global("torch._utils", "_rebuild_tensor_v2").Op((byte)'q', 0)
            .Op('(').Storage("FloatStorage", "0", 1).Number(0).Numbers([.. Enumerable.Repeat(1L, 32)]).Op((byte)'q', 2, (byte)'h', 2, (byte)'t', (byte)'q', 1);
        for (int i = 0; i < 1000; i++) builder.Op((byte)'h', 0, (byte)'h', 1, (byte)'R');
        Assert.Contains("more memory", Refusal(builder.BuildPickle()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData((byte)'}')]
    [InlineData((byte)']')]
    [InlineData((byte)'N')]
    public void A_file_of_nothing_but_objects_cannot_fill_the_memory(byte opcode) =>
        Assert.Contains("4,000,000 steps", Refusal(new CheckpointBuilder().Op([.. Enumerable.Repeat(opcode, 4_000_001)]).BuildPickle()), StringComparison.Ordinal);

    [Fact]
    public void Arrays_that_share_bytes_cannot_claim_without_end()
    {
        var builder = new CheckpointBuilder().Op('}').Bytes(new byte[40_000]).Op((byte)'q', 1).Op('0');
        for (int i = 0; i < 3; i++)
            builder.Text($"t{i}").EmptyArray().Op('(').Number(1).Numbers(10_000).Dtype("f4").Op(0x89).Op((byte)'h', 1).Op('t').Op('b').Op('s');
        Assert.Contains("more bytes than the file has", Refusal(builder.BuildPickle()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_of_PyTorch_has_no_place_for_its_values() =>
        Assert.Contains("torch.save", Refusal(new CheckpointBuilder().Op('}').Text("w").Tensor("FloatStorage", "0", 1, 0, [1], [1]).Op('s').BuildPickle()), StringComparison.Ordinal);

    [Fact]
    public void Truncation_at_any_byte_is_refused()
    {
        byte[] file = Sample();
        for (int length = 0; length < file.Length; length++) Assert.Throws<WeightsFormatException>(() => Read(file[..length]));
    }

    [Fact]
    public void Mutated_files_are_read_or_refused()
    {
        FuzzReport report = Fuzzer.Run<WeightsFormatException>([Sample(), .. WeightFixture.Seeds(".pkl")], Fuzzer.InputCount, 13, ReadAll, file => (64L * file.Length) + (1 << 20), damage: PickleDamage.Of);
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    private static byte[] Sample() => new CheckpointBuilder().Op('}').Op('(')
        .Text("model").Op('}').Op('(')
        .Text("module.w").Array("f4", [2, 3], Floats(1, 2, 3, 4, 5, 6))
        .Text("module.f").Array("f4", [2, 3], Floats(1, 2, 3, 4, 5, 6), isFortran: true)
        .Text("module.b").Array("f8", [2], MemoryMarshal.AsBytes<double>([1, -2]).ToArray())
        .Op('u').Text("__author__").Text("somebody").Text("matching_heuristics").Op(0x88).Op('u').BuildPickle();

    private static byte[] Floats(params float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    private static string Refusal(byte[] file) => Assert.Throws<WeightsFormatException>(() => Read(file)).Message;

    private static IReadOnlyDictionary<string, RawTensor> Read(byte[] file) => WeightFile.Open(new MemoryStream(file), "test.pkl").Tensors;

    private static void ReadAll(byte[] file)
    {
        foreach (RawTensor tensor in PickleFile.Open(new MemoryStream(file), "test.pkl").Tensors.Values) tensor.ToArray();
    }
}

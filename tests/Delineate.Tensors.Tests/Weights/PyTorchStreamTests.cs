using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

/// <summary>The stream format of PyTorch before 1.6.</summary>
public sealed class PyTorchStreamTests
{
    [ReferenceFact]
    public void The_same_weights_in_both_formats_are_equal()
    {
        Golden golden = Golden.Reference("fcn_resnet50_legacy");
        using WeightFile stream = WeightFile.Open(golden.FilePath("model_legacy.pth")), zip = WeightFile.Open(golden.FilePath("model.pth"));
        Assert.Equal(zip.Tensors.Keys, stream.Tensors.Keys);
        Assert.NotEmpty(stream.Tensors);
        foreach ((string name, RawTensor tensor) in stream.Tensors)
        {
            Assert.Equal(zip.Tensors[name].Shape, tensor.Shape);
            Assert.Equal(zip.Tensors[name].ElementType, tensor.ElementType);
            TensorAssert.SameBits(zip.Tensors[name].ToArray(), tensor.ToArray(), name);
        }
    }

    [Fact]
    public void Storages_lie_behind_the_pickles_in_the_order_of_their_keys()
    {
        IReadOnlyDictionary<string, RawTensor> state = Read(Sample().BuildStream());
        Assert.Equal(["w", "b", "n"], state.Keys);
        Assert.Equal([1f, 3, 5, 2, 4, 6], state["w"].ToArray());
        Assert.Equal([-1.5f, 0], state["b"].ToArray());
        Assert.Equal("F16", state["b"].ElementType);
        Assert.Equal([7f], state["n"].ToArray());
    }

    [Fact]
    public void A_storage_can_be_a_part_of_another()
    {
        byte[] file = new CheckpointBuilder().Op('}').Text("w").Global("torch._utils", "_rebuild_tensor").Op('(')
            .Op('(').Text("storage").Global("torch", "FloatStorage").Text("7").Text("cpu").Number(4).Op('(').Text("8").Number(1).Number(2).Op('t').Op('t').Op('Q')
            .Number(1).Numbers(1).Numbers(1).Op('t').Op('R').Op('s').Length("7", 4).Data("7", 1f, 2f, 3f, 4f).BuildStream();
        Assert.Equal([3f], Read(file)["w"].ToArray());
    }

    [Theory]
    [InlineData(1, 3, "no part of its own")]
    [InlineData(-1, 2, "no part of its own")]
    [InlineData(long.MaxValue, 2, "no part of its own")]
    [InlineData(2, 0, "reaches beyond")]
    public void A_part_that_is_none_is_refused(long first, long count, string reason)
    {
        byte[] file = new CheckpointBuilder().Op('}').Text("w").Global("torch._utils", "_rebuild_tensor").Op('(')
            .Op('(').Text("storage").Global("torch", "FloatStorage").Text("7").Text("cpu").Number(3).Op('(').Text("8").Number(first).Number(count).Op('t').Op('t').Op('Q')
            .Number(0).Numbers(1).Numbers(1).Op('t').Op('R').Op('s').Length("7", 3).Data("7", 1f, 2f, 3f).BuildStream();
        Assert.Contains(reason, Refusal(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_machines_and_versions_are_refused()
    {
        Assert.Contains("big-endian", Refusal(Sample().BuildStream(isLittleEndian: false)), StringComparison.Ordinal);
        Assert.Contains("version 1001", Refusal(Sample().BuildStream(version: 1002)), StringComparison.Ordinal);
    }

    [Fact]
    public void Storages_that_are_not_as_the_pickle_says_are_refused()
    {
        Assert.Contains("belongs to no tensor", Refusal(Sample().Data("stray", 1f).BuildStream()), StringComparison.Ordinal);
        Assert.Contains("lacks its storage 5", Refusal(new CheckpointBuilder().Op('}').Text("w").Tensor("FloatStorage", "5", 1, 0, [1], [1]).Op('s').BuildStream()), StringComparison.Ordinal);
        Assert.Contains("where the pickle says 6", Refusal(Sample().Length("0", 5).BuildStream()), StringComparison.Ordinal);
        Assert.Contains("are claimed where", Refusal(new CheckpointBuilder().Op('}').Text("w").Tensor("FloatStorage", "0", 1L << 40, 0, [1], [1]).Op('s').Data("0", 1f).BuildStream()), StringComparison.Ordinal);
        Assert.Contains("two types or lengths", Refusal(Sample().Text("x").Tensor("IntStorage", "0", 6, 0, [1], [1]).Op('s').BuildStream()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_would_run_code_is_refused()
    {
        byte[] file = new CheckpointBuilder().Global("os", "system").Text("echo pwned").Op(0x85).Op('R').BuildStream();
        Assert.Contains("'os.system'", Refusal(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Truncation_at_any_byte_is_refused()
    {
        byte[] file = Sample().BuildStream();
        for (int length = 0; length < file.Length; length++) Assert.Throws<WeightsFormatException>(() => Read(file[..length]));
    }

    [Fact]
    public void Mutated_files_are_read_or_refused()
    {
        byte[][] corpus = [Sample().BuildStream(), .. WeightFixture.Seeds("_stream.pth", "fcn_resnet50_legacy/model_legacy.pth")];
        FuzzReport report = Fuzzer.Run<WeightsFormatException>(corpus, Fuzzer.InputCount, 11, ReadAll, file => (64L * file.Length) + (1 << 20), damage: PickleDamage.Of);
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    private static CheckpointBuilder Sample() => new CheckpointBuilder().Global("collections", "OrderedDict").Op(')').Op('R').Op('(')
        .Text("module.w").Tensor("FloatStorage", "0", 6, 0, [2, 3], [1, 2])
        .Text("module.b").Tensor("HalfStorage", "1", 3, 1, [2], [1])
        .Text("module.n").Tensor("LongStorage", "2", 1, 0, [], [])
        .Op('u').Data("0", 1f, 2f, 3f, 4f, 5f, 6f).Data("1", [0, 0, 0x00, 0xBE, 0, 0]).Data("2", [7, 0, 0, 0, 0, 0, 0, 0]);

    private static string Refusal(byte[] file) => Assert.Throws<WeightsFormatException>(() => Read(file)).Message;

    private static IReadOnlyDictionary<string, RawTensor> Read(byte[] file) => WeightFile.Open(new MemoryStream(file), "test.pth").Tensors;

    private static void ReadAll(byte[] file)
    {
        foreach (RawTensor tensor in PyTorchFile.Open(new MemoryStream(file), "test.pth").Tensors.Values) tensor.ToArray();
    }
}

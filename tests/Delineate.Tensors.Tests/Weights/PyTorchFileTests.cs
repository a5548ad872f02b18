using System.IO.Compression;
using System.Text;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class PyTorchFileTests
{
    [ReferenceTheory]
    [InlineData("resnet18")]
    [InlineData("resnet50")]
    [InlineData("fcn_resnet50")]
    [InlineData("fcn_resnet101")]
    [InlineData("unet")]
    [InlineData("unet_bilinear")]
    [InlineData("vgg16")]
    [InlineData("fcn8s")]
    [InlineData("fcn16s")]
    [InlineData("fcn32s")]
    [InlineData("fcn8s_once")]
    [InlineData("fcn8s_grad")]
    [InlineData("fcn_resnet50_legacy")]
    [InlineData("deeplabv3_resnet50")]
    [InlineData("lraspp_mobilenet_v3_large")]
    [InlineData("fasterrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("maskrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet50_fpn_v2")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Real_checkpoints_have_the_names_and_shapes_of_their_list(string folder)
    {
        Golden golden = Golden.Reference(folder);
        string[] expected = [.. File.ReadAllLines(golden.FilePath("state.txt")).Where(l => l.Length > 0).Select(l => l.Split('\t')).Select(c => $"{c[0]} {c[2]}")];
        using WeightFile file = PyTorchFile.Open(golden.FilePath("model.pth"));
        Assert.Equal(expected, file.Tensors.Select(s => $"{s.Key} {s.Value.Shape}"));
        Assert.All(file.Tensors.Values, t => Assert.DoesNotContain(t.ToArray(), v => !float.IsFinite(v)));
    }

    [Fact]
    public void Strides_and_offsets_are_honoured()
    {
        float[] values = [.. Enumerable.Range(0, 24).Select(i => (float)i)];
        byte[] file = new CheckpointBuilder().Op('}').Op('(')
            .Text("plain").Tensor("FloatStorage", "0", 24, 0, [2, 3, 4], [12, 4, 1])
            .Text("transposed").Tensor("FloatStorage", "0", 24, 0, [4, 6], [1, 4])
            .Text("slice").Tensor("FloatStorage", "0", 24, 5, [3], [1])
            .Text("column").Tensor("FloatStorage", "0", 24, 1, [3, 1], [4, 99])
            .Text("scalar").Tensor("FloatStorage", "0", 24, 23, [], [])
            .Text("empty").Tensor("FloatStorage", "0", 24, 0, [0, 5], [5, 1])
            .Op('u').Data("0", values).Build();
        IReadOnlyDictionary<string, RawTensor> state = Read(file);
        Assert.Equal(values, state["plain"].ToArray());
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (float)((i / 6) + (4 * (i % 6)))), state["transposed"].ToArray());
        Assert.Equal([5f, 6, 7], state["slice"].ToArray());
        Assert.Equal([1f, 5, 9], state["column"].ToArray());
        Assert.Equal([23f], state["scalar"].ToArray());
        Assert.Equal([0, 5], state["empty"].Shape);
    }

    [Theory]
    [InlineData("DoubleStorage", "000000000000F8BF", -1.5f)]
    [InlineData("FloatStorage", "0000C0BF", -1.5f)]
    [InlineData("HalfStorage", "00BE", -1.5f)]
    [InlineData("BFloat16Storage", "C0BF", -1.5f)]
    [InlineData("LongStorage", "FEFFFFFFFFFFFFFF", -2f)]
    [InlineData("IntStorage", "FEFFFFFF", -2f)]
    [InlineData("ShortStorage", "FEFF", -2f)]
    [InlineData("CharStorage", "FE", -2f)]
    [InlineData("ByteStorage", "FE", 254f)]
    [InlineData("BoolStorage", "01", 1f)]
    public void Every_storage_type_becomes_float(string type, string hex, float expected) =>
        Assert.Equal([expected], Read(new CheckpointBuilder().Op('}').Text("x").Tensor(type, "0", 1, 0, [1], [1]).Op('s').Data("0", Convert.FromHexString(hex)).Build())["x"].ToArray());

    [Theory]
    [InlineData("model")]
    [InlineData("state_dict")]
    [InlineData("model_state_dict")]
    public void Wrappers_and_the_parallel_prefix_are_taken_off(string wrapper)
    {
        byte[] file = new CheckpointBuilder().Op('}').Op('(')
            .Text("epoch").Number(7)
            .Text("args").Global("argparse", "Namespace").Op(')').Op(0x81).Op('}').Text("lr").Number(1).Op('s').Op('b')
            .Text(wrapper).Op('}').Op('(').Text("module.w").Tensor("FloatStorage", "0", 1, 0, [1], [1]).Text("module.b").Tensor("FloatStorage", "0", 1, 0, [1], [1]).Op('u')
            .Op('u').Data("0", 3f).Build();
        Assert.Equal(["w", "b"], Read(file).Keys);
    }

    [Fact]
    public void A_parameter_is_the_tensor_in_it()
    {
        byte[] file = new CheckpointBuilder().Op('}').Text("w").Global("torch._utils", "_rebuild_parameter").Op('(').Tensor("FloatStorage", "0", 1, 0, [1], [1])
            .Op(0x88).Op('}').Op('t').Op('R').Op('s').Data("0", 3f).Build();
        Assert.Equal(3, Read(file)["w"].ToArray()[0]);
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("posix", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("torch", "FloatStorage2")]
    [InlineData("ultralytics.nn.tasks", "SegmentationModel")]
    public void Globals_that_could_run_code_are_refused_by_name(string module, string name)
    {
        byte[] file = new CheckpointBuilder().Global(module, name).Text("echo pwned").Op(0x85).Op('R').Build();
        var e = Assert.Throws<WeightsFormatException>(() => Read(file));
        Assert.Contains($"'{module}.{name}'", e.Message, StringComparison.Ordinal);
        byte[] stacked = new CheckpointBuilder().Text(module).Text(name).Op(0x93).Build();
        Assert.Contains($"'{module}.{name}'", Assert.Throws<WeightsFormatException>(() => Read(stacked)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        var builder = new CheckpointBuilder();
        for (int i = 0; i < 100_000; i++) builder.Op('(');
        Assert.Contains("too deep", Assert.Throws<WeightsFormatException>(() => Read(builder.Build())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nested_containers_without_marks_are_harmless()
    {
        var builder = new CheckpointBuilder().Op(')');
        for (int i = 0; i < 100_000; i++) builder.Op(0x85); // a tuple in a tuple in a tuple …
        Assert.Contains("no dictionary", Assert.Throws<WeightsFormatException>(() => Read(builder.Build())).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Hostile => new()
    {
        { "beyond", "reaches beyond" },
        { "negative offset", "reaches beyond" },
        { "overflowing stride", "reaches beyond" },
        { "expanded", "expanded tensors are not read" },
        { "huge size", "a size of" },
        { "huge product", "more elements than a tensor can hold" },
        { "short storage", "are claimed" },
        { "no storage", "lacks its storage" },
        { "negative storage", "no storage" },
        { "axes", "axes" },
        { "rank", "1 sizes and 2 strides" },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Tensors_that_reach_outside_their_storage_are_refused(string kind, string reason)
    {
        CheckpointBuilder start = new CheckpointBuilder().Op('}').Text("w").Data("0", 1f, 2f, 3f, 4f);
        CheckpointBuilder tensor = kind switch
        {
            "beyond" => start.Tensor("FloatStorage", "0", 4, 1, [2, 2], [2, 1]),
            "negative offset" => start.Tensor("FloatStorage", "0", 4, -1, [2], [1]),
            "overflowing stride" => start.Tensor("FloatStorage", "0", 4, 0, [2, 2], [long.MaxValue, 1]),
            "expanded" => start.Tensor("FloatStorage", "0", 4, 0, [1000, 1000], [0, 0]),
            "huge size" => start.Tensor("FloatStorage", "0", 4, 0, [1L << 40], [0]),
            "huge product" => start.Tensor("FloatStorage", "0", 4, 0, [1L << 30, 1L << 30], [0, 0]),
            "short storage" => start.Tensor("FloatStorage", "0", 5, 0, [5], [1]),
            "no storage" => start.Tensor("FloatStorage", "1", 4, 0, [4], [1]),
            "negative storage" => start.Tensor("FloatStorage", "0", -4, 0, [4], [1]),
            "axes" => start.Tensor("FloatStorage", "0", 4, 0, new long[100], new long[100]),
            _ => start.Tensor("FloatStorage", "0", 4, 0, [1], [1, 1]),
        };
        Assert.Contains(reason, Assert.Throws<WeightsFormatException>(() => Read(tensor.Op('s').Build())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_strided_views_of_one_storage_cannot_fill_the_memory()
    {
        CheckpointBuilder builder = new CheckpointBuilder().Op('}').Data("0", new float[10_000]);
        for (int i = 0; i < 1000; i++) builder.Text($"t{i}").Tensor("FloatStorage", "0", 10_000, 0, [100, 100], [1, 100]).Op('s');
        Assert.Contains("more memory", Assert.Throws<WeightsFormatException>(() => Read(builder.Build())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { (byte)'X', 0xFF, 0xFF, 0xFF, 0x7F }, "are claimed")]
    [InlineData(new byte[] { 0x8B, 0xFF, 0xFF, 0xFF, 0xFF }, "are claimed")]
    [InlineData(new byte[] { 0x8D, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF }, "are claimed")]
    [InlineData(new byte[] { (byte)'0' }, "stack is empty")]
    [InlineData(new byte[] { (byte)'t' }, "no mark")]
    [InlineData(new byte[] { (byte)'(', (byte)'R' }, "stack is empty")]
    [InlineData(new byte[] { (byte)'h', 3 }, "memo 3")]
    [InlineData(new byte[] { (byte)'N', (byte)'N', (byte)'R' }, "call")]
    [InlineData(new byte[] { (byte)'N', (byte)'Q' }, "no storage")]
    [InlineData(new byte[] { (byte)'N', (byte)'N', (byte)'a' }, "no list")]
    [InlineData(new byte[] { (byte)'N', (byte)'N', (byte)'N', (byte)'s' }, "no dictionary")]
    [InlineData(new byte[] { (byte)'N', (byte)'N', (byte)'b' }, "attributes")]
    [InlineData(new byte[] { (byte)'c', (byte)'x' }, "does not end")]
    [InlineData(new byte[] { (byte)'P' }, "opcode 0x50")]
    [InlineData(new byte[] { 0x80, 9 }, "protocol 9")]
    [InlineData(new byte[] { (byte)'N' }, "no dictionary")]
    [InlineData(new byte[] { (byte)'}' }, "no tensors by name")]
    public void Broken_pickles_are_refused_in_plain_words(byte[] ops, string reason) =>
        Assert.Contains(reason, Assert.Throws<WeightsFormatException>(() => Read(new CheckpointBuilder().Op(ops).Build())).Message, StringComparison.Ordinal);

    [Fact]
    public void Compressed_entries_are_refused_before_they_are_unpacked()
    {
        byte[] bomb = new CheckpointBuilder { Compression = CompressionLevel.SmallestSize }.Op('}').Text("w").Tensor("FloatStorage", "0", 4_000_000, 0, [4_000_000], [1]).Op('s').Data("0", new float[4_000_000]).Build();
        Assert.Contains("compressed", Assert.Throws<WeightsFormatException>(() => Read(bomb)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Big_endian_tensors_are_refused()
    {
        CheckpointBuilder builder = Sample();
        builder.OtherEntries["model/byteorder"] = Encoding.ASCII.GetBytes("big");
        Assert.Contains("big-endian", Assert.Throws<WeightsFormatException>(() => Read(builder.Build())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_files_are_refused()
    {
        Assert.Contains("begin as a zip", Assert.Throws<WeightsFormatException>(() => Read([1, 2, 3])).Message, StringComparison.Ordinal);
        Assert.Contains("begin as a zip", Assert.Throws<WeightsFormatException>(() => Read([])).Message, StringComparison.Ordinal);
        var archive = new MemoryStream();
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Create, leaveOpen: true)) zip.CreateEntry("readme.txt").Open().Dispose();
        Assert.Contains("without data.pkl", Assert.Throws<WeightsFormatException>(() => Read(archive.ToArray())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Truncation_at_any_byte_is_refused()
    {
        byte[] file = Sample().Build();
        for (int length = 0; length < file.Length; length++) Assert.Throws<WeightsFormatException>(() => Read(file[..length]));
    }

    [Fact]
    public void Mutated_files_are_read_or_refused()
    {
        byte[][] corpus = [Sample().Build(), Strided().Build(), .. WeightFixture.Seeds("_zip.pth", "fcn_resnet50_legacy/model.pth", "unet_bilinear/model.pth")];
        FuzzReport report = Fuzzer.Run<WeightsFormatException>(corpus, Fuzzer.InputCount, 3, ReadAll, file => (64L * file.Length) + (1 << 20), damage: WeightFileDamage.Checkpoint);
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    [Fact]
    public void The_first_bytes_decide_the_format()
    {
        Assert.Equal(["w", "b"], WeightFile.Open(new MemoryStream(Sample().Build()), "x").Tensors.Keys);
        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Guid.NewGuid():N}.pth");
        try
        {
            SafetensorsFile.Save(path, [("v", Tensor.Scalar(1))]);
            using WeightFile file = WeightFile.Open(path);
            Assert.Equal(["v"], file.Tensors.Keys);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static CheckpointBuilder Sample() => new CheckpointBuilder().Global("collections", "OrderedDict").Op(')').Op('R').Op((byte)'q', 0).Op('(')
        .Text("w").Tensor("FloatStorage", "0", 8, 0, [2, 2, 2, 1], [4, 2, 1, 1])
        .Text("b").Tensor("HalfStorage", "1", 4, 1, [3], [1])
        .Op('u').Op('}').Text("_metadata").Op('}').Op('s').Op('b').Data("0", 1f, 2f, 3f, 4f, 5f, 6f, 7f, 8f).Data("1", new byte[8]);

    private static CheckpointBuilder Strided() => new CheckpointBuilder().Op('}').Op('(')
        .Text("w").Tensor("FloatStorage", "0", 36, 0, [2, 3, 2, 3], [18, 1, 9, 3])
        .Text("t").Tensor("DoubleStorage", "1", 20, 2, [4, 3], [1, 5])
        .Op('u').Data("0", new float[36]).Data("1", new byte[160]);

    private static IReadOnlyDictionary<string, RawTensor> Read(byte[] file) => PyTorchFile.Open(new MemoryStream(file), "test.pth").Tensors;

    private static void ReadAll(byte[] file)
    {
        foreach (RawTensor tensor in Read(file).Values) tensor.ToArray();
    }
}

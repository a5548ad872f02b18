using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class OnnxBuilderTests : IDisposable
{
    private readonly string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}.onnx");

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Arithmetic_and_lists_become_ops()
    {
        OnnxReader file = Save(onnx =>
        {
            OnnxValue x = onnx.Input("x", OnnxType.Float, "n", 2);
            OnnxValue first = x.Column(0), order = first.Top(first.Sizes(0, 1)).Places;
            OnnxValue y = (((x.Gather(order) * 2f) + 1f) / 4f) - (1f / (x.Slice(-1, 0, 1) + 1f));
            OnnxValue odd = (order % 2).With(onnx.Whole(1), "Equal");
            onnx.Output("y", OnnxType.Float, onnx.Where(odd.Unsqueeze(1), y, onnx.Number(0)), "n", 2);
            onnx.Output("places", OnnxType.Int64, odd.Places() * 10 / 3, "m");
            onnx.Output("sum", OnnxType.Float, x.Sum(1), "n");
        });
        Assert.Equal(["y", "places", "sum"], file.Outputs.Select(o => o.Name));
        Assert.Equal(["n", "2"], file.Input.Sizes);
        IReadOnlyDictionary<string, OnnxArray> made = new OnnxRunner(file).Run(new OnnxArray(OnnxArray.Float, [3, 2], [1, 5, 3, 7, 0, 9]));
        Assert.Equal([1.75 - 0.5, 3.75 - 0.5, 0, 0, 0, 0], made["y"].Values); // rows 1, 0, 2 by their first numbers; row 1 is the odd one
        Assert.Equal([0.0], made["places"].Values);
        Assert.Equal([6.0, 10, 9], made["sum"].Values);
    }

    [Fact]
    public void A_loop_runs_its_ops_for_each_step_and_stacks_what_they_make()
    {
        OnnxReader file = Save(onnx =>
        {
            OnnxValue x = onnx.Input("x", OnnxType.Float, "n", 2);
            OnnxValue scaled = x * 10f;
            OnnxValue[] made = onnx.ForEach(
                x.Count(), i => [scaled.Gather(i) + i.Cast(OnnxType.Float), i * 2], (OnnxType.Float, [2]), (OnnxType.Int64, []));
            onnx.Output("rows", OnnxType.Float, made[0], "n", 2);
            onnx.Output("twice", OnnxType.Int64, made[1], "n");
            onnx.Output("scaled", OnnxType.Float, scaled, "n", 2); // which the loop reads too
        });
        Assert.Equal(1, file.Count("Loop"));
        IReadOnlyDictionary<string, OnnxArray> made = new OnnxRunner(file).Run(new OnnxArray(OnnxArray.Float, [3, 2], [1, 2, 3, 4, 5, 6]));
        Assert.Equal([10.0, 20, 31, 41, 52, 62], made["rows"].Values);
        Assert.Equal([0.0, 2, 4], made["twice"].Values);
        Assert.Equal([0, 2], new OnnxRunner(file).Run(new OnnxArray(OnnxArray.Float, [0, 2], []))["rows"].Sizes);
    }

    [Fact]
    public void Graphs_of_one_network_share_its_weights_and_ops_lie_between_them()
    {
        var network = new Head();
        network.Train(false);
        OnnxReader file = Save(second =>
        {
            var onnx = new OnnxBuilder();
            Graph graph = Trace(), again = Trace();
            OnnxValue x = onnx.Input("x", OnnxType.Float, "n", 3, 4, 5);
            var known = new OnnxOptions { Size = (4, 5) };
            OnnxValue y = onnx.Embed(graph, known, x)[0];
            onnx.Output("once", OnnxType.Float, y, "n", 6);
            onnx.Output("twice", OnnxType.Float, onnx.Embed(again, known, x * 2f)[0], "n", 6);
            return onnx;

            Graph Trace() => Graph.TraceForAnySize(network, inputs => [network.Forward(inputs[0])], [second ? 5 : 2, 4, 5, 3]);
        });
        Assert.Equal(["fc.bias", "fc.weight"], file.Tensors.Keys.Where(k => k.StartsWith("fc", StringComparison.Ordinal)).Order());
        Assert.Equal(["Flatten", "Gemm", "Mul", "Flatten", "Gemm"], file.Nodes.Select(n => n.Op)); // the permutation is nothing there
        Tensor images = Tensor.From([.. Enumerable.Range(0, 2 * 4 * 5 * 3).Select(i => MathF.Sin(i))], [2, 4, 5, 3]);
        IReadOnlyDictionary<string, OnnxArray> made = new OnnxRunner(file).Run(new OnnxArray(OnnxArray.Float, [2, 3, 4, 5], [.. images.Permute(0, 3, 1, 2).ToArray().Select(v => (double)v)]));
        float[] expected = network.Forward(images).ToArray(), twice = network.Forward(images * 2f).ToArray();
        Assert.All(expected.Zip(made["once"].Floats), p => Assert.Equal(p.First, p.Second, 5));
        Assert.All(twice.Zip(made["twice"].Floats), p => Assert.Equal(p.First, p.Second, 5));
    }

    [Fact]
    public void A_file_that_differs_with_the_traced_size_is_refused()
    {
        GraphException refused = Assert.Throws<GraphException>(() => Save(second =>
        {
            var onnx = new OnnxBuilder();
            onnx.Output("y", OnnxType.Float, onnx.Input("x", OnnxType.Float, "n") + (second ? 1f : 2f), "n");
            return onnx;
        }));
        Assert.Contains("depends on the image's size by a number", refused.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    private OnnxReader Save(Action<OnnxBuilder> write) => Save(_ =>
    {
        var onnx = new OnnxBuilder();
        write(onnx);
        return onnx;
    });

    private OnnxReader Save(Func<bool, OnnxBuilder> build)
    {
        OnnxWriter.Save(path, build, "test", new OnnxOptions());
        OnnxReader file = OnnxReader.Read(path);
        Assert.Null(file.Fault());
        return file;
    }

    private sealed class Head : Layer
    {
        private readonly Linear fc;

        public Head() => fc = Child("fc", new Linear(new Philox(3), 60, 6));

        protected override Tensor Apply(Tensor x) => fc.Forward(x.Permute(0, 3, 1, 2).Reshape([x.Shape[0], 60]));
    }
}

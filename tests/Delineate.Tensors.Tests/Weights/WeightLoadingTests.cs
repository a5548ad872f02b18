using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class WeightLoadingTests
{
    [Fact]
    public void What_one_network_saved_another_loads()
    {
        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Guid.NewGuid():N}.safetensors");
        try
        {
            Sequential a = Network(1), b = Network(2);
            SafetensorsFile.Save(path, a.StateDict());
            using (WeightFile file = WeightFile.Open(path)) Assert.Empty(WeightLoading.Load(b, file));
            foreach (((string name, Tensor saved), (_, Tensor loaded)) in a.StateDict().Zip(b.StateDict())) TensorAssert.SameBits(saved.Span, loaded.Span, name);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Batch_counters_are_left_out()
    {
        Dictionary<string, RawTensor> state = State(Network(1));
        state["1.num_batches_tracked"] = new RawTensor([], new float[] { 7 });
        WeightLoading.Load(Network(2), state);
    }

    [Fact]
    public void Every_difference_is_told_at_once_and_nothing_is_changed()
    {
        Sequential network = Network(1);
        float[] before = network.StateDict().First().Tensor.ToArray();
        Dictionary<string, RawTensor> state = State(Network(2));
        state["model.1.weight"] = state["1.weight"];
        state.Remove("1.weight");
        state.Remove("0.bias");
        state["extra"] = new RawTensor([1], new float[1]);
        state["2.weight"] = new RawTensor([2, 9, 1, 1], new float[18]);
        var e = Assert.Throws<WeightsMismatchException>(() => WeightLoading.Load(network, state));
        Assert.Equal(["0.bias", "1.weight"], e.Missing);
        Assert.Equal(["extra", "model.1.weight"], e.Unexpected.Order());
        Assert.Equal([new ShapeMismatch("2.weight", [2, 9, 1, 1], [2, 4, 1, 1])], e.Mismatched);
        Assert.Contains("1.weight (the file has model.1.weight)", e.Message, StringComparison.Ordinal);
        Assert.Contains("2.weight (file [2, 9, 1, 1], network [2, 4, 1, 1])", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.Equal(before, network.StateDict().First().Tensor.ToArray());
    }

    [Fact]
    public void A_misspelt_name_is_found()
    {
        Dictionary<string, RawTensor> state = State(Network(2));
        state["1.runing_mean"] = state["1.running_mean"];
        state.Remove("1.running_mean");
        Assert.Contains("1.running_mean (the file has 1.runing_mean)", Assert.Throws<WeightsMismatchException>(() => WeightLoading.Load(Network(1), state)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("net.", "8 missing from the file, which has all of them with 'net.' before the name: 0.weight, 0.bias, ")]
    [InlineData("a.b.", "8 missing from the file, which has all of them with 'a.b.' before the name: 0.weight, ")]
    public void A_prefix_before_all_names_is_told(string prefix, string message)
    {
        Dictionary<string, RawTensor> state = State(Network(2)).ToDictionary(s => prefix + s.Key, s => s.Value);
        Assert.Contains(message, Assert.Throws<WeightsMismatchException>(() => WeightLoading.Load(Network(1), state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_prefix_that_names_lack_is_told()
    {
        Dictionary<string, RawTensor> state = State(Network(2));
        state.Remove("2.bias");
        var e = Assert.Throws<WeightsMismatchException>(() => WeightLoading.Load(new Sequential(Network(1)), state));
        Assert.Contains("8 missing from the file, which has 7 of them with '0.' taken off: 0.0.weight, ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_longest_part_of_a_name_is_the_nearest()
    {
        Dictionary<string, RawTensor> state = State(Network(2));
        state["weight"] = state["2.bias"];
        state["model.1.weight"] = state["1.running_var"];
        state["x.1.weight"] = state["1.weight"];
        state.Remove("1.weight");
        Assert.Contains("1.weight (the file has x.1.weight)", Assert.Throws<WeightsMismatchException>(() => WeightLoading.Load(Network(1), state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_names_of_the_same_shape_are_near_and_each_is_told_once()
    {
        Dictionary<string, RawTensor> state = State(Network(2));
        foreach (string name in new[] { "1.weight", "1.bias", "2.bias" }) state.Remove(name);
        state["1.weights"] = new RawTensor([5], new float[5]);
        state["1.bia"] = new RawTensor([4], new float[4]);
        string message = Assert.Throws<WeightsMismatchException>(() => WeightLoading.Load(Network(1), state)).Message;
        Assert.Contains("3 missing from the file: 1.weight, 1.bias (the file has 1.bia), 2.bias; 2 unknown", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Long_lists_are_counted_in_the_message_and_whole_in_the_exception()
    {
        var e = Assert.Throws<WeightsMismatchException>(() => WeightLoading.Load(Network(1), Enumerable.Range(0, 1000).ToDictionary(i => $"t{i}", _ => new RawTensor([], new float[1]))));
        Assert.Equal(1000, e.Unexpected.Count);
        Assert.Contains("1000 unknown to the network: t0,", e.Message, StringComparison.Ordinal);
        Assert.Contains("and 988 more", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_skipped_is_told_and_stays_as_it_was()
    {
        Sequential network = Network(1);
        Dictionary<string, RawTensor> state = State(Network(2));
        state["2.weight"] = new RawTensor([21, 4, 1, 1], new float[84]);
        float[] before = network.StateDict().Single(s => s.Name == "2.weight").Tensor.ToArray();
        Assert.Equal(["2.bias", "2.weight"], WeightLoading.Load(network, state, skip: name => name.StartsWith("2.", StringComparison.Ordinal)));
        Assert.Equal(before, network.StateDict().Single(s => s.Name == "2.weight").Tensor.ToArray());
    }

    [Theory]
    [InlineData(2, 3, 4, 5)]
    [InlineData(1, 1, 7, 1)]
    [InlineData(3, 0, 2, 2)]
    [InlineData(3, 1, 1, 9)]
    public void The_second_axis_becomes_the_last_and_comes_back(int a, int b, int c, int d)
    {
        float[] values = [.. Enumerable.Range(0, a * b * c * d).Select(i => (float)i)];
        Tensor tensor = new RawTensor([a, b, c, d], values).ToTensor();
        Assert.Equal([a, c, d, b], tensor.Shape);
        for (int i = 0; i < values.Length; i++)
        {
            (int ia, int ib, int ic, int id) = (i / (b * c * d), i / (c * d) % b, i / d % c, i % d);
            Assert.Equal(values[i], tensor.Span[(((((ia * c) + ic) * d) + id) * b) + ib]);
        }
        Assert.Equal(values, RawTensor.Of(tensor).ToArray());
    }

    private static Sequential Network(ulong seed)
    {
        var random = new Philox(seed);
        return new Sequential(new Conv2d(random, 3, 4, (3, 2)), new BatchNorm2d(4), new Conv2d(random, 4, 2, 1));
    }

    private static Dictionary<string, RawTensor> State(Module module) => module.StateDict().ToDictionary(s => s.Name, s => RawTensor.Of(s.Tensor));
}

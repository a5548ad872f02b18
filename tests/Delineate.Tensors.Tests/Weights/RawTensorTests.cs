using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class RawTensorTests
{
    [Fact]
    public void An_axis_is_cut_into_several_without_a_value_moving()
    {
        float[] values = [.. Enumerable.Range(0, 3 * 24 * 2).Select(i => (float)i)];
        RawTensor cut = new RawTensor([3, 24, 2], values).Unflatten(1, 2, 3, 4);
        Assert.Equal([3, 2, 3, 4, 2], cut.Shape);
        Assert.Equal(values, cut.ToArray());
        Assert.Equal([24], new RawTensor([24], values.AsMemory(0, 24)).Unflatten(-1, 24).Shape);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void A_linear_layer_over_a_flattened_map_becomes_the_convolution_that_does_the_same(int side)
    {
        const int Channels = 5, Outputs = 6;
        Tensor map = GradCheck.Input([2, side, side, Channels]), weight = GradCheck.Input([Outputs, Channels * side * side], seed: 2), bias = GradCheck.Input([Outputs], seed: 3);
        // PyTorch flattens a map with its channels first.
        Tensor expected = map.Permute(0, 3, 1, 2).Reshape(2, -1).Linear(weight, bias);
        Tensor kernel = RawTensor.Of(weight).Unflatten(1, Channels, side, side).ToTensor();
        Assert.Equal([Outputs, side, side, Channels], kernel.Shape);
        TensorAssert.Close(expected, map.Conv2d(kernel, bias).Reshape(2, Outputs));
    }

    [Fact]
    public void From_a_file_it_is_read_in_the_new_shape_and_the_old_one_stays()
    {
        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Guid.NewGuid():N}.pth");
        try
        {
            Tensor weight = GradCheck.Input([4, 18]);
            PyTorchFile.Save(path, [("fc.weight", weight)]);
            using WeightFile file = WeightFile.Open(path);
            RawTensor raw = file.Tensors["fc.weight"];
            TensorAssert.SameBits(RawTensor.Of(weight).Unflatten(1, 2, 3, 3).ToTensor().Span, raw.Unflatten(1, 2, 3, 3).ToTensor().Span);
            TensorAssert.SameBits(weight.Span, raw.ToArray());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Sizes_that_do_not_make_the_axis_are_refused()
    {
        var tensor = new RawTensor([2, 6], new float[12]);
        Assert.Contains("axis 1 of [2, 6] cannot be cut into [4, 2]", Assert.Throws<ShapeException>(() => tensor.Unflatten(1, 4, 2)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => tensor.Unflatten(2, 6));
    }
}

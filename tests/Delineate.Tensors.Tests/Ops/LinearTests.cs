using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class LinearTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(5, 7, 4)]
    [InlineData(13, 300, 33)]
    public void Matches_naive_loops_forward_and_backward(int rows, int inputs, int outputs)
    {
        GradCheck.Run(
            t => t[0].Linear(t[1], t[2]),
            v =>
            {
                double[] y = Reference.MatMul(rows, outputs, inputs, v[0], v[1], transposeB: true);
                for (int i = 0; i < y.Length; i++) y[i] += v[2][i % outputs];
                return y;
            },
            [GradCheck.Input([rows, inputs]), GradCheck.Input([outputs, inputs], 2), GradCheck.Input([outputs], 3)],
            relative: 1e-5);
    }

    [Fact]
    public void Leading_axes_stay_as_they_are() => Assert.Equal([2, 3, 5], Tensor.Zeros([2, 3, 4]).Linear(Tensor.Zeros([5, 4])).Shape);

    [Fact]
    public void A_vector_is_one_row() => Assert.Equal([5], Tensor.Zeros([4]).Linear(Tensor.Zeros([5, 4])).Shape);

    [ReferenceFact]
    public void Equals_the_reference()
    {
        Golden golden = Golden.Reference("ops");
        Tensor[] inputs = [golden.Tensor("linear.in0"), golden.Tensor("linear.in1"), golden.Tensor("linear.in2")];
        foreach (Tensor input in inputs) input.RequiresGrad = true;
        Tensor y = inputs[0].Linear(inputs[1], inputs[2]);
        TensorAssert.Close(golden.Tensor("linear.y"), y);
        y.Backward(golden.Tensor("linear.gy"));
        for (int i = 0; i < inputs.Length; i++) TensorAssert.Close(golden.Tensor($"linear.g{i}"), inputs[i].Gradient!);
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_named()
    {
        Assert.Contains("[Out, In]", Assert.Throws<ShapeException>(() => Tensor.Zeros([3, 4]).Linear(Tensor.Zeros([5, 6]))).Message, StringComparison.Ordinal);
        Assert.Contains("takes a bias of [5]", Assert.Throws<ShapeException>(() => Tensor.Zeros([3, 4]).Linear(Tensor.Zeros([5, 4]), Tensor.Zeros([4]))).Message, StringComparison.Ordinal);
    }
}

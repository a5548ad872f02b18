using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class PatchesTests
{
    private static readonly PatchCorner[] Corners = [new(1, 0, 0), new(0, 2, 1), new(1, 1, 3), new(1, 1, 3), new(0, 1, 0)];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 2)]
    [InlineData(2, 3)]
    public void Patches_are_copies_and_what_they_share_gets_the_sum_of_their_gradients(int height, int width)
    {
        Shape shape = [2, 5, 6, 3];
        GradCheck.Run(
            x => x[0].Patches(Corners, (height, width)),
            x =>
            {
                var y = new List<double>();
                foreach (PatchCorner corner in Corners)
                {
                    for (int row = corner.Top; row < corner.Top + height; row++)
                    {
                        for (int column = corner.Left; column < corner.Left + width; column++)
                        {
                            for (int c = 0; c < 3; c++) y.Add(x[0][(((((corner.Image * 5) + row) * 6) + column) * 3) + c]);
                        }
                    }
                }
                return [.. y];
            },
            [GradCheck.Input(shape)]);
        Assert.Equal([5, height, width, 3], Tensor.Zeros(shape).Patches(Corners, (height, width)).Shape);
        Assert.Equal([0, height, width, 3], Tensor.Zeros(shape).Patches([], (height, width)).Shape);
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits() => SameBits.OnAnyThreads(
        [[3, 60, 70, 5]], x => x[0].Patches([.. Enumerable.Range(0, 90).Select(i => new PatchCorner(i % 3, i * 7 % 29, i * 5 % 39))], 32));

    [Theory]
    [InlineData(2, 0, 0, 2)]
    [InlineData(-1, 0, 0, 2)]
    [InlineData(0, 4, 0, 2)]
    [InlineData(0, 0, 5, 2)]
    [InlineData(0, -1, 0, 2)]
    [InlineData(0, int.MaxValue, 0, 2)]
    [InlineData(0, 0, 0, 6)]
    public void A_patch_that_does_not_lie_within_its_image_is_refused(int image, int top, int left, int size) =>
        Assert.Contains("does not lie within", Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 5, 6, 3]).Patches([new(image, top, left)], size)).Message, StringComparison.Ordinal);

    [Fact]
    public void Sizes_that_make_no_sense_are_refused()
    {
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 5, 6, 3]).Patches(Corners, (0, 2)));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([5, 6, 3]).Patches([], 2));
    }

    [Fact]
    public void A_graph_cannot_know_the_corners() =>
        Assert.Contains("corners come from data", Assert.Throws<GraphException>(() => Graph.Trace(new Relu(), x => x.Patches([new(0, 0, 0)], 2), [1, 4, 4, 3])).Message, StringComparison.Ordinal);
}

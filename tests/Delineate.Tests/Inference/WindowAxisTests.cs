using Delineate.Inference;
using Xunit;

namespace Delineate.Tests.Inference;

public sealed class WindowAxisTests
{
    [Theory]
    [InlineData(1, 64, 0.25)]
    [InlineData(64, 64, 0.25)]
    [InlineData(65, 64, 0.25)]
    [InlineData(200, 64, 0)]
    [InlineData(333, 64, 0.25)]
    [InlineData(333, 64, 0.9)]
    [InlineData(1000, 37, 0.5)]
    [InlineData(10_000, 512, 0.25)]
    public void Windows_cover_every_pixel_and_their_weights_add_up_to_one(int length, int size, double overlap)
    {
        var axis = new WindowAxis(length, size, overlap);
        Assert.Equal(Math.Min(length, size), axis.Size);
        Assert.Equal(0, axis.Starts[0]);
        Assert.Equal(length, axis.Starts[^1] + axis.Size);
        var sums = new double[length];
        int next = 0;
        for (int i = 0; i < axis.Starts.Length; i++)
        {
            Assert.Equal(next, axis.Starts[i]);
            Assert.InRange(axis.Done(i), 1, axis.Size);
            next += axis.Done(i);
            for (int x = 0; x < axis.Size; x++) sums[axis.Starts[i] + x] += axis.Weights[i][x];
        }
        Assert.Equal(length, next);
        Assert.All(sums, sum => Assert.Equal(1, sum, 1e-5));
    }

    [Fact]
    public void Weights_fall_towards_a_neighbour_and_not_towards_the_edge_of_the_image()
    {
        var axis = new WindowAxis(352, 128, 0.25);
        Assert.Equal([0, 96, 192, 224], axis.Starts);
        Assert.Equal(1, axis.Weights[0][0]);
        Assert.Equal(1, axis.Weights[^1][^1]);
        for (int x = 97; x < 128; x++) Assert.True(axis.Weights[0][x] < axis.Weights[0][x - 1]);
        Assert.True(axis.Weights[0][^1] < 0.01f);
        Assert.Equal(0.5f, (axis.Weights[0][111] + axis.Weights[0][112]) / 2, 1e-4f); // the middle of the overlap
    }

    [Fact]
    public void Windows_start_on_the_grid_of_the_networks_strides()
    {
        var axis = new WindowAxis(1111, 250, 0.3);
        Assert.All(axis.Starts[..^1], start => Assert.Equal(0, start % 32));
    }
}

using Delineate.Inference;
using Xunit;

namespace Delineate.Tests.Inference;

public sealed class WindowAxisTests
{
    [Theory]
    [InlineData(1, 64, 0.25, 0)]
    [InlineData(64, 64, 0.25, 96)]
    [InlineData(65, 64, 0.25, 0)]
    [InlineData(200, 64, 0, 0)]
    [InlineData(200, 64, 0, 50)]
    [InlineData(333, 64, 0.25, 0)]
    [InlineData(333, 64, 0.9, 7)]
    [InlineData(1000, 37, 0.5, 0)]
    [InlineData(360, 256, 0.25, 96)]
    [InlineData(601, 600, 0.25, 0)]
    [InlineData(10_000, 512, 0.25, 96)]
    [InlineData(10_000, 32, 0.9, 0)]
    public void Windows_cover_every_pixel_and_their_weights_add_up_to_one(int length, int size, double overlap, int context)
    {
        var axis = new WindowAxis(length, new WindowLayout(size, overlap, context));
        var sums = new double[length];
        var seenBy = new int[length];
        int next = 0;
        Assert.Equal((0, length), (axis.Starts[0], axis.Starts[^1] + axis.Sizes[^1]));
        for (int i = 0; i < axis.Count; i++)
        {
            if (context == 0) Assert.InRange(axis.Sizes[i], (Math.Min(length, size) + 1) / 2, size);
            Assert.Equal(next, axis.First[i]);
            Assert.InRange(axis.Done(i), 1, axis.Sizes[i]);
            next += axis.Done(i);
            for (int x = 0; x < axis.Weights[i].Length; x++)
            {
                Assert.InRange(axis.First[i] + x, axis.Starts[i], axis.Starts[i] + axis.Sizes[i] - 1);
                Assert.InRange(axis.Weights[i][x], float.Epsilon, 1f);
                sums[axis.First[i] + x] += axis.Weights[i][x];
                seenBy[axis.First[i] + x]++;
            }
        }
        Assert.Equal(length, next);
        Assert.All(sums, sum => Assert.Equal(1, sum, 1e-6));
        Assert.InRange(seenBy.Max(), 1, 2);
    }

    [Theory]
    [InlineData(256, 0.25)]
    [InlineData(512, 0.25)]
    [InlineData(512, 0.5)]
    [InlineData(224, 0)]
    public void Neighbours_have_the_overlap_and_share_it_evenly(int size, double overlap)
    {
        for (int length = size + 1; length < 4 * size; length += 7)
        {
            var axis = new WindowAxis(length, new WindowLayout(size, overlap, Context: 0));
            for (int i = 1; i < axis.Count; i++)
            {
                int shared = axis.Starts[i - 1] + axis.Sizes[i - 1] - axis.Starts[i];
                Assert.InRange(shared, (int)(overlap * size), size - 1);
                // Between the two edges as much is left to either side, where they begin and end to count together.
                int ramp = axis.First[i - 1] + axis.Weights[i - 1].Length - axis.First[i], before = axis.First[i] - axis.Starts[i], after = shared - ramp - before;
                Assert.InRange(after - before, 0, 1);
                Assert.InRange(ramp, 0, shared / 2);
            }
            int[] steps = [.. axis.Starts.Zip(axis.Starts.Skip(1), (a, b) => b - a)];
            Assert.InRange(steps.Max() - steps.Min(), 0, 32);
        }
    }

    [Fact]
    public void Weights_fall_towards_a_neighbour_and_not_towards_the_edge_of_the_image()
    {
        var axis = new WindowAxis(352, new WindowLayout(128, 0.25, Context: 0));
        Assert.Equal([0, 64, 128, 224], axis.Starts);
        Assert.All(axis.Weights[0][..80], w => Assert.Equal(1, w)); // 64 pixels are shared: 16 count for neither of two, 32 for both
        Assert.Equal((80, 112), (axis.First[1], axis.Weights[0].Length));
        for (int x = 81; x < 112; x++) Assert.True(axis.Weights[0][x] < axis.Weights[0][x - 1]);
        Assert.True(axis.Weights[0][^1] < 0.01f);
        Assert.Equal(0.5f, (axis.Weights[0][95] + axis.Weights[0][96]) / 2, 1e-4f);
        Assert.Equal(1, axis.Weights[^1][^1]);
    }

    [Theory]
    [InlineData(1111, 250, 0.3, 0, 32)]
    [InlineData(360, 256, 0.25, 96, 32)]
    [InlineData(2000, 512, 0.25, 96, 128)]
    [InlineData(500, 64, 0.25, 0, 32)]
    [InlineData(500, 64, 0.25, 33, 32)]
    [InlineData(500, 40, 0.25, 0, 16)]
    public void Every_window_starts_on_the_grid_of_the_networks_strides(int length, int size, double overlap, int context, int grid)
    {
        var axis = new WindowAxis(length, new WindowLayout(size, overlap, context, Math.Max(grid, WindowLayout.LargestStride)));
        Assert.True(axis.Count > 1);
        Assert.All(axis.Starts, start => Assert.Equal(0, start % grid));
        if (context == 0) Assert.InRange(axis.Sizes[^1], size - grid + 1, size);
    }

    [Theory]
    [InlineData(512, 0.25, 96, 640)]
    [InlineData(256, 0.25, 96, 448)]
    [InlineData(1024, 0.25, 96, 1024)]
    [InlineData(256, 0, 100, 512)]
    [InlineData(256, 0.25, 0, 256)]
    public void Each_pixel_is_seen_with_its_context_unless_the_image_ends(int size, double overlap, int context, int seen)
    {
        const int Length = 5000;
        var axis = new WindowAxis(Length, new WindowLayout(size, overlap, context));
        for (int i = 0; i < axis.Count; i++)
        {
            Assert.True(axis.Starts[i] == 0 || axis.First[i] - axis.Starts[i] >= context);
            int end = axis.Starts[i] + axis.Sizes[i], counted = axis.First[i] + axis.Weights[i].Length;
            Assert.True(end == Length || end - counted >= context);
        }
        Assert.InRange(axis.Sizes.Max(), seen - 32, seen); // spread evenly, neighbours may share more than they must
        Assert.InRange(axis.Sizes.Distinct().Count(), 1, 3); // of the first, of those between and of the last
    }
}

using Delineate.Data;
using Delineate.Explain;
using Delineate.Explain.Topics;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class RoiAlignTopicTests
{
    [Fact]
    public void On_a_ramp_RoIAlign_reads_the_middles_of_its_bins()
    {
        // Features that count 8 down and 1 across are linear: a mean of samples is the value in the bin's middle.
        var options = new RoiOptions();
        Explanation explained = RoiAlignTopic.Explain(options);
        double[] aligned = explained.ValuesOf("align");
        (double left, double top, double width, double height) = ((options.Box.X1 / 32) - 0.5, (options.Box.Y1 / 32) - 0.5, options.Box.Width / 32, options.Box.Height / 32);
        for (int i = 0; i < 4; i++)
            Assert.Equal((8 * (top + (height * ((i / 2) + 0.5) / 2))) + left + (width * ((i % 2) + 0.5) / 2), aligned[i], 1e-9);
    }

    [Fact]
    public void RoIPool_takes_whole_pixels()
    {
        Explanation explained = RoiAlignTopic.Explain(new RoiOptions()); // rows 2…5, columns 2…6 after rounding
        Assert.Equal([28, 30, 44, 46], explained.ValuesOf("pool"));
    }

    [Fact]
    public void Boxes_of_all_kinds_are_read_as_the_library_reads_them()
    {
        var random = new Random(3);
        for (int i = 0; i < 200; i++)
        {
            int height = random.Next(1, 9), width = random.Next(1, 9), stride = random.Next(1, 33);
            double[] x = [.. new[] { random.NextDouble() * width * stride, random.NextDouble() * width * stride }.Order()], y = [.. new[] { random.NextDouble() * height * stride, random.NextDouble() * height * stride }.Order()];
            RoiAlignTopic.Explain(new RoiOptions
            {
                Features = new Matrix(height, width, [.. Enumerable.Range(0, height * width).Select(_ => random.NextDouble())]),
                Stride = stride,
                Box = new Box(x[0], y[0], x[1] + 1e-3 > width * stride ? width * stride : x[1] + 1e-3, y[1] + 1e-3 > height * stride ? height * stride : y[1] + 1e-3),
                Bins = random.Next(1, 4),
                Samples = random.Next(1, 4),
                IsAligned = random.Next(2) == 0,
            });
        }
    }

    [Theory]
    [InlineData(10, 10, 5, 20, "a box is x1,y1,x2,y2 with x1 < x2 and y1 < y2")]
    [InlineData(10, 10, 500, 20, "the box must lie in the image, 192×256")]
    public void Boxes_that_are_none_are_refused(double x1, double y1, double x2, double y2, string message) =>
        Assert.Contains(message, Assert.Throws<ExplainException>(() => RoiAlignTopic.Explain(new RoiOptions { Box = new Box(x1, y1, x2, y2) })).Message, StringComparison.Ordinal);
}

using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ArgMaxLabelsTests
{
    [Fact]
    public void Every_number_of_classes_gives_the_class_that_ArgMax_gives()
    {
        for (int classes = 1; classes <= 256; classes += classes < 40 ? 1 : 24)
        {
            // Rounded, so that many scores are equal: the first wins.
            Tensor x = Tensor.From(Array.ConvertAll(GradCheck.Input([37, classes], classes).ToArray(), v => MathF.Round(v * 3)), [37, classes]);
            Assert.Equal(x.ArgMax(), x.ArgMaxLabels().Select(l => (int)l));
        }
    }

    [Fact]
    public void NaN_counts_as_largest_and_infinities_as_numbers()
    {
        float nan = float.NaN, inf = float.PositiveInfinity;
        foreach (int width in new[] { 3, 8, 19 })
        {
            for (int place = 0; place < width; place++)
            {
                Tensor x = Tensor.Full([2, width], 5);
                x.Span[place] = nan;
                x.Span[width + place] = inf;
                Assert.Equal([(byte)place, (byte)place], x.ArgMaxLabels());
            }
        }
        Assert.Equal([0], Tensor.Full([1, 9], -inf).ArgMaxLabels());
    }

    [Fact]
    public void Many_pixels_on_several_threads_give_the_same_labels()
    {
        Tensor x = GradCheck.Input([2, 101, 103, 21]);
        Assert.Equal(x.ArgMax(), x.ArgMaxLabels().Select(l => (int)l));
    }

    [Theory]
    [InlineData(31, 90)]
    [InlineData(40, 17)]
    [InlineData(23, 29)]
    [InlineData(1, 1)]
    public void At_another_size_labels_are_those_of_resized_scores(int height, int width)
    {
        Tensor x = GradCheck.Input([2, 23, 29, 7]);
        Assert.Equal(x.ResizeBilinear(height, width).ArgMaxLabels(), x.ArgMaxLabels(height, width));
        Assert.Throws<ShapeException>(() => x.ArgMaxLabels(height, 0));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([3, 4, 5]).ArgMaxLabels(height, width));
    }

    [Fact]
    public void Numbers_of_classes_that_no_byte_names_are_refused()
    {
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 257]).ArgMaxLabels());
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 0]).ArgMaxLabels());
        Assert.Throws<ShapeException>(() => Tensor.Scalar(1).ArgMaxLabels());
        Assert.Empty(Tensor.Zeros([0, 5]).ArgMaxLabels());
    }
}

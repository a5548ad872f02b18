using Delineate.Explain;
using Delineate.Explain.Topics;
using Delineate.Imaging;
using Delineate.Metrics;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class ConfusionMatrixTopicTests
{
    [Fact]
    public void Two_small_maps_give_positions_counts_and_figures()
    {
        Explanation explained = ConfusionMatrixTopic.Explain(new ConfusionOptions
        {
            Truth = new LabelMap(2, 3, [0, 0, 1, 1, 2, 255]),
            Prediction = new LabelMap(2, 3, [0, 1, 1, 1, 0, 2]),
        });
        Assert.Equal([0, 1, 4, 4, 6, double.NaN], explained.ValuesOf("n·T + P"));
        Assert.Equal([1, 1, 0, 0, 2, 0, 1, 0, 0], explained.ValuesOf("bins"));
        Assert.Equal([1, 1, 0, 0, 2, 0, 1, 0, 0], explained.ValuesOf("M"));
        Assert.Equal([0.6], explained.ValuesOf("pixel accuracy"));
        Assert.Equal([0.5, 1, 0], explained.ValuesOf("accuracy"));
        Assert.Equal([1 / 3.0, 2 / 3.0, 0], explained.ValuesOf("IoU"));
        Assert.Equal(0.5, explained.ValuesOf("mean accuracy")[0], 1e-12);
        Assert.Equal(1 / 3.0, explained.ValuesOf("mean IoU")[0], 1e-12);
    }

    [Fact]
    public void Random_maps_of_all_sizes_agree_with_the_library()
    {
        var random = new Random(9);
        for (int i = 0; i < 60; i++)
        {
            (int height, int width, int classes) = (random.Next(1, 30), random.Next(1, 30), random.Next(1, 20));
            LabelMap Map(bool ignores) => new(height, width, [.. Enumerable.Range(0, height * width).Select(_ => ignores && random.Next(5) == 0 ? (byte)255 : (byte)random.Next(classes))]);
            var options = new ConfusionOptions { Truth = Map(true), Prediction = Map(false), Classes = classes };
            Explanation explained = ConfusionMatrixTopic.Explain(options);
            var matrix = new ConfusionMatrix(classes);
            matrix.Add(options.Truth, options.Prediction);
            Assert.Equal(Enumerable.Range(0, classes * classes).Select(k => (double)matrix[k / classes, k % classes]), explained.ValuesOf("M"));
        }
    }

    [Fact]
    public void Maps_that_do_not_fit_are_refused()
    {
        Assert.Contains("must be of one size; they are 1×2 and 2×1", Assert.Throws<ExplainException>(() => ConfusionMatrixTopic.Explain(new ConfusionOptions { Truth = new LabelMap(1, 2), Prediction = new LabelMap(2, 1) })).Message, StringComparison.Ordinal);
        Assert.Contains("classes must be 4 to 256", Assert.Throws<ExplainException>(() => ConfusionMatrixTopic.Explain(new ConfusionOptions { Truth = new LabelMap(1, 1, [3]), Prediction = new LabelMap(1, 1), Classes = 2 })).Message, StringComparison.Ordinal);
    }
}

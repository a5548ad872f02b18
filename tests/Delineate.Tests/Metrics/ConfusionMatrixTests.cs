using Delineate.Data;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Metrics;

public class ConfusionMatrixTests
{
    private static LabelMap Row(params byte[] labels) => new(1, labels.Length, labels);

    [Fact]
    public void The_worked_example_falls_where_it_should()
    {
        byte[] truth = [0, 1, 1, 2, 2, 3, 1, 2, 3];
        int[] positions = [1, 5, 5, 10, 11, 15, 5, 10, 15];
        byte[] prediction = [.. positions.Select((at, i) => (byte)(at - (4 * truth[i])))];
        var matrix = new ConfusionMatrix(4);
        matrix.Add(Row(truth), Row(prediction));

        Assert.Equal(positions, truth.Select((t, i) => matrix.Position(t, prediction[i])));
        long[] expected = [0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 2, 1, 0, 0, 0, 2];
        Assert.Equal(expected, Enumerable.Range(0, 16).Select(i => matrix[i / 4, i % 4]));

        SegmentationScores scores = matrix.Scores();
        Assert.Equal(7.0 / 9, scores.PixelAccuracy, 12);
        Assert.Equal((0 + 1 + (2.0 / 3) + 1) / 4, scores.MeanAccuracy, 12);
        Assert.Equal((0 + (3.0 / 4) + (2.0 / 3) + (2.0 / 3)) / 4, scores.MeanIou, 12);
        Assert.Equal(((1 * 0) + (3 * 0.75) + (3 * (2.0 / 3)) + (2 * (2.0 / 3))) / 9, scores.FrequencyWeightedIou, 12);
        Assert.Equal((0 + (6.0 / 7) + (4.0 / 5) + (4.0 / 5)) / 4, scores.MeanDice, 12);
    }

    [Fact]
    public void Ignored_pixels_count_nowhere_even_when_they_are_predicted_right()
    {
        var matrix = new ConfusionMatrix(2);
        matrix.Add(Row(0, 255, 1, 255), Row(0, 0, 0, 1));
        Assert.Equal((2, 2), (matrix.Total, matrix.Ignored));
        Assert.Equal(0.5, matrix.Scores().PixelAccuracy);
    }

    [Fact]
    public void An_absent_class_says_so_and_leaves_the_means_alone()
    {
        var matrix = new ConfusionMatrix(3);
        matrix.Add(Row(0, 0, 1), Row(0, 1, 1));
        SegmentationScores scores = matrix.Scores(["sky", "road", "car"]);
        Assert.Null(scores.Classes[2].Iou);
        Assert.Equal((0.5 + 0.5) / 2, scores.MeanIou);
        Assert.Contains("IoU: [50.0, 50.0, absent]", scores.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_class_that_is_only_predicted_counts_as_zero_in_the_mean_iou_but_not_in_the_mean_accuracy()
    {
        var matrix = new ConfusionMatrix(2);
        matrix.Add(Row(0, 0), Row(0, 1));
        SegmentationScores scores = matrix.Scores();
        Assert.Equal(0.25, scores.MeanIou);
        Assert.Equal(0.5, scores.MeanAccuracy);
    }

    [Fact]
    public void Nothing_counted_gives_zeros_and_no_NaN()
    {
        SegmentationScores scores = new ConfusionMatrix(2).Scores();
        Assert.Equal((0, 0, 0), (scores.PixelAccuracy, scores.MeanIou, scores.FrequencyWeightedIou));
    }

    [Fact]
    public void The_sum_of_parts_is_the_whole()
    {
        var random = new Random(3);
        ConfusionMatrix whole = new(5), sum = new(5);
        for (int i = 0; i < 6; i++)
        {
            byte[] truth = new byte[97], guess = new byte[97];
            for (int k = 0; k < 97; k++) (truth[k], guess[k]) = ((byte)(random.Next(6) is var t and < 5 ? t : 255), (byte)random.Next(5));
            var part = new ConfusionMatrix(5);
            part.Add(Row(truth), Row(guess));
            whole.Add(Row(truth), Row(guess));
            sum.Add(part);
        }
        Assert.Equal(whole.Scores().Classes, sum.Scores().Classes);
        Assert.Equal(whole.Ignored, sum.Ignored);
    }

    [Fact]
    public void A_label_out_of_range_is_named_with_its_pixel()
    {
        DatasetException error = Assert.Throws<DatasetException>(() => new ConfusionMatrix(2).Add(new LabelMap(2, 2, [0, 1, 7, 0]), new LabelMap(2, 2)));
        Assert.Contains("label 7 at pixel (y 1, x 0)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Maps_of_two_sizes_are_refused() =>
        Assert.Contains("1×2", Assert.Throws<ArgumentException>(() => new ConfusionMatrix(2).Add(Row(0, 0), Row(0, 0, 1))).Message, StringComparison.Ordinal);

    [ReferenceFact]
    public void Figures_equal_those_of_the_reference()
    {
        Golden golden = Golden.Reference("losses");
        double[] expected = golden.Array("metric.acc_clsacc_miou_fwiu").Values;
        NpyArray logits = golden.Array("in.pix.logits"), labels = golden.Array("in.pix.label");
        Assert.Equal(4, expected.Length);
        (int n, int c, int area) = (logits.Shape[0], logits.Shape[1], logits.Shape[2] * logits.Shape[3]);
        var guess = new byte[n * area];
        for (int i = 0; i < guess.Length; i++)
        {
            (int image, int pixel) = (i / area, i % area);
            guess[i] = (byte)Enumerable.Range(0, c).MaxBy(k => logits.Values[(((image * c) + k) * area) + pixel]);
        }
        var matrix = new ConfusionMatrix(c);
        matrix.Add(new LabelMap(n, area, [.. labels.Ints.Select(v => (byte)(v < 0 ? 255 : v))]), new LabelMap(n, area, guess));
        SegmentationScores scores = matrix.Scores();
        double[] actual = [scores.PixelAccuracy, scores.MeanAccuracy, scores.MeanIou, scores.FrequencyWeightedIou];
        for (int i = 0; i < 4; i++) Assert.Equal(expected[i], actual[i], 6);
    }
}

using System.Text.Json.Nodes;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

public sealed class EvaluationReportTests
{
    [Theory]
    [InlineData(1, new[] { 0 }, new int[0])]
    [InlineData(2, new[] { 0 }, new[] { 1 })]
    [InlineData(5, new[] { 0, 1, 2 }, new[] { 4, 3 })]
    [InlineData(8, new[] { 0, 1, 2, 3 }, new[] { 7, 6, 5, 4 })]
    [InlineData(12, new[] { 0, 1, 2, 3 }, new[] { 11, 10, 9, 8 })]
    public void The_best_and_the_worst_images_are_found_and_none_is_both(int images, int[] best, int[] worst)
    {
        // Picture i has i wrong pixels of 16, so that the first is the best; they come in another order.
        int[] order = [.. Enumerable.Range(0, images).OrderBy(i => i * 7 % 13)];
        EvaluationReport report = EvaluationReport.Of(new Painter(), new Wrong(order));
        Assert.Equal(best.Select(i => $"wrong{i}"), report.Best.Select(e => e.Name));
        Assert.Equal(worst.Select(i => $"wrong{i}"), report.Worst.Select(e => e.Name));
        Assert.Equal(images, report.Evaluation.Images);
    }

    [Fact]
    public void An_image_without_a_counted_pixel_is_neither()
    {
        EvaluationReport report = EvaluationReport.Of(new Painter(), new Painted(([255, 255, 255, 255], [0, 0, 0, 0]), ([0, 0, 0, 1], [0, 0, 0, 1])));
        Assert.Equal("p1", Assert.Single(report.Best).Name);
        Assert.Empty(report.Worst);
    }

    [Fact]
    public void The_JSON_has_every_figure_and_null_for_absent_classes()
    {
        JsonObject json = EvaluationReport.Of(new Painter(), new Painted(([0, 0, 1, 255], [0, 1, 1, 1]))).Evaluation.ToJson();
        Assert.Equal(1, (int)json["images"]!);
        Assert.Equal(0.5, (double)json["mean_iou"]!);
        Assert.Equal((3L, 1L), ((long)json["counted_pixels"]!, (long)json["ignored_pixels"]!));
        Assert.Null(json["classes"]![2]!["iou"]);
        Assert.Equal("[[1,1,0],[0,1,0],[0,0,0]]", json["confusion_matrix"]!.ToJsonString());
    }

    /// <summary>4×4 pictures of class 0 in which as many pixels are predicted wrongly as the picture's number says.</summary>
    private sealed class Wrong(int[] order) : Delineate.Data.Dataset
    {
        public override Delineate.Data.ClassTable Classes { get; } = new(["a", "b", "c"]);

        public override IReadOnlyList<string> Names { get; } = [.. order.Select(i => $"wrong{i}")];

        public override Delineate.Data.Sample Load(int index)
        {
            var image = new Imaging.Image(4, 4);
            for (int i = 0; i < order[index]; i++) image[i / 4, i % 4] = new Imaging.Rgb(1, 0, 0);
            return new Delineate.Data.Sample(Names[index], image, new Delineate.Data.Annotation { Semantic = new Imaging.LabelMap(4, 4) });
        }
    }
}

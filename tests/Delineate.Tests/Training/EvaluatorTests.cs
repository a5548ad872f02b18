using Delineate.Data;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

public sealed class EvaluatorTests
{
    [Fact]
    public void Counts_equal_those_made_by_hand()
    {
        // Truth beside prediction, four pixels each; 255 is ignored; class 2 occurs in neither.
        ConfusionMatrix matrix = Counted(new Painter(), new Painted(([0, 0, 1, 255], [0, 1, 1, 1]), ([1, 1, 0, 0], [1, 0, 0, 0])));
        Assert.Equal([[3, 1, 0], [1, 2, 0], [0, 0, 0]], Enumerable.Range(0, 3).Select(t => Enumerable.Range(0, 3).Select(p => matrix[t, p]).ToArray()));
        Assert.Equal(1, matrix.Ignored);
        SegmentationScores scores = matrix.Scores(["a", "b", "c"]);
        Assert.Null(scores.Classes[2].Iou);
        Assert.Equal((0.6 + 0.5) / 2, scores.MeanIou, 1e-12);
    }

    private static ConfusionMatrix Counted(Model model, Dataset data, EvaluationSize size = EvaluationSize.Original) =>
        Assert.IsType<SemanticEvaluation>(Evaluator.Run(model, data, size)).Confusion;

    [Fact]
    public void Each_image_comes_with_its_own_figures_in_order()
    {
        var seen = new List<(int, string, double)>();
        Evaluator.Run(new Painter(), new Painted(([0, 0, 1, 1], [0, 0, 1, 1]), ([0, 0, 0, 0], [1, 1, 0, 0])), seen: (i, e) => seen.Add((i, e.Sample.Name, e.Score!.Value)));
        Assert.Equal([(0, "p0", 1.0), (1, "p1", 0.25)], seen);
    }

    [Fact]
    public void At_the_networks_size_image_and_truth_are_resized_before_they_meet()
    {
        var painter = new Painter { Preprocessing = new Preprocessing { ShortSide = 8 } };
        var data = new Painted(([0, 0, 1, 255], [0, 1, 1, 1]));
        Assert.Equal(3, Counted(painter, data).Total);
        ConfusionMatrix network = Counted(painter, data, EvaluationSize.Network);
        Assert.Equal(64 * 3 / 4, network.Total);
        Assert.Equal(16, network.Ignored);
    }

    [Fact]
    public void Faults_name_the_sample()
    {
        Assert.StartsWith("p1: the truth has label 9", Assert.Throws<DatasetException>(() =>
            Evaluator.Run(new Painter(), new Painted(([0, 0, 0, 0], [0, 0, 0, 0]), ([0, 9, 0, 0], [0, 0, 0, 0])))).Message, StringComparison.Ordinal);
        Assert.Equal("p0: it has no label map to compare with", Assert.Throws<DatasetException>(() => Evaluator.Run(new Painter(), new Painted(([], [0, 0, 0, 0])))).Message);
    }

    [Fact]
    public void Nothing_to_evaluate_gives_an_empty_matrix_and_cancelling_stops()
    {
        Assert.Equal(0, Counted(new Painter(), new Painted()).Total);
        using var cancel = new CancellationTokenSource();
        int seen = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => Evaluator.Run(new Painter(), new Painted(([0, 0, 0, 0], [0, 0, 0, 0]), ([0, 0, 0, 0], [0, 0, 0, 0])), seen: (_, _) =>
        {
            seen++;
            cancel.Cancel();
        }, cancel: cancel.Token));
        Assert.Equal(1, seen);
    }
}

/// <summary>2×2 pictures whose red channel is what a <see cref="Painter"/> will predict; no truth where it is empty.</summary>
internal sealed class Painted(params (byte[] Truth, byte[] Prediction)[] pictures) : Dataset
{
    public override ClassTable Classes { get; } = new(["a", "b", "c"]);

    public override IReadOnlyList<string> Names { get; } = [.. pictures.Select((_, i) => $"p{i}")];

    public override Sample Load(int index)
    {
        (byte[] truth, byte[] prediction) = pictures[index];
        var image = new Image(2, 2);
        for (int i = 0; i < 4; i++) image[i / 2, i % 2] = new Rgb(prediction[i], 0, 0);
        return new Sample(Names[index], image, new Annotation { Semantic = truth.Length == 0 ? null : new LabelMap(2, 2, truth) });
    }
}

/// <summary>Predicts the red channel.</summary>
internal sealed class Painter : Model
{
    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    public Painter() => Classes = new ClassTable(["a", "b", "c"]);

    public override Module Network { get; } = new Relu();

    public override string Name => "painter";

    public override Summary Summarize(Size2d size) => throw new InvalidOperationException("a painter has no layers");

    public override Graph TraceForAnySize(int batch, Size2d size) => throw new InvalidOperationException("a painter has no layers");

    public override Delineate.Models.Losses Loss(Batch batch) => throw new InvalidOperationException("a painter does not learn");

    public override IReadOnlyList<Prediction> Predict(ImageBatch images, Action<int, int>? progress = null, CancellationToken cancel = default) => [.. images.Images.Select(image =>
        new Prediction { Semantic = new LabelMap(image.Height, image.Width, [.. Enumerable.Range(0, image.Height * image.Width).Select(i => image.Pixels[3 * i])]) })];
}

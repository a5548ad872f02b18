using System.Text.Json;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Metrics;

public class CocoEvaluationTests
{
    [ReferenceTheory]
    [InlineData(InstanceSimilarity.Boxes, "bbox")]
    [InlineData(InstanceSimilarity.Masks, "segm")]
    public void Figures_and_curves_equal_pycocotools(InstanceSimilarity similarity, string kind)
    {
        Golden golden = Golden.Reference("coco_eval");
        using JsonDocument truth = JsonDocument.Parse(File.ReadAllText(golden.FilePath("gt.json"))), found = JsonDocument.Parse(File.ReadAllText(golden.FilePath("dt.json")));
        (ClassTable classes, Dictionary<long, int> labels) = Categories(truth);
        var evaluation = new CocoEvaluation(classes, CocoEvaluationOptions.For(similarity));
        var sizes = truth.RootElement.GetProperty("images").EnumerateArray().ToDictionary(i => i.GetProperty("id").GetInt64(), i => (i.GetProperty("height").GetInt32(), i.GetProperty("width").GetInt32()));
        ILookup<long, Instance> truths = truth.RootElement.GetProperty("annotations").EnumerateArray().ToLookup(ImageOf, a => Read(a, labels, sizes[ImageOf(a)]));
        ILookup<long, Instance> detections = found.RootElement.EnumerateArray().ToLookup(ImageOf, a => Read(a, labels, sizes[ImageOf(a)]));
        evaluation.AddRange([.. sizes.Keys.Order().Select(id => ((IReadOnlyList<Instance>)[.. truths[id]], (IReadOnlyList<Instance>)[.. detections[id]]))]);

        CocoScores scores = evaluation.Scores();
        using JsonDocument stats = JsonDocument.Parse(File.ReadAllText(golden.FilePath("stats.json")));
        double[] expected = [.. stats.RootElement.GetProperty(kind).EnumerateArray().Select(v => v.GetDouble())];
        Assert.Equal(expected.Length, scores.Figures.Count);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], scores.Figures[i].Value!.Value, 1e-9);
        AssertEqual(golden.Array($"{kind}.precision"), scores.Curves.Precision);
        AssertEqual(golden.Array($"{kind}.recall"), scores.Curves.Recall);
    }

    [Fact]
    public void A_perfect_prediction_scores_1_and_a_missed_object_takes_its_share()
    {
        Instance a = At(1, 10, 10, 30), b = At(1, 50, 50, 40), c = At(2, 20, 60, 12);
        CocoScores perfect = Evaluate([a, b, c], [a, b, c]);
        Assert.All(perfect.Figures.Where(f => f.Value is not null && f.Name != "AR1"), f => Assert.Equal(1, f.Value!.Value, 1e-9));
        CocoScores missed = Evaluate([a, b, c], [a, c]);
        // Class 1: precision 1 up to a recall of a half: 51 of 101 places; class 2: 1.
        Assert.Equal(((51 / 101.0) + 1) / 2, missed.Ap!.Value, 1e-9);
        Assert.Equal(0.75, missed.Figures.Single(f => f.Name == "AR100").Value!.Value, 1e-9);
    }

    [Fact]
    public void A_wrong_object_that_is_surer_lowers_the_precision_and_one_inside_a_crowd_does_not()
    {
        Instance truth = At(1, 10, 10, 30), wrong = At(1, 60, 60, 30) with { Score = 0.9f }, right = truth with { Score = 0.5f };
        Assert.Equal(0.5, Evaluate([truth], [wrong, right]).Ap!.Value, 1e-9);
        Instance crowd = At(1, 55, 55, 45) with { IsCrowd = true };
        Assert.Equal(1, Evaluate([truth, crowd], [wrong, right, wrong with { Score = 0.8f }]).Ap!.Value, 1e-9);
    }

    [Fact]
    public void Nothing_to_find_has_no_figures_and_nothing_found_scores_0()
    {
        Assert.All(Evaluate([], [At(1, 1, 1, 5)]).Figures, f => Assert.Null(f.Value));
        Assert.Equal(0, Evaluate([At(1, 1, 1, 5)], []).Ap);
        Assert.DoesNotContain("NaN", Evaluate([], []).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Joints_are_compared_by_the_size_of_the_body()
    {
        Keypoint[] joints = [.. Enumerable.Range(0, 17).Select(i => new Keypoint(20 + i, 30 + (2 * i), i < 5 ? 2 : 0))];
        Instance truth = At(1, 10, 10, 60) with { Keypoints = joints };
        Instance near = truth with { Keypoints = [.. joints.Select(k => new Keypoint(k.X + 1, k.Y, 1))] };
        double oks = Enumerable.Range(0, 5).Average(i => Math.Exp(-1 / (2 * 3600.0 * Math.Pow(2 * new[] { 0.026, 0.025, 0.025, 0.035, 0.035 }[i], 2))));
        CocoScores scores = Evaluate([truth], [near], InstanceSimilarity.Keypoints);
        Assert.Equal(10, scores.Figures.Count);
        Assert.Equal(CocoEvaluationOptions.For(InstanceSimilarity.Keypoints).Thresholds.Count(t => oks >= t) / 10.0, scores.Ap!.Value, 1e-9);
        Assert.Null(Evaluate([truth with { Keypoints = [.. joints.Select(k => k with { Score = 0 })] }], [near], InstanceSimilarity.Keypoints).Ap);
    }

    [Fact]
    public void Adding_images_one_by_one_or_at_once_gives_the_same()
    {
        var random = new Random(3);
        (IReadOnlyList<Instance>, IReadOnlyList<Instance>)[] images = [.. Enumerable.Range(0, 60).Select(_ => ((IReadOnlyList<Instance>)Some(), (IReadOnlyList<Instance>)Some()))];
        var one = new CocoEvaluation(Table, CocoEvaluationOptions.For(InstanceSimilarity.Boxes));
        var all = new CocoEvaluation(Table, CocoEvaluationOptions.For(InstanceSimilarity.Boxes));
        foreach ((IReadOnlyList<Instance> truths, IReadOnlyList<Instance> found) in images) one.Add(truths, found);
        all.AddRange(images);
        Assert.Equal(one.Scores().Curves.Precision, all.Scores().Curves.Precision);
        Assert.Equal(60, all.Images);

        Instance[] Some() => [.. Enumerable.Range(0, random.Next(6)).Select(_ => At(1 + random.Next(2), random.Next(40), random.Next(40), 5 + random.Next(50)) with { Score = random.NextSingle() })];
    }

    private static readonly ClassTable Table = new(["background", "cat", "dog"]) { Background = 0 };

    private static Instance At(int label, int x, int y, int side) =>
        new() { Label = label, Box = new Box(x, y, x + side, y + side), Mask = Rle.FromBox(new Box(x, y, x + side, y + side), 120, 120) };

    private static CocoScores Evaluate(Instance[] truths, Instance[] found, InstanceSimilarity similarity = InstanceSimilarity.Masks)
    {
        var evaluation = new CocoEvaluation(Table, CocoEvaluationOptions.For(similarity));
        evaluation.Add(truths, found);
        return evaluation.Scores();
    }

    private static (ClassTable Classes, Dictionary<long, int> Labels) Categories(JsonDocument truth)
    {
        JsonElement[] categories = [.. truth.RootElement.GetProperty("categories").EnumerateArray().OrderBy(c => c.GetProperty("id").GetInt64())];
        return (new ClassTable(["background", .. categories.Select(c => c.GetProperty("name").GetString()!)]) { Background = 0 },
            categories.Select((c, i) => (c.GetProperty("id").GetInt64(), i + 1)).ToDictionary());
    }

    private static long ImageOf(JsonElement annotation) => annotation.GetProperty("image_id").GetInt64();

    private static Instance Read(JsonElement a, Dictionary<long, int> labels, (int Height, int Width) size)
    {
        double[] xywh = [.. a.GetProperty("bbox").EnumerateArray().Select(v => v.GetDouble())];
        JsonElement shape = a.GetProperty("segmentation");
        Rle mask = shape.ValueKind == JsonValueKind.Array
            ? Rle.FromPolygons([.. shape.EnumerateArray().Select(p => (IReadOnlyList<double>)[.. p.EnumerateArray().Select(v => v.GetDouble())])], size.Height, size.Width)
            : shape.GetProperty("counts") is { ValueKind: JsonValueKind.String } text ? Rle.Parse(text.GetString()!, size.Height, size.Width)
            : Rle.FromCounts([.. shape.GetProperty("counts").EnumerateArray().Select(v => v.GetInt64())], size.Height, size.Width);
        return new Instance
        {
            Label = labels[a.GetProperty("category_id").GetInt64()],
            Box = new Box(xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3]),
            Mask = mask,
            IsCrowd = a.TryGetProperty("iscrowd", out JsonElement crowd) && crowd.GetInt32() != 0,
            Score = a.TryGetProperty("score", out JsonElement score) ? score.GetSingle() : 1,
            AnnotatedArea = a.TryGetProperty("area", out JsonElement area) ? area.GetDouble() : null,
        };
    }

    private static void AssertEqual(NpyArray expected, double[] actual)
    {
        Assert.Equal(expected.Values.Length, actual.Length);
        Assert.True(expected.Values.Zip(actual).All(p => Math.Abs(p.First - p.Second) < 1e-9));
    }
}

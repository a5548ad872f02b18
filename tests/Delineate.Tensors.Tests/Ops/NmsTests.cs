using Delineate.Tensors.Kernels;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class NmsTests
{
    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(7, 0.3)]
    [InlineData(8, 0.7)]
    [InlineData(64, 0)]
    [InlineData(333, 0.5)]
    [InlineData(1000, 0.7)]
    [InlineData(3000, 0.3)]
    public void Keeps_what_the_plain_loops_keep(int count, double threshold)
    {
        (float[] boxes, float[] scores, int[] groups) = Boxes(count);
        Assert.Equal(Reference(boxes, scores, null, threshold), Nms.Keep(boxes, scores, threshold));
        Assert.Equal(Reference(count <= 1000 ? MovedApart(boxes, groups) : boxes, scores, groups, threshold), Nms.KeepPerGroup(boxes, scores, groups, threshold));
    }

    [Fact]
    public void Equal_scores_go_by_index_and_NaN_counts_as_the_highest()
    {
        float[] boxes = [.. Enumerable.Range(0, 6).SelectMany(i => new float[] { 20 * i, 0, (20 * i) + 10, 10 })];
        Assert.Equal([4, 1, 3, 0, 2, 5], Nms.Keep(boxes, [0.5f, 0.9f, -0f, 0.9f, float.NaN, 0f], 0.5)); // −0 and 0 are equal
        Assert.Equal([0, 1], Nms.Keep([0, 0, 10, 10, 50, 0, 60, 10, 0, 0, 10, 10], [0.5f, 0.5f, 0.5f], 0.5));
    }

    [Fact]
    public void A_box_goes_where_the_overlap_is_above_the_threshold_not_where_it_is_the_threshold()
    {
        float[] half = [0, 0, 10, 10, 0, 0, 10, 5];
        Assert.Equal([0, 1], Nms.Keep(half, [1, 0.5f], 0.5));
        Assert.Equal([0], Nms.Keep(half, [1, 0.5f], 0.49999));
        // 3/10 as a float is above 3/10 as a double: the box goes, as it does in the reference implementation.
        float[] threeTenths = [0, 0, 10, 10, 0, 0, 10, 3];
        Assert.Equal([0], Nms.Keep(threeTenths, [1, 0.5f], 0.3));
        Assert.Equal([0, 1], Nms.Keep(threeTenths, [1, 0.5f], 0.3f));
    }

    [Fact]
    public void Odd_boxes_do_no_harm()
    {
        Assert.Empty(Nms.Keep([], [], 0.5));
        Assert.Empty(Nms.KeepPerGroup([], [], [], 0.5));
        float nan = float.NaN, inf = float.PositiveInfinity;
        float[] boxes = [5, 5, 5, 5, 5, 5, 5, 5, nan, 0, 10, 10, 0, 0, inf, inf, 0, 0, 10, 10, -inf, -inf, inf, inf];
        Assert.Equal([0, 1, 2, 3, 4, 5], Nms.Keep(boxes, [6, 5, 4, 3, 2, 1], 0)); // no overlap is a number above 0
        Assert.Equal([0, 1, 2, 3, 4, 5], Nms.KeepPerGroup(boxes, [6, 5, 4, 3, 2, 1], [0, 0, 0, 0, 0, 0], 0));
    }

    [Fact]
    public void Groups_do_not_see_each_other()
    {
        float[] boxes = [0, 0, 10, 10, 0, 0, 10, 10, 0, 0, 10, 9];
        Assert.Equal([0, 1], Nms.KeepPerGroup(boxes, [0.9f, 0.8f, 0.7f], [int.MaxValue, -5, -5], 0.5));
        Assert.Equal([0], Nms.KeepPerGroup(boxes, [0.9f, 0.8f, 0.7f], [2, 2, 2], 0.5));
        // Left of the image: moving groups apart by the largest coordinate does not part these.
        float[] negative = [-10, -10, -1, -1, -10, -10, -1, -1];
        Assert.Equal([0, 1], Nms.KeepPerGroup(negative, [0.9f, 0.8f], [0, 1], 0.1));
    }

    [Fact]
    public void Threads_do_not_matter()
    {
        (float[] boxes, float[] scores, int[] groups) = Boxes(2500);
        int before = ThreadTeam.Threads;
        try
        {
            ThreadTeam.Threads = 1;
            int[] one = Nms.KeepPerGroup(boxes, scores, groups, 0.5);
            ThreadTeam.Threads = 4;
            Assert.Equal(one, Nms.KeepPerGroup(boxes, scores, groups, 0.5));
        }
        finally
        {
            ThreadTeam.Threads = before;
        }
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Assert.Contains("7 floats and 2 scores", Assert.Throws<ShapeException>(() => Nms.Keep(new float[7], new float[2], 0.5)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Nms.KeepPerGroup(new float[8], new float[2], new int[3], 0.5));
    }

    [Theory]
    [InlineData("few", 0.3)]
    [InlineData("few", 0.5)]
    [InlineData("many", 0.3)]
    [InlineData("many", 0.7)]
    public void Torchvision_keeps_the_same_of_boxes_with_equal_scores_and_overlaps_at_the_threshold(string name, double threshold)
    {
        var golden = Golden.Local(Path.Combine(AppContext.BaseDirectory, "Goldens", "detector_ops"));
        float[] boxes = golden.Array($"{name}.boxes").Floats, scores = golden.Array($"{name}.scores").Floats;
        string form = FormattableString.Invariant($"{name}.{threshold}");
        Assert.Equal(golden.Array($"{form}.keep").Ints, Nms.Keep(boxes, scores, threshold));
        Assert.Equal(golden.Array($"{form}.keep_per_group").Ints, Nms.KeepPerGroup(boxes, scores, golden.Array($"{name}.groups").Ints, threshold));
    }

    [ReferenceFact]
    public void Torchvision_keeps_the_same()
    {
        var golden = Golden.Reference("losses");
        float[] boxes = golden.Array("in.box.a").Floats, scores = golden.Array("in.box.scores").Floats;
        Assert.Equal(golden.Array("box.nms").Ints, Nms.Keep(boxes, scores, 0.4));
        Assert.Equal(golden.Array("box.bnms").Ints, Nms.KeepPerGroup(boxes, scores, golden.Array("in.box.labels").Ints, 0.4));
    }

    /// <summary>Boxes in heaps, on whole pixels so that overlaps are the threshold exactly at times, with few different scores.</summary>
    private static (float[] Boxes, float[] Scores, int[] Groups) Boxes(int count)
    {
        var random = new Random(count);
        var boxes = new float[4 * count];
        for (int i = 0; i < count; i++)
        {
            int heap = random.Next(1 + (count / 8)), x = (heap * 37 % 600) + random.Next(12), y = (heap * 53 % 400) + random.Next(12);
            (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) = (x, y, x + random.Next(0, 40), y + random.Next(0, 40));
        }
        return (boxes, [.. Enumerable.Range(0, count).Select(_ => random.Next(200) / 200f)], [.. Enumerable.Range(0, count).Select(_ => random.Next(5))]);
    }

    private static float[] MovedApart(float[] boxes, int[] groups)
    {
        float step = boxes.Max() + 1;
        return [.. boxes.Select((v, i) => v + (groups[i / 4] * step))];
    }

    private static int[] Reference(float[] boxes, float[] scores, int[]? groups, double threshold)
    {
        var kept = new List<int>();
        foreach (int i in Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i))
        {
            if (!kept.Exists(k => (groups is null || groups[k] == groups[i]) && Iou(k, i) > threshold)) kept.Add(i);
        }
        return [.. kept];

        float Iou(int a, int b)
        {
            float width = Math.Max(0, Math.Min(At(a, 2), At(b, 2)) - Math.Max(At(a, 0), At(b, 0))), height = Math.Max(0, Math.Min(At(a, 3), At(b, 3)) - Math.Max(At(a, 1), At(b, 1)));
            return width * height / (Area(a) + Area(b) - (width * height));
        }

        float Area(int i) => (At(i, 2) - At(i, 0)) * (At(i, 3) - At(i, 1));

        float At(int i, int k) => boxes[(4 * i) + k];
    }
}

using System.Text;
using System.Text.Json.Nodes;
using Delineate.Data;
using Xunit;

namespace Delineate.Tests.Data;

public class CocoResultsTests
{
    private static Rle Mask(int seed, int height = 37, int width = 53)
    {
        var random = new Random(seed);
        byte[] mask = new byte[height * width];
        for (int i = 0; i < mask.Length; i++) mask[i] = (byte)(random.Next(100) < 20 + (60 * (i / 40 % 2)) ? 1 : 0);
        return Rle.Encode(mask, height, width);
    }

    private static Instance Found(int label, float score, Rle? mask = null, params Keypoint[] joints) =>
        new() { Label = label, Score = score, Box = new Box(1.25, 2.5, 11.75, 22), Mask = mask, Keypoints = joints.Length > 0 ? joints : null };

    private static string Written(IEnumerable<CocoImageResult> images, Func<int, long?>? categoryOf = null)
    {
        using var stream = new MemoryStream();
        CocoResults.Write(stream, images, categoryOf);
        Assert.True(stream.CanWrite); // it stays open
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    [Fact]
    public void Every_object_is_a_line_with_coco_keys_and_values()
    {
        Rle[] masks = [.. Enumerable.Range(0, 20).Select(seed => Mask(seed))];
        string text = Written(
        [
            new(7, "a \"quoted\" ü.jpg", [.. masks.Select((m, i) => Found(i + 1, 0.9f - (0.01f * i), m))]),
            new(8, "b.jpg", []),
            new(1L << 40, null, [Found(3, 0.125f, null, new Keypoint(3.5f, 4, 6.25f), new Keypoint(5, 6.5f, -2))]),
        ]);
        JsonArray list = JsonNode.Parse(text)!.AsArray();
        Assert.Equal(21, list.Count);
        Assert.Equal(23, text.TrimEnd().Split('\n').Length); // [, 21 objects, ]
        for (int i = 0; i < 20; i++)
        {
            JsonNode one = list[i]!;
            Assert.Equal((7, "a \"quoted\" ü.jpg", i + 1, i + 1), ((long)one["image_id"]!, (string)one["file_name"]!, (int)one["instance_id"]!, (int)one["category_id"]!));
            Assert.Equal(0.9f - (0.01f * i), (float)one["score"]!);
            Assert.Equal([1.25, 2.5, 10.5, 19.5], one["bbox"]!.AsArray().Select(v => (double)v!));
            Assert.Equal([37, 53], one["segmentation"]!["size"]!.AsArray().Select(v => (int)v!));
            Assert.Equal(masks[i], Rle.Parse((string)one["segmentation"]!["counts"]!, 37, 53));
            Assert.Null(one["keypoints"]);
        }
        JsonNode last = list[20]!;
        Assert.Equal((1L << 40, 1, 0.125f), ((long)last["image_id"]!, (int)last["instance_id"]!, (float)last["score"]!));
        Assert.Null(last["file_name"]);
        Assert.Null(last["segmentation"]);
        Assert.Equal([3.5, 4, 1, 5, 6.5, 1], last["keypoints"]!.AsArray().Select(v => (double)v!));
        Assert.Equal([6.25, -2], last["keypoint_scores"]!.AsArray().Select(v => (double)v!));
    }

    [Fact]
    public void Nothing_found_is_an_empty_list()
    {
        Assert.Equal("[]\n", Written([]));
        Assert.Equal("[]\n", Written([new(1, "a.png", [])]));
        Assert.Equal("[]\n", Written([new(1, "a.png", [Found(1, 0.5f)])], _ => null));
    }

    [Fact]
    public void Labels_become_categories_and_those_without_one_are_left_out_and_counted()
    {
        using var stream = new MemoryStream();
        var writer = new CocoResultWriter(stream, label => label == 2 ? null : 100 + label);
        writer.Add(new(1, "a.png", [Found(2, 0.9f), Found(1, 0.8f), Found(2, 0.7f), Found(3, 0.6f)]));
        writer.Add(new(2, "b.png", [Found(2, 0.9f)]));
        writer.Add(new(3, "c.png", [Found(1, 0.9f)]));
        writer.Finish();
        JsonArray list = JsonNode.Parse(stream.ToArray())!.AsArray();
        Assert.Equal([(1, 101, 2), (1, 103, 4), (3, 101, 1)], list.Select(o => ((int)o!["image_id"]!, (int)o["category_id"]!, (int)o["instance_id"]!)));
        Assert.Equal((3, 3), (writer.Written, writer.LeftOut));
    }

    [Fact]
    public void What_is_no_number_is_refused_and_leaves_the_list_whole()
    {
        using var stream = new MemoryStream();
        var writer = new CocoResultWriter(stream);
        writer.Add(new(1, "a.png", [Found(1, 0.5f)]));
        foreach (Instance bad in (Instance[])[Found(1, float.NaN), Found(1, 0.5f) with { Box = new Box(0, 0, double.PositiveInfinity, 1) }, Found(1, 0.5f, null, new Keypoint(float.NaN, 1, 1))])
            Assert.Contains("object 2 of image b.png", Assert.Throws<ArgumentException>(() => writer.Add(new(2, "b.png", [Found(1, 0.75f), bad]))).Message);
        writer.Add(new(3, "c.png", [Found(1, 0.25f)]));
        writer.Finish();
        Assert.Equal([0.5, 0.25], JsonNode.Parse(stream.ToArray())!.AsArray().Select(o => (double)o!["score"]!));
        Assert.Equal(2, writer.Written);
    }
}

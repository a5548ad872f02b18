using System.Text.Json;
using Delineate.Data;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data;

public class RleTests
{
    [ReferenceFact]
    public void Masks_equal_pycocotools()
    {
        Golden golden = Golden.Reference("coco_rle");
        using JsonDocument document = Document(golden);
        NpyArray masks = golden.Array("in.masks");
        byte[] bytes = masks.Bytes;
        (int height, int width) = (masks.Shape[1], masks.Shape[2]);
        JsonElement[] expected = [.. document.RootElement.GetProperty("masks").EnumerateArray()];
        var encoded = new List<Rle>();
        for (int i = 0; i < expected.Length; i++)
        {
            ReadOnlySpan<byte> mask = bytes.AsSpan(i * height * width, height * width);
            Rle rle = Rle.Encode(mask, height, width);
            encoded.Add(rle);
            string text = expected[i].GetProperty("counts").GetString()!;
            long[] counts = [.. expected[i].GetProperty("uncompressed").EnumerateArray().Select(c => c.GetInt64())];
            Assert.Equal(text, rle.ToCompressed());
            Assert.Equal(counts, rle.Counts.ToArray().Select(c => (long)c));
            Assert.Equal(rle, Rle.Parse(text, height, width));
            Assert.Equal(rle, Rle.FromCounts(counts, height, width));
            Assert.Equal(mask.ToArray().Select(b => b != 0), rle.Decode().Select(b => b != 0));
            Assert.Equal(expected[i].GetProperty("area").GetInt64(), rle.Area);
            Assert.Equal(BoxOf(expected[i]), rle.Box);
        }
        AssertMatrix(golden.Array("iou"), Rle.Iou(encoded, encoded));
        bool[] crowd = [.. document.RootElement.GetProperty("iscrowd").EnumerateArray().Select(c => c.GetInt32() != 0)];
        AssertMatrix(golden.Array("iou_crowd"), Rle.Iou(encoded, encoded, crowd));
        AssertMerged("merge_union", intersect: false);
        AssertMerged("merge_inter", intersect: true);

        void AssertMerged(string name, bool intersect)
        {
            JsonElement[] merged = [.. document.RootElement.GetProperty(name).EnumerateArray()];
            for (int i = 0; i < merged.Length; i++)
                Assert.Equal(merged[i].GetProperty("counts").GetString(), Rle.Merge([encoded[i], encoded[i + 1]], intersect).ToCompressed());
        }
    }

    [ReferenceFact]
    public void Polygons_and_boxes_fill_the_pixels_that_pycocotools_fills()
    {
        Golden golden = Golden.Reference("coco_rle");
        using JsonDocument document = Document(golden);
        NpyArray masks = golden.Array("poly.masks");
        (int height, int width) = (masks.Shape[1], masks.Shape[2]);
        byte[] bytes = masks.Bytes;
        JsonElement[] polygons = [.. document.RootElement.GetProperty("polys").EnumerateArray()];
        for (int i = 0; i < polygons.Length; i++)
        {
            Rle rle = Rle.FromPolygons([Numbers(polygons[i].GetProperty("poly"))], height, width);
            Assert.Equal(polygons[i].GetProperty("counts").GetString(), rle.ToCompressed());
            Assert.Equal(polygons[i].GetProperty("area").GetInt64(), rle.Area);
            Assert.Equal(BoxOf(polygons[i]), rle.Box);
            Assert.True(bytes.AsSpan(i * height * width, height * width).SequenceEqual(rle.Decode()));
        }
        foreach (JsonElement rectangle in document.RootElement.GetProperty("rects").EnumerateArray())
        {
            double[] xywh = Numbers(rectangle.GetProperty("rect"));
            var box = new Box(xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3]);
            Assert.Equal(rectangle.GetProperty("counts").GetString(), Rle.FromBox(box, height, width).ToCompressed());
        }
        foreach (JsonElement many in document.RootElement.GetProperty("multi").EnumerateArray())
        {
            double[][] parts = [.. many.GetProperty("polys").EnumerateArray().Select(Numbers)];
            Assert.Equal(many.GetProperty("counts").GetString(), Rle.FromPolygons(parts, height, width).ToCompressed());
        }
    }

    [Fact]
    public void Random_masks_come_back_and_combine_as_pixels_do()
    {
        var random = new Random(5);
        for (int round = 0; round < 300; round++)
        {
            (int height, int width) = (random.Next(1, 12), random.Next(1, 12));
            byte[] a = Mask(), b = Mask();
            Rle first = Rle.Encode(a, height, width), second = Rle.Encode(b, height, width);
            Assert.Equal(a, first.Decode());
            Assert.Equal(a.Sum(v => v), first.Area);
            Assert.Equal(first, Rle.Parse(first.ToCompressed(), height, width));
            Assert.Equal(a.Zip(b, (x, y) => (byte)(x | y)), Rle.Merge([first, second]).Decode());
            Assert.Equal(a.Zip(b, (x, y) => (byte)(x & y)), Rle.Merge([first, second], intersect: true).Decode());
            Assert.Equal(a.Zip(b, (x, y) => (byte)(x & (1 - y))), first.Without(second).Decode());
            int shared = a.Zip(b, (x, y) => x & y).Sum(), either = a.Zip(b, (x, y) => x | y).Sum();
            Assert.Equal(shared, first.SharedWith(second));
            Assert.Equal(either == 0 ? 0 : (double)shared / either, Rle.Iou([first], [second])[0, 0]);
            Assert.Equal(shared == 0 ? 0 : (double)shared / a.Sum(v => v), Rle.Iou([first], [second], [true])[0, 0]);
            Assert.Equal(NaiveBox(a), first.Box);

            byte[] Mask()
            {
                double share = random.NextDouble();
                return [.. Enumerable.Range(0, height * width).Select(_ => (byte)(random.NextDouble() < share ? 1 : 0))];
            }

            Box NaiveBox(byte[] mask)
            {
                int[] inside = [.. Enumerable.Range(0, mask.Length).Where(i => mask[i] != 0)];
                return inside.Length == 0 ? default
                    : new Box(inside.Min(i => i % width), inside.Min(i => i / width), inside.Max(i => i % width) + 1, inside.Max(i => i / width) + 1);
            }
        }
    }

    [Theory]
    [InlineData(new long[] { 3, 2 }, "cover 5 of")]
    [InlineData(new long[] { 3, 20 }, "cover more than of")]
    [InlineData(new long[] { 3, -1, 10 }, "run 2")]
    [InlineData(new long[] { long.MaxValue, long.MaxValue }, "more than")]
    public void Runs_that_are_not_the_images_are_refused(long[] counts, string said)
    {
        var fault = Assert.Throws<FormatException>(() => Rle.FromCounts(counts, 3, 4));
        Assert.Contains(said, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nd1")]
    [InlineData("\u0001")]
    [InlineData("oooooooooooooooooooooooo1")]
    [InlineData("o")]
    [InlineData("nd15e13\u00e9")]
    public void Damaged_text_is_refused(string text) => Assert.Throws<FormatException>(() => Rle.Parse(text, 3, 4));

    [Fact]
    public void Any_text_ends_in_a_mask_or_a_clear_error()
    {
        var random = new Random(7);
        for (int i = 0; i < 20_000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => (char)random.Next(40, 120)));
            try
            {
                Assert.Equal(35, Rle.Parse(text, 5, 7).Counts.ToArray().Sum());
            }
            catch (FormatException)
            {
            }
        }
    }

    [Theory]
    [InlineData(new[] { 1.0, 2, 3 }, "pairs")]
    [InlineData(new[] { 1.0, 2, 3, 4 }, "three are the least")]
    [InlineData(new[] { 1.0, 2, 3, 4, double.NaN, 6 }, "NaN")]
    [InlineData(new[] { 1.0, 2, 3, 4, 1e300, 6 }, "E+300")]
    public void Impossible_polygons_are_refused(double[] polygon, string said)
    {
        var fault = Assert.Throws<ArgumentException>(() => Rle.FromPolygons([polygon], 10, 10));
        Assert.Contains(said, fault.Message, StringComparison.Ordinal);
    }

    private static JsonDocument Document(Golden golden) => JsonDocument.Parse(File.ReadAllText(golden.FilePath("rle.json")));

    private static double[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(v => v.GetDouble())];

    private static Box BoxOf(JsonElement element)
    {
        double[] xywh = Numbers(element.GetProperty("bbox"));
        // An empty mask has a box of zeros in both.
        return new Box(xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3]);
    }

    private static void AssertMatrix(NpyArray expected, double[,] actual)
    {
        Assert.Equal((expected.Shape[0], expected.Shape[1]), (actual.GetLength(0), actual.GetLength(1)));
        for (int i = 0; i < expected.Values.Length; i++) Assert.Equal(expected.Values[i], actual[i / expected.Shape[1], i % expected.Shape[1]], 1e-12);
    }
}

using System.Text;
using Delineate.Data;
using Delineate.Data.Objects;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Objects;

public class JsonListsTests
{
    private const string Text = """{"a": {"b": ["}]", "\"", "\\"], "n": -1.5e3}, "wanted": [{"x": "]\\\"["}, 12, "te,xt", [1, [2]], null] , "z": true, "more": []}""";

    private static List<(string List, string Element, string AtOffset)> Read(string text, params string[] wanted)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var found = new List<(string List, string Element, string AtOffset)>();
        using var lists = new JsonLists(new Dripping(bytes), "file.json", wanted);
        while (lists.Next())
        {
            string element = Encoding.UTF8.GetString(lists.Element.Span);
            found.Add((lists.List, element, Encoding.UTF8.GetString(bytes, (int)lists.Offset, lists.Element.Length)));
        }
        return found;
    }

    [Fact]
    public void Elements_are_found_with_their_places_however_the_bytes_arrive()
    {
        var found = Read(Text, "wanted", "more");
        Assert.Equal(["""{"x": "]\\\"["}""", "12", "\"te,xt\"", "[1, [2]]", "null"], found.Select(f => f.Element));
        Assert.All(found, f => Assert.Equal(("wanted", f.Element), (f.List, f.AtOffset)));
    }

    [Fact]
    public void An_element_longer_than_the_buffer_stays_whole()
    {
        string long1 = "\"" + new string('x', 700_000) + "\"", long2 = "[" + string.Join(",", Enumerable.Range(0, 200_000)) + "]";
        var found = Read($$"""{"pad": "{{new string('p', 300_000)}}", "wanted": [{{long1}}, 1, {{long2}}]}""", "wanted");
        Assert.Equal([long1, "1", long2], found.Select(f => f.Element));
        Assert.All(found, f => Assert.Equal(f.Element, f.AtOffset));
    }

    [Fact]
    public void Cut_anywhere_the_file_is_refused()
    {
        for (int length = 0; length < Text.Length; length++)
            Assert.StartsWith("file.json: ", Assert.Throws<DatasetException>(() => Read(Text[..length], "wanted")).Message);
    }

    [Theory]
    [InlineData("{\"wanted\": [", "cut short: the file ends in element 1 of \"wanted\", at byte 12")]
    [InlineData("{\"other\": [1, 2", "cut short: the file ends after the key \"other\"")]
    [InlineData("x", "does not begin with '{'")]
    [InlineData("{1: 2}", "a key in quotes is missing")]
    [InlineData("{\"a\" 2}", "after the key \"a\" a colon is missing")]
    [InlineData("{\"a\": }", "a value is missing")]
    public void Faults_are_told_with_their_place(string text, string message) =>
        Assert.Contains(message, Assert.Throws<DatasetException>(() => Read(text, "wanted")).Message);

    [Fact]
    public void Deep_nesting_is_refused()
    {
        Assert.Contains("nested more than 64 deep", Assert.Throws<DatasetException>(() => Read("{\"a\": " + new string('[', 1_000_000), "wanted")).Message);
        Assert.Contains("nested more than 64 deep", Assert.Throws<DatasetException>(() => Read("{\"wanted\": [" + new string('[', 1_000_000), "wanted")).Message);
    }

    [Fact]
    public void Damaged_coco_files_end_in_a_data_set_or_in_an_error_that_names_the_file()
    {
        byte[] sound = Encoding.UTF8.GetBytes("""
            {"images": [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}], "categories": [{"id": 3, "name": "dog", "keypoints": ["l", "r"]}],
             "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[2, 1, 5, 1, 5, 4, 2, 4]], "bbox": [2, 1, 3, 3], "area": 9.5, "iscrowd": 0},
             {"id": "2", "image_id": "1", "category_id": 3, "segmentation": {"size": [6, 8], "counts": [3, 3, 42]}, "keypoints": [1, 2, 2, 0, 0, 0], "num_keypoints": 1},
             {"id": 3, "image_id": 1, "category_id": 3, "segmentation": {"counts": "333Y1", "size": [6, 8]}, "iscrowd": 1}]}
            """);
        using TempDataset set = new TempDataset().Picture("images/a.png");
        string path = set.At("annotations.json");
        FuzzReport report = Fuzzer.Run<DatasetException>([sound], Fuzzer.InputCount, seed: 7, bytes =>
        {
            File.WriteAllBytes(path, bytes);
            Dataset all = DatasetCatalog.Open(set.Root, "all");
            for (int i = 0; i < all.Count; i++) all.Load(i);
        }, bytes => 4_000_000 + (200L * bytes.Length));
        Assert.True(report.Accepted > 50 && report.Refused > 50, $"{report}");
    }

    /// <summary>Gives its bytes in pieces of 1, 2, 3, … and then larger ones.</summary>
    private sealed class Dripping(byte[] bytes) : MemoryStream(bytes)
    {
        private int reads;

        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, ++reads < 200 ? 1 + (reads % 3) : count));
    }
}

using Delineate.Data;
using Delineate.Data.Objects;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Objects;

public class CocoIdsTests
{
    private static CocoIds Load(TempDataset set, string images, string categories = """{"id": 4, "name": "dog"}""") =>
        CocoIds.Load(set.Text("ids.json", $$"""{"info": [], "images": [{{images}}], "categories": [{{categories}}]}""").At("ids.json"));

    [Fact]
    public void Images_are_found_by_the_end_of_their_paths()
    {
        using var set = new TempDataset();
        CocoIds ids = Load(set, """
            {"id": 1, "file_name": "x.png"}, {"id": 2, "file_name": "sub/x.png"}, {"id": "3", "file_name": "C:\\data\\y.png"}, {"id": 4.0, "file_name": "other/z.png"}, {"id": 5, "file_name": "more/z.png"}
            """);
        Assert.Equal((1, "x.png"), ids.ImageOf("photos/x.png"));
        Assert.Equal((2, "sub/x.png"), ids.ImageOf("photos/sub/x.png"));
        Assert.Equal((3, "C:\\data\\y.png"), ids.ImageOf("y.png"));
        Assert.Equal((5, "more/z.png"), ids.ImageOf("a/more/z.png"));
        Assert.Null(ids.ImageOf("a/z.png")); // one of two
        Assert.Null(ids.ImageOf("w.png"));
        Assert.Equal((4L, null), (ids.CategoryOf("dog"), ids.CategoryOf("cat")));
    }

    [Theory]
    [InlineData("""{"file_name": "x.png"}""", "entry 1 of \"images\" has no whole number for its id")]
    [InlineData("""{"id": "x", "file_name": "x.png"}""", "entry 1 of \"images\" has no whole number for its id")]
    [InlineData("""{"id": 1.5, "file_name": "x.png"}""", "entry 1 of \"images\" has no whole number for its id")]
    [InlineData("""{"id": 1}""", "entry 1 of \"images\" has no file_name")]
    [InlineData("""{"id": 1, "file_name": ".."}""", "entry 1 of \"images\" has no file_name")]
    [InlineData("""{"id": 1, "file_name": "x.png"}, {"id": 2, "file_name": "x.png"}""", "entry 2 of \"images\": another image is called x.png too")]
    [InlineData("17", "entry 1 of \"images\" is no object in braces: 17")]
    [InlineData("{\"id\": 1,, }", "entry 1 of \"images\" is not valid JSON")]
    [InlineData("{\"id\": 1, \"file_name\": \"x.png", "cut short")]
    public void What_names_no_image_is_told(string images, string message)
    {
        using var set = new TempDataset();
        var e = Assert.Throws<DatasetException>(() => Load(set, images));
        Assert.StartsWith(set.At("ids.json"), e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message);
    }

    [Fact]
    public void Files_of_another_kind_are_refused()
    {
        using var set = new TempDataset();
        Assert.Contains("another category is called 'dog' too", Assert.Throws<DatasetException>(() => Load(set, "", """{"id": 1, "name": "dog"}, {"id": 2, "name": "dog"}""")).Message);
        Assert.Contains("it has no \"categories\"", Assert.Throws<DatasetException>(() => CocoIds.Load(set.Text("a.json", """{"images": []}""").At("a.json"))).Message);
        Assert.Contains("it holds a list", Assert.Throws<DatasetException>(() => CocoIds.Load(set.Text("b.json", "[]").At("b.json"))).Message);
        Assert.Contains("\"images\" is no list", Assert.Throws<DatasetException>(() => CocoIds.Load(set.Text("c.json", """{"images": {}}""").At("c.json"))).Message);
    }

    [ReferenceFact]
    public void Real_ids_are_cocos()
    {
        string folder = ReferenceFolder.Path("data", "coco-mini");
        var ids = CocoIds.Load(Path.Combine(folder, "annotations", "instances_val2017.json"));
        string[] files = Directory.GetFiles(Path.Combine(folder, "val2017"));
        Assert.All(files, f => Assert.Equal(long.Parse(Path.GetFileNameWithoutExtension(f)), ids.ImageOf(f)!.Value.Id));
        Assert.Equal((1L, 90L), (ids.CategoryOf("person"), ids.CategoryOf("toothbrush")));
    }
}

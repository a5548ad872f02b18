using Delineate.Data;
using Delineate.Data.Sets;
using Delineate.Imaging;
using Xunit;

namespace Delineate.Tests.Data;

public class DatasetManifestTests
{
    [Fact]
    public void Every_key_is_read_and_comments_are_allowed()
    {
        using var set = new TempDataset().Text("dataset.json", """
            {
              // nuclei under a microscope
              "layout": "folder", "name": "nuclei", "description": "d", "licence": "CC0", "source": "s",
              "classes": ["background", "nucleus"], "colors": ["#000000", [220, 20, 60]], "background": "background",
              "ignoreIndex": 254, "validation": 0.1,
              "masks": { "coding": "labels", "suffix": "_mask", "map": { "7": "ignore", "255": 1, "3": "nucleus" }, },
            }
            """);

        var manifest = DatasetManifest.Read(set.Root);

        Assert.Equal(DatasetLayout.Folder, manifest.Layout);
        Assert.Equal(["background", "nucleus"], manifest.Classes!);
        Assert.Equal([default, new Rgb(220, 20, 60)], manifest.Colors!);
        Assert.Equal((byte)254, manifest.IgnoreIndex);
        Assert.Equal((MaskCoding.Labels, "_mask", 0.1), (manifest.Coding!.Value, manifest.MaskSuffix, manifest.Validation));
        Assert.Equal("ignore", manifest.MaskMap[7]);
        Assert.Equal("1", manifest.MaskMap[255]);
        Assert.Equal(("nuclei", "CC0"), (manifest.Name, manifest.Licence));
    }

    [Fact]
    public void A_folder_without_a_manifest_has_an_empty_one()
    {
        using var set = new TempDataset();
        var manifest = DatasetManifest.Read(set.Root);
        Assert.Null(manifest.Path);
        Assert.Null(manifest.Classes);
    }

    [Theory]
    [InlineData("""{ "clases": ["a"] }""", "line 1", "clases", "did you mean 'classes'?")]
    [InlineData("{\n \"masks\": {\n  \"codings\": \"labels\" } }", "line 3", "masks.codings", "did you mean 'masks.coding'?")]
    [InlineData("""{ "zzz": 1 }""", "\"zzz\" is unknown", "known: layout, classes")]
    [InlineData("{\n \"classes\": [\"a\",\n", "line ", "not valid JSON")]
    [InlineData("", "not valid JSON")]
    [InlineData("null", "holds null")]
    [InlineData("[1]", "wrong kind")]
    [InlineData("""{ "classes": "a" }""", "\"classes\" holds a value of the wrong kind")]
    [InlineData("""{ "classes": ["a", "a"] }""", "'a' occurs twice")]
    [InlineData("""{ "classes": [] }""", "1 to 255 names, not 0")]
    [InlineData("""{ "classes": ["a", null] }""", "a class name is empty")]
    [InlineData("""{ "classes": ["a"], "classes": ["b"] }""", "occurs twice")]
    [InlineData("""{ "colors": ["#000000"] }""", "needs \"classes\"")]
    [InlineData("""{ "classes": ["a", "b"], "colors": ["#000000"] }""", "1 entries for 2 classes")]
    [InlineData("""{ "classes": ["a"], "colors": ["black"] }""", "\"black\" at place 0", "#rrggbb")]
    [InlineData("""{ "classes": ["a"], "colors": [[0, 0, 256]] }""", "no colour")]
    [InlineData("""{ "classes": ["a"], "colors": ["#-00001"] }""", "no colour")]
    [InlineData("""{ "ignoreIndex": 256 }""", "\"ignoreIndex\" is 256")]
    [InlineData("""{ "layout": "coco2" }""", "\"layout\" is 'coco2'")]
    [InlineData("""{ "classes": ["sky", "road"], "background": "ski" }""", "did you mean 'sky'?")]
    [InlineData("""{ "masks": { "coding": "rgb" } }""", "\"masks.coding\" is 'rgb'")]
    [InlineData("""{ "masks": { "coding": "colors" } }""", "without a table of colours")]
    [InlineData("""{ "masks": { "map": { "256": 1 } } }""", "has the key '256'")]
    [InlineData("""{ "masks": { "map": { "1": 300 } } }""", "maps 1 to 300")]
    [InlineData("""{ "masks": { "suffix": "../x" } }""", "holds no folder")]
    [InlineData("""{ "validation": 1 }""", "at least 0 and below 1")]
    public void A_faulty_manifest_is_refused_in_plain_words(string json, params string[] expected)
    {
        using var set = new TempDataset().Text("dataset.json", json);
        var e = Assert.Throws<DatasetException>(() => DatasetManifest.Read(set.Root));
        Assert.Equal(set.At("dataset.json"), e.File);
        Assert.All(expected, part => Assert.Contains(part, e.Message));
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_byte_order_mark_is_no_fault()
    {
        using var set = new TempDataset().Bytes("dataset.json", [0xEF, 0xBB, 0xBF, .. """{ "name": "n" }"""u8]);
        Assert.Equal("n", DatasetManifest.Read(set.Root).Name);
    }

    [Fact]
    public void Deep_nesting_and_huge_files_are_refused()
    {
        using var deep = new TempDataset().Text("dataset.json", new string('[', 100_000));
        Assert.Throws<DatasetException>(() => DatasetManifest.Read(deep.Root));
        using var huge = new TempDataset().Text("dataset.json", new string(' ', (1 << 20) + 1));
        Assert.Contains("larger than", Assert.Throws<DatasetException>(() => DatasetManifest.Read(huge.Root)).Message);
    }
}

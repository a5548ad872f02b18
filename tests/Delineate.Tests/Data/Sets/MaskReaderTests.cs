using Delineate.Data;
using Delineate.Data.Sets;
using Delineate.Imaging;
using Xunit;

namespace Delineate.Tests.Data.Sets;

public class MaskReaderTests
{
    private static Dataset Open(TempDataset set) => DatasetCatalog.Open(set.Root, "all");

    private static byte[] FirstLabels(TempDataset set, int count = 4) => Open(set).Load(0).Annotation.Semantic!.Labels[..count];

    private static TempDataset One(string manifest = "")
    {
        TempDataset set = new TempDataset().Picture("images/a.png");
        return manifest.Length > 0 ? set.Text("dataset.json", manifest) : set;
    }

    [Fact]
    public void Masks_of_0_and_255_are_binary_where_nothing_says_otherwise()
    {
        using TempDataset set = One().Mask("masks/a.png", [0, 255, 255]);
        Assert.Equal([0, 1, 1, 0], FirstLabels(set));
        Assert.Contains(Open(set).Notes, n => n.Contains("only 0 and 255"));
    }

    [Fact]
    public void Two_declared_classes_leave_binary_masks_binary()
    {
        using TempDataset set = One("""{ "classes": ["ground", "road"] }""").Mask("masks/a.png", [0, 255, 255]);
        Assert.Equal([0, 1, 1, 0], FirstLabels(set));
        Assert.Equal("road", Open(set).Classes.Names[1]);
    }

    [Theory]
    [InlineData("""{ "classes": ["a", "b", "c"] }""")]
    [InlineData("""{ "classes": ["a", "b"], "ignoreIndex": 255 }""")]
    [InlineData("""{ "classes": ["a", "b"], "masks": { "coding": "labels" } }""")]
    public void Class_table_or_ignore_index_or_coding_keep_255_ignored(string manifest)
    {
        using TempDataset set = One(manifest).Mask("masks/a.png", [0, 255, 255]);
        Assert.Equal([0, 255, 255, 0], FirstLabels(set));
    }

    [Fact]
    public void One_mask_of_other_values_is_enough_to_read_labels()
    {
        using TempDataset set = One().Mask("masks/a.png", [0, 255]).Picture("images/b.png").Mask("masks/b.png", [0, 1, 2, 255]);
        Assert.Equal([0, 255, 0], FirstLabels(set, 3));
        Assert.Equal(3, Open(set).Classes.Count);
        Assert.Contains(Open(set).Notes, n => n.Contains("labels 0 to 2 were found"));
    }

    [Fact]
    public void A_binary_mask_saved_in_colours_or_with_smooth_edges()
    {
        using TempDataset set = One("""{ "masks": { "coding": "binary" } }""").ColorMask("masks/a.png", [default, new Rgb(255, 255, 255)]);
        Assert.Equal([0, 1, 0, 1], FirstLabels(set));
        set.Mask("masks/a.png", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128]);
        var e = Assert.Throws<DatasetException>(() => FirstLabels(set));
        Assert.Contains("pixel (1, 2) holds 128", e.Message);
        Assert.Equal(set.At("masks/a.png"), e.File);
    }

    [Fact]
    public void Colours_are_looked_up_in_the_table()
    {
        using TempDataset set = One("""{ "classes": ["sky", "road"], "colors": ["#80c0ff", [90, 90, 90]] }""")
            .ColorMask("masks/a.png", [new Rgb(0x80, 0xC0, 0xFF), new Rgb(90, 90, 90), new Rgb(224, 224, 192)]);
        Assert.Equal([0, 1, 255, 0], FirstLabels(set));
        set.ColorMask("masks/a.png", [new Rgb(90, 90, 90), new Rgb(0x80, 0xC0, 0xF0)]);
        string message = Assert.Throws<DatasetException>(() => FirstLabels(set)).Message;
        Assert.Contains("pixel (0, 1) has the colour #80c0f0", message);
        Assert.Contains("nearest listed one is #80c0ff (sky)", message);
    }

    [Fact]
    public void Colours_without_a_table_are_refused_with_the_remedy()
    {
        using TempDataset set = One("""{ "classes": ["sky", "road"] }""").ColorMask("masks/a.png", [new Rgb(1, 2, 3)]);
        var e = Assert.Throws<DatasetException>(() => FirstLabels(set));
        Assert.Contains("colours", e.Problem);
        Assert.Contains("\"colors\"", e.Remedy);
    }

    [Theory]
    [InlineData(new byte[] { 0, 1, 7 }, "\"7\": \"ignore\"")]
    [InlineData(new byte[] { 1, 2, 3 }, "labels start at 1")]
    public void A_label_out_of_range_names_pixel_value_and_map(byte[] values, string remedy)
    {
        using TempDataset set = One("""{ "classes": ["a", "b", "c"] }""").Mask("masks/a.png", values);
        var e = Assert.Throws<DatasetException>(() => FirstLabels(set));
        Assert.Contains($"pixel (0, 2) holds label {values[2]}", e.Message);
        Assert.Contains(remedy, e.Remedy);
    }

    [Fact]
    public void The_map_renames_stored_values()
    {
        using TempDataset set = One("""{ "classes": ["a", "b"], "masks": { "map": { "1": 0, "2": "b", "0": "ignore" } } }""").Mask("masks/a.png", [0, 1, 2, 255]);
        Assert.Equal([255, 0, 1, 255], FirstLabels(set));
        set.Text("dataset.json", """{ "classes": ["apple", "pear"], "masks": { "map": { "1": "aple" } } }""");
        Assert.Contains("did you mean 'apple'?", Assert.Throws<DatasetException>(() => Open(set)).Message);
    }

    [Fact]
    public void Sixteen_bits_are_read_where_the_values_fit()
    {
        using TempDataset set = One("""{ "classes": ["a", "b"] }""").Ids("masks/a.png", [0, 1, 255]);
        Assert.Equal([0, 1, 255, 0], FirstLabels(set));
        set.Ids("masks/a.png", [0, 300]);
        Assert.Contains("pixel (0, 1) of the 16-bit mask holds 300", Assert.Throws<DatasetException>(() => FirstLabels(set)).Message);
    }

    [Fact]
    public void A_single_class_has_nothing_to_tell_apart()
    {
        using TempDataset set = One("""{ "classes": ["road"] }""").Mask("masks/a.png", [0, 1]);
        Assert.Contains("list the background too", Assert.Throws<DatasetException>(() => Open(set)).Message);
    }

    [Fact]
    public void The_palette_comes_from_the_manifest_else_from_the_masks()
    {
        using TempDataset set = One().Mask("masks/a.png", [0, 1, 2], palette: new Palette([new Rgb(9, 9, 9), new Rgb(8, 8, 8), new Rgb(7, 7, 7)]));
        Assert.Equal(new Rgb(8, 8, 8), Open(set).Classes.Palette[1]);
        set.Text("dataset.json", """{ "classes": ["a", "b", "c"], "colors": ["#010101", "#020202", "#030303"], "masks": { "coding": "labels" } }""");
        Assert.Equal(new Rgb(2, 2, 2), Open(set).Classes.Palette[1]);
    }

    [Fact]
    public void Masks_of_another_size_and_broken_files_name_themselves()
    {
        using TempDataset set = One("""{ "classes": ["a", "b"] }""").Mask("masks/a.png", [0, 1], height: 5);
        Assert.Contains("5×8 but its image is 6×8", Assert.Throws<DatasetException>(() => FirstLabels(set)).Message);
        set.Bytes("masks/a.png", File.ReadAllBytes(set.At("masks/a.png"))[..40]);
        Assert.StartsWith(set.At("masks/a.png") + ": ", Assert.Throws<DatasetException>(() => FirstLabels(set)).Message);
        set.Bytes("images/a.png", [1, 2, 3]);
        Assert.StartsWith(set.At("images/a.png") + ": ", Assert.Throws<DatasetException>(() => FirstLabels(set)).Message);
    }
}

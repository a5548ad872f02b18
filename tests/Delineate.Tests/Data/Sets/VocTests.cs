using Delineate.Data;
using Delineate.Data.Sets;
using Delineate.Imaging;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Sets;

public class VocTests
{
    private static TempDataset Two() => new TempDataset()
        .Picture("JPEGImages/a.png").Mask("SegmentationClass/a.png", [0, 15, 255], palette: Palette.Voc)
        .Picture("JPEGImages/b.png").Mask("SegmentationClass/b.png", [0, 20], palette: Palette.Voc)
        .Text("ImageSets/Segmentation/train.txt", "a\r\n\r\n").Text("ImageSets/Segmentation/val.txt", "b");

    [Fact]
    public void Splits_images_and_masks_are_found_with_the_21_classes()
    {
        using TempDataset set = Two();

        Dataset train = DatasetCatalog.Open(set.Root);

        Assert.Equal(["a"], train.Names);
        Assert.Equal(Voc.ClassNames, train.Classes.Names);
        Assert.Equal((0, 255), (train.Classes.Background!.Value, train.Classes.IgnoreIndex));
        Sample sample = train.Load(0);
        Assert.Equal(("a", 6, 8), (sample.Name, sample.Image.Height, sample.Image.Width));
        Assert.Equal([0, 15, 255, 0], sample.Annotation.Semantic!.Labels[..4]);
        Assert.Equal(["b"], DatasetCatalog.Open(set.Root, "val").Names);
        Assert.Equal(["a", "b"], DatasetCatalog.Open(set.Root, "all").Names);
    }

    [Fact]
    public void Background_and_ignored_border_alone_stay_what_they_are()
    {
        using TempDataset set = new TempDataset().Picture("JPEGImages/a.png").Mask("SegmentationClass/a.png", [0, 255], palette: Palette.Voc);
        Assert.Equal([0, 255, 0], DatasetCatalog.Open(set.Root, "all").Load(0).Annotation.Semantic!.Labels[..3]);
    }

    [Fact]
    public void Class_names_come_from_their_file_and_must_not_contradict_the_manifest()
    {
        using TempDataset set = Two().Text("class_names.txt", string.Join("\r\n", Enumerable.Range(0, 21).Select(i => $"c{i}")));
        Assert.Equal("c20", DatasetCatalog.Open(set.Root).Classes.Names[20]);
        set.Text("dataset.json", """{ "classes": ["x", "y"] }""");
        Assert.Contains("other classes than dataset.json", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root)).Message);
    }

    [Fact]
    public void An_unknown_split_names_the_known_ones()
    {
        using TempDataset set = Two();
        Assert.Contains("there are: train, val, all", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root, "test")).Message);
    }

    [ReferenceFact]
    public void Real_voc_files_are_read()
    {
        Dataset set = DatasetCatalog.Open(ReferenceFolder.Path("data", "fixtures", "voc"), "all");
        Assert.Equal(["2011_000003", "2011_000006", "2011_000025"], set.Names);
        Assert.Equal(21, set.Classes.Count);
        Assert.Equal(new Rgb(128, 0, 0), set.Classes.Palette[1]);
        Assert.Equal(0, set.Classes.Background);
        byte[][] labels = [.. Enumerable.Range(0, 3).Select(i => set.Load(i).Annotation.Semantic!.Labels.Distinct().Order().ToArray())];
        Assert.Equal([[0, 5, 15, 255], [0, 9, 15, 18, 255], [0, 6, 7]], labels);
    }

    [ReferenceFact]
    public void Camvid_is_read_with_its_own_classes_and_palette()
    {
        string folder = ReferenceFolder.Path("data", "camvid");
        Dataset train = DatasetCatalog.Open(folder), val = DatasetCatalog.Open(folder, "val");
        Assert.Equal((367, 101), (train.Count, val.Count));
        Assert.Equal((11, "sky", null), (train.Classes.Count, train.Classes.Names[0], train.Classes.Background));
        Assert.Equal(new Rgb(128, 128, 128), train.Classes.Palette[0]);
        Sample sample = val.Load(7);
        Assert.Equal((360, 480), (sample.Image.Height, sample.Image.Width));
    }
}

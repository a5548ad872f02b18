using Delineate.Data;
using Delineate.Data.Sets;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Sets;

public class FolderTests
{
    [Fact]
    public void Split_files_may_hold_paths_of_either_slash_suffixes_and_blank_lines()
    {
        using TempDataset set = TempDataset.Plain(4).Text("train.txt", "images\\s02.png\r\n\r\n  s00  \r\nimages/s01.PNG").Text("val.txt", "\uFEFFs03\n");
        Assert.Equal(["s02", "s00", "s01"], DatasetCatalog.Open(set.Root).Names);
        Assert.Equal(["s03"], DatasetCatalog.Open(set.Root, "val").Names);
    }

    [Fact]
    public void A_split_file_cannot_reach_outside_the_folder()
    {
        using TempDataset set = TempDataset.Plain(1).Text("train.txt", "../../../etc/passwd\n..\\..\\secret.png");
        Assert.Contains("2 of 2 samples of 'train' have no image: passwd, secret", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root)).Message);
    }

    [Fact]
    public void Without_split_files_a_fixed_share_is_held_out_by_name()
    {
        using TempDataset set = TempDataset.Plain(40);
        Dataset train = DatasetCatalog.Open(set.Root), val = DatasetCatalog.Open(set.Root, "val");
        Assert.Equal(40, train.Names.Union(val.Names).Count());
        Assert.InRange(val.Count, 3, 14);
        Assert.Contains(train.Notes, n => n.Contains($"{val.Count} of 40") && n.Contains("0.2"));

        // More images move none of the old ones.
        string[] held = [.. val.Names];
        for (int i = 40; i < 50; i++) set.Picture($"images/s{i}.png").Mask($"masks/s{i}.png", [0, 1]);
        Assert.Equal(held, DatasetCatalog.Open(set.Root, "val").Names.Where(n => string.CompareOrdinal(n, "s40") < 0));
    }

    [Fact]
    public void Both_sides_of_a_small_split_have_an_image()
    {
        for (int count = 2; count < 12; count++)
        {
            List<SplitList> splits = DatasetFiles.SplitByHash([.. Enumerable.Range(0, count).Select(i => $"n{i}")], 0.1);
            Assert.All(splits, s => Assert.NotEmpty(s.Names));
        }
        Assert.Empty(DatasetFiles.SplitByHash(["a", "b"], 0)[1].Names);
    }

    [Fact]
    public void Instance_ids_are_read_as_foreground()
    {
        using TempDataset set = new TempDataset().Picture("images/a.png").Ids("instances/a.png", [0, 1, 700]);
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(["background", "object"], all.Classes.Names);
        Assert.Equal([0, 1, 1, 0], all.Load(0).Annotation.Semantic!.Labels[..4]);
        set.Text("dataset.json", """{ "classes": ["nucleus"] }""");
        Assert.Equal(["background", "nucleus"], DatasetCatalog.Open(set.Root, "all").Classes.Names);
        set.Text("dataset.json", """{ "classes": ["a", "b", "c"] }""");
        Assert.Contains("cannot hold 3 classes", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root, "all")).Message);
    }

    [Fact]
    public void Images_without_a_mask_are_left_out_by_name()
    {
        using TempDataset set = TempDataset.Plain(3).Picture("images/lonely.png");
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(3, all.Count);
        Assert.Contains(all.Notes, n => n.Contains("1 images without a mask (lonely)"));
    }

    [Fact]
    public void A_suffix_of_mask_names_is_taken_off()
    {
        using TempDataset set = new TempDataset().Text("dataset.json", """{ "classes": ["a", "b"], "masks": { "suffix": "_mask" } }""")
            .Picture("images/x.png").Mask("masks/x_mask.png", [0, 1]).Mask("masks/y.png", [0]);
        Assert.Equal(["x"], DatasetCatalog.Open(set.Root, "all").Names);
        Assert.Contains("does not end in '_mask'", Assert.Single(DatasetCatalog.Scan(set.Root).LeftOut).Reason);
    }

    [Fact]
    public void A_folder_of_no_known_layout_says_what_was_looked_for_and_found()
    {
        using TempDataset set = new TempDataset().Text("readme.md", "x").Text("pics/a.txt", "x");
        string message = Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root)).Message;
        Assert.Contains("JPEGImages/ and SegmentationClass/", message);
        Assert.Contains("annotations/instances_SPLIT.json", message);
        Assert.Contains("images/ with masks/ or instances/", message);
        Assert.Contains("found pics, readme.md", message);
        Assert.Contains("no such folder", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.At("nowhere"))).Message);
    }

    [ReferenceFact]
    public void The_nuclei_are_read()
    {
        string folder = ReferenceFolder.Path("data", "nuclei");
        Dataset train = DatasetCatalog.Open(folder), val = DatasetCatalog.Open(folder, "val");
        Assert.Equal((466, 110), (train.Count, val.Count));
        Assert.Equal(2, train.Classes.Count);
        Assert.Contains((byte)1, train.Load(0).Annotation.Semantic!.Labels);
    }
}

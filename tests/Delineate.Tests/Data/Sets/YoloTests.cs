using Delineate.Data;
using Delineate.Data.Sets;
using Xunit;

namespace Delineate.Tests.Data.Sets;

public class YoloTests
{
    private const string Yaml = """
        # a comment
        path: ../datasets/cells   # of the machine that wrote it
        train: images/train
        val: images/val
        test:
        names:
          0: cell
          1: "dead cell"
        """;

    /// <summary>Images of 6×8 pixels: a with two objects, b without labels, c for validation.</summary>
    private static TempDataset Three(string? yaml = Yaml)
    {
        TempDataset set = new TempDataset().Picture("images/train/a.png").Picture("images/train/b.png").Picture("images/val/c.png")
            .Text("labels/train/a.txt", "1 0.25 0.16666667 0.625 0.16666667 0.625 0.66666667 0.25 0.66666667\n\n0 0.5 0.5 0.25 0.333333\n").Text("labels/val/c.txt", "0 0 0 1 0 1 1\r\n");
        return yaml is null ? set : set.Text("data.yaml", yaml);
    }

    [Fact]
    public void Outlines_boxes_and_images_without_labels_are_read()
    {
        using TempDataset set = Three();
        Dataset train = DatasetCatalog.Open(set.Root), val = DatasetCatalog.Open(set.Root, "val");
        Assert.Equal(["a", "b"], train.Names);
        Assert.Equal(["c"], val.Names);
        Assert.Equal(["background", "cell", "dead cell"], train.Classes.Names);
        IReadOnlyList<Instance> objects = train.Load(0).Annotation.Instances!;
        Assert.Equal((2, "line 1"), (objects[0].Label, objects[0].Id));
        Assert.Equal(Rle.FromPolygons([[2, 1, 5, 1, 5, 4, 2, 4]], 6, 8), objects[0].Mask);
        Assert.Equal((1, "line 3", 3, 2, 5), (objects[1].Label, objects[1].Id, objects[1].Box.X1, Math.Round(objects[1].Box.Y1, 3), objects[1].Box.X2));
        Assert.Null(objects[1].Mask);
        Assert.Empty(train.Load(1).Annotation.Instances!);
        Assert.InRange(val.Load(0).Annotation.Instances![0].Mask!.Area, 18, 30);
    }

    [Theory]
    [InlineData("names: [cell, 'dead cell']\ntrain: ../train/images\nval: ../valid/images\nnc: 2", "train/images", "train/labels")] // as Roboflow writes it
    [InlineData("names: {0: cell, 1: dead cell}\ntrain: train.txt\nval: val.txt", "images", "labels")]
    [InlineData("train: /home/somebody/cells/images/train\nval: images/val\nnames:\n- cell\n- dead cell\n", "images/train", "labels/train")]
    public void Descriptions_of_other_tools_and_machines(string yaml, string images, string labels)
    {
        string valid = images.Contains("train", StringComparison.Ordinal) ? images.Replace("train/images", "valid/images").Replace("images/train", "images/val") : images;
        using TempDataset set = new TempDataset().Text("data.yaml", yaml).Picture($"{images}/a.png").Text($"{labels}/a.txt", "1 0 0 0.5 0 0.5 0.5").Picture($"{valid}/c.png");
        set.Text("train.txt", "./images/a.png\n").Text("val.txt", "/data/cells/images/c.png\n");
        Dataset train = DatasetCatalog.Open(set.Root), val = DatasetCatalog.Open(set.Root, "val");
        Assert.Equal(["a"], train.Names);
        Assert.Equal(["c"], val.Names);
        Assert.Equal("dead cell", train.Classes.Names[train.Load(0).Annotation.Instances![0].Label]);
    }

    [Fact]
    public void Without_a_description_folders_and_numbers_tell()
    {
        using TempDataset set = Three(yaml: null);
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal(["background", "class 0", "class 1"], train.Classes.Names);
        Assert.Contains(train.Notes, n => n.Contains("nothing names the classes: 0 to 1"));
        set.Text("dataset.json", """{ "classes": ["cell", "dead"] }""");
        Assert.Equal(["background", "cell", "dead"], DatasetCatalog.Open(set.Root).Classes.Names);
        Assert.Equal(2, DatasetCatalog.Open(set.Root).Load(0).Annotation.Instances![0].Label);
    }

    [Theory]
    [InlineData("2 0 0 1 0 1 1", "of an unknown category", "its category '2' is not listed")]
    [InlineData("0.5 0 0 1 0 1 1", "of an unknown category", "its class is 0.5")]
    [InlineData("0 0 0 1 0 1", "whose outline is none", "has 5 coordinates")]
    [InlineData("0 0 0 1", "that cannot be read", "it has 3 numbers after the class")]
    [InlineData("0 10 20 300 40 50 60", "whose outline is none", "it has the coordinate 10: coordinates are shares")]
    [InlineData("0 0 0 nan 0 1 1", "with a coordinate that is no number", "'nan' is no number")]
    [InlineData("0 0.5 0.5 0 0.2", "with an empty box", "has no width")]
    [InlineData("0 0 0 0 0 0 0", "without a pixel", "its mask has no pixel")]
    public void Faulty_lines_are_left_out_by_name(string line, string reason, string problem)
    {
        using TempDataset set = Three().Text("labels/train/b.txt", "\n" + line);
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal((2, 0), (train.Load(0).Annotation.Instances!.Count, train.Load(1).Annotation.Instances!.Count));
        string note = Assert.Single(train.Notes, n => n.StartsWith("left out", StringComparison.Ordinal));
        Assert.StartsWith($"left out: 1 object {reason} (line 2 of image images/train/b.png: ", note);
        Assert.Contains(problem, note);
    }

    [Theory]
    [InlineData("names: [a, b]\nnc: 3", "nc is 3, but there are 2 names")]
    [InlineData("names:\n  0: a\n  2: b", "has the number '2' among 2 names")]
    [InlineData("names: [a, b", "line 1: a bracket is not closed")]
    [InlineData("names: &x [a]", "line 1: '&x [a]' is not understood")]
    [InlineData("names:\n  0:\n    - a", "line 3: lists of lists")]
    [InlineData("names: [a]\nnames: [b]", "line 2: the key 'names' is there twice")]
    [InlineData("just words", "line 1: a colon is missing")]
    [InlineData("names: [a]\ntrain: nowhere", "\"train\" is 'nowhere', which is neither a folder nor a list")]
    [InlineData("names: [a]\nkpt_shape: [17, 3]", "keypoints (kpt_shape), whose labels are not read")]
    public void A_faulty_description_is_refused_in_plain_words(string yaml, string message)
    {
        using TempDataset set = Three(yaml);
        Assert.Contains(message, Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root)).Message);
    }
}

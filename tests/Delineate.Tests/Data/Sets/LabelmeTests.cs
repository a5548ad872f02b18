using Delineate.Data;
using Delineate.Imaging;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Sets;

public class LabelmeTests
{
    private static string File(string shapes, string image = "a.png", int height = 20, int width = 30) =>
        $$"""{"version": "5.3.1", "flags": {}, "shapes": [{{shapes}}], "imagePath": "{{image}}", "imageData": "iVBORw0KGgo=", "imageHeight": {{height}}, "imageWidth": {{width}}}""";

    private static string Shape(string label, string points, string more = "") => $$"""{"label": "{{label}}", "points": {{points}}, "flags": {}{{more}}}""";

    private static TempDataset One(string shapes, string classes = "")
    {
        TempDataset set = new TempDataset().Text("a.json", File(shapes)).Picture("a.png", 20, 30);
        return classes.Length > 0 ? set.Text("dataset.json", classes) : set;
    }

    private static IReadOnlyList<Instance> Objects(TempDataset set) => DatasetCatalog.Open(set.Root, "all").Load(0).Annotation.Instances!;

    [Fact]
    public void Polygons_rectangles_and_circles_are_objects_and_a_group_is_one()
    {
        using TempDataset set = One(string.Join(", ",
            Shape("dog", "[[2, 1], [5, 1], [5, 4], [2, 4]]"),
            Shape("cat", "[[10, 3], [6, 1]]", """, "shape_type": "rectangle", "group_id": null"""),
            Shape("ball", "[[20, 10], [20, 14]]", """, "shape_type": "circle" """),
            Shape("dog", "[[10, 10], [13, 10], [13, 13], [10, 13]]", """, "group_id": 4"""),
            Shape("cat", "[[1, 10], [3, 10], [3, 13], [1, 13]]", """, "group_id": 4"""),
            Shape("dog", "[[14, 10], [15, 10], [15, 13], [14, 13]]", """, "group_id": 4""")));
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(["background", "ball", "cat", "dog"], all.Classes.Names);
        IReadOnlyList<Instance> objects = Objects(set);
        Assert.Equal([3, 2, 1, 3, 2], objects.Select(o => o.Label));
        Assert.Equal([9, 8, objects[2].Mask!.Area, 12, 6], objects.Select(o => o.Mask!.Area));
        Assert.Equal(new Box(6, 1, 10, 3), objects[1].Box);
        Assert.InRange(objects[2].Mask!.Area, Math.PI * 16 * 0.95, Math.PI * 16 * 1.05);
        Assert.Equal((new Box(10, 10, 15, 13), "shape 4 and its group"), (objects[3].Box, objects[3].Id));
    }

    [Fact]
    public void Masks_are_placed_and_joined_with_outlines()
    {
        string png = Convert.ToBase64String(Png.Encode(TempDataset.Labels([0, 1, 1, 1], 2, 2), null));
        using TempDataset set = One(Shape("dog", "[[4, 3], [5, 4]]", $$""", "shape_type": "mask", "mask": "{{png}}", "group_id": 1""")
            + ", " + Shape("dog", "[[10, 10], [13, 10], [13, 13], [10, 13]]", """, "group_id": 1"""));
        Instance dog = Assert.Single(Objects(set));
        Assert.Equal((12, new Box(4, 3, 13, 13)), (dog.Mask!.Area, dog.Box));
        byte[] pixels = dog.Mask.Decode();
        Assert.Equal([0, 1, 1, 1], new[] { pixels[(3 * 30) + 4], pixels[(3 * 30) + 5], pixels[(4 * 30) + 4], pixels[(4 * 30) + 5] });
    }

    [Fact]
    public void Ignored_areas_are_no_objects_and_lines_are_left_out()
    {
        using TempDataset set = One(Shape("dog", "[[0, 0], [5, 0], [5, 4], [0, 4]]") + ", " + Shape("__ignore__", "[[10, 0], [12, 0], [12, 2], [10, 2]]")
            + ", " + Shape("nose", "[[10, 3]]", """, "shape_type": "point" """));
        set.Text("labels.txt", "__ignore__\n_background_\nwolf\ndog\n");
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(["background", "wolf", "dog"], all.Classes.Names);
        Annotation truth = all.Load(0).Annotation;
        Assert.Equal(2, Assert.Single(truth.Instances!).Label);
        Assert.Equal((2, 255, 0), (truth.Semantic![0, 0], truth.Semantic[1, 11], truth.Semantic[5, 20]));
        Assert.Contains(all.Notes, n => n.StartsWith("left out: 1 object of shapes without an area (shape 3 of image a.png", StringComparison.Ordinal));
    }

    [Fact]
    public void Folders_named_after_splits_are_splits_else_lists_or_a_share()
    {
        using var set = new TempDataset();
        foreach (string place in (string[])["train/a", "train/b", "val/c"])
            set.Text($"{place}.json", File(Shape("dog", "[[2, 1], [5, 1], [5, 4], [2, 4]]"), $"..\\\\photos\\\\{place[^1]}.png")).Picture($"{place}.png", 20, 30);
        Assert.Equal(["a", "b"], DatasetCatalog.Open(set.Root).Names);
        Assert.Equal(["c"], DatasetCatalog.Open(set.Root, "val").Names);
        using var flat = new TempDataset();
        foreach (string name in (string[])["a", "b", "c"])
            flat.Text($"annotations/{name}.json", File(Shape("dog", "[[2, 1], [5, 1], [5, 4], [2, 4]]"), $"../images/{name}.png")).Picture($"images/{name}.png", 20, 30);
        flat.Picture("images/bare.png");
        Assert.Equal(3, DatasetCatalog.Open(flat.Root).Count + DatasetCatalog.Open(flat.Root, "val").Count);
        Assert.Contains("1 images have no labelme file: they are left out", DatasetCatalog.Open(flat.Root).Notes);
        flat.Text("train.txt", "c").Text("val.txt", "a\nb");
        Assert.Equal(["c"], DatasetCatalog.Open(flat.Root).Names);
    }

    [Theory]
    [InlineData("""{"label": "dog", "points": [[1, 1], [2]]}""", "a point of it is not two numbers")]
    [InlineData("""{"label": "dog", "points": [[1, 1], [2, 2]]}""", "its outline has 2 points")]
    [InlineData("""{"label": "dog", "points": [[1, 1], [2, 2], [3, NaN]]}""", "no number")]
    [InlineData("""{"label": "dog", "points": [[1, 1]], "shape_type": "circle"}""", "a circle has two points, not 1")]
    [InlineData("""{"label": "dog", "points": [[1, 1], [2, 2]], "shape_type": "mask", "mask": "%"}""", "its mask is no base64 text")]
    [InlineData("""{"points": [[1, 1], [5, 1], [5, 5]]}""", "it has no category")]
    [InlineData("17", "it is no object in braces: 17")]
    [InlineData("""{"label": "dog", "points": [[1, 1] [5, 1]]}""", "it is not valid JSON")]
    public void Faulty_shapes_are_left_out_by_name(string shape, string problem)
    {
        using TempDataset set = One(Shape("dog", "[[2, 1], [5, 1], [5, 4], [2, 4]]") + ", " + shape);
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Single(all.Load(0).Annotation.Instances!);
        string note = Assert.Single(all.Notes, n => n.StartsWith("left out", StringComparison.Ordinal));
        Assert.Contains("shape 2 of image a.png", note);
        Assert.Contains(problem, note);
    }

    [Fact]
    public void A_broken_file_is_named_and_its_image_left_out()
    {
        using TempDataset set = One(Shape("dog", "[[2, 1], [5, 1], [5, 4], [2, 4]]")).Text("b.json", File(Shape("dog", "[[2, 1], [5, 1]]"))[..90]).Picture("b.png");
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(["a"], all.Names);
        Assert.Contains(all.Notes, n => n.StartsWith("b.json: the JSON is cut short", StringComparison.Ordinal));
        System.IO.File.Delete(set.At("a.png"));
        Assert.Contains("1 of 1 images of 'all' are not there: a.png", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root, "all")).Message.Replace("'train'", "'all'").Replace("'val'", "'all'"));
    }

    [ReferenceFact]
    public void Real_files_give_the_masks_of_their_coco_conversion()
    {
        Dataset labelme = DatasetCatalog.Open(ReferenceFolder.Path("data", "fixtures", "labelme"), "all");
        using TempDataset set = new TempDataset().Text("annotations.json", System.IO.File.ReadAllText(ReferenceFolder.Path("data", "fixtures", "coco", "annotations.json")));
        foreach (string name in labelme.Names)
            set.Bytes($"JPEGImages/{name}.jpg", System.IO.File.ReadAllBytes(ReferenceFolder.Path("data", "fixtures", "labelme", $"{name}.jpg")));
        Dataset coco = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(["2011_000003", "2011_000006", "2011_000025"], labelme.Names.Order());
        int compared = 0;
        for (int i = 0; i < 3; i++)
        {
            int other = coco.Names.ToList().IndexOf(labelme.Names[i]);
            // The converter numbers objects by label and group, in another order.
            (string, long, Rle)[] ours = Sorted(labelme, i), theirs = Sorted(coco, other);
            Assert.Equal(theirs, ours);
            compared += ours.Length;
        }
        Assert.Equal(12, compared);

        static (string, long, Rle)[] Sorted(Dataset set, int index) => [.. set.Load(index).Annotation.Instances!
            .Select(o => (set.Classes.Names[o.Label], o.Mask!.Area, o.Mask)).Where(o => o.Item1 != "__ignore__").OrderBy(o => o.Item1, StringComparer.Ordinal).ThenBy(o => o.Area)];
    }
}

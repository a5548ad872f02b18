using Delineate.Data;
using Delineate.Data.Sets;
using Delineate.Imaging;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Writing;

public class DataConvertTests
{
    private const string Ring = "[62, 5, 15, 5, 15, 2, 1, 2, 15, 2, 1, 2, 15, 5, 15, 5, 433]"; // 600 pixels: columns 3 to 8 with a hole

    /// <summary>Two images of 20×30 in COCO's form: outlines in parts, a hole, overlapping objects, a crowd, a box, joints; and an image without objects.</summary>
    private static TempDataset Coco(bool joints = false)
    {
        string head = """{"id": 1, "file_name": "a.png", "height": 20, "width": 30}, {"id": 2, "file_name": "b.png", "height": 20, "width": 30}""";
        string annotations = $$"""
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[12.5, 1.2, 20.1, 2, 18, 9.4], [22, 3, 27, 3, 27, 8, 22, 8]], "bbox": [12.5, 1.2, 14.5, 8.2], "area": 60.5, "iscrowd": 0,
             "keypoints": [13, 3, 2, 15, 4, 1, 0, 0, 0], "num_keypoints": 2},
            {"id": 2, "image_id": 1, "category_id": 4, "segmentation": {"size": [20, 30], "counts": {{Ring}}}, "bbox": [3, 2, 6, 5], "area": 28, "iscrowd": 0},
            {"id": 3, "image_id": 1, "category_id": 1, "segmentation": [[14, 12, 22, 12, 22, 18, 14, 18]], "bbox": [14, 12, 8, 6], "area": 48, "iscrowd": 0},
            {"id": 4, "image_id": 1, "category_id": 4, "segmentation": [[16, 13, 19, 13, 19, 16, 16, 16]], "bbox": [16, 13, 3, 3], "area": 9, "iscrowd": 0},
            {"id": 5, "image_id": 1, "category_id": 1, "segmentation": {"size": [20, 30], "counts": [560, 8, 12, 8, 12]}, "bbox": [28, 0, 2, 8], "area": 16, "iscrowd": 1},
            {"id": 6, "image_id": 1, "category_id": 4, "bbox": [0.5, 12, 6, 6.25], "area": 37.5, "iscrowd": 0}
            """;
        string categories = """[{"id": 1, "name": "cell", "keypoints": ["top", "left_end", "right_end"]}, {"id": 4, "name": "debris \"x\""}]""";
        string name = joints ? "person_keypoints" : "instances";
        return new TempDataset().Text($"annotations/{name}_train2017.json", $$"""{"images": [{{head}}], "annotations": [{{annotations}}], "categories": {{categories}}}""")
            .Text($"annotations/{name}_val2017.json", $$"""{"images": [{{head}}], "annotations": [], "categories": {{categories}}}""")
            .Picture("train2017/a.png", 20, 30).Picture("train2017/b.png", 20, 30).Picture("val2017/a.png", 20, 30, seed: 8).Picture("val2017/b.png", 20, 30, seed: 9);
    }

    private static ConvertReport Convert(TempDataset from, TempDataset to, DatasetFormat format, double? tolerance = null) =>
        DataConvert.Run(from.Root, to.At("out"), new ConvertOptions { To = format, Tolerance = tolerance });

    private static IReadOnlyList<Instance> Objects(TempDataset to) => DatasetCatalog.Open(to.At("out")).Load(0).Annotation.Instances!;

    [Fact]
    public void Coco_holds_everything()
    {
        using TempDataset from = Coco(joints: true), to = new();
        ConvertReport report = Convert(from, to, DatasetFormat.Coco);
        Assert.Equal((6, 0, 1.0, 1.0, null), (report.Objects, report.Lost, report.MinIou, report.MeanIou, report.WorstObject));
        Assert.Equal([("train", 2), ("val", 2)], report.Splits);
        Dataset before = DatasetCatalog.Open(from.Root), after = DatasetCatalog.Open(to.At("out"));
        Assert.Equal(before.Classes.Names, after.Classes.Names);
        Assert.Equal(before.KeypointNames, after.KeypointNames);
        Assert.Equal(["a", "b"], after.Names);
        Assert.Equal(["a", "b"], DatasetCatalog.Open(to.At("out"), "val").Names);
        foreach ((Instance a, Instance b) in before.Load(0).Annotation.Instances!.Zip(after.Load(0).Annotation.Instances!))
        {
            Assert.Equal((a.Label, a.Mask, a.IsCrowd, a.Area), (b.Label, b.Mask, b.IsCrowd, b.Area));
            Assert.True(a.Box.Iou(b.Box) > 0.999999);
            Assert.Equal(a.Keypoints ?? [], b.Keypoints ?? []);
        }
        Assert.Equal(File.ReadAllBytes(from.At("train2017/a.png")), File.ReadAllBytes(to.At("out/train/a.png")));
        Assert.Equal(0, DataCheck.Run(to.At("out")).Errors);
    }

    [Fact]
    public void Coco_gets_outlines_where_a_tolerance_is_given_but_holes_stay_runs()
    {
        using TempDataset from = Coco(), to = new();
        ConvertReport report = Convert(from, to, DatasetFormat.Coco, tolerance: 0);
        Assert.Equal((0, 1.0), (report.Lost, report.MinIou));
        string json = File.ReadAllText(to.At("out/annotations/instances_train.json"));
        Assert.Equal(1, json.Split("\"counts\"").Length - 1);
    }

    [Fact]
    public void Yolo_holds_parts_and_holes_in_one_line_and_no_crowd()
    {
        using TempDataset from = Coco(), to = new();
        ConvertReport report = Convert(from, to, DatasetFormat.Yolo);
        Assert.Equal((6, 1, 1.0), (report.Objects, report.Lost, Math.Round(report.MinIou, 6)));
        Assert.Contains("1 crowds left out", report.Notes);
        Assert.Equal(5, File.ReadAllLines(to.At("out/labels/train/a.txt")).Length);
        Assert.Equal("", File.ReadAllText(to.At("out/labels/train/b.txt")));
        Assert.Contains("  1: \"debris \\\"x\\\"\"", File.ReadAllText(to.At("out/data.yaml")));
        Assert.Equal(["background", "cell", "debris \"x\""], DatasetCatalog.Open(to.At("out")).Classes.Names);
        Assert.Equal(0, DataCheck.Run(to.At("out")).Errors);
    }

    [Fact]
    public void Labelme_holds_parts_holes_and_crowds()
    {
        using TempDataset from = Coco(), to = new();
        ConvertReport report = Convert(from, to, DatasetFormat.Labelme);
        Assert.Equal((6, 0), (report.Objects, report.Lost));
        Assert.Contains("1 boxes without masks became masks of their area", report.Notes);
        IReadOnlyList<Instance> objects = Objects(to), before = DatasetCatalog.Open(from.Root).Load(0).Annotation.Instances!;
        for (int i = 0; i < 5; i++) Assert.Equal((before[i].Label, before[i].Mask, before[i].IsCrowd), (objects[i].Label, objects[i].Mask, objects[i].IsCrowd));
        Assert.Equal("annotation 6", report.WorstObject?.Split(", ")[1]); // a box has become the pixels in it
        Assert.Equal(0, DataCheck.Run(to.At("out")).Errors);
    }

    [Theory]
    [InlineData(DatasetFormat.Voc)]
    [InlineData(DatasetFormat.Masks)]
    public void Pictures_hold_one_object_to_a_pixel(DatasetFormat format)
    {
        using TempDataset from = Coco(), to = new();
        ConvertReport report = Convert(from, to, format);
        Assert.Equal((6, 2), (report.Objects, report.Lost)); // the crowd and the box
        Assert.Equal(39.0 / 48, report.MinIou, 6); // annotation 3 loses the 9 pixels of annotation 4 above it
        Assert.Equal("a, annotation 3", report.WorstObject);
        Assert.Contains("1 crowds left as ignored areas", report.Notes);
        Assert.Contains("1 boxes without masks left as ignored areas", report.Notes);
        Assert.Contains("1 images with overlapping masks, where the smaller is kept whole", report.Notes);
        Dataset after = DatasetCatalog.Open(to.At("out"));
        Assert.Equal(["background", "cell", "debris \"x\""], after.Classes.Names);
        Annotation truth = after.Load(0).Annotation;
        Assert.Equal(4, truth.Instances!.Count);
        Assert.Equal((255, 255, 2, 1), (truth.Semantic![2, 29], truth.Semantic[14, 3], truth.Semantic[14, 17], truth.Semantic[17, 15]));
        Assert.Empty(after.Load(1).Annotation.Instances!);
        Assert.Equal(["a_val", "b_val"], DatasetCatalog.Open(to.At("out"), "val").Names); // one folder holds the images of all splits
        Assert.Contains("2 images have the name of another: they are renamed after their split", report.Notes);
        Assert.Equal(0, DataCheck.Run(to.At("out")).Errors);
    }

    [Fact]
    public void One_class_needs_no_picture_of_classes_and_a_round_trip_is_exact()
    {
        using var from = new TempDataset();
        using TempDataset to = new();
        for (int i = 0; i < 6; i++) from.Picture($"images/n{i}.png", seed: i).Ids($"instances/n{i}.png", [0, 1, 1, 500 + i, 0, 2]);
        ConvertReport coco = Convert(from, to, DatasetFormat.Coco);
        Assert.Equal((18, 0, 1.0), (coco.Objects, coco.Lost, coco.MinIou));
        using TempDataset back = new();
        ConvertReport masks = DataConvert.Run(to.At("out"), back.At("out"), new ConvertOptions { To = DatasetFormat.Masks, Images = ImageTransfer.Link });
        Assert.Equal((18, 0, 1.0), (masks.Objects, masks.Lost, masks.MinIou));
        Assert.False(Directory.Exists(back.At("out/masks")));
        Dataset before = DatasetCatalog.Open(from.Root), after = DatasetCatalog.Open(back.At("out"));
        Assert.Equal(before.Names.Order(), after.Names.Order());
        Assert.Equal(before.Load(0).Annotation.Semantic!.Labels, after.Load(after.Names.ToList().IndexOf(before.Names[0])).Annotation.Semantic!.Labels);
    }

    [Fact]
    public void Pictures_of_classes_alone_become_pictures_pixel_for_pixel()
    {
        using TempDataset from = TempDataset.Plain(4, """{ "classes": ["sky", "road", "car"], "colors": ["#102030", "#405060", "#708090"] }"""), to = new();
        from.Mask("masks/s00.png", [0, 1, 2, 255]);
        ConvertReport report = Convert(from, to, DatasetFormat.Voc);
        Assert.Equal((0, 0L), (report.Objects, report.ChangedPixels));
        using TempDataset back = new();
        report = DataConvert.Run(to.At("out"), back.At("out"), new ConvertOptions { To = DatasetFormat.Masks });
        Assert.Equal(0, report.ChangedPixels);
        Dataset after = DatasetCatalog.Open(back.At("out"), "all");
        Assert.Equal(["sky", "road", "car"], after.Classes.Names);
        Assert.Equal([0, 1, 2, 255], after.Load(after.Names.ToList().IndexOf("s00")).Annotation.Semantic!.Labels[..4]);
        Assert.Contains("4 images of which no objects are told left without any", DataConvert.Run(from.Root, back.At("coco"), new ConvertOptions { To = DatasetFormat.Coco }).Notes);
    }

    [Fact]
    public void Folders_that_are_not_empty_or_lie_inside_are_refused()
    {
        using TempDataset from = Coco(), to = new TempDataset().Text("out/kept.txt", "mine");
        Assert.Contains("the folder is not empty", Assert.Throws<DatasetException>(() => Convert(from, to, DatasetFormat.Coco)).Message);
        var overwrite = new ConvertOptions { To = DatasetFormat.Coco, Overwrite = true };
        DataConvert.Run(from.Root, to.At("out"), overwrite);
        Assert.Equal(0, DataConvert.Run(from.Root, to.At("out"), overwrite with { Images = ImageTransfer.Link }).Lost); // a second time over the first
        Assert.Equal("mine", File.ReadAllText(to.At("out/kept.txt")));
        Assert.Contains("lies inside", Assert.Throws<DatasetException>(() => DataConvert.Run(from.Root, from.At("new"), overwrite)).Message);
        Assert.Contains("this is a file", Assert.Throws<DatasetException>(() => DataConvert.Run(from.Root, to.At("out/kept.txt"), overwrite)).Message);
        Assert.False(Directory.Exists(from.At("new")));
    }

    [Fact]
    public void Linked_images_are_the_same_file()
    {
        using TempDataset from = Coco(), to = new();
        DataConvert.Run(from.Root, to.At("out"), new ConvertOptions { To = DatasetFormat.Yolo, Images = ImageTransfer.Link });
        byte[] before = File.ReadAllBytes(to.At("out/images/train/a.png"));
        using (FileStream stream = File.Open(from.At("train2017/a.png"), FileMode.Append)) stream.WriteByte(7);
        Assert.Equal(before.Length + 1, new FileInfo(to.At("out/images/train/a.png")).Length);
    }

    [Fact]
    public void Progress_counts_writing_and_reading_back_and_cancellation_is_obeyed()
    {
        using TempDataset from = Coco(), to = new();
        var seen = new System.Collections.Concurrent.ConcurrentBag<(int, int)>();
        DataConvert.Run(from.Root, to.At("out"), new ConvertOptions { To = DatasetFormat.Labelme }, new Seen(seen));
        Assert.Equal(Enumerable.Range(1, 8).Select(i => (i, 8)), seen.Order());
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => DataConvert.Run(from.Root, to.At("other"), new ConvertOptions { To = DatasetFormat.Voc }, cancellation: cancelled.Token));
    }

    [ReferenceTheory]
    [InlineData(DatasetFormat.Coco, 1.0)]
    [InlineData(DatasetFormat.Yolo, 1.0)]
    [InlineData(DatasetFormat.Labelme, 1.0)]
    [InlineData(DatasetFormat.Voc, 0.9)]
    [InlineData(DatasetFormat.Masks, 0.9)]
    public void Real_coco_files_come_back(DatasetFormat format, double leastMean)
    {
        using var to = new TempDataset();
        ConvertReport report = DataConvert.Run(ReferenceFolder.Path("data", "coco-mini"), to.At("out"), new ConvertOptions { To = format });
        Dataset val = DatasetCatalog.Open(ReferenceFolder.Path("data", "coco-mini"), "val");
        Assert.Equal([("train", 80), ("val", 50)], report.Splits);
        int crowds = format is DatasetFormat.Coco or DatasetFormat.Labelme ? 0 : 8 + Enumerable.Range(0, val.Count).Sum(i => val.Load(i).Annotation.Instances!.Count(o => o.IsCrowd));
        // Where pixels have one object, those that others cover in full are lost too.
        Assert.InRange(report.Lost, crowds, crowds + (leastMean < 1 ? 20 : 0));
        Assert.InRange(report.MeanIou, leastMean, 1);
        Assert.Equal(91 - 1 - 10, DatasetCatalog.Open(to.At("out")).Classes.Names.Count(n => !n.StartsWith("N/A", StringComparison.Ordinal)) - 1);
    }

    private sealed class Seen(System.Collections.Concurrent.ConcurrentBag<(int, int)> reports) : IProgress<(int Done, int Total)>
    {
        public void Report((int Done, int Total) value) => reports.Add(value);
    }
}

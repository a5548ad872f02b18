using Delineate.Data;
using Delineate.Data.Objects;
using Delineate.Data.Sets;
using Delineate.Imaging;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Sets;

public class CocoTests
{
    private const string Categories = """[{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]""";

    /// <summary>A file with two images of 6×8 pixels, a.png (id 1) and b.png (id "two").</summary>
    private static string File(string annotations, string categories = Categories) => $$"""
        {"info": {"year": 2024, "x": [1, {"images": "}]"}]}, "annotations": [{{annotations}}],
         "images": [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}, {"id": "two", "file_name": "sub/b.png", "height": 6, "width": 8}],
         "categories": {{categories}}}
        """;

    private static TempDataset Two(string annotations, string categories = Categories) => new TempDataset()
        .Text("annotations/instances_train2017.json", File(annotations, categories)).Picture("train2017/a.png").Picture("train2017/sub/b.png");

    private const string Square = """{"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[2, 1, 5, 1, 5, 4, 2, 4]], "bbox": [2, 1, 3, 3], "area": 9, "iscrowd": 0}""";

    [Fact]
    public void Images_objects_and_classes_are_read_whatever_the_order_of_the_lists()
    {
        using TempDataset set = Two(Square);

        Dataset train = DatasetCatalog.Open(set.Root);

        Assert.Equal(["a", "b"], train.Names);
        Assert.Equal(["background", "dog", "cat"], train.Classes.Names); // by id, not by place
        Assert.Equal(0, train.Classes.Background);
        Assert.Equal(["a", "b"], DatasetCatalog.Open(set.Root, "train2017").Names);
        Sample a = train.Load(0), b = train.Load(1);
        Instance dog = Assert.Single(a.Annotation.Instances!);
        Assert.Equal((1, new Box(2, 1, 5, 4), 9.0, "annotation 1", false), (dog.Label, dog.Box, dog.Area, dog.Id, dog.IsCrowd));
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0], a.Annotation.Semantic!.Labels[..16]);
        Assert.Equal(9, a.Annotation.Semantic.Labels.Sum(l => l));
        Assert.Empty(b.Annotation.Instances!); // an image without objects stays
        Assert.All(b.Annotation.Semantic!.Labels, l => Assert.Equal(0, l));
        Assert.Contains("1 of 2 images have no object", train.Notes);
        Assert.DoesNotContain(train.Notes, n => n.Contains("left out"));
    }

    [Fact]
    public void All_forms_of_masks_are_the_same_mask()
    {
        Rle mask = Rle.FromPolygons([[2, 1, 5, 1, 5, 4, 2, 4]], 6, 8);
        string counts = string.Join(",", mask.Counts.ToArray()), text = mask.ToCompressed();
        using TempDataset set = Two($$$"""
            {"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[2, 1, 5, 1, 5, 2.5, 2, 2.5], [2, 2, 5, 2, 5, 4, 2, 4]]},
            {"id": 2, "image_id": "1", "category_id": "3", "segmentation": {"size": [6, 8], "counts": [{{{counts}}}]}},
            {"id": "three", "image_id": 1.0, "category_id": 3, "segmentation": {"size": [6, 8], "counts": "{{{text}}}"}, "iscrowd": 1},
            {"id": 4, "image_id": 1, "category_id": 7, "segmentation": [2, 1, 5, 1, 5, 4, 2, 4], "bbox": ["2", 1, 3.5, 3]},
            {"id": 5, "image_id": "two", "category_id": 7, "segmentation": [], "bbox": [0, 0, 2, 2]}
            """);
        Dataset train = DatasetCatalog.Open(set.Root);
        IReadOnlyList<Instance> objects = train.Load(0).Annotation.Instances!;
        Assert.Equal(4, objects.Count);
        Assert.All(objects, o => Assert.Equal(mask, o.Mask));
        Assert.Equal([false, false, true, false], objects.Select(o => o.IsCrowd));
        Assert.Equal(mask.Box, objects[0].Box);
        Assert.Equal(new Box(2, 1, 5.5, 4), objects[3].Box);
        Assert.All(mask.Decode().Zip(train.Load(0).Annotation.Semantic!.Labels), p => Assert.Equal(p.First == 1 ? 255 : 0, p.Second)); // they overlap
        Sample boxed = train.Load(1);
        Assert.Null(boxed.Annotation.Instances![0].Mask);
        Assert.Equal([255, 255, 0], boxed.Annotation.Semantic!.Labels[..3]); // which pixels of a box are the object's is not known
    }

    [Fact]
    public void Categories_are_matched_by_name_across_splits()
    {
        using TempDataset set = Two(Square).Picture("val2017/a.png", seed: 1).Picture("val2017/sub/b.png", seed: 2).Text("annotations/instances_val2017.json", File(
            """{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 1, 3, 3]}, {"id": 2, "image_id": 1, "category_id": 2, "bbox": [2, 1, 3, 3]}""",
            """[{"id": 2, "name": "dog"}, {"id": 1, "name": "cat"}, {"id": 9, "name": "cow"}]"""));
        Dataset train = DatasetCatalog.Open(set.Root), val = DatasetCatalog.Open(set.Root, "val"), all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(["background", "dog", "cat", "cow"], val.Classes.Names);
        Assert.Equal(train.Classes.Names, val.Classes.Names);
        Assert.Equal([2, 1], val.Load(0).Annotation.Instances!.Select(o => o.Label));
        Assert.Contains(val.Notes, n => n.Contains("matched by name"));
        Assert.Equal(["train2017/a", "train2017/b", "val2017/a", "val2017/b"], all.Names);
    }

    [Fact]
    public void Coco_itself_keeps_the_gaps_of_its_ids()
    {
        string categories = "[" + string.Join(", ", Coco.ClassNames.Select((n, i) => (n, i)).Where(c => c.i > 0 && !c.n.StartsWith("N/A", StringComparison.Ordinal))
            .Select(c => $$"""{"id": {{c.i}}, "name": "{{c.n}}"}""")) + "]";
        using TempDataset set = Two("""{"id": 1, "image_id": 1, "category_id": 90, "bbox": [0, 0, 2, 2]}""", categories);
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal(91, train.Classes.Count);
        Assert.Equal("toothbrush", train.Classes.Names[train.Load(0).Annotation.Instances![0].Label]);
        Assert.Equal(("person", "N/A 12", "stop sign"), (train.Classes.Names[1], train.Classes.Names[12], train.Classes.Names[13]));
    }

    [Fact]
    public void A_background_category_is_label_0_and_a_heading_is_no_class()
    {
        using TempDataset set = Two("""{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}, {"id": 2, "image_id": 1, "category_id": 0, "bbox": [0, 0, 2, 2]}""",
            """[{"id": 0, "name": "_background_"}, {"id": 1, "name": "cell"}]""");
        Dataset labelled = DatasetCatalog.Open(set.Root);
        Assert.Equal(["background", "cell"], labelled.Classes.Names);
        Assert.Equal(1, Assert.Single(labelled.Load(0).Annotation.Instances!).Label);
        Assert.Contains("left out: 1 object of the background (annotation 2 of image a.png: its category '0' is the background, which has no objects)", labelled.Notes);
        set.Text("annotations/instances_train2017.json", File("""{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}""",
            """[{"id": 0, "name": "cells", "supercategory": "none"}, {"id": 1, "name": "cell", "supercategory": "cells"}]"""));
        Assert.Equal(["background", "cell"], DatasetCatalog.Open(set.Root).Classes.Names);
    }

    [Fact]
    public void Dataset_json_chooses_classes_and_their_order()
    {
        using TempDataset set = Two(Square + """, {"id": 2, "image_id": 1, "category_id": 7, "bbox": [0, 0, 2, 2]}""");
        set.Text("dataset.json", """{ "classes": ["cat"] }""");
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal(["background", "cat"], train.Classes.Names);
        Assert.Equal("annotation 2", Assert.Single(train.Load(0).Annotation.Instances!).Id);
        Assert.Contains("left out: 1 objects of categories that are not asked for", train.Notes);
    }

    [Fact]
    public void What_is_left_out_is_counted_and_named()
    {
        using TempDataset set = Two(Square + """
            , {"id": 2, "image_id": 99, "category_id": 7, "bbox": [0, 0, 2, 2]}, {"id": 3, "image_id": 1, "category_id": 70, "bbox": [0, 0, 2, 2]},
            {"id": 4, "image_id": 1, "category_id": 7, "segmentation": [[1, 1, 3, 3]]}, {"id": 5, "image_id": 1, "category_id": 7, "bbox": [0, 0, 0, 2]},
            {"id": 6, "image_id": 1, "category_id": 7, "segmentation": [[20, 20, 30, 20, 30, 30]]}, {"id": 7, "image_id": 1, "category_id": 7, "bbox": [0, 0, NaN, 2]},
            {"id": 8, "image_id": 1, "category_id": 7, "segmentation": {"size": [8, 6], "counts": [48]}}, {"id": 9, "image_id": 1, "category_id": 7}, 17,
            {"id": 10, "image_id": 1, "category_id": 7, "bbox": [0, 0, 0, 1]}
            """);
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal("annotation 1", Assert.Single(train.Load(0).Annotation.Instances!).Id);
        string[] left = [.. train.Notes.Where(n => n.StartsWith("left out", StringComparison.Ordinal))];
        Assert.Equal(9, left.Length);
        Assert.Equal(10, left.Sum(n => int.Parse(n.Split(' ')[2])));
        Assert.Contains("left out: 1 object of images that are not listed (annotation 2 of image 99: its image 99 is not listed in \"images\")", left);
        Assert.Contains("left out: 2 objects with an empty box (the first is annotation 5 of image a.png: its box [0, 0, 0, 2] has no width)", left);
    }

    [Fact]
    public void Joints_are_read_where_they_are_asked_for()
    {
        const string Person = """[{"id": 1, "name": "person", "keypoints": ["nose", "left_eye", "right_eye"], "skeleton": [[1, 2]]}]""";
        using TempDataset set = Two(Square);
        set.Text("annotations/person_keypoints_train2017.json", File(
            """{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 1, 3, 3], "keypoints": [3, 2, 2, 0, 0, 0, 4, 3, 1], "num_keypoints": 2}""", Person));
        Assert.Empty(DatasetCatalog.Open(set.Root).KeypointNames);
        Dataset joints = DatasetCatalog.Open(set.Root, variant: DatasetVariant.Keypoints);
        Assert.Equal(["nose", "left_eye", "right_eye"], joints.KeypointNames);
        Assert.Equal(["background", "person"], joints.Classes.Names);
        Assert.Equal([new Keypoint(3, 2, 2), default, new Keypoint(4, 3, 1)], joints.Load(0).Annotation.Instances![0].Keypoints!);
        set.Text("dataset.json", """{ "variant": "keypoints" }""");
        Assert.Equal(3, DatasetCatalog.Open(set.Root).KeypointNames.Count);
    }

    [Fact]
    public void Vocs_classes_follow_torchvisions_list_and_rules()
    {
        const string Ids = """[{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 13, "name": "stop sign"}]""";
        using TempDataset set = Two("""
            {"id": 1, "image_id": 1, "category_id": 18, "segmentation": [[0, 0, 4, 0, 4, 6, 0, 6]], "bbox": [0, 0, 4, 6], "area": 600},
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[3, 0, 8, 0, 8, 6, 3, 6]], "bbox": [3, 0, 5, 6], "area": 401, "iscrowd": 1},
            {"id": 3, "image_id": "two", "category_id": 1, "segmentation": [[3, 0, 8, 0, 8, 6, 3, 6]], "bbox": [3, 0, 5, 6], "area": 1000},
            {"id": 4, "image_id": "two", "category_id": 13, "segmentation": [[3, 0, 8, 0, 8, 6, 3, 6]], "bbox": [3, 0, 5, 6], "area": 9000}
            """, Ids).Picture("val2017/a.png").Picture("val2017/sub/b.png");
        set.Text("annotations/instances_val2017.json", System.IO.File.ReadAllText(set.At("annotations/instances_train2017.json")));
        Dataset train = DatasetCatalog.Open(set.Root, variant: DatasetVariant.VocClasses), val = DatasetCatalog.Open(set.Root, "val", DatasetVariant.VocClasses);
        Assert.Equal(Voc.ClassNames, train.Classes.Names);
        Assert.Equal(["a"], train.Names); // 1000 square pixels are not more than 1000; a stop sign is none of VOC's classes
        Assert.Equal(["a", "b"], val.Names);
        Assert.Equal([12, 12, 12, 255, 15, 15, 15, 15], train.Load(0).Annotation.Semantic!.Labels[..8]);
        Assert.Equal([12, 15], train.Load(0).Annotation.Instances!.Select(o => o.Label));
        Assert.Equal([0, 0, 0, 15], val.Load(1).Annotation.Semantic!.Labels[..4]);
        Assert.Contains(train.Notes, n => n.Contains("1 images whose objects have 1000 square pixels or less"));
    }

    [Theory]
    [InlineData("train/_annotations.coco.json", "train/a.png", "train/sub/b.png", "train")]
    [InlineData("annotations/instances_train.json", "images/train/a.png", "images/train/sub/b.png", "train")]
    [InlineData("annotations/instances_train2017.json", "images/a.png", "images/b.png", "train")] // exported names may hold folders that are gone
    [InlineData("annotations/train.json", "images/a.png", "images/sub/b.png", "train")]
    [InlineData("annotations.json", "images/a.png", "images/sub/b.png", "all")]
    [InlineData("annotations/instances_default.json", "images/a.png", "images/sub/b.png", "all")]
    public void Known_layouts_are_found(string file, string a, string b, string split)
    {
        using TempDataset set = new TempDataset().Text(file, File(Square)).Picture(a).Picture(b);
        Dataset all = DatasetCatalog.Open(set.Root, split);
        Assert.Equal(["a", "b"], all.Names.Order());
        Assert.Single(all.Load(all.Names.ToList().IndexOf("a")).Annotation.Instances!);
    }

    [Fact]
    public void One_file_is_divided_by_lists_or_by_hash()
    {
        using TempDataset set = new TempDataset().Text("annotations.json", File(Square)).Picture("images/a.png").Picture("images/sub/b.png");
        Dataset train = DatasetCatalog.Open(set.Root), val = DatasetCatalog.Open(set.Root, "val");
        Assert.Equal((1, 1), (train.Count, val.Count));
        Assert.Contains(train.Notes, n => n.Contains("1 of 2 images are held out"));
        Assert.Equal(1, train.Load(0).Annotation.Instances!.Count + val.Load(0).Annotation.Instances!.Count);
        Assert.DoesNotContain(train.Notes.Concat(val.Notes), n => n.Contains("left out"));
        set.Text("train.txt", "b.png").Text("val.txt", "images/a.png");
        Assert.Equal(["b"], DatasetCatalog.Open(set.Root).Names);
        Assert.Single(DatasetCatalog.Open(set.Root, "val").Load(0).Annotation.Instances!);
        set.Text("val.txt", "c.png");
        Assert.Contains("1 of 1 samples of 'val' are not in annotations.json: c", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root)).Message);
    }

    [Fact]
    public void Missing_images_wrong_sizes_and_changed_files_are_refused()
    {
        using TempDataset set = Two(Square);
        Dataset train = DatasetCatalog.Open(set.Root);
        set.Picture("train2017/a.png", height: 8, width: 6);
        Assert.Contains("is 8×6, but its annotations in instances_train2017.json are of 6×8: one of the two was turned", Assert.Throws<DatasetException>(() => train.Load(0)).Message);
        set.Picture("train2017/a.png");
        System.IO.File.AppendAllText(set.At("annotations/instances_train2017.json"), " ");
        Assert.Contains("changed after it was opened", Assert.Throws<DatasetException>(() => train.Load(0)).Message);
        System.IO.File.Delete(set.At("train2017/sub/b.png"));
        Assert.Contains("1 of 2 images of 'train2017' are not there: sub/b.png", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root)).Message);
    }

    [Fact]
    public void An_image_name_cannot_reach_outside_the_folder()
    {
        using TempDataset set = new TempDataset().Text("in/annotations/instances_train.json", File(Square).Replace("a.png", "../../../secret.png"))
            .Picture("secret.png").Picture("in/train/sub/b.png");
        Assert.Contains("1 of 2 images of 'train' are not there", Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.At("in"))).Message);
    }

    [ReferenceFact]
    public void Real_coco_files_are_read_in_full()
    {
        string folder = ReferenceFolder.Path("data", "coco-mini");
        Dataset train = DatasetCatalog.Open(folder), val = DatasetCatalog.Open(folder, "val");
        Assert.Equal((80, 50, 91), (train.Count, val.Count, train.Classes.Count));
        Assert.DoesNotContain(train.Notes.Concat(val.Notes), n => n.Contains("left out"));
        Instance[] objects = [.. Enumerable.Range(0, 80).SelectMany(i => train.Load(i).Annotation.Instances!)];
        Assert.Equal((739, 8), (objects.Length, objects.Count(o => o.IsCrowd)));
        // An annotated box is the one around the outline, a filled mask's the one around whole pixels.
        Assert.All(objects, o => Assert.True(o.Box.Iou(o.Mask!.Box) > 0.4 || Math.Abs(o.Box.X1 - o.Mask.Box.X1) < 2, $"{o.Id} {o.Box} {o.Mask!.Box}"));
        Assert.InRange(objects.Average(o => o.Box.Iou(o.Mask!.Box)), 0.93, 1);
        Assert.InRange(objects.Sum(o => o.Mask!.Area) / objects.Sum(o => o.AnnotatedArea!.Value), 0.97, 1.03);
        Dataset joints = DatasetCatalog.Open(folder, "val", DatasetVariant.Keypoints);
        Assert.Equal(KeypointNames.Coco, joints.KeypointNames);
        Instance[] persons = [.. Enumerable.Range(0, joints.Count).SelectMany(i => joints.Load(i).Annotation.Instances!)];
        Assert.Equal(88, persons.Length);
        Assert.All(persons, p => Assert.Equal(17, p.Keypoints!.Count));
    }

    [ReferenceFact]
    public void Semantic_labels_of_real_files_equal_a_naive_count_of_masks()
    {
        Dataset val = DatasetCatalog.Open(ReferenceFolder.Path("data", "coco-mini"), "val", DatasetVariant.VocClasses);
        Assert.Equal(50, val.Count);
        for (int i = 0; i < 10; i++)
        {
            Annotation truth = val.Load(i).Annotation;
            LabelMap labels = truth.Semantic!;
            byte[][] masks = [.. truth.Instances!.Select(o => o.Mask!.Decode())];
            for (int p = 0; p < labels.Labels.Length; p++)
            {
                int[] there = [.. Enumerable.Range(0, masks.Length).Where(m => masks[m][p] == 1)];
                Assert.Equal(there.Length switch { 0 => 0, 1 => truth.Instances![there[0]].Label, _ => 255 }, labels.Labels[p]);
            }
        }
    }

    [ReferenceFact]
    public void Files_of_labelmes_converter_are_read_with_their_images()
    {
        string json = System.IO.File.ReadAllText(ReferenceFolder.Path("data", "fixtures", "coco", "annotations.json"));
        using TempDataset set = new TempDataset().Text("annotations.json", json);
        foreach (string name in (string[])["2011_000003", "2011_000006", "2011_000025"])
            set.Bytes($"JPEGImages/{name}.jpg", System.IO.File.ReadAllBytes(ReferenceFolder.Path("data", "fixtures", "voc", "JPEGImages", $"{name}.jpg")));
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal((3, 21, "aeroplane"), (all.Count, all.Classes.Count, all.Classes.Names[1]));
        Assert.Equal(12, Enumerable.Range(0, 3).Sum(i => all.Load(i).Annotation.Instances!.Count));
    }

    [Theory]
    [InlineData("", "the file is empty")]
    [InlineData("[1, 2]", "it holds a list")]
    [InlineData("{\"images\": [], \"annotations\": []}", "it has no \"categories\"")]
    [InlineData("{\"images\": [], \"images\": []}", "\"images\" is there twice")]
    [InlineData("{\"images\": [{\"id\": 1, \"file_na", "cut short: the file ends in element 1 of \"images\"")]
    [InlineData("{\"images\": [1 2]}", "a comma is missing")]
    [InlineData("{\"images\": [1,]}", "a comma stands before the end")]
    [InlineData("{\"images\": []} x", "more after the end")]
    public void A_faulty_file_is_refused_in_plain_words(string json, string message)
    {
        using TempDataset set = new TempDataset().Text("annotations/instances_train.json", json);
        var e = Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root));
        Assert.Equal(set.At("annotations/instances_train.json"), e.File);
        Assert.Contains(message, e.Message);
    }
}

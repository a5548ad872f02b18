using Delineate.Data;
using Delineate.Data.Objects;
using Delineate.Imaging;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Objects;

public class ObjectCheckTests
{
    private const string Head = """{"id": 1, "file_name": "good.png", "height": 20, "width": 30}""";

    private const string Good = """
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[2, 1, 12, 1, 12, 9, 2, 9]], "bbox": [2, 1, 10, 8], "area": 80, "iscrowd": 0,
         "keypoints": [3, 2, 2, 4, 5, 1, 0, 0, 0], "num_keypoints": 2},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [20, 10, 5, 5], "area": 25, "iscrowd": 0}
        """;

    /// <summary>A COCO set whose joints are read, with extra entries in each of its lists.</summary>
    private static TempDataset Set(string annotations = "", string images = "", string categories = "")
    {
        TempDataset set = new TempDataset().Picture("train/good.png", 20, 30, seed: 1).Text("dataset.json", """{ "variant": "keypoints" }""");
        return set.Text("annotations/person_keypoints_train.json", $$"""
            {"images": [{{Head}}{{Also(images)}}], "annotations": [{{Good}}{{Also(annotations)}}],
             "categories": [{"id": 1, "name": "person", "keypoints": ["nose", "left_eye", "right_eye"]}, {"id": 2, "name": "dog"}{{Also(categories)}}]}
            """);

        static string Also(string more) => more.Length > 0 ? ", " + more : "";
    }

    private static string Object(string fields) => $$"""{"id": 50, "image_id": 1, "category_id": 2, {{fields}}}""";

    private static DataReport Check(TempDataset set) => DataCheck.Run(set.Root);

    private static void AssertFound(DataReport report, Severity severity, string file, params string[] parts)
    {
        Finding[] all = [.. report.Findings.Where(f => f.File.EndsWith(file, StringComparison.Ordinal) && parts.All(p => f.Message.Contains(p, StringComparison.Ordinal)))];
        Assert.True(all.Length == 1, $"{all.Length} findings with {string.Join(" | ", parts)} among\n{string.Join('\n', report.Findings.Select(f => $"{f.Severity} {f.File}: {f.Message}"))}");
        Assert.Equal(severity, all[0].Severity);
    }

    [Fact]
    public void A_sound_set_has_no_finding_and_is_counted()
    {
        using TempDataset set = Set();
        DataReport report = Check(set);
        Assert.Empty(report.Findings);
        Assert.Equal((1, 2), (report.ImagesChecked, report.ObjectsChecked));
        Assert.Equal([0, 1, 1], report.Splits[0].Objects.Take(3));
    }

    /// <summary>Faults of single objects: the fields of annotation 50 of good.png, what is said of it, and whether it is left out.</summary>
    public static TheoryData<string, Severity, string, bool> ObjectFaults => new()
    {
        { """ "bbox": [3, 4, 0, 5] """, Severity.Error, "its box [3, 4, 0, 5] has no width", true },
        { """ "bbox": [3, 4, 5, -2] """, Severity.Error, "its box [3, 4, 5, -2] has a negative height", true },
        { """ "bbox": [3, 4, -5, 2], "segmentation": [[3, 4, 8, 4, 8, 6, 3, 6]] """, Severity.Warning, "its box [3, 4, -5, 2] has a negative width", false },
        { """ "bbox": [40, 4, 5, 2] """, Severity.Error, "its box [40, 4, 5, 2] lies outside of the image of 20×30", true },
        { """ "bbox": [20, 4, 25, 2] """, Severity.Warning, "its box [20, 4, 25, 2] leaves the image of 20×30", false },
        { """ "segmentation": [[3, 4, 8, 9]] """, Severity.Error, "its outline has 2 points: three are the least", true },
        { """ "segmentation": [[3, 4, 8, 9], [1, 2]] """, Severity.Error, "none of its 2 outlines can be used", true },
        { """ "segmentation": [[3, 4, 8, 9], [3, 4, 8, 4, 8, 6, 3, 6]] """, Severity.Warning, "outline 1 of 2 has 2 points: three are the least", false },
        { """ "segmentation": [[3, 4, 8, 4, 8, 6, 3], [3, 4, 8, 4, 8, 6, 3, 6]] """, Severity.Warning, "outline 1 of 2 has 7 coordinates: x and y come in pairs", false },
        { """ "segmentation": [[3, 4, 80, 4, 80, 6, 3, 6]] """, Severity.Warning, "its outline leaves the image of 20×30", false },
        { """ "segmentation": [[33, 4, 38, 4, 38, 6]], "bbox": [3, 4, 5, 2] """, Severity.Error, "its mask has no pixel", true },
        { """ "segmentation": {"size": [20, 30], "counts": [600]}, "bbox": [3, 4, 5, 2] """, Severity.Error, "its mask has no pixel", true },
        { """ "segmentation": {"size": [30, 20], "counts": [590, 10]} """, Severity.Error, "its mask is of 30×20 pixels, its image of 20×30; height comes first", true },
        { """ "segmentation": {"size": [20, 30], "counts": [590, 9]} """, Severity.Error, "the mask's runs cover 599 of the image's 20×30 = 600 pixels", true },
        { """ "segmentation": {"size": [20, 30], "counts": [590, -10, 20]} """, Severity.Error, "run 2 of the mask has a length of -10", true },
        { """ "segmentation": {"size": [20, 30], "counts": "3~~"} """, Severity.Error, "character 2 of the mask's compressed text is '~'", true },
        { """ "segmentation": {"counts": [600]} """, Severity.Error, "its run-length mask has no size", true },
        { """ "segmentation": "polygon" """, Severity.Error, "its segmentation is neither outlines", true },
        { """ "bbox": [3, NaN, 5, 2] """, Severity.Error, "its box has a coordinate that is no number", true },
        { """ "segmentation": [[3, 4, Infinity, 4, 8, 6]] """, Severity.Error, "its outline has a coordinate that is no number", true },
        { """ "bbox": [3, 4, 5] """, Severity.Error, "its bbox is not four numbers", true },
        { """ "area": 7 """, Severity.Error, "it has neither a box nor a mask", true },
        { """ "bbox": [3, 4, 5, 2], "area": -10 """, Severity.Error, "its area is -10, below 0", false },
        { """ "bbox": [3, 4, 9, 9], "segmentation": [[3, 4, 12, 4, 12, 13, 3, 13]], "area": 400 """, Severity.Warning, "its area is 400, but its mask has 81 pixels", false },
        { """ "bbox": [15, 10, 5, 5], "segmentation": [[3, 4, 12, 4, 12, 13, 3, 13]] """, Severity.Warning, "its box (15, 10)–(20, 15) is not the one around its mask, (3, 4)–(12, 13)", false },
        { """ "bbox": [3, 4, 5, 2], "iscrowd": 2 """, Severity.Error, "iscrowd is 2: it is 0 or 1", false },
        { """ "bbox": [3, 4, 5, 2], "keypoints": [1, 2, 2] """, Severity.Error, "it has 3 keypoint numbers; 3 joints have 9", true },
        { """ "bbox": [3, 4, 5, 2], "keypoints": [1, 2, 2, 1, 2, 3, 0, 0, 0] """, Severity.Error, "keypoint 2 has the visibility 3", true },
        { """ "bbox": [3, 4, 5, 2], "keypoints": [1, 2, 2, 1, 2, 1, 0, 0, 0], "num_keypoints": 3 """, Severity.Warning, "num_keypoints is 3, but 2 are labelled", false },
        { """ "bbox": [3, 4, 5, 2], "keypoints": [1, 2, 2, 100, 2, 1, 0, 0, 0] """, Severity.Warning, "1 of its labelled keypoints lie outside", false },
    };

    [Theory]
    [MemberData(nameof(ObjectFaults))]
    public void A_fault_of_an_object_names_annotation_and_image(string fields, Severity severity, string problem, bool leftOut)
    {
        using TempDataset set = Set(Object(fields));
        DataReport report = Check(set);
        AssertFound(report, severity, "person_keypoints_train.json", "annotation 50 of image good.png: " + problem);
        // What reading does is what the check says.
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal(leftOut ? 2 : 3, train.Load(0).Annotation.Instances!.Count);
        Assert.Equal(leftOut ? 1 : 0, train.Notes.Count(n => n.StartsWith("left out: 1 object ", StringComparison.Ordinal) && n.Contains("annotation 50 of image good.png")));
    }

    /// <summary>Faults that are no single box's or mask's: what is added to annotations, images and categories, and what is said.</summary>
    public static TheoryData<string, string, string, Severity, string[]> OtherFaults => new()
    {
        { """{"id": 2, "image_id": 1, "category_id": 2, "bbox": [1, 1, 5, 5]}""", "", "", Severity.Error, ["annotation 2 of image good.png: another annotation has the same id"] },
        { """{"id": 50, "image_id": 1, "category_id": 7, "bbox": [1, 1, 5, 5]}""", "", "", Severity.Error, ["annotation 50 of image good.png: its category '7' is not listed"] },
        { """{"id": 50, "image_id": 1, "bbox": [1, 1, 5, 5]}""", "", "", Severity.Error, ["annotation 50 of image good.png: it has no category"] },
        { """{"id": 50, "image_id": 99, "category_id": 2, "bbox": [1, 1, 5, 5]}""", "", "", Severity.Error, ["annotation 50 of image 99: its image 99 is not listed"] },
        { """{"id": 50, "category_id": 2, "bbox": [1, 1, 5, 5]}""", "", "", Severity.Error, ["annotation 50 of image ?: it has no image_id"] },
        { """{"image_id": 1, "category_id": 2, "bbox": [1, 1, 5, 5]}""", "", "", Severity.Warning, ["entry 3 of \"annotations\" of image good.png: it has no id"] },
        { """{"id": 5.5, "image_id": 1, "category_id": 2, "bbox": [1, 1, 5, 5]}""", "", "", Severity.Warning, ["annotation 5.5 of image good.png: its id 5.5 is no whole number"] },
        { """{"id": 50, "image_id": 1, "category_id": 2, "bbox": [20, 10, 5, 5], "area": 25}""", "", "", Severity.Warning, ["annotation 50 of image good.png: it is the same as annotation 2"] },
        { """{"id": 50, "image_id": 1, "id": 51}""", "", "", Severity.Error, ["entry 3 of \"annotations\" of image ?: it is not valid JSON"] },
        { "[1, 2]", "", "", Severity.Error, ["entry 3 of \"annotations\" of image ?: it is no object in braces: [1, 2]"] },
        { "", """{"id": 2, "file_name": "gone.png", "height": 20, "width": 30}""", "", Severity.Error, ["image gone.png of 'train' is not there"] },
        { "", """{"id": 1, "file_name": "b.png", "height": 20, "width": 30}""", "", Severity.Error, ["image id 1 is there twice: good.png and b.png"] },
        { "", """{"id": 2, "file_name": "good.png", "height": 20, "width": 30}""", "", Severity.Error, ["image good.png is listed twice, once as good.png"] },
        { "", """{"id": 2, "height": 20, "width": 30}""", "", Severity.Error, ["image 2 has no file_name"] },
        { "", """{"file_name": "b.png", "height": 20, "width": 30}""", "", Severity.Error, ["entry 2 of \"images\" has no id"] },
        { "", """{"id": 2, "file_name": "other.png", "height": 0, "width": 30}""", "", Severity.Warning, ["image other.png has no height and width above 0"] },
        { "", """{"id": 2, "file_name": "../train/other.png", "height": 20, "width": 30}""", "", Severity.Warning, ["its file_name ../train/other.png leads out of the folder"] },
        { "", """{"id": 2.5, "file_name": "other.png", "height": 20, "width": 30}""", "", Severity.Warning, ["the id 2.5 of image other.png is no whole number"] },
        { "", "", """{"id": 3, "name": "dog"}""", Severity.Warning, ["the categories 2 and 3 have one name, 'dog'"] },
        { "", "", """{"id": 2, "name": "cat"}""", Severity.Error, ["category id 2 is there twice: 'dog' and 'cat'"] },
        { "", "", """{"id": 3}""", Severity.Error, ["category 3 has no name"] },
        { "", "", """{"id": 3, "name": "unicorn"}""", Severity.Warning, ["1 of 3 classes have no object in any split: 'unicorn'"] },
    };

    [Theory]
    [MemberData(nameof(OtherFaults))]
    public void Faults_of_lists_and_ids_are_named(string annotations, string images, string categories, Severity severity, string[] parts)
    {
        using TempDataset set = Set(annotations, images, categories).Picture("train/other.png", 20, 30, seed: 2);
        string file = parts[0].Contains("in any split", StringComparison.Ordinal) ? "dataset.json" : "person_keypoints_train.json";
        AssertFound(Check(set), severity, file, parts);
    }

    [Fact]
    public void Thirty_faults_in_one_file_are_all_found_and_each_left_out_object_is_counted()
    {
        string[] fields = [.. ObjectFaults.Select(row => (string)row[0])];
        (string Problem, Severity Severity, bool LeftOut)[] expected = [.. ObjectFaults.Select(row => ((string)row[2], (Severity)row[1], (bool)row[3]))];
        string annotations = string.Join(", ", fields.Select((f, i) => $$"""{"id": {{100 + i}}, "image_id": 1, "category_id": 2, {{f}}}"""))
            + """, {"id": 2, "image_id": 1, "category_id": 2, "bbox": [1, 1, 5, 5]}, {"id": 200, "image_id": 99, "category_id": 2, "bbox": [1, 1, 5, 5]}""";
        using TempDataset set = Set(annotations);
        DataReport report = Check(set);
        for (int i = 0; i < fields.Length; i++)
            AssertFound(report, expected[i].Severity, "person_keypoints_train.json", $"annotation {100 + i} of image good.png: {expected[i].Problem}");
        AssertFound(report, Severity.Error, "person_keypoints_train.json", "annotation 2 of image good.png: another annotation has the same id");
        AssertFound(report, Severity.Error, "person_keypoints_train.json", "annotation 200 of image 99");
        Assert.True(fields.Length + 2 >= 30, $"{fields.Length}");
        Dataset train = DatasetCatalog.Open(set.Root);
        int leftOut = expected.Count(e => e.LeftOut) + 1;
        Assert.Equal(2 + fields.Length + 2 - leftOut, train.Load(0).Annotation.Instances!.Count);
        Assert.Equal(leftOut, train.Notes.Where(n => n.StartsWith("left out: ", StringComparison.Ordinal)).Sum(n => int.Parse(n.Split(' ')[2])));
    }

    [Fact]
    public void Images_of_another_size_damaged_ones_and_copies_across_splits_are_named()
    {
        using TempDataset set = Set(images: """{"id": 2, "file_name": "turned.png", "height": 20, "width": 30}, {"id": 3, "file_name": "broken.png", "height": 20, "width": 30}""")
            .Picture("train/turned.png", 30, 20).Bytes("train/broken.png", [1, 2, 3]);
        set.Text("annotations/person_keypoints_val.json", File.ReadAllText(set.At("annotations/person_keypoints_train.json")).Replace("turned.png", "x.png").Replace("broken.png", "y.png"));
        set.Picture("val/good.png", 20, 30, seed: 1).Picture("val/x.png", 20, 30).Picture("val/y.png", 20, 30);
        DataReport report = Check(set);
        AssertFound(report, Severity.Error, "turned.png", "the image is 30×20, but its annotations in person_keypoints_train.json are of 20×30");
        AssertFound(report, Severity.Error, "broken.png", "the image cannot be read");
        AssertFound(report, Severity.Error, "val/good.png", "the image of 'val' has the same pixels as good.png of 'train'");
    }

    [Theory]
    [InlineData(0.3)]
    [InlineData(0.6)]
    [InlineData(0.95)]
    public void A_file_that_is_cut_short_is_named(double share)
    {
        using TempDataset set = Set();
        string path = set.At("annotations/person_keypoints_train.json"), json = File.ReadAllText(path);
        File.WriteAllText(path, json[..(int)(json.Length * share)]);
        DataReport report = Check(set);
        AssertFound(report, Severity.Error, "person_keypoints_train.json", "the JSON is cut short: the file ends");
    }

    [Fact]
    public void Many_faults_of_one_kind_are_summed_up()
    {
        using TempDataset set = Set(string.Join(", ", Enumerable.Range(100, 65).Select(i => $$"""{"id": {{i}}, "image_id": 1, "category_id": 9, "bbox": [1, 1, 5, 5]}""")));
        DataReport report = Check(set);
        Assert.Equal(21, report.Findings.Count(f => f.Message.Contains("its category '9' is not listed")));
        AssertFound(report, Severity.Error, "person_keypoints_train.json", "and 45 more like this: annotation 119");
        AssertFound(report, Severity.Error, "person_keypoints_train.json", "annotation 100 of image good.png");
    }

    [Fact]
    public void Masks_that_number_objects_are_checked_with_their_classes()
    {
        using TempDataset set = new TempDataset().Text("dataset.json", """{ "classes": ["background", "a", "b"] }""").Picture("images/a.png", 2, 4)
            .Mask("masks/a.png", [1, 2, 255, 0, 1, 2, 2, 0], 2, 4).Ids("instances/a.png", [5, 3, 3, 9, 5, 5, 3, 9], 2, 4)
            .Picture("images/b.png", 2, 4).Mask("masks/b.png", [1, 2], 2, 4).Ids("instances/b.png", [1, 2], 3, 4).Ids("instances/c.png", [1], 2, 4);
        DataReport report = Check(set);
        AssertFound(report, Severity.Error, "instances/a.png", "1 objects lie where the mask of classes has background or ignored pixels alone: 9");
        AssertFound(report, Severity.Error, "instances/b.png", "the mask of objects is 3×4 but its image is 2×4");
        AssertFound(report, Severity.Warning, "instances/c.png", "the mask of objects has no image");
        Assert.Equal(2, report.ObjectsChecked);
    }

    [Fact]
    public void Faults_of_other_formats_name_their_file_and_line()
    {
        using TempDataset yolo = new TempDataset().Text("data.yaml", "names: [cell]\ntrain: images\nval: images").Picture("images/a.png").Text("labels/a.txt", "0 0 0 1 0 1 1\n4 0 0 1 0 1 1").Text("labels/b.txt", "0 0 0 1 0 1 1");
        DataReport report = Check(yolo);
        AssertFound(report, Severity.Error, "labels/a.txt", "line 2 of image images/a.png: its category '4' is not listed");
        AssertFound(report, Severity.Warning, "labels/b.txt", "the labels have no image");
    }

    [Fact]
    public void The_short_form_reads_headers_only()
    {
        using TempDataset set = Set(Object(""" "bbox": [3, 4, 0, 5] """));
        byte[] image = File.ReadAllBytes(set.At("train/good.png"));
        set.Bytes("train/good.png", image[..^20]);
        DataReport report = DataCheck.Run(set.Root, DataCheckOptions.Short);
        AssertFound(report, Severity.Error, "person_keypoints_train.json", "has no width");
        Assert.DoesNotContain(report.Findings, f => f.File.EndsWith("good.png", StringComparison.Ordinal));
        AssertFound(Check(set), Severity.Error, "good.png", "the image cannot be read");
    }

    [ReferenceFact]
    public void Real_coco_files_have_no_errors()
    {
        DataReport report = DataCheck.Run(ReferenceFolder.Path("data", "coco-mini"));
        Assert.DoesNotContain(report.Findings, f => f.Severity == Severity.Error);
        Assert.Equal((130, 80, 50), (report.ImagesChecked, report.Splits[0].Listed, report.Splits[1].Listed));
        Assert.Equal(739, report.Splits[0].Objects.Sum());
        // Tiny and crowded outlines alone differ from their boxes and areas.
        Assert.InRange(report.Warnings, 0, 20);
    }
}

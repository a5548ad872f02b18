using System.Text;
using Delineate.Data;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Objects;

/// <summary>Each fault is put into a sound COCO file of two images; the check must name annotation and image, and so must whoever opens the set for training.</summary>
public class CocoFaultsTests
{
    private const string Sound = """
        {
          "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}, {"id": 2, "file_name": "b.png", "height": 20, "width": 30}],
          "annotations": [
            {"id": 11, "image_id": 1, "category_id": 1, "segmentation": [[2, 1, 12, 1, 12, 9, 2, 9]], "bbox": [2, 1, 10, 8], "area": 80, "iscrowd": 0,
             "keypoints": [3, 2, 2, 4, 5, 1, 0, 0, 0], "num_keypoints": 2},
            {"id": 12, "image_id": 2, "category_id": 2, "segmentation": {"size": [20, 30], "counts": [100, 5, 495]}, "bbox": [5, 0, 1, 5], "area": 5, "iscrowd": 0},
            {"id": 13, "image_id": 2, "category_id": 2, "bbox": [20, 10, 5, 5], "area": 25, "iscrowd": 0}],
          "categories": [{"id": 1, "name": "person", "keypoints": ["nose", "left_eye", "right_eye"]}, {"id": 2, "name": "dog"}]
        }
        """;

    private const string Polygon = "\"segmentation\": [[2, 1, 12, 1, 12, 9, 2, 9]]", Runs = "\"counts\": [100, 5, 495]", Box13 = "\"bbox\": [20, 10, 5, 5]";
    private const string ImageB = "{\"id\": 2, \"file_name\": \"b.png\", \"height\": 20, \"width\": 30}";
    private const string Of11 = "annotation 11 of image a.png: ", Of12 = "annotation 12 of image b.png: ", Of13 = "annotation 13 of image b.png: ";

    /// <summary>What becomes of a set with a fault when it is opened.</summary>
    public enum Opened
    {
        /// <summary>All objects are there.</summary>
        Whole,

        /// <summary>All objects are there, and a note tells of the fault.</summary>
        Told,

        /// <summary>One is left out, which a note tells.</summary>
        LeftOut,

        /// <summary>An exception tells of the fault.</summary>
        Refused,

        /// <summary>An exception tells of the fault when the image is asked for.</summary>
        RefusedLater,
    }

    /// <summary>What stands in place of a part of the sound file, what is said of it, and what becomes of the set.</summary>
    public static TheoryData<string, string, string, Opened> Faults => new()
    {
        // Outlines.
        { Polygon, "\"segmentation\": [[2, 1, 12, 9]]", Of11 + "its outline has 2 points: three are the least", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[2, 1, 12, 1, 12, 9, 2]]", Of11 + "its outline has 7 coordinates: x and y come in pairs", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[2, 1, 12, 1, 12, 9, 2, 9], [1, 1, 2, 2]]", Of11 + "outline 2 of 2 has 2 points", Opened.Told },
        { Polygon, "\"segmentation\": [[2, 1, NaN, 1, 12, 9]]", Of11 + "its outline has a coordinate that is no number", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[2, 1, 1e400, 1, 12, 9]]", Of11 + "its outline has a coordinate that is no number", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[2, 1, 1e300, 1, 12, 9]]", Of11 + "its outline is", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[0, 0, 3000000, 0, 3000000, 20, 0, 20, 3000000, 10]]", Of11 + "its outline is", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[2, 1, \"x\", 1, 12, 9]]", Of11 + "its outline has a coordinate that is no number", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[[2, 1], [12, 1], [12, 9]]]", Of11 + "its outline has 3 coordinates", Opened.LeftOut },
        { Polygon, "\"segmentation\": \"polygon\"", Of11 + "its segmentation is neither outlines [[x, y, …]] nor run lengths: \"polygon\"", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[2, 1, 12, 1, 12, 9, 2, 9], 7]", Of11 + "its segmentation is neither outlines", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[32, 1, 42, 1, 42, 9, 32, 9]]", Of11 + "its mask has no pixel", Opened.LeftOut },
        { Polygon, "\"segmentation\": [[2, 1, 42, 1, 42, 9, 2, 9]]", Of11 + "its outline leaves the image of 20×30", Opened.Whole },

        // Run lengths.
        { "\"size\": [20, 30]", "\"size\": [30, 20]", Of12 + "its mask is of 30×20 pixels, its image of 20×30; height comes first", Opened.LeftOut },
        { "\"size\": [20, 30]", "\"size\": [10000000000, 30]", Of12 + "its mask is of 10000000000×30 pixels", Opened.LeftOut },
        { "\"size\": [20, 30], ", "", Of12 + "its run-length mask has no size", Opened.LeftOut },
        { Runs, "\"counts\": [100, 5, 494]", Of12 + "the mask's runs cover 599 of the image's 20×30 = 600 pixels", Opened.LeftOut },
        { Runs, "\"counts\": [9223372036854775807, 9223372036854775807, 2]", Of12 + "run 1 of the mask has a length of", Opened.LeftOut },
        { Runs, "\"counts\": [100, -5, 505]", Of12 + "run 2 of the mask has a length of -5", Opened.LeftOut },
        { Runs, "\"counts\": [100.5, 5, 494.5]", Of12 + "run 1 of the mask has a length of 100.5", Opened.LeftOut },
        { Runs, "\"counts\": [100, null, 495]", Of12 + "run 2 of the mask has a length of", Opened.LeftOut },
        { Runs, "\"counts\": \"3~~\"", Of12 + "character 2 of the mask's compressed text is '~'", Opened.LeftOut },
        { Runs, "\"counts\": \"oooooooooooo\"", Of12 + "a number of more than 7 characters in the mask's compressed text", Opened.LeftOut },
        { Runs, "\"counts\": \"oo\"", Of12 + "the mask's compressed text ends inside a number", Opened.LeftOut },
        { Runs, "\"counts\": \"ooooo3\"", Of12 + "run 1 of the mask has a length of 134217727; the image has 600 pixels", Opened.LeftOut },
        { Runs, $"\"counts\": \"{new string('0', 2000)}\"", Of12 + "the mask's compressed text has more runs than 600 pixels can have", Opened.LeftOut },
        { Runs, "\"counts\": {}", Of12 + "its segmentation is neither outlines", Opened.LeftOut },

        // Boxes, areas, flags.
        { Box13, "\"bbox\": [20, 10, -5, 5]", Of13 + "its box [20, 10, -5, 5] has a negative width", Opened.LeftOut },
        { Box13, "\"bbox\": [20, 10, 5, 0]", Of13 + "its box [20, 10, 5, 0] has no height", Opened.LeftOut },
        { Box13, "\"bbox\": [40, 10, 5, 5]", Of13 + "its box [40, 10, 5, 5] lies outside of the image of 20×30", Opened.LeftOut },
        { Box13, "\"bbox\": [20, 10, 15, 5]", Of13 + "its box [20, 10, 15, 5] leaves the image of 20×30", Opened.Whole },
        { Box13, "\"bbox\": [20, 10, 5]", Of13 + "its bbox is not four numbers", Opened.LeftOut },
        { Box13, "\"bbox\": {\"x\": 20}", Of13 + "its bbox is not four numbers", Opened.LeftOut },
        { Box13, "\"bbox\": [20, Infinity, 5, 5]", Of13 + "its box has a coordinate that is no number", Opened.LeftOut },
        { Box13 + ", ", "", Of13 + "it has neither a box nor a mask", Opened.LeftOut },
        { "\"area\": 25", "\"area\": -25", Of13 + "its area is -25, below 0", Opened.Told },
        { "\"area\": 25", "\"area\": \"large\"", Of13 + "its area is no number", Opened.Told },
        { "\"area\": 80", "\"area\": 8000", Of11 + "its area is 8000, but its mask has 80 pixels", Opened.Whole },
        { "\"area\": 25, \"iscrowd\": 0", "\"area\": 25, \"iscrowd\": 2", Of13 + "iscrowd is 2: it is 0 or 1", Opened.Told },

        // Joints.
        { "[3, 2, 2, 4, 5, 1, 0, 0, 0]", "[3, 2, 2, 4, 5, 1, 0, 0]", Of11 + "it has 8 keypoint numbers; 3 joints have 9", Opened.LeftOut },
        { "[3, 2, 2, 4, 5, 1, 0, 0, 0]", "{\"nose\": [3, 2]}", Of11 + "it has 0 keypoint numbers; 3 joints have 9", Opened.LeftOut },
        { "[3, 2, 2, 4, 5, 1, 0, 0, 0]", "[3, 2, 2, 4, 5, 7, 0, 0, 0]", Of11 + "keypoint 2 has the visibility 7", Opened.LeftOut },
        { "[3, 2, 2, 4, 5, 1, 0, 0, 0]", "[3, 2, 2, NaN, 5, 1, 0, 0, 0]", Of11 + "keypoint 2 has a coordinate that is no number", Opened.LeftOut },
        { "[3, 2, 2, 4, 5, 1, 0, 0, 0]", "[3, 2, 2, 400, 5, 1, 0, 0, 0]", Of11 + "1 of its labelled keypoints lie outside", Opened.Whole },
        { "\"num_keypoints\": 2", "\"num_keypoints\": 3", Of11 + "num_keypoints is 3, but 2 are labelled", Opened.Whole },

        // Ids and references.
        { "\"id\": 13, ", "", "entry 3 of \"annotations\" of image b.png: it has no id", Opened.Whole },
        { "\"id\": 13, ", "\"id\": 12, ", "annotation 12 of image b.png: another annotation has the same id", Opened.Whole },
        { "\"id\": 13, \"image_id\": 2", "\"id\": 13, \"image_id\": 99", "annotation 13 of image 99: its image 99 is not listed in \"images\"", Opened.LeftOut },
        { "\"id\": 13, \"image_id\": 2", "\"id\": 13", "annotation 13 of image ?: it has no image_id", Opened.LeftOut },
        { "\"category_id\": 2, " + Box13, "\"category_id\": 9, " + Box13, Of13 + "its category '9' is not listed", Opened.LeftOut },
        { "\"category_id\": 2, " + Box13, Box13, Of13 + "it has no category", Opened.LeftOut },
        { "\"category_id\": 2, " + Box13, "\"category_id\": [2], " + Box13, Of13 + "it has no category", Opened.LeftOut },
        { "\"id\": 13, ", "\"id\": 13, \"id\": 14, ", "entry 3 of \"annotations\" of image ?: it is not valid JSON", Opened.LeftOut },
        { "{\"id\": 13, \"image_id\": 2, \"category_id\": 2, " + Box13 + ", \"area\": 25, \"iscrowd\": 0}", "17", "entry 3 of \"annotations\" of image ?: it is no object in braces: 17", Opened.LeftOut },

        // Images and categories.
        { ImageB, ImageB.Replace("\"id\": 2", "\"id\": 1"), "image id 1 is there twice: a.png and b.png", Opened.LeftOut },
        { ImageB, ImageB.Replace("\"id\": 2, ", ""), "entry 2 of \"images\" has no id", Opened.LeftOut },
        { ImageB, ImageB.Replace("\"file_name\": \"b.png\", ", ""), "image 2 has no file_name", Opened.LeftOut },
        { ImageB, ImageB.Replace("\"b.png\"", "5"), "image 2 has no file_name", Opened.LeftOut },
        { ImageB, ImageB.Replace("b.png", "gone.png"), "image gone.png", Opened.Refused },
        { ImageB, ImageB.Replace("b.png", "../train/b.png"), "image 2: its file_name ../train/b.png leads out of the folder", Opened.Whole },
        { ImageB, ImageB.Replace("b.png", "/home/me/b.png"), "image 2: its file_name /home/me/b.png is a place on some machine", Opened.Whole },
        { ImageB, ImageB.Replace("b.png", "../../secret.png"), "image ../../secret.png", Opened.Refused },
        { ImageB, ImageB.Replace("b.png", "turned.png"), "the image is 30×20, but its annotations in person_keypoints_train.json are of 20×30", Opened.RefusedLater },
        { ImageB, ImageB.Replace("b.png", "broken.png"), "", Opened.RefusedLater },
        { ImageB, ImageB.Replace("b.png", "a.png"), "image a.png is listed twice, once as a.png", Opened.Whole },
        { ImageB, ImageB.Replace("20", "10000000000"), "image b.png has no height and width above 0", Opened.Whole },
        { ImageB, ImageB.Replace("20", "1000000").Replace("30", "1000000"), "the image is 20×30, but its annotations in person_keypoints_train.json are of 1000000×1000000", Opened.RefusedLater },
        { ImageB, ImageB + ", [7]", "entry 3 of \"images\" is no object in braces: [7]", Opened.Told },
        { "{\"id\": 2, \"name\": \"dog\"}", "{\"id\": 2}", "category 2 has no name", Opened.Told },
        { "{\"id\": 2, \"name\": \"dog\"}", "{\"name\": \"dog\"}", "entry 2 of \"categories\" has no id", Opened.LeftOut },
        { "{\"id\": 2, \"name\": \"dog\"}", "{\"id\": 2, \"name\": \"dog\"}, {\"id\": 2, \"name\": \"cat\"}", "category id 2 is there twice: 'dog' and 'cat'", Opened.Told },
        { "{\"id\": 2, \"name\": \"dog\"}", "{\"id\": 2, \"name\": \"person\"}", "the categories 1 and 2 have one name, 'person'", Opened.Whole },

        // The file.
        { "\"categories\"", "\"kinds\"", "it has no \"categories\"", Opened.Refused },
        { "\"annotations\"", "\"images\"", "the key \"images\" is there twice", Opened.Refused },
        { "\"annotations\": [", "\"annotations\": 5, \"more\": [", "\"annotations\" is no list in brackets: 5", Opened.Refused },
        { ", \"iscrowd\": 0}]", ", \"iscrowd\": 0", "the JSON is cut short: the file ends in element 3 of \"annotations\"", Opened.Refused },
        { Box13, "\"bbox\": " + new string('[', 100_000), "brackets are nested more than 64 deep in element 3 of \"annotations\"", Opened.Refused },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_is_named_with_annotation_and_image_and_nothing_is_lost_unsaid(string part, string fault, string message, Opened opened)
    {
        using TempDataset set = Set(Seeded(part, fault));
        DataReport report = DataCheck.Run(set.Root);
        Assert.True(report.Findings.Any(f => Says(f.Message, message) || (message.Length == 0 && f.File.EndsWith("broken.png", StringComparison.Ordinal))),
            $"no finding says '{message}':\n{string.Join('\n', report.Findings.Select(f => $"{f.Severity} {f.File}: {f.Message}"))}");

        if (opened is Opened.Refused or Opened.RefusedLater)
        {
            var e = Assert.Throws<DatasetException>(() =>
            {
                Dataset refused = DatasetCatalog.Open(set.Root);
                Assert.Equal(Opened.RefusedLater, opened);
                for (int i = 0; i < refused.Count; i++) refused.Load(i);
            });
            Assert.True(report.Findings.Any(f => e.Message.Contains(f.Message, StringComparison.Ordinal)) || e.Message.Contains(message.Replace("image ", ""), StringComparison.Ordinal), e.Message);
            return;
        }
        Dataset train = DatasetCatalog.Open(set.Root);
        int objects = Enumerable.Range(0, train.Count).Sum(i => train.Load(i).Annotation.Instances!.Count);
        Assert.Equal(opened != Opened.LeftOut, objects == 3);
        if (opened == Opened.Whole) Assert.DoesNotContain(train.Notes, n => n.StartsWith("left out", StringComparison.Ordinal) || n.StartsWith("used all", StringComparison.Ordinal));
        else Assert.True(train.Notes.Any(n => n.Contains(message, StringComparison.Ordinal)), $"no note says '{message}':\n{string.Join('\n', train.Notes)}");
        Assert.Equal(3 - objects, train.Notes.Where(n => n.StartsWith("left out", StringComparison.Ordinal)).Sum(n => int.Parse(n.Split(' ')[2])));
    }

    [Fact]
    public void The_sound_file_has_no_finding_and_the_faults_are_no_fewer_than_thirty()
    {
        using TempDataset set = Set(Sound);
        Assert.Empty(DataCheck.Run(set.Root).Findings);
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal((2, 3, 0), (train.Count, train.Load(0).Annotation.Instances!.Count + train.Load(1).Annotation.Instances!.Count, train.Notes.Count));
        Assert.True(Faults.Select(row => (string)row[2]).Distinct().Count() >= 30);
    }

    [Fact]
    public void Faults_of_the_file_do_not_hide_each_other()
    {
        string images = string.Concat(Enumerable.Range(100, 50).Select(i => $$""", {"id": {{i}}, "file_name": "/x/{{i}}.png", "height": 20, "width": 30}"""));
        using TempDataset set = Set(Seeded(ImageB, ImageB + images + ", {\"id\": 3}"));
        DataReport report = DataCheck.Run(set.Root);
        Assert.Contains(report.Findings, f => f.Severity == Severity.Error && f.Message == "image 3 has no file_name");
        Assert.Contains(report.Findings, f => f.Severity == Severity.Warning && f.Message.StartsWith("and 30 more like this: ", StringComparison.Ordinal));
    }

    [Fact]
    public void More_categories_than_any_set_has_are_refused() =>
        Refuses(Seeded("{\"id\": 2, \"name\": \"dog\"}", string.Join(",", Enumerable.Range(2, 20_000).Select(i => $$"""{"id": {{i}}, "name": "c{{i}}"}"""))), "it has more than 16,384 \"categories\"");

    [Fact]
    public void A_damaged_file_is_checked_or_refused_and_never_more()
    {
        using TempDataset set = Set(Sound);
        string path = set.At("annotations/person_keypoints_train.json");
        FuzzReport report = Fuzzer.Run<DatasetException>([Encoding.UTF8.GetBytes(Sound)], Fuzzer.InputCount / 4, seed: 11, bytes =>
        {
            File.WriteAllBytes(path, bytes);
            if (DataCheck.Run(set.Root).Errors > 0) throw new DatasetException("errors were found");
        }, bytes => 8_000_000 + (400L * bytes.Length));
        Assert.True(report.Accepted > 10 && report.Refused > 10, $"{report}");
    }

    private static void Refuses(string json, string message)
    {
        using TempDataset set = Set(json);
        Assert.Contains(message, Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root)).Message);
    }

    private static string Seeded(string part, string fault)
    {
        Assert.Equal(2, Sound.Split(part).Length); // the fault is put into one place
        return Sound.Replace(part, fault);
    }

    private static bool Says(string text, string message) => message.Length > 0 && text.Contains(message, StringComparison.Ordinal);

    private static TempDataset Set(string json) => new TempDataset()
        .Text("dataset.json", """{ "variant": "keypoints" }""").Text("annotations/person_keypoints_train.json", json)
        .Picture("train/a.png", 20, 30, seed: 1).Picture("train/b.png", 20, 30, seed: 2).Picture("train/turned.png", 30, 20, seed: 3).Bytes("train/broken.png", [1, 2, 3]);
}

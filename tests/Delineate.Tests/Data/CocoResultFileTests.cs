using System.Text.Json;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Testing;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Data;

public sealed class CocoResultFileTests : IDisposable
{
    private readonly string root = Path.Combine(Path.GetTempPath(), "delineate-results-" + Path.GetRandomFileName());

    public CocoResultFileTests() => Directory.CreateDirectory(root);

    public void Dispose() => Directory.Delete(root, recursive: true);

    private string In(string name) => Path.Combine(root, name);

    /// <summary>Two images with ids 7 and 3, 20×30 pixels, and two categories; joints where asked for.</summary>
    private Dataset Coco(bool joints = false)
    {
        string set = In("coco");
        Directory.CreateDirectory(Path.Combine(set, "annotations"));
        Directory.CreateDirectory(Path.Combine(set, "images"));
        foreach (string name in (string[])["a", "b"]) ImageFile.Save(new Image(20, 30), Path.Combine(set, "images", name + ".png"));
        string keys = joints ? ", \"keypoints\": [\"nose\", \"tail\"]" : "", points = joints ? ", \"keypoints\": [3, 4, 2, 8, 9, 1], \"num_keypoints\": 2" : "";
        File.WriteAllText(Path.Combine(set, "annotations", $"{(joints ? "person_keypoints" : "instances")}_val.json"), $$"""
            { "images": [{ "id": 7, "file_name": "a.png", "height": 20, "width": 30 }, { "id": 3, "file_name": "b.png", "height": 20, "width": 30 }],
              "annotations": [{ "id": 1, "image_id": 7, "category_id": 20, "bbox": [2, 3, 10, 8], "area": 80, "iscrowd": 0, "segmentation": [[2, 3, 12, 3, 12, 11, 2, 11]]{{points}} }],
              "categories": [{ "id": 20, "name": "dog"{{keys}} }, { "id": 10, "name": "cat"{{keys}} }] }
            """);
        return DatasetCatalog.Open(set, "val", joints ? DatasetVariant.Keypoints : DatasetVariant.Instances);
    }

    private CocoResultFile Read(Dataset data, string json)
    {
        File.WriteAllText(In("results.json"), json);
        return CocoResultFile.Read(In("results.json"), data);
    }

    [Fact]
    public void Boxes_masks_and_categories_are_those_of_the_data_set()
    {
        Dataset data = Coco();
        CocoResultFile results = Read(data, """
            [ { "image_id": 3, "category_id": 10, "bbox": [1.5, 2, 4, 5], "score": 0.25, "more": { "left": "alone" } },
              { "image_id": 7, "category_id": 20, "score": 0.75, "segmentation": { "size": [20, 30], "counts": [43, 8, 549] } },
              { "image_id": 7, "category_id": 20, "score": 1, "segmentation": [[2, 3, 12, 3, 12, 11, 2, 11]], "file_name": "images/a.png" } ]
            """);
        Assert.Equal((3, true, false, false), (results.Count, results.HasBoxes, results.HasMasks, results.HasKeypoints));
        Instance box = Assert.Single(results[1]);
        Assert.Equal((1, new Box(1.5, 2, 5.5, 7), 0.25f, "entry 1"), (box.Label, box.Box, box.Score, box.Id));
        Assert.Equal([2, 2], results[0].Select(o => o.Label));
        Assert.Equal(new Box(2, 3, 3, 11), results[0][0].Box); // around its mask
        Assert.Equal(80, results[0][1].Mask!.Area);
        Assert.Equal([1, 0], results.Order);
        Assert.Equal((0, true, false), (Read(data, " [ ] ").Count, results.HasBoxes, Read(data, "[]").HasMasks));
    }

    [Fact]
    public void Joints_are_those_of_the_data_set_and_a_perfect_result_scores_1()
    {
        Dataset data = Coco(joints: true);
        CocoResultFile results = Read(data, """[{ "image_id": 7, "category_id": 20, "score": 0.5, "keypoints": [3, 4, 1, 8, 9, 1] }]""");
        Assert.True(CocoResultFile.TellsKeypoints(In("results.json")));
        Assert.Equal((false, true), (results.HasBoxes, results.HasKeypoints));
        EvaluationReport report = EvaluationReport.Of(results, data, [InstanceSimilarity.Keypoints]);
        Assert.Equal(1, report.Evaluation.Scores.Figures[0].Value!.Value, 1e-9);
        Assert.Equal("a", Assert.Single(report.Best).Name);
    }

    [Fact]
    public void Images_without_ids_are_known_by_their_files_and_categories_by_their_labels()
    {
        string set = In("folder");
        foreach (string part in (string[])["images", "instances"])
        {
            Directory.CreateDirectory(Path.Combine(set, part));
            foreach (string name in (string[])["a", "b"])
            {
                if (part == "images") ImageFile.Save(new Image(8, 9), Path.Combine(set, part, name + ".png"));
                else ImageFile.SaveLabels(new LabelMap(8, 9, [.. Enumerable.Range(0, 72).Select(i => (byte)(i is > 20 and < 24 ? 1 : 0))]), Palette.Voc, Path.Combine(set, part, name + ".png"));
            }
        }
        Dataset data = DatasetCatalog.Open(set, "all", DatasetVariant.Instances);
        CocoResultFile results = Read(data, """[{ "image_id": 1, "file_name": "somewhere/b.png", "category_id": 1, "score": 0.5, "bbox": [3, 2, 3, 1] }]""");
        Assert.Equal(new Box(3, 2, 6, 3), Assert.Single(results[1]).Box);
        Refuses(data, """[{ "image_id": 1, "file_name": "c.png", "category_id": 1, "score": 0.5, "bbox": [3, 2, 3, 1] }]""", "entry 1 has the file_name 'c.png', which the data set does not have");
        Refuses(data, """[{ "image_id": 1, "category_id": 1, "score": 0.5, "bbox": [3, 2, 3, 1] }]""", "entry 1 has no file_name, and the images of the data set have no ids");
        Refuses(data, """[{ "file_name": "a.png", "category_id": 0, "score": 0.5, "bbox": [3, 2, 3, 1] }]""", "entry 1 has the category_id '0', which the data set does not have");
    }

    public static TheoryData<string, string> Faulty => new()
    {
        { "", "the file is empty" },
        { "{ \"images\": [] }", "it is no list in brackets; COCO's results are one list of objects" },
        { "[] []", "there is more after the end" },
        { $"[{Good}, ", "the JSON is cut short" },
        { $"[{Good} {Good}]", "a comma is missing" },
        { $"[{Good}, 3]", "entry 2 is no object in braces: 3" },
        { "[{ \"image_id\": }]", "entry 1 is not valid JSON" },
        { "[{ \"category_id\": 20, \"score\": 1, \"bbox\": [1, 2, 3, 4] }]", "entry 1 has no image_id" },
        { "[{ \"image_id\": 8, \"category_id\": 20, \"score\": 1, \"bbox\": [1, 2, 3, 4] }]", "entry 1 has the image_id '8', which the data set does not have" },
        { "[{ \"image_id\": 7, \"file_name\": \"b.png\", \"category_id\": 20, \"score\": 1, \"bbox\": [1, 2, 3, 4] }]", "entry 1 has the image_id '7', which is a.png in the data set, and the file_name 'b.png': its ids are another data set's" },
        { "[{ \"image_id\": 7, \"score\": 1, \"bbox\": [1, 2, 3, 4] }]", "entry 1 has no category_id" },
        { "[{ \"image_id\": 7, \"category_id\": 1, \"score\": 1, \"bbox\": [1, 2, 3, 4] }]", "entry 1 has the category_id '1', which the data set does not have" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"bbox\": [1, 2, 3, 4] }]", "entry 1 has no score that is a number" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": NaN, \"bbox\": [1, 2, 3, 4] }]", "entry 1 has no score that is a number" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1 }]", "entry 1 has neither a bbox nor a segmentation nor keypoints" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"bbox\": [1, 2, 3] }]", "entry 1 has a bbox that is not four numbers" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"segmentation\": { \"size\": [30, 20], \"counts\": [600] } }]", "entry 1 has a mask of [30, 20] pixels, its image has [20, 30]" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"segmentation\": { \"size\": [20, 30], \"counts\": [601] } }]", "entry 1 has a mask that cannot be read" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"segmentation\": { \"size\": [20, 30], \"counts\": [0.5] } }]", "entry 1 has a run length of 0.5" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"segmentation\": { \"size\": [20, 30], \"counts\": \"~~~~\" } }]", "entry 1 has a mask that cannot be read" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"segmentation\": [[1, 2, 3, 4]] }]", "entry 1 has an outline that is none" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"segmentation\": 5 }]", "entry 1 has a segmentation that is neither outlines nor run lengths" },
        { "[{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"keypoints\": [1, 2, 3] }]", "entry 1 has 3 keypoint numbers that are not three for each of the data set's 0 joints" },
    };

    private const string Good = "{ \"image_id\": 7, \"category_id\": 20, \"score\": 1, \"bbox\": [1, 2, 3, 4] }";

    [Theory]
    [MemberData(nameof(Faulty))]
    public void A_fault_names_the_entry(string json, string message) => Refuses(Coco(), json, message);

    [Fact]
    public void No_mutation_of_a_file_does_worse_than_a_plain_error()
    {
        Dataset data = Coco();
        byte[] good = System.Text.Encoding.UTF8.GetBytes($"[{Good}, {{ \"image_id\": 3, \"category_id\": 10, \"score\": 0.5, \"segmentation\": {{ \"size\": [20, 30], \"counts\": [43, 8, 549] }} }}]");
        FuzzReport report = Fuzzer.Run<DatasetException>([good], Fuzzer.InputCount, seed: 11, bytes =>
        {
            File.WriteAllBytes(In("results.json"), bytes);
            Assert.InRange(CocoResultFile.Read(In("results.json"), data).Count, 0, bytes.Length);
        }, bytes => 4_000_000 + (200L * bytes.Length));
        Assert.True(report.Accepted > 10 && report.Refused > 50, $"{report}");
    }

    /// <summary>pycocotools' twelve figures for 713 made-up detections in images of COCO, from files alone: the pictures are blank.</summary>
    [ReferenceFact]
    public void Scores_equal_pycocotools()
    {
        Golden golden = Golden.Reference("coco_eval");
        string set = In("mini");
        Directory.CreateDirectory(Path.Combine(set, "annotations"));
        Directory.CreateDirectory(Path.Combine(set, "val2017"));
        File.Copy(golden.FilePath("gt.json"), Path.Combine(set, "annotations", "instances_val2017.json"));
        using (JsonDocument truth = JsonDocument.Parse(File.ReadAllText(golden.FilePath("gt.json"))))
        {
            foreach (JsonElement image in truth.RootElement.GetProperty("images").EnumerateArray())
                ImageFile.Save(new Image(image.GetProperty("height").GetInt32(), image.GetProperty("width").GetInt32()), Path.Combine(set, "val2017", Path.ChangeExtension(image.GetProperty("file_name").GetString()!, ".jpg")));
        }
        Dataset data = DatasetCatalog.Open(set, "val2017", DatasetVariant.Instances);
        var results = CocoResultFile.Read(golden.FilePath("dt.json"), data);
        Assert.Equal((713, true, true), (results.Count, results.HasMasks, results.HasBoxes));
        var evaluation = (ObjectEvaluation)EvaluationReport.Of(results, data, [InstanceSimilarity.Masks, InstanceSimilarity.Boxes]).Evaluation;
        using JsonDocument stats = JsonDocument.Parse(File.ReadAllText(golden.FilePath("stats.json")));
        foreach ((string kind, int part) in (ReadOnlySpan<(string, int)>)[("segm", 0), ("bbox", 1)])
        {
            double[] expected = [.. stats.RootElement.GetProperty(kind).EnumerateArray().Select(v => v.GetDouble())];
            for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], evaluation.Parts[part].Scores.Figures[i].Value!.Value, 1e-9);
        }
    }

    private void Refuses(Dataset data, string json, string message)
    {
        string told = Assert.Throws<DatasetException>(() => Read(data, json)).Message;
        Assert.StartsWith(In("results.json"), told, StringComparison.Ordinal);
        Assert.Contains(message, told, StringComparison.Ordinal);
    }
}

using Delineate.Data.Objects;

namespace Delineate.Data.Sets;

/// <summary>
/// COCO's JSON: <c>annotations/instances_SPLIT.json</c> and <c>person_keypoints_SPLIT.json</c> with the images in a folder named after the split or in
/// <c>images/</c>, as COCO itself has them; <c>SPLIT/_annotations.coco.json</c> beside the images, as Roboflow writes them; or one
/// <c>annotations.json</c> beside <c>images/</c>. Source: https://cocodataset.org/#format-data.
/// </summary>
public static class Coco
{
    internal const string Expected = "annotations/instances_SPLIT.json, SPLIT/_annotations.coco.json or annotations.json (COCO)";

    /// <summary>COCO's categories by their ids, the background at 0; "N/A 12" and the like are ids that COCO leaves out.</summary>
    public static IReadOnlyList<string> ClassNames { get; } =
    [
        "background", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light", "fire hydrant", "N/A 12",
        "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "N/A 26", "backpack",
        "umbrella", "N/A 29", "N/A 30", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat",
        "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", "N/A 45", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana",
        "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "N/A 66",
        "dining table", "N/A 68", "N/A 69", "toilet", "N/A 71", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster",
        "sink", "refrigerator", "N/A 83", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
    ];

    internal const int CategoryCount = 80;

    /// <summary>COCO's category for each of VOC's 21 classes, as torchvision trains its semantic networks.</summary>
    private static readonly int[] CategoryOfVocClass = [0, 5, 2, 16, 9, 44, 6, 3, 17, 62, 21, 67, 18, 19, 4, 1, 64, 20, 63, 7, 72];

    /// <summary>torchvision's semantic training leaves out images whose objects of these classes have no more square pixels in all.</summary>
    private const double LeastTrainingArea = 1000;

    private const string Instances = "instances_", Keypoints = "person_keypoints_", Roboflow = "_annotations.coco";
    private static readonly string[] OtherTasks = ["captions_", "panoptic_", "stuff_", "image_info_"];
    private static readonly string[] Splits = ["train", "val", "valid", "validation", "test"];

    internal static bool Recognises(string folder) => Files(folder).Count > 0;

    /// <summary>The splits with their classes; annotations themselves are read when they are needed.</summary>
    internal static ObjectSet Read(string folder, DatasetManifest manifest, DatasetVariant? wanted)
    {
        List<(string Path, string Split, bool IsKeypoints)> files = Files(folder);
        DatasetVariant variant = wanted ?? manifest.Variant ?? (files.Count > 0 && files.All(f => f.IsKeypoints) ? DatasetVariant.Keypoints : DatasetVariant.Instances);
        bool joints = variant == DatasetVariant.Keypoints;
        // Where only one kind is there, it serves both: a file of one's own may hold keypoints under any name.
        List<(string Path, string Split, bool IsKeypoints)> chosen = files.Exists(f => f.IsKeypoints == joints) ? files.FindAll(f => f.IsKeypoints == joints) : files;
        if (chosen.Count == 0) throw new DatasetException(folder, "there is no COCO file", $"looked for {Expected}");
        CocoFile[] parts = [.. chosen.Select(f => CocoFile.Open(f.Path, f.Split, ImageFolders(folder, f.Path, f.Split)))];
        return variant == DatasetVariant.VocClasses ? WithVocClasses(folder, manifest, parts) : WithOwnClasses(folder, manifest, parts, joints);
    }

    private static ObjectSet WithOwnClasses(string folder, DatasetManifest manifest, CocoFile[] files, bool joints)
    {
        var classes = ObjectClasses.Of(files, manifest);
        foreach (CocoFile file in files) file.Labels = classes.LabelsOf(file);
        IReadOnlyList<string> names = joints ? files.SelectMany(f => f.Categories).FirstOrDefault(c => c.Keypoints.Count > 0)?.Keypoints ?? [] : [];
        if (joints && names.Count == 0) throw new DatasetException(files[0].File, "none of its categories names keypoints", "open the data set as instances");
        return new ObjectSet
        {
            Folder = folder,
            Layout = DatasetLayout.Coco,
            Manifest = manifest,
            Classes = classes.Table,
            Parts = SplitList(folder, manifest, files, out IEnumerable<string> notes),
            KeypointNames = names,
            Notes = [.. classes.Notes, .. notes],
            Faults = classes.Faults,
        };
    }

    private static ObjectSet WithVocClasses(string folder, DatasetManifest manifest, CocoFile[] files)
    {
        foreach (CocoFile file in files)
        {
            file.Labels = file.Categories.ToDictionary(c => c.Id, c => Array.IndexOf(CategoryOfVocClass, ClassNames.ToList().IndexOf(c.Name), 1), StringComparer.Ordinal);
            if (file.Labels.Values.All(label => label < 0))
                throw new DatasetException(file.File, "none of its categories is one of COCO's that VOC has too", "open the data set with its own classes");
        }
        return new ObjectSet
        {
            Folder = folder,
            Layout = DatasetLayout.Coco,
            Manifest = manifest,
            Classes = new ClassTable(Voc.ClassNames) { Background = 0 },
            Parts = SplitList(folder, manifest, files, out IEnumerable<string> notes),
            Notes = ["the 20 classes of PASCAL VOC are taken, objects of others left out", .. notes],
            TrainingNeedsArea = LeastTrainingArea,
        };
    }

    /// <summary>One part a file; the images of a single file that is no split's are divided by lists beside it or by their names.</summary>
    private static IReadOnlyList<ObjectPart> SplitList(string folder, DatasetManifest manifest, CocoFile[] files, out IEnumerable<string> notes)
    {
        notes = [];
        return files is [var single] && !Splits.Contains(SplitNames.Plain(single.Split)) ? Subset.Divide(folder, manifest, single, out notes) : files;
    }

    private static List<(string Path, string Split, bool IsKeypoints)> Files(string folder)
    {
        var found = new List<(string Path, string Split, bool IsKeypoints)>();
        foreach (string place in (string[])[System.IO.Path.Combine(folder, "annotations"), folder])
        {
            foreach (string path in Json(place))
            {
                string name = System.IO.Path.GetFileNameWithoutExtension(path);
                if (name.StartsWith(Instances, StringComparison.Ordinal)) found.Add((path, name[Instances.Length..], false));
                else if (name.StartsWith(Keypoints, StringComparison.Ordinal)) found.Add((path, name[Keypoints.Length..], true));
            }
            if (found.Count > 0) return InOrder(found);
        }
        foreach (string part in Directory.EnumerateDirectories(folder))
            found.AddRange(Json(part).Where(f => System.IO.Path.GetFileNameWithoutExtension(f) == Roboflow).Select(f => (f, System.IO.Path.GetFileName(part), false)));
        if (found.Count > 0) return InOrder(found);
        foreach (string place in (string[])[folder, System.IO.Path.Combine(folder, "annotations")])
        {
            string[] named = [.. Json(place).Where(f => Splits.Contains(SplitNames.Plain(System.IO.Path.GetFileNameWithoutExtension(f)))).Where(LooksLikeCoco)];
            found.AddRange(named.Select(f => (f, System.IO.Path.GetFileNameWithoutExtension(f), false)));
            if (found.Count > 0) return InOrder(found);
            string? single = Json(place).FirstOrDefault(f => System.IO.Path.GetFileNameWithoutExtension(f) is "annotations" or "instances" or "_annotations.coco" or "coco" && LooksLikeCoco(f));
            if (single is not null) return [(single, "", false)];
            string[] others = [.. Json(place).Where(f => !OtherTasks.Any(t => System.IO.Path.GetFileName(f).StartsWith(t, StringComparison.Ordinal)))];
            if (place != folder && others is [var only] && LooksLikeCoco(only)) return [(only, "", false)];
        }
        return found;
    }

    private static List<(string Path, string Split, bool IsKeypoints)> InOrder(List<(string Path, string Split, bool IsKeypoints)> files) =>
        [.. files.OrderBy(f => Array.IndexOf(Splits, SplitNames.Plain(f.Split)) is >= 0 and var rank ? rank : Splits.Length).ThenBy(f => f.Path, StringComparer.Ordinal)];

    private static IEnumerable<string> Json(string folder) => Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder, "*.json").Where(f => System.IO.Path.GetFileName(f) != DatasetManifest.FileName).Order(StringComparer.Ordinal) : [];

    /// <summary>Whether a file names COCO's lists in its first or last part.</summary>
    private static bool LooksLikeCoco(string path)
    {
        const int Looked = 1 << 20;
        try
        {
            using FileStream stream = File.OpenRead(path);
            byte[] head = new byte[Math.Min(Looked, stream.Length)], tail = new byte[head.Length];
            stream.ReadExactly(head);
            stream.Position = stream.Length - tail.Length;
            stream.ReadExactly(tail);
            return head.AsSpan().TrimStart(" \t\r\n\uFEFF"u8).StartsWith("{"u8) && Has("\"images\""u8) && Has("\"annotations\""u8);

            bool Has(ReadOnlySpan<byte> key) => head.AsSpan().IndexOf(key) >= 0 || tail.AsSpan().IndexOf(key) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static IReadOnlyList<string> ImageFolders(string folder, string file, string split)
    {
        string plain = SplitNames.Plain(split);
        string[] names = [split, System.IO.Path.Combine("images", split), plain, System.IO.Path.Combine("images", plain), "images", "JPEGImages", ""];
        string own = System.IO.Path.GetDirectoryName(file)!;
        return [.. names.Select(n => System.IO.Path.Combine(folder, n)).Prepend(own).Where(Directory.Exists).Distinct()];
    }
}

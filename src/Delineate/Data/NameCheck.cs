using Delineate.Data.Sets;

namespace Delineate.Data;

/// <summary>Pairs, split lists and files left out: all the faults that names alone tell.</summary>
internal static class NameCheck
{
    public const string SplitsMustDiffer = "scores on images that were trained on mean nothing: take it out of one";

    public static void Run(DatasetFiles files, Findings findings)
    {
        HashSet<string> listed = [.. files.Splits.Where(s => s.File is not null).SelectMany(s => s.Names)];
        foreach ((string name, string path) in files.Images.Where(i => !files.Masks.ContainsKey(i.Key)))
        {
            string remedy = $"expected {Path.Combine(files.MaskFolder, name + files.Manifest.MaskSuffix + ".png")}: add it, or take the image out";
            if (listed.Contains(name)) findings.Error(path, "the image has no mask", remedy);
            else findings.Warning(path, "the image has no mask", remedy);
        }
        foreach ((string name, string path) in files.Masks.Where(m => !files.Images.ContainsKey(m.Key)))
            findings.Warning(path, "the mask has no image", $"expected an image named {name} (.jpg, .jpeg or .png): add it, or take the mask out");
        foreach ((string name, string path) in files.ObjectMasks.Where(m => !files.Masks.ContainsKey(m.Key) || !files.Images.ContainsKey(m.Key)))
            findings.Warning(path, files.Images.ContainsKey(name) ? "the mask of objects has no mask of classes beside it" : "the mask of objects has no image", "add it, or take the file out");
        foreach ((string file, string reason) in files.LeftOut)
        {
            const string Remedy = "convert it, rename it or move it away";
            if (Path.GetDirectoryName(file) == files.MaskFolder) findings.Warning(file, $"the file is left out: {reason}", Remedy);
            else findings.Note(file, $"the file is left out: {reason}", Remedy);
        }
        foreach (SplitList split in files.Splits) CheckSplit(files, split, findings);
        CheckOverlap(files, findings);
        string[] unlisted = listed.Count == 0 ? [] : [.. files.Pairs.Where(n => !listed.Contains(n))];
        if (unlisted.Length > 0)
            findings.Note(files.Folder, $"{unlisted.Length} images with a mask are in no split: {FileDataset.FirstOf(unlisted)}");
    }

    private static void CheckSplit(DatasetFiles files, SplitList split, Findings findings)
    {
        string place = split.File ?? files.Folder;
        if (split.Names.Count == 0) findings.Error(place, $"the split '{split.Name}' is empty", "list one image name a line");
        foreach (IGrouping<string, string> name in split.Names.GroupBy(n => n))
        {
            if (name.Count() > 1)
                findings.Warning(place, $"the split '{split.Name}' lists '{name.Key}' {name.Count()} times", "list each image once");
            if (files.Images.ContainsKey(name.Key)) continue;
            if (files.Masks.ContainsKey(name.Key))
            {
                findings.Error(place, $"the split '{split.Name}' lists '{name.Key}', which has a mask but no image",
                    "add the image or take the name out");
                continue;
            }
            string[] alike = [.. files.Images.Keys.Where(k => Math.Abs(k.Length - name.Key.Length) < 3).Take(1000)];
            findings.Error(place, $"the split '{split.Name}' lists '{name.Key}', but there is no such file",
                alike.Length == 0 ? "add the image or take the name out" : NearNames.Suggest(name.Key, alike));
        }
    }

    private static void CheckOverlap(DatasetFiles files, Findings findings)
    {
        var owners = new Dictionary<string, SplitList>(StringComparer.Ordinal);
        foreach (SplitList split in files.Splits.Where(s => !s.IsUnion))
        {
            foreach (string name in split.Names.Distinct().Where(name => !owners.TryAdd(name, split)))
                findings.Error(split.File ?? files.Folder, $"'{name}' is in the split '{split.Name}' and in '{owners[name].Name}'", SplitsMustDiffer);
        }
    }
}

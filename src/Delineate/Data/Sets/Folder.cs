namespace Delineate.Data.Sets;

/// <summary>
/// A plain folder: <c>images/NAME.{jpg,jpeg,png}</c> with <c>masks/NAME.png</c> (classes), or with <c>instances/NAME.png</c> (object ids, their pixels
/// read as foreground), or with both (an object's class is that of most of its pixels), and optionally split files <c>train.txt</c>, <c>val.txt</c>, <c>test.txt</c> of one name a line.
/// </summary>
public static class Folder
{
    private static readonly string[] SplitNames = ["train", "val", "trainval", "test"];

    internal const string Expected = "images/ with masks/ or instances/ (plain folder)";

    internal static bool Recognises(string folder) => Directory.Exists(Path.Combine(folder, "images")) && MaskFolders(folder).Any();

    internal static DatasetFiles Scan(string folder, DatasetManifest manifest) => DatasetFiles.Scan(
        folder,
        DatasetLayout.Folder,
        manifest,
        imageFolder: Path.Combine(folder, "images"),
        maskFolder: MaskFolder(folder, manifest.Coding),
        splitFiles: SplitNames.Select(name => Path.Combine(folder, name + ".txt")).Where(File.Exists),
        objectFolder: MaskFolders(folder).LastOrDefault(path => Path.GetFileName(path) == "instances"));

    /// <summary>Where both folders exist <c>masks/</c> is read, unless the manifest asks for instances.</summary>
    private static string MaskFolder(string folder, MaskCoding? coding) =>
        (coding == MaskCoding.Instances ? MaskFolders(folder).LastOrDefault() : MaskFolders(folder).FirstOrDefault()) ?? Path.Combine(folder, "masks");

    private static IEnumerable<string> MaskFolders(string folder) =>
        ((string[])["masks", "instances"]).Select(name => Path.Combine(folder, name)).Where(Directory.Exists);
}

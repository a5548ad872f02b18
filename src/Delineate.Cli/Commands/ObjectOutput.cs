using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Data.Objects;
using Delineate.Data.Sets;
using Delineate.Drawing;
using Delineate.Imaging;
using Delineate.Models;

namespace Delineate.Cli.Commands;

/// <summary>
/// What 'predict' writes of the objects in images: for each image an overlay and, from networks that draw masks, a PNG of 16 bits that numbers the objects; for
/// all of them COCO's list of results, which grows beside the list of an earlier run and takes its place at the end.
/// </summary>
internal sealed class ObjectOutput : IDisposable
{
    private const string Unfinished = ".tmp";

    private readonly ClassTable classes;
    private readonly bool drawsMasks;
    private readonly IReadOnlyList<string> files;
    private readonly PredictionFolder folder;
    private readonly double threshold;
    private readonly InstanceOverlayOptions drawing;
    private readonly (long Id, string FileName)[] images;
    private readonly FileStream stream;
    private readonly CocoResultWriter results;
    private bool finished;

    /// <param name="model">The network that finds the objects.</param>
    /// <param name="files">The images, in their order.</param>
    /// <param name="folder">Where everything goes.</param>
    /// <param name="ids">Ids of images and categories; null: images count from 1, categories are the labels.</param>
    /// <param name="threshold">Objects that are less sure are listed and not drawn.</param>
    /// <param name="opacity">How strongly masks cover the photo, 0…1.</param>
    /// <exception cref="UserException">Images are not listed where their ids should come from.</exception>
    public ObjectOutput(DetectionModel model, IReadOnlyList<string> files, PredictionFolder folder, CocoIds? ids, double threshold, double opacity)
    {
        (classes, drawsMasks, this.files, this.folder, this.threshold) = (model.Classes, DrawsMasks(model), files, folder, threshold);
        drawing = new InstanceOverlayOptions { Opacity = opacity, Names = true };
        images = ids is null ? Numbered(files) : Listed(files, ids);
        if (ids is not null && classes.Names.All(name => ids.CategoryOf(name) is null)) throw new UserException($"none of the model's classes is a category of {ids.File}: {ids.Categories}");
        stream = File.Create(folder.Results + Unfinished);
        results = new CocoResultWriter(stream, ids is null ? null : label => ids.CategoryOf(classes.Names[label]));
    }

    /// <summary>Whether a network tells which pixels are an object's: boxes and joints alone number none.</summary>
    public static bool DrawsMasks(Model model) => model.Network is MaskRcnn;

    /// <summary>Objects that were drawn.</summary>
    public int Drawn { get; private set; }

    /// <summary>How sure the surest object of all images is, 0 where there is none.</summary>
    public float Surest { get; private set; }

    /// <summary>Objects in the list of results.</summary>
    public int Written => results.Written;

    /// <summary>Objects that the list lacks because their class is no category of the given file.</summary>
    public int LeftOut => results.LeftOut;

    /// <summary>Writes what was found in an image and tells of it. Called for one image at a time.</summary>
    public JsonObject Write(int i, Image image, Prediction prediction)
    {
        IReadOnlyList<Instance> found = prediction.Instances!;
        Instance[] sure = [.. found.TakeWhile(o => o.Score >= threshold)];
        (string ids, string overlay) = (folder.MaskOf(i), folder.OverlayOf(i));
        if (drawsMasks) SaveIds(sure, image, ids);
        ImageFile.Save(InstanceOverlay.Draw(image, sure, classes, drawing), overlay);
        results.Add(new CocoImageResult(images[i].Id, images[i].FileName, found));
        (Drawn, Surest) = (Drawn + sure.Length, Math.Max(Surest, found.Count > 0 ? found[0].Score : 0));

        var counts = new JsonObject();
        foreach (IGrouping<int, Instance> alike in sure.GroupBy(o => o.Label).OrderBy(g => g.Key))
        {
            var count = new JsonObject { ["label"] = alike.Key, ["objects"] = alike.Count() };
            if (drawsMasks) count["pixels"] = alike.Sum(o => o.Mask!.Area);
            counts[classes.Names[alike.Key]] = count;
        }
        var told = new JsonObject { ["file"] = files[i], ["image_id"] = images[i].Id, ["height"] = image.Height, ["width"] = image.Width };
        if (drawsMasks) told["mask"] = ids;
        told["overlay"] = overlay;
        told["objects"] = sure.Length;
        told["found"] = found.Count;
        told["classes"] = counts;
        return told;
    }

    /// <summary>Ends the list and puts it in its place.</summary>
    public void Finish()
    {
        results.Finish();
        stream.Dispose();
        File.Move(stream.Name, folder.Results, overwrite: true);
        finished = true;
    }

    /// <summary>Takes away a list that was not finished.</summary>
    public void Dispose()
    {
        if (finished) return;
        stream.Dispose();
        File.Delete(stream.Name);
    }

    /// <summary>The objects' places in the list at their pixels, the surest on top.</summary>
    private static void SaveIds(Instance[] sure, Image image, string path)
    {
        var ids = new IdMap(image.Height, image.Width);
        for (int n = sure.Length; n > 0; n--) sure[n - 1].Mask?.Paint(ids.Ids.AsSpan(), n);
        ImageFile.SaveIds(ids, path);
    }

    private static (long Id, string FileName)[] Numbered(IReadOnlyList<string> files)
    {
        HashSet<string> twice = [.. files.GroupBy(Path.GetFileName, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key!)];
        return [.. files.Select((file, i) => (i + 1L, Path.GetFileName(file) is var name && twice.Contains(name) ? file.Replace('\\', '/') : name))];
    }

    private static (long Id, string FileName)[] Listed(IReadOnlyList<string> files, CocoIds ids)
    {
        (long Id, string FileName)?[] found = [.. files.Select(ids.ImageOf)];
        string[] missing = [.. files.Where((_, i) => found[i] is null)];
        if (missing.Length > 0) throw new UserException($"{missing.Length} of {files.Count} images are not listed in {ids.File}: {FileDataset.FirstOf(missing)}");
        if (Enumerable.Range(0, files.Count).GroupBy(i => found[i]!.Value.Id).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new UserException($"{string.Join(" and ", twice.Take(2).Select(i => files[i]))} are both image {twice.Key} of {ids.File}: predict them one at a time");
        return [.. found.Select(f => f!.Value)];
    }
}

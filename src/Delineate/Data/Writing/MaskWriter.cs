using System.Text.Encodings.Web;
using System.Text.Json;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data.Writing;

/// <summary>
/// Pictures that number objects and pictures of classes: VOC's folders, or a plain folder with <c>dataset.json</c>. A pixel has one object: where masks
/// overlap the smaller is taken.
/// </summary>
internal sealed class MaskWriter : DatasetWriter
{
    private const int VocObjects = 254; // of 8 bits, without 0 (none) and 255 (border)

    private readonly bool isVoc, onlyObjects;
    private bool anyObjects, anyClasses;

    public MaskWriter(string folder, ClassTable classes, bool isVoc)
        : base(folder, classes)
    {
        this.isVoc = isVoc;
        onlyObjects = !isVoc && classes.Background == 0 && classes.Count == 2; // then instances/ alone tells both
        foreach (string part in isVoc ? (string[])["SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"] : onlyObjects ? ["instances"] : ["instances", "masks"])
            Made(part.Split('/'));
    }

    public override string ImageFolder(string split) => Made(isVoc ? "JPEGImages" : "images");

    public override byte[] Write(ConvertItem item, int height, int width, Annotation truth)
    {
        IReadOnlyList<Instance> objects = truth.Instances ?? [];
        var ids = new IdMap(height, width);
        LabelMap labels = truth.Semantic is { } read && !item.Source.SemanticIsFromObjects ? read.Clone() : new LabelMap(height, width);
        bool paintsClasses = truth.Semantic is null || item.Source.SemanticIsFromObjects;
        // Areas that nobody told apart, and boxes without masks, are left out of the score.
        Instance[] unclear = [.. objects.Where(o => o.IsCrowd || o.Mask is null)];
        Instance[] clear = [.. objects.Where(o => !o.IsCrowd && o.Mask is not null)];
        Lose(onlyObjects ? "crowds left out" : "crowds left as ignored areas", unclear.Count(o => o.IsCrowd));
        Lose(onlyObjects ? "boxes without masks left out" : "boxes without masks left as ignored areas", unclear.Count(o => !o.IsCrowd));
        Lose("objects lost their joints", clear.Count(o => o.Keypoints?.Any(k => k.Score > 0) == true));
        if (isVoc && clear.Length > VocObjects)
            throw new DatasetException(item.Source.ImagePath(item.Index), $"the image has {clear.Length} objects; VOC's pictures hold {VocObjects}", "write --to masks or coco");
        if (paintsClasses)
        {
            foreach (Instance thing in unclear)
            {
                Rle area = thing.Mask ?? Rle.FromBox(thing.Box.Clip(height, width), height, width);
                area.Paint(labels.Labels.AsSpan(), Classes.IgnoreIndex);
            }
        }
        (int, Instance)[] order = [.. clear.Select((o, i) => (i + 1, o)).OrderByDescending(o => o.o.Mask!.Area).ThenBy(o => o.Item1)];
        long together = 0;
        foreach ((int id, Instance thing) in order)
        {
            together += thing.Mask!.Area;
            thing.Mask.Paint(ids.Ids.AsSpan(), id);
            if (paintsClasses) thing.Mask.Paint(labels.Labels.AsSpan(), (byte)thing.Label);
        }
        if (together > ids.Ids.Count(id => id > 0)) Lose("images with overlapping masks, where the smaller is kept whole");
        string name = item.Name + ".png";
        if (truth.Instances is not null)
        {
            anyObjects = true;
            if (isVoc) ImageFile.SaveLabels(new LabelMap(height, width, [.. ids.Ids.Select(id => (byte)id)]), Palette.Voc, Path.Combine(Folder, "SegmentationObject", name));
            else ImageFile.SaveIds(ids, Path.Combine(Folder, "instances", name));
        }
        if (onlyObjects && truth.Instances is not null) return [];
        anyClasses = true;
        if (isVoc && Classes.IgnoreIndex != 255)
        {
            Span<byte> values = labels.Labels;
            values.Replace(Classes.IgnoreIndex, (byte)255);
        }
        ImageFile.SaveLabels(labels, isVoc ? Palette.Voc : Classes.Palette, Path.Combine(Made(isVoc ? "SegmentationClass" : "masks"), name));
        return [];
    }

    public override void Finish(IReadOnlyList<ConvertItem> items)
    {
        if (isVoc)
        {
            File.WriteAllLines(Path.Combine(Folder, "class_names.txt"), Classes.Names);
            WriteLists(Path.Combine(Folder, "ImageSets", "Segmentation"), items);
            return;
        }
        WriteLists(Folder, items);
        if (!anyObjects) Directory.Delete(Path.Combine(Folder, "instances"));
        if (anyObjects && anyClasses && onlyObjects) throw new DatasetException(Folder, "some images tell objects apart and some do not", "divide the data set first");
        WriteDescription();
    }

    private void WriteDescription()
    {
        using FileStream stream = File.Create(Path.Combine(Folder, DatasetManifest.FileName));
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartArray("classes");
        foreach (string name in Classes.Names) json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteStartArray("colors");
        for (int c = 0; c < Classes.Count; c++) json.WriteStringValue(Classes.Palette[c].ToString());
        json.WriteEndArray();
        if (Classes.Background is { } background) json.WriteString("background", Classes.Names[background]);
        json.WriteNumber("ignoreIndex", Classes.IgnoreIndex);
        json.WriteStartObject("masks");
        json.WriteString("coding", onlyObjects && anyObjects ? "instances" : "labels");
        json.WriteEndObject();
        json.WriteEndObject();
    }
}

using System.Globalization;
using System.Text;

namespace Delineate.Data.Writing;

/// <summary>
/// YOLO's text files: <c>images/SPLIT/</c>, <c>labels/SPLIT/NAME.txt</c> and <c>data.yaml</c>. An object of several parts, or with holes, is one line whose
/// parts are joined by bridges without width.
/// </summary>
internal sealed class YoloWriter : DatasetWriter
{
    private readonly double tolerance;
    private readonly int[] numberOf;

    public YoloWriter(string folder, ClassTable classes, double tolerance)
        : base(folder, classes)
    {
        this.tolerance = tolerance;
        numberOf = new int[classes.Count];
        int[] things = Things;
        for (int i = 0; i < things.Length; i++) numberOf[things[i]] = i;
    }

    public override string ImageFolder(string split) => split is "train" or "val" or "test" ? Made("images", split)
        : throw new DatasetException(Folder, $"YOLO has the splits train, val and test, not '{split}'", "rename the source's split");

    public override byte[] Write(ConvertItem item, int height, int width, Annotation truth)
    {
        IReadOnlyList<Instance> objects = truth.Instances ?? [];
        if (truth.Instances is null) Lose("images of which no objects are told left without any");
        Lose("crowds left out", objects.Count(o => o.IsCrowd));
        Lose("objects lost their joints", objects.Count(o => !o.IsCrowd && o.Keypoints?.Any(k => k.Score > 0) == true));
        var text = new StringBuilder();
        foreach (Instance thing in objects.Where(o => !o.IsCrowd))
        {
            text.Append(CultureInfo.InvariantCulture, $"{numberOf[thing.Label]}");
            if (thing.Mask is { } mask)
            {
                double[] outline = MaskOutline.Join(MaskOutline.Trace(mask, tolerance).SelectMany(p => p.Holes.Prepend(p.Outer)));
                for (int i = 0; i < outline.Length; i++) Number(outline[i] / (i % 2 == 0 ? width : height));
            }
            else
            {
                Box box = thing.Box.Clip(height, width);
                Number((box.X1 + box.X2) / 2 / width);
                Number((box.Y1 + box.Y2) / 2 / height);
                Number(box.Width / width);
                Number(box.Height / height);
            }
            text.Append('\n');
        }
        File.WriteAllText(Path.Combine(Made("labels", item.Split), item.Name + ".txt"), text.ToString());
        return [];

        // Seven places are a thousandth of a pixel in images of ten thousand: corners come back to the edges of pixels.
        void Number(double value) => text.Append(CultureInfo.InvariantCulture, $" {value:0.#######}");
    }

    public override void Finish(IReadOnlyList<ConvertItem> items)
    {
        var text = new StringBuilder();
        string[] splits = [.. items.Select(i => i.Split).Distinct()];
        text.Append("path: .\n");
        foreach (string split in splits) text.Append(CultureInfo.InvariantCulture, $"{split}: images/{split}\n");
        if (!splits.Contains("val")) text.Append(CultureInfo.InvariantCulture, $"val: images/{splits[0]}\n"); // trainers want the key
        int[] things = Things;
        text.Append(CultureInfo.InvariantCulture, $"nc: {things.Length}\nnames:\n");
        for (int i = 0; i < things.Length; i++) text.Append(CultureInfo.InvariantCulture, $"  {i}: \"{Classes.Names[things[i]].Replace("\\", "\\\\").Replace("\"", "\\\"")}\"\n");
        File.WriteAllText(Path.Combine(Folder, "data.yaml"), text.ToString());
    }
}

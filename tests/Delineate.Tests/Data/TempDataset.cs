using Delineate.Imaging;
using Delineate.Tensors;

namespace Delineate.Tests.Data;

/// <summary>A data set in a temporary folder, built file by file and deleted at the end of the test.</summary>
internal sealed class TempDataset : IDisposable
{
    public TempDataset() => Directory.CreateDirectory(Root);

    public string Root { get; } = Path.Combine(Path.GetTempPath(), "delineate-" + Path.GetRandomFileName());

    public string At(string relative) => Path.Combine([Root, .. relative.Split('/')]);

    public TempDataset Bytes(string relative, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(relative))!);
        File.WriteAllBytes(At(relative), bytes);
        return this;
    }

    public TempDataset Text(string relative, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(relative))!);
        File.WriteAllText(At(relative), text);
        return this;
    }

    /// <summary>A picture of noise; the same <paramref name="seed"/> gives the same pixels.</summary>
    public TempDataset Picture(string relative, int height = 6, int width = 8, int? seed = null)
    {
        var random = new Philox((ulong)(seed ?? relative.GetHashCode(StringComparison.Ordinal)));
        var image = new Image(height, width);
        for (int i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)random.NextInt(256);
        return Bytes(relative, Png.Encode(image));
    }

    /// <summary>A mask whose values repeat <paramref name="values"/> along its rows: palette PNG where a palette is given, else grey.</summary>
    public TempDataset Mask(string relative, byte[] values, int height = 6, int width = 8, Palette? palette = null) =>
        Bytes(relative, Png.Encode(Labels(values, height, width), palette));

    public TempDataset ColorMask(string relative, Rgb[] colors, int height = 6, int width = 8)
    {
        var image = new Image(height, width);
        for (int i = 0; i < height * width; i++) image[i / width, i % width] = colors[i % colors.Length];
        return Bytes(relative, Png.Encode(image));
    }

    public TempDataset Ids(string relative, int[] values, int height = 6, int width = 8)
    {
        var ids = new IdMap(height, width);
        for (int i = 0; i < ids.Ids.Length; i++) ids.Ids[i] = values[i % values.Length];
        return Bytes(relative, Png.Encode(ids));
    }

    /// <summary>A plain folder of <paramref name="count"/> images with masks of the labels 0 and 1, named s00, s01, ….</summary>
    public static TempDataset Plain(int count, string manifest = """{ "classes": ["background", "thing"], "masks": { "coding": "labels" } }""")
    {
        var set = new TempDataset();
        if (manifest.Length > 0) set.Text("dataset.json", manifest);
        for (int i = 0; i < count; i++) set.Picture($"images/s{i:00}.png", seed: i).Mask($"masks/s{i:00}.png", [0, 1, 1]);
        return set;
    }

    public static LabelMap Labels(byte[] values, int height, int width)
    {
        var labels = new LabelMap(height, width);
        for (int i = 0; i < labels.Labels.Length; i++) labels.Labels[i] = values[i % values.Length];
        return labels;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

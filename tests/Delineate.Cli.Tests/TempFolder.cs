using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;

namespace Delineate.Cli.Tests;

/// <summary>A temporary folder with a small data set and a model, deleted at the end of the test.</summary>
internal sealed class TempFolder : IDisposable
{
    public TempFolder() => Directory.CreateDirectory(Root);

    public string Root { get; } = Path.Combine(Path.GetTempPath(), "delineate-cli-" + Path.GetRandomFileName());

    public string At(string relative) => Path.Combine([Root, .. relative.Split('/')]);

    public string Text(string relative, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(relative))!);
        File.WriteAllText(At(relative), text);
        return At(relative);
    }

    /// <summary>A picture whose left half is dark and whose right half is bright.</summary>
    public string Picture(string relative, int height = 20, int width = 24, int shade = 0)
    {
        var image = new Image(height, width);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++) image[y, x] = x < width / 2 ? new Rgb(20, (byte)shade, 10) : new Rgb(220, 200, (byte)shade);
        }
        Directory.CreateDirectory(Path.GetDirectoryName(At(relative))!);
        ImageFile.Save(image, At(relative));
        return At(relative);
    }

    /// <summary>A data set of four training and two validation images with the classes dark and bright.</summary>
    public string Data(string name = "data", string classes = "\"dark\", \"bright\"")
    {
        Text($"{name}/dataset.json", $$"""{ "classes": [{{classes}}], "masks": { "coding": "labels" } }""");
        Text($"{name}/train.txt", "s0\ns1\ns2\ns3\n");
        Text($"{name}/val.txt", "s4\ns5\n");
        Directory.CreateDirectory(At($"{name}/masks"));
        for (int i = 0; i < 6; i++)
        {
            Picture($"{name}/images/s{i}.png", shade: 10 * i);
            var labels = new LabelMap(20, 24);
            for (int p = 0; p < labels.Labels.Length; p++) labels.Labels[p] = (byte)(p % 24 < 12 ? 0 : 1);
            ImageFile.SaveLabels(labels, Palette.Voc, At($"{name}/masks/s{i}.png"));
        }
        return At(name);
    }

    /// <summary>A model file with random weights.</summary>
    public string Weights(string relative = "model.safetensors")
    {
        var classes = new ClassTable(["dark", "bright"]);
        var options = new ModelOptions { Channels = 2, Depth = 2 };
        Model model = ModelCatalog.Create("unet", options, classes, new Preprocessing { ShortSide = null }, seed: 3);
        ModelFile.Save(At(relative), model, new ModelCard { Model = "unet", Options = options, Classes = classes.Names, Preprocessing = model.Preprocessing });
        return At(relative);
    }

    /// <summary>The options of a run of a second.</summary>
    public static string[] TinyRecipe { get; } =
        ["--model", "unet", "--channels", "2", "--depth", "1", "--epochs", "1", "--crop", "16", "--base-size", "none", "--eval-short-side", "none"];

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;

namespace Delineate.Cli.Commands;

/// <summary>What 'predict' writes of the classes of an image's pixels: a palette PNG whose pixels are the labels, and an overlay.</summary>
internal sealed class LabelOutput(ClassTable classes, IReadOnlyList<string> files, PredictionFolder folder, double opacity)
{
    /// <summary>Writes both for an image and tells of them.</summary>
    public JsonObject Write(int i, Image image, Prediction prediction)
    {
        LabelMap labels = prediction.Semantic!;
        (string mask, string overlay) = (folder.MaskOf(i), folder.OverlayOf(i));
        ImageFile.SaveLabels(labels, classes.Palette, mask);
        Overlay.Save(overlay, image, labels, classes.Palette, classes.Names, new OverlayOptions { Opacity = opacity, Hidden = PredictCommand.Hidden(classes) });

        var counts = new long[256];
        foreach (byte label in labels.Labels) counts[label]++;
        var areas = new JsonObject();
        for (int c = 0; c < classes.Count; c++)
        {
            if (counts[c] > 0) areas[classes.Names[c]] = new JsonObject { ["label"] = c, ["pixels"] = counts[c], ["share"] = Math.Round((double)counts[c] / labels.Labels.Length, 6) };
        }
        return new JsonObject { ["file"] = files[i], ["height"] = image.Height, ["width"] = image.Width, ["mask"] = mask, ["overlay"] = overlay, ["classes"] = areas };
    }
}

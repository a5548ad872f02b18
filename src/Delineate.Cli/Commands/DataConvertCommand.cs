using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate data convert</c>: a data set in another format, with a report of what became of every object.</summary>
internal static class DataConvertCommand
{
    public static Command Create()
    {
        var from = new Argument<string>("from") { Description = "The data set's folder", HelpName = "FROM" };
        var to = new Argument<string>("to") { Description = "The folder to write, empty or not there yet", HelpName = "TO" };
        Option<DatasetFormat> format = SharedOptions.Choice("--to", "The format to write", DatasetFormat.Coco);
        format.Required = true;
        format.DefaultValueFactory = null;
        Option<ImageTransfer> images = SharedOptions.Choice("--images", "Copy images, or give the same files a second name (hard links)", ImageTransfer.Copy);
        var overwrite = new Option<bool>("--overwrite") { Description = "Write into a folder that is not empty; files of the same names are replaced" };
        var variant = new Option<DatasetVariant?>("--variant")
        {
            Description = "Which annotations are taken of a COCO data set that has several kinds",
            HelpName = "instances|keypoints|vocclasses",
            CustomParser = result => Enum.TryParse(result.Tokens.Count == 1 ? result.Tokens[0].Value : "", ignoreCase: true, out DatasetVariant found) && Enum.IsDefined(found)
                ? found : Refuse(result, "--variant takes instances, keypoints or vocclasses"),
        };
        var tolerance = new Option<double?>("--tolerance")
        {
            Description = "Outlines with fewer corners, which leave the masks by so many pixels at most; COCO gets outlines instead of run lengths [exact]",
            HelpName = "PIXELS",
            CustomParser = result => double.TryParse(result.Tokens.Count == 1 ? result.Tokens[0].Value : "", NumberStyles.Float, CultureInfo.InvariantCulture, out double pixels) && pixels is >= 0 and <= 100
                ? pixels : RefuseNumber(result, "--tolerance takes a number of pixels from 0 to 100"),
        };
        Option<bool> json = SharedOptions.Json();
        var command = new Command("convert", "Write a data set in another format, and compare every object with what is read back") { from, to, format, images, overwrite, variant, tolerance, json };
        command.SetAction((parsed, cancel) =>
        {
            var terminal = new Terminal(parsed.GetValue(json));
            var options = new ConvertOptions
            {
                To = parsed.GetValue(format),
                Images = parsed.GetValue(images),
                Overwrite = parsed.GetValue(overwrite),
                Variant = parsed.GetValue(variant),
                Tolerance = parsed.GetValue(tolerance),
            };
            ConvertReport report = terminal.Progress("converting", tell => DataConvert.Run(
                parsed.GetValue(from)!, parsed.GetValue(to)!, options, new Reporter((done, count) => tell(done, count, 2 * done <= count ? "writing" : "reading back")), cancel));
            foreach (string note in report.Notes) terminal.Line(note);
            terminal.Line($"{report.Folder}: {string.Join(", ", report.Splits.Select(s => $"{s.Name} {s.Images}"))} images, {report.Objects} objects");
            if (report.Objects > 0) terminal.Line(Describe(report));
            if (report.ChangedPixels > 0) terminal.Line($"{report.ChangedPixels} pixels have another class");
            terminal.Json(new JsonObject
            {
                ["folder"] = report.Folder,
                ["splits"] = new JsonArray([.. report.Splits.Select(s => new JsonObject { ["name"] = s.Name, ["images"] = s.Images })]),
                ["objects"] = report.Objects,
                ["lost"] = report.Lost,
                ["min_iou"] = report.MinIou,
                ["mean_iou"] = report.MeanIou,
                ["worst_object"] = report.WorstObject,
                ["changed_pixels"] = report.ChangedPixels,
                ["notes"] = new JsonArray([.. report.Notes.Select(n => JsonValue.Create(n))]),
            });
            return Task.FromResult(0);
        });
        return command.WithHelp(new HelpPage
        {
            Notes =
            [
                "coco holds everything; voc and masks one object to a pixel; yolo no crowds; only coco holds joints.",
                "What a format cannot hold is counted, and the IoU of every object with the one read back is reported.",
            ],
            Examples = ["delineate data convert my-coco my-yolo --to yolo --images link", "delineate data convert drawn my-coco --to coco"],
        });
    }

    private static string Describe(ConvertReport report)
    {
        if (report.Lost == report.Objects) return "read back: all lost";
        string lost = report.Lost == 0 ? "none lost" : $"{report.Lost} lost";
        return report.MinIou == 1 ? $"read back: {lost}, {(report.Lost == 0 ? "all" : "the others")} as they were, pixel for pixel"
            : string.Create(CultureInfo.InvariantCulture, $"read back: {lost}; IoU at least {report.MinIou:F4} ({report.WorstObject}), {report.MeanIou:F4} on average");
    }

    private static DatasetVariant? Refuse(System.CommandLine.Parsing.ArgumentResult result, string problem)
    {
        result.AddError(problem);
        return null;
    }

    private static double? RefuseNumber(System.CommandLine.Parsing.ArgumentResult result, string problem)
    {
        result.AddError(problem);
        return null;
    }
}

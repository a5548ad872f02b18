using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Spectre.Console;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate data check|stats|preview|convert</c>: look at a data set before it costs a night of training, and write it in other formats.</summary>
internal static class DataCommand
{
    public static Command Create() => new Command("data", "Check, count, look at and convert a data set") { Check(), Stats(), Preview(), DataConvertCommand.Create() }
        .WithExamples("delineate data check my-data", "delineate data stats my-data", "delineate data preview my-data --output sheet.png",
            "delineate data convert my-data my-coco --to coco");

    /// <summary>One line about a finding.</summary>
    internal static string Describe(Finding finding) =>
        $"{finding.Severity.ToString().ToLowerInvariant()}: {finding.File}: {finding.Message}{(finding.Remedy is { } remedy ? $"; {remedy}" : "")}";

    private static Argument<string> Folder() => new("dir") { Description = "The data set's folder", HelpName = "DIR" };

    private static Command Check()
    {
        Argument<string> folder = Folder();
        var quick = new Option<bool>("--short") { Description = "Headers of all files and a few masks only, as before a training" };
        Option<bool> json = SharedOptions.Json();
        var command = new Command("check", "Find the faults that make a training fail or learn the wrong thing") { folder, quick, json };
        command.SetAction((parsed, cancel) =>
        {
            var terminal = new Terminal(parsed.GetValue(json));
            DataReport report = terminal.Progress("checking", tell => DataCheck.Run(
                parsed.GetValue(folder)!, parsed.GetValue(quick) ? DataCheckOptions.Short : null, new Reporter((done, count) => tell(done, count, "checking")), cancel));
            foreach (Finding finding in report.Findings) terminal.Line(Describe(finding));
            if (report.Classes is { } classes) WriteTables(terminal, report.Splits, classes);
            string looked = report.ObjectsChecked > 0 && report.MasksDecoded > 0 ? $"{report.ImagesChecked} images, {report.MasksDecoded} masks and {report.ObjectsChecked} objects"
                : report.ObjectsChecked > 0 ? $"{report.ImagesChecked} images and {report.ObjectsChecked} objects" : $"{report.ImagesChecked} images and {report.MasksDecoded} masks";
            terminal.Line($"{looked} looked at: {Count(report.Errors, "error")}, {Count(report.Warnings, "warning")}");
            terminal.Json(new JsonObject
            {
                ["folder"] = report.Folder,
                ["errors"] = report.Errors,
                ["warnings"] = report.Warnings,
                ["images_checked"] = report.ImagesChecked,
                ["masks_decoded"] = report.MasksDecoded,
                ["objects_checked"] = report.ObjectsChecked,
                ["findings"] = new JsonArray([.. report.Findings.Select(f => new JsonObject
                {
                    ["severity"] = f.Severity.ToString().ToLowerInvariant(), ["file"] = f.File, ["message"] = f.Message, ["remedy"] = f.Remedy,
                })]),
                ["splits"] = report.Classes is { } table ? Splits(report.Splits, table) : null,
            });
            return Task.FromResult(report.Errors > 0 ? CommandRunner.UserMistake : 0);
        });
        return command.WithHelp(new HelpPage
        {
            Notes = ["Exit code 2 where it finds an error, 0 where it finds none; warnings do not count."],
            Examples = ["delineate data check my-data", "delineate data check my-data --json"],
        });
    }

    private static Command Stats()
    {
        Argument<string> folder = Folder();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("stats", "Count images, sizes, pixels and objects per class") { folder, json };
        command.SetAction((parsed, cancel) =>
        {
            var terminal = new Terminal(parsed.GetValue(json));
            DataStats stats = terminal.Progress("counting", tell => DataStats.Of(parsed.GetValue(folder)!, new Reporter((done, count) => tell(done, count, "counting")), cancel));
            SplitCensus[] censuses = [.. stats.Splits.Select(s => s.Census)];
            foreach (SplitStats split in stats.Splits)
            {
                terminal.Line($"{split.Census.Name}: {split.Census.Listed} samples, height {Range(split.Heights)}, width {Range(split.Widths)}");
                if (split.Objects is { } objects)
                    terminal.Line($"  {objects.Count} objects, {Range(objects.PerImage)} to an image, sides {Range(objects.Sides)}: {objects.Small} small, {objects.Large} large, {Crowds(objects.Crowds)}");
            }
            WriteTables(terminal, censuses, stats.Classes);
            terminal.Line($"balanced class weights: {string.Join(",", stats.BalancedWeights.Select(w => w.ToString("G3", CultureInfo.InvariantCulture)))}");
            foreach (string note in stats.Notes) terminal.Line(note);
            foreach (Finding finding in stats.Unreadable) terminal.Line(Describe(finding));
            terminal.Json(new JsonObject
            {
                ["folder"] = stats.Folder,
                ["classes"] = new JsonArray([.. stats.Classes.Names.Select(n => JsonValue.Create(n))]),
                ["coding"] = stats.Coding?.ToString(),
                ["splits"] = Splits(censuses, stats.Classes, [.. stats.Splits.Select(s => s.Objects)]),
                ["balanced_weights"] = new JsonArray([.. stats.BalancedWeights.Select(w => JsonValue.Create(w))]),
                ["notes"] = new JsonArray([.. stats.Notes.Select(n => JsonValue.Create(n))]),
                ["unreadable"] = new JsonArray([.. stats.Unreadable.Select(f => JsonValue.Create(f.File))]),
            });
            return Task.FromResult(0);
        });
        return command.WithExamples("delineate data stats my-data");

        static string Crowds(int count) => count == 0 ? "no crowds" : Count(count, "crowd");

        static string Range(Spread spread) => spread.Least == spread.Most ? $"{spread.Least}" : $"{spread.Least} to {spread.Most} (median {spread.Median})";
    }

    private static Command Preview()
    {
        Argument<string> folder = Folder();
        var output = new Option<string>("--output", "-o") { Description = "The picture to write, .png or .jpg", Required = true, HelpName = "FILE" };
        var split = new Option<string>("--split") { HelpName = "NAME", Description = "The split to show", DefaultValueFactory = _ => "train" };
        Option<int> count = SharedOptions.Whole("--count", "Samples on the sheet", 1, 400, 12);
        var command = new Command("preview", "Draw images with their masks and objects on one sheet") { folder, output, split, count };
        command.SetAction(parsed =>
        {
            if (Path.GetExtension(parsed.GetValue(output)!).ToLowerInvariant() is not (".png" or ".jpg" or ".jpeg")) throw new UserException($"--output {parsed.GetValue(output)} must be named .png, .jpg or .jpeg");
            Dataset dataset = DatasetCatalog.Open(parsed.GetValue(folder)!, parsed.GetValue(split)!);
            foreach (string note in dataset.Notes) Console.Error.WriteLine(note);
            ImageFile.Save(DataPreview.ContactSheet(dataset, parsed.GetValue(count), title: $"{parsed.GetValue(folder)}, {parsed.GetValue(split)}"), parsed.GetValue(output)!);
            Console.Out.WriteLine(parsed.GetValue(output));
            return 0;
        });
        return command.WithExamples("delineate data preview my-data --output sheet.png");
    }

    private static string Count(int count, string what) => $"{count} {what}{(count == 1 ? "" : "s")}";

    /// <summary>Pixels of each class where masks were counted, and objects of each class where there are some.</summary>
    private static void WriteTables(Terminal terminal, IReadOnlyList<SplitCensus> splits, ClassTable classes)
    {
        if (splits.Any(s => s.MasksCounted > 0)) terminal.Write(PixelTable(splits, classes));
        if (splits.Any(s => s.Objects.Count > 0)) terminal.Write(ObjectTable(splits, classes));
    }

    private static Table ObjectTable(IReadOnlyList<SplitCensus> splits, ClassTable classes)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("class");
        SplitCensus[] shown = [.. splits.Where(s => s.Objects.Count > 0)];
        foreach (SplitCensus split in shown) table.AddColumn(new TableColumn(Markup.Escape($"{split.Name} objects")).RightAligned());
        for (int c = 0; c < classes.Count; c++)
        {
            if (c == classes.Background || shown.All(s => s.Objects[c] == 0)) continue;
            table.AddRow([Markup.Escape(classes.Names[c]), .. shown.Select(s => s.Objects[c].ToString(CultureInfo.InvariantCulture))]);
        }
        return table;
    }

    private static Table PixelTable(IReadOnlyList<SplitCensus> splits, ClassTable classes)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("class");
        SplitCensus[] shown = [.. splits.Where(s => s.MasksCounted > 0)];
        foreach (SplitCensus split in shown) table.AddColumn(new TableColumn(Markup.Escape($"{split.Name} pixels")).RightAligned()).AddColumn(new TableColumn("images").RightAligned());
        for (int c = 0; c <= classes.Count; c++)
        {
            int label = c < classes.Count ? c : classes.IgnoreIndex;
            string name = c < classes.Count ? classes.Names[c] : "(ignored)";
            table.AddRow([Markup.Escape(name), .. shown.SelectMany(s => (string[])[
                string.Create(CultureInfo.InvariantCulture, $"{100.0 * s.Pixels[label] / Math.Max(1, s.Pixels.Sum()):F2} %"), s.Images[label].ToString(CultureInfo.InvariantCulture)])]);
        }
        return table;
    }

    private static JsonArray Splits(IReadOnlyList<SplitCensus> splits, ClassTable classes, IReadOnlyList<ObjectStats?>? objects = null) => new([.. splits.Select((s, i) =>
    {
        var pixels = new JsonObject();
        for (int c = 0; c < classes.Count; c++) pixels[classes.Names[c]] = s.Pixels[c];
        pixels["(ignored)"] = s.Pixels[classes.IgnoreIndex];
        var split = new JsonObject { ["name"] = s.Name, ["samples"] = s.Listed, ["masks_counted"] = s.MasksCounted, ["pixels"] = pixels };
        if (s.Objects.Count == 0) return (JsonNode)split;
        var counts = new JsonObject();
        for (int c = 0; c < classes.Count; c++)
            if (c != classes.Background) counts[classes.Names[c]] = s.Objects[c];
        split["objects"] = counts;
        if (objects?[i] is { } stats)
        {
            split["object_stats"] = new JsonObject
            {
                ["count"] = stats.Count, ["crowds"] = stats.Crowds, ["small"] = stats.Small, ["large"] = stats.Large,
                ["most_per_image"] = stats.PerImage.Most, ["median_per_image"] = stats.PerImage.Median, ["median_side"] = stats.Sides.Median,
            };
        }
        return split;
    })]);
}

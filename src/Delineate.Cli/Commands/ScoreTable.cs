using System.Globalization;
using Delineate.Metrics;
using Spectre.Console;

namespace Delineate.Cli.Commands;

/// <summary>The scores as a table, and in the four lines that users of FCN know.</summary>
internal static class ScoreTable
{
    public static void Write(Terminal terminal, SegmentationScores scores)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("class");
        foreach (string column in (string[])["IoU", "accuracy", "Dice", "truth"]) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (ClassScores c in scores.Classes)
        {
            string share = string.Create(CultureInfo.InvariantCulture, $"{100.0 * c.TruthPixels / Math.Max(1, scores.CountedPixels):F2} %");
            table.AddRow(Markup.Escape(c.Name), Percent(c.Iou), Percent(c.Accuracy), Percent(c.Dice), share);
        }
        terminal.Write(table);
        terminal.Line(scores.ToString());
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"frequency-weighted IoU: {100 * scores.FrequencyWeightedIou:F1}, mean Dice: {100 * scores.MeanDice:F1}; {scores.CountedPixels:N0} pixels counted, {scores.IgnoredPixels:N0} ignored"));
    }

    private static string Percent(double? share) => share is { } s ? (100 * s).ToString("F1", CultureInfo.InvariantCulture) : "absent";
}

using System.Globalization;
using Delineate.Metrics;
using Delineate.Training;
using Spectre.Console;

namespace Delineate.Cli.Commands;

/// <summary>The scores as tables: of classes in the four lines that users of FCN know too, of objects with COCO's figures.</summary>
internal static class ScoreTable
{
    public static void Write(Terminal terminal, Evaluation evaluation)
    {
        if (evaluation is ObjectEvaluation objects) Write(terminal, objects);
        else if (evaluation is SemanticEvaluation semantic) Write(terminal, semantic.Confusion.Scores(semantic.Classes.Names));
    }

    private static void Write(Terminal terminal, SegmentationScores scores)
    {
        Table table = Columns("class", "IoU", "accuracy", "Dice", "truth");
        foreach (ClassScores c in scores.Classes)
        {
            string share = string.Create(CultureInfo.InvariantCulture, $"{100.0 * c.TruthPixels / Math.Max(1, scores.CountedPixels):F2} %");
            table.AddRow(Markup.Escape(c.Name), Percent(c.Iou), Percent(c.Accuracy), Percent(c.Dice), share);
        }
        terminal.Write(table);
        terminal.Line(scores.ToString());
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"frequency-weighted IoU: {100 * scores.FrequencyWeightedIou:F1}, mean Dice: {100 * scores.MeanDice:F1}; {scores.CountedPixels:N0} pixels counted, {scores.IgnoredPixels:N0} ignored"));
    }

    /// <summary>Each class's figures where there are several, then COCO's of all, in per cent.</summary>
    private static void Write(Terminal terminal, ObjectEvaluation evaluation)
    {
        IReadOnlyList<ObjectScores> parts = evaluation.Parts;
        int classes = parts[0].Scores.Classes.Count;
        if (classes > 1)
        {
            Table table = Columns(["class", .. parts.SelectMany(p => (string[])[$"{p.Name} AP", "AP50", "recall"])]);
            for (int k = 0; k < classes; k++)
            {
                CocoClassScores[] rows = [.. parts.Select(p => p.Scores.Classes[k])];
                if (rows[0].Ap is null) continue; // COCO's table has ten numbers that no class has; a class without truth says nothing
                table.AddRow([Markup.Escape(rows[0].Name), .. rows.SelectMany(c => (string[])[Percent(c.Ap), Percent(c.Ap50), Percent(c.Recall)])]);
            }
            terminal.Write(table);
        }
        foreach (ObjectScores part in parts)
        {
            Table table = Columns(part.Name, "per cent").AddColumn("");
            foreach (CocoFigure figure in part.Scores.Figures) table.AddRow(figure.Name, Percent(figure.Value), Markup.Escape(figure.Meaning));
            terminal.Write(table);
        }
        terminal.Line($"{string.Join(", ", evaluation.Scores.Figures.Select(f => $"{f.Name} {Percent(f.Value)}"))}; {evaluation.Images} images");
    }

    private static Table Columns(params string[] names)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn(names[0]);
        foreach (string name in names[1..]) table.AddColumn(new TableColumn(name).RightAligned());
        return table;
    }

    private static string Percent(double? share) => share is { } s ? (100 * s).ToString("F1", CultureInfo.InvariantCulture) : "absent";
}

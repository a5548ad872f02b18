using System.Globalization;
using System.Text;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Training;
using static Delineate.Drawing.LineChart;

namespace Delineate.Drawing;

/// <summary>One validation image in the report: how well truth and prediction agree, what it shows, and both.</summary>
public sealed record ReportExample(string Name, ImageScore Score, Image Photo, Annotation Truth, Prediction Prediction);

/// <summary>What a report shows.</summary>
public sealed record ReportContent
{
    public required string Title { get; init; }

    /// <summary>Plain facts for the head of the page: model, data, parameters, time.</summary>
    public required IReadOnlyList<(string Name, string Value)> Facts { get; init; }

    public IReadOnlyList<EpochRecord> History { get; init; } = [];

    /// <summary>What was counted; null for a run without a validation set.</summary>
    public Evaluation? Evaluation { get; init; }

    /// <summary>Best images first.</summary>
    public IReadOnlyList<ReportExample> Best { get; init; } = [];

    /// <summary>Worst images first.</summary>
    public IReadOnlyList<ReportExample> Worst { get; init; } = [];

    /// <summary>The effective recipe as JSON.</summary>
    public string? Recipe { get; init; }
}

/// <summary>A training run or an evaluation as one HTML page that opens offline: curves, tables, confusion matrix or precision and recall, best and worst images.</summary>
public static class TrainingReport
{
    private const int ThumbnailSide = 420;
    private const string TermPrefix = "loss_"; // which the names of torchvision's losses begin with

    /// <summary>The page, everything in it.</summary>
    public static string Html(ReportContent content)
    {
        ArgumentNullException.ThrowIfNull(content);
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"""
            <!DOCTYPE html><html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>{Text(content.Title)}</title><style>{Style}</style></head><body><main>
            """);
        page.Append(CultureInfo.InvariantCulture, $"<h1>{Text(content.Title)}</h1><dl class=\"facts\">");
        foreach ((string name, string value) in content.Facts) page.Append(CultureInfo.InvariantCulture, $"<div><dt>{Text(name)}</dt><dd>{Text(value)}</dd></div>");
        page.Append("</dl>");
        if (content.History.Count > 0) Curves(page, content);
        if (content.Evaluation is SemanticEvaluation semantic)
        {
            ScoreTable(page, semantic.Confusion.Scores(semantic.Classes.Names), semantic.Classes);
            Matrix(page, semantic.Confusion, semantic.Classes);
        }
        else if (content.Evaluation is ObjectEvaluation objects)
        {
            ObjectReport.Scores(page, objects);
        }
        if (content.Evaluation is { } evaluation)
        {
            (string lowest, string highest) = evaluation is ObjectEvaluation
                ? ($"Most missed and false objects for those that there are; what is less sure than {ObjectEvaluation.ShownScore.ToString(CultureInfo.InvariantCulture)} is left out.", "Fewest missed and false objects.")
                : ("Lowest mean IoU over the classes that occur in the image.", "Highest mean IoU over the classes that occur in the image.");
            Examples(page, "Worst images", lowest, content.Worst, evaluation.Classes);
            Examples(page, "Best images", highest, content.Best, evaluation.Classes);
        }
        if (content.Recipe is { } recipe)
            page.Append(CultureInfo.InvariantCulture, $"<h2>Recipe</h2><details><summary>The effective recipe, as JSON</summary><pre>{Text(recipe)}</pre></details>");
        return page.Append("</main></body></html>\n").ToString();
    }

    private static void Curves(StringBuilder page, ReportContent content)
    {
        IReadOnlyList<EpochRecord> history = content.History;
        page.Append("<h2>Training</h2><div class=\"charts\">");
        var loss = new List<Curve> { new("total", "var(--c1)", Points(r => r.TrainLoss)) };
        string[] terms = [.. history.SelectMany(r => r.Terms.Keys).Distinct()];
        if (terms.Length > 1) loss.AddRange(terms.Take(5).Select((t, i) => new Curve(t.StartsWith(TermPrefix, StringComparison.Ordinal) ? t[TermPrefix.Length..] : t, $"var(--c{i + 2})", Points(r => r.Terms.GetValueOrDefault(t, double.NaN)))));
        page.Append(Svg("Training loss", "epoch", loss, fromZero: true));
        Figure[] figures = [.. history.SelectMany(r => r.Scores?.Figures ?? []).DistinctBy(f => f.Key).Take(6)];
        if (figures.Length > 0)
            page.Append(Svg("Validation, per cent", "epoch", [.. figures.Select((f, i) => new Curve(f.Name, $"var(--c{i + 1})", Points(r => 100 * Value(r, f.Key) ?? double.NaN)))], fromZero: true));
        page.Append(Svg("Learning rate at the epoch's end", "epoch", [new("base rate", "var(--c3)", Points(r => r.LearningRate))], fromZero: true));
        page.Append(Svg("Images per second", "epoch", [new("training", "var(--c4)", Points(r => r.ImagesPerSecond))], fromZero: true));
        page.Append("</div>");

        static double? Value(EpochRecord record, string key) => record.Scores?.Figures.FirstOrDefault(f => f.Key == key)?.Value;

        List<(double, double)> Points(Func<EpochRecord, double> figure) => [.. history.Select(r => ((double)r.Epoch, figure(r)))];
    }

    private static void ScoreTable(StringBuilder page, SegmentationScores scores, ClassTable classes)
    {
        page.Append(CultureInfo.InvariantCulture, $"""
            <h2>Scores</h2><p><b>Mean IoU {100 * scores.MeanIou:F1}</b> · pixel accuracy {100 * scores.PixelAccuracy:F1} ·
            mean accuracy {100 * scores.MeanAccuracy:F1} · frequency-weighted IoU {100 * scores.FrequencyWeightedIou:F1} ·
            mean Dice {100 * scores.MeanDice:F1} · {scores.CountedPixels:N0} pixels counted, {scores.IgnoredPixels:N0} ignored</p>
            <div class="scroll"><table><thead><tr>
            <th>class</th><th>IoU</th><th></th><th>accuracy</th><th>Dice</th><th>share of truth</th></tr></thead><tbody>
            """);
        for (int i = 0; i < scores.Classes.Count; i++)
        {
            ClassScores c = scores.Classes[i];
            double iou = 100 * (c.Iou ?? 0);
            page.Append(CultureInfo.InvariantCulture, $"""
                <tr><td><i class="swatch" style="background:{classes.Palette[i]}"></i>{Text(c.Name)}</td><td>{Percent(c.Iou)}</td>
                <td class="bar"><i style="width:{iou:F1}%"></i></td><td>{Percent(c.Accuracy)}</td><td>{Percent(c.Dice)}</td>
                <td>{100.0 * c.TruthPixels / Math.Max(1, scores.CountedPixels):F2} %</td></tr>
                """);
        }
        page.Append("</tbody></table></div>");

        static string Percent(double? share) => share is { } s ? (100 * s).ToString("F1", CultureInfo.InvariantCulture) : "absent";
    }

    /// <summary>The matrix with each row scaled to 100 %: where the pixels of a class went.</summary>
    private static void Matrix(StringBuilder page, ConfusionMatrix confusion, ClassTable classes)
    {
        int n = confusion.Classes;
        const int MostDrawn = 40; // more do not fit a screen
        if (n > MostDrawn)
        {
            page.Append(CultureInfo.InvariantCulture, $"<h2>Confusion matrix</h2><p>{n} classes are too many to draw; metrics.json holds the matrix.</p>");
            return;
        }
        const int Cell = 30, Margin = 120, Overhang = 64; // the last column's slanted name leans out to the right
        int side = Margin + (n * Cell);
        page.Append(CultureInfo.InvariantCulture, $"""
            <h2>Confusion matrix</h2>
            <p>Each row is a class of the truth, each column what its pixels were taken for, in per cent of the row.</p><div class="scroll">
            <svg class="matrix" width="{side + Overhang}" height="{side + 8}" viewBox="0 0 {side + Overhang} {side + 8}" role="img" aria-label="confusion matrix">
            """);
        for (int t = 0; t < n; t++)
        {
            int middle = Margin + (t * Cell) + (Cell / 2);
            string name = Text(Short(classes.Names[t]));
            page.Append(CultureInfo.InvariantCulture, $"""
                <text text-anchor="end" x="{Margin - 6}" y="{middle + 4}">{name}</text>
                <text text-anchor="start" transform="translate({middle + 4} {Margin - 6}) rotate(-60)">{name}</text>
                """);
            long row = Enumerable.Range(0, n).Sum(p => confusion[t, p]);
            for (int p = 0; p < n; p++)
            {
                double share = row == 0 ? 0 : (double)confusion[t, p] / row;
                string hue = t == p ? "var(--good)" : "var(--bad)";
                int x = Margin + (p * Cell), y = Margin + (t * Cell);
                page.Append(CultureInfo.InvariantCulture, $"""
                    <rect x="{x}" y="{y}" width="{Cell - 1}" height="{Cell - 1}" fill="{hue}" fill-opacity="{0.04 + (0.96 * share):F3}">
                    <title>{Text(classes.Names[t])} taken for {Text(classes.Names[p])}: {confusion[t, p]:N0} pixels, {100 * share:F1} %</title></rect>
                    """);
                if (share >= 0.005)
                    page.Append(CultureInfo.InvariantCulture, $"""<text class="cell" text-anchor="middle" x="{x + (Cell / 2)}" y="{middle + 4}">{100 * share:F0}</text>""");
            }
        }
        page.Append("</svg></div>");

        static string Short(string name) => name.Length <= 16 ? name : string.Concat(name.AsSpan(0, 15), "…");
    }

    private static void Examples(StringBuilder page, string title, string note, IReadOnlyList<ReportExample> examples, ClassTable classes)
    {
        if (examples.Count == 0) return;
        page.Append(CultureInfo.InvariantCulture, $"<h2>{Text(title)}</h2><p>{Text(note)}</p>");
        var masks = new OverlayOptions
        {
            Legend = LegendPlace.None,
            Hidden = classes.Background is { } background ? [(byte)background, classes.IgnoreIndex] : [classes.IgnoreIndex],
        };
        foreach (ReportExample example in examples)
        {
            page.Append(CultureInfo.InvariantCulture, $"<figure><figcaption>{Text(example.Name)}, {Text(example.Score.Text)}</figcaption><div class=\"row\">");
            Image photo = Thumbnail(example.Photo);
            Picture(example.Name, "image", photo);
            if (example.Truth.Instances is { } wanted && example.Prediction.Instances is { } found)
            {
                Picture(example.Name, "truth", ObjectReport.Drawn(photo, wanted, example.Photo, classes));
                Picture(example.Name, "prediction", ObjectReport.Drawn(photo, [.. found.Where(f => f.Score >= ObjectEvaluation.ShownScore)], example.Photo, classes));
            }
            else if (example.Truth.Semantic is { } truth && example.Prediction.Semantic is { } prediction)
            {
                Picture(example.Name, "truth", Masked(truth));
                Picture(example.Name, "prediction", Masked(prediction));
            }
            page.Append("</div></figure>");

            Image Masked(LabelMap labels) =>
                Overlay.Draw(photo, labels.Resize(photo.Height, photo.Width), classes.Palette, classes.Names, masks);
        }
        LabelMap[] maps = [.. examples.Where(e => e.Prediction.Semantic is not null).SelectMany(e => (LabelMap?[])[e.Truth.Semantic, e.Prediction.Semantic]).OfType<LabelMap>()];
        byte[] present = [.. maps.SelectMany(m => m.Labels).Distinct().Where(l => l < classes.Count).Order()];
        if (present.Length == 0) return;
        page.Append("<p class=\"legend\">");
        foreach (byte label in present)
            page.Append(CultureInfo.InvariantCulture, $"""<span><i class="swatch" style="background:{classes.Palette[label]}"></i>{Text(classes.Names[label])}</span>""");
        page.Append("</p>");

        void Picture(string name, string what, Image image) =>
            page.Append(CultureInfo.InvariantCulture, $"""
                <div><img alt="{what} of {Text(name)}" src="data:image/jpeg;base64,{Convert.ToBase64String(Jpeg.Encode(image, 88))}"/><span>{what}</span></div>
                """);
    }

    private static Image Thumbnail(Image image)
    {
        double scale = (double)ThumbnailSide / Math.Max(image.Height, image.Width);
        return scale >= 1 ? image : image.Resize(Math.Max(1, (int)(image.Height * scale)), Math.Max(1, (int)(image.Width * scale)), Interpolation.Bilinear);
    }

    private const string Style = """
        :root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--mute:#667;--line:#d9dde3;--c1:#2563c9;--c2:#d9730d;--c3:#1f8a5b;--c4:#8250c4;--c5:#b3365b;--c6:#6b7280;--good:#1f8a5b;--bad:#d1453b}
        @media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e9ee;--mute:#98a2b0;--line:#333a44;--c1:#6ea8ff;--c2:#f0a35e;--c3:#58c494;--c4:#b79bf0;--c5:#ee87a6;--c6:#a3acb9;--good:#58c494;--bad:#f0776c}}
        body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}main{max-width:1180px;margin:0 auto;padding:16px}
        h1{font-size:1.6rem;margin:.4em 0}h2{font-size:1.2rem;margin:1.6em 0 .4em}p{margin:.4em 0}
        .facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:0}.facts dt{color:var(--mute);font-size:.8rem}.facts dd{margin:0;font-weight:600}
        .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:12px}.chart{width:100%;height:auto;border:1px solid var(--line);border-radius:8px}
        svg text{fill:var(--fg);font:12px system-ui,sans-serif}svg .tick{fill:var(--mute);font-size:11px}svg .title{font-weight:600;font-size:13px}svg .grid{stroke:var(--line)}svg .cell{font-size:11px}svg .strong{fill:var(--bg)}td:first-child{white-space:nowrap}
        .scroll{overflow-x:auto}table{border-collapse:collapse}th,td{padding:4px 14px 4px 0;text-align:left;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
        .bar{width:160px}.bar i{display:block;height:10px;border-radius:5px;background:var(--c1)}.swatch{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:8px;border:1px solid var(--line)}
        figure{margin:0 0 18px}figcaption{font-weight:600;margin-bottom:4px}.row{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:8px}.row img{width:100%;border-radius:6px;display:block}.row span{color:var(--mute);font-size:.8rem}
        .legend span{margin-right:18px;white-space:nowrap}pre{overflow-x:auto;background:color-mix(in srgb,var(--fg) 6%,transparent);padding:12px;border-radius:8px}
        """;
}

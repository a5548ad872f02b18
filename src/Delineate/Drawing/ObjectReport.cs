using System.Globalization;
using System.Text;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Training;
using static Delineate.Drawing.LineChart;

namespace Delineate.Drawing;

/// <summary>What a report shows of objects: COCO's figures, the classes, and precision against recall.</summary>
internal static class ObjectReport
{
    private static readonly int[] CurvePercents = [50, 75, 90];

    public static void Scores(StringBuilder page, ObjectEvaluation evaluation)
    {
        IReadOnlyList<ObjectScores> parts = evaluation.Parts;
        string figures = string.Join(" · ", evaluation.Scores.Figures.Select(f => $"{Text(f.Name)} {Percent(f.Value)}"));
        page.Append(CultureInfo.InvariantCulture, $"<h2>Scores</h2><p><b>{figures}</b> · {evaluation.Images:N0} images</p>");
        page.Append("<div class=\"scroll\"><table><thead><tr><th>figure</th><th>per cent</th><th></th></tr></thead><tbody>");
        foreach (ObjectScores part in parts)
        {
            foreach (CocoFigure figure in part.Scores.Figures)
                page.Append(CultureInfo.InvariantCulture, $"<tr><td>{Text(part.Name)} {Text(figure.Name)}</td><td>{Percent(figure.Value)}</td><td>{Text(figure.Meaning)}</td></tr>");
        }
        page.Append("</tbody></table></div>");
        Classes(page, evaluation);
        Curves(page, parts);
    }

    /// <summary>A photo with objects drawn over, which lie in pixels of the photo at its own size.</summary>
    public static Image Drawn(Image photo, IReadOnlyList<Instance> objects, Image original, ClassTable classes) =>
        InstanceOverlay.Draw(
            photo, [.. objects.Select(o => o.Resize((original.Height, original.Width), (photo.Height, photo.Width), centers: true))], classes,
            new InstanceOverlayOptions { Boxes = classes.Count > 2 ? null : false }); // boxes bear names, of which one class needs none

    private static void Classes(StringBuilder page, ObjectEvaluation evaluation)
    {
        ObjectScores ranking = evaluation.Parts[0];
        page.Append(CultureInfo.InvariantCulture, $"""
            <h2>Classes</h2><div class="scroll"><table><thead><tr><th>class</th><th>{Text(ranking.Name)} AP</th><th></th><th>AP50</th><th>recall</th></tr></thead><tbody>
            """);
        foreach (CocoClassScores c in ranking.Scores.Classes.Where(c => c.Ap is not null))
        {
            page.Append(CultureInfo.InvariantCulture, $"""
                <tr><td>{Text(c.Name)}</td><td>{Percent(c.Ap)}</td><td class="bar"><i style="width:{100 * c.Ap:F1}%"></i></td>
                <td>{Percent(c.Ap50)}</td><td>{Percent(c.Recall)}</td></tr>
                """);
        }
        page.Append("</tbody></table></div>");
    }

    private static void Curves(StringBuilder page, IReadOnlyList<ObjectScores> parts)
    {
        page.Append("""
            <h2>Precision and recall</h2>
            <p>The mean over the classes, objects of all sizes, by how much a detection must resemble the truth. The area below a curve is the AP there.</p><div class="charts">
            """);
        foreach (ObjectScores part in parts)
        {
            CocoEvaluationOptions options = part.Scores.Options;
            string what = options.Similarity == InstanceSimilarity.Keypoints ? "OKS" : "IoU";
            var curves = new List<Curve>();
            foreach (int percent in CurvePercents)
            {
                int place = options.Thresholds.ToList().FindIndex(t => Math.Abs(t - (percent / 100.0)) < 1e-9);
                if (place < 0) continue;
                curves.Add(new Curve($"{what} 0.{percent}", $"var(--c{curves.Count + 1})", [.. part.Scores.Curve(place).Select((p, r) => (100 * options.Recalls[r], 100 * p))]));
            }
            page.Append(Svg($"{part.Name}: precision, per cent", "recall, per cent", curves, fromZero: true));
        }
        page.Append("</div>");
    }

    private static string Percent(double? share) => share is { } s ? (100 * s).ToString("F1", CultureInfo.InvariantCulture) : "absent";
}

using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;

namespace Delineate.Explain;

/// <summary>
/// An explanation as one HTML file that needs no network: a step at a time, forth and back, by button, slider and keyboard, or all below each other without
/// script. Numbers that were given can be changed in the page, which then computes the others anew.
/// </summary>
public static class ExplanationPage
{
    private const int MostEditable = 256;

    private static readonly Words Change = new("Change the numbers", "修改数值"), Back = new("Back", "上一步"), Forth = new("Next", "下一步"), Play = new("Play", "播放"), Pause = new("Pause", "暂停"),
        StepWord = new("Step", "步骤"), Keys = new("← → step, space plays", "← → 切换步骤，空格播放"), AsGiven = new("As given:", "最初："), Reset = new("Reset", "还原");

    /// <summary>The page.</summary>
    public static string Html(Explanation explanation, Language language)
    {
        ArgumentNullException.ThrowIfNull(explanation);
        Sheet sheet = explanation.Sheet;
        string title = Text(explanation.Title.In(language));
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"""
            <!DOCTYPE html>
            <html lang="{(language == Language.Zh ? "zh-Hans" : "en")}"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>
            <meta name="color-scheme" content="light dark"/><title>{title} – Delineate</title><style>{Resource("explain.css")}</style></head><body>
            <svg width="0" height="0" class="defs" aria-hidden="true"><defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" class="f-ink"/></marker></defs></svg>
            <main><h1>{title}</h1><p class="summary"><b class="given" hidden>{Text(AsGiven.In(language))} </b>{Text(explanation.Summary.In(language))}</p>

            """);
        Grid[] editable = [.. sheet.Grids.Where(g => g.IsGiven && g.Height * g.Width <= MostEditable)];
        if (editable.Length > 0) Editors(page, sheet, editable, language);
        page.Append(CultureInfo.InvariantCulture, $"""
            <nav hidden><button id="back" type="button">← {Text(Back.In(language))}</button><button id="play" type="button" data-play="▶ {Text(Play.In(language))}" data-pause="❚❚ {Text(Pause.In(language))}">▶ {Text(Play.In(language))}</button><button id="forth" type="button">{Text(Forth.In(language))} →</button>
            <input id="place" type="range" min="1" max="{explanation.Steps.Count}" value="1" aria-label="{Text(StepWord.In(language))}"/><output id="count" for="place">1 / {explanation.Steps.Count}</output><small>{Text(Keys.In(language))}</small></nav>

            """);
        for (int i = 0; i < explanation.Steps.Count; i++)
        {
            Step step = explanation.Steps[i];
            page.Append(CultureInfo.InvariantCulture, $"<section class=\"step\" id=\"step{i + 1}\"><h2>{i + 1}. {Text(step.Title.In(language))}</h2><p>{Text(step.Text.In(language))}</p><div class=\"exhibits\">");
            foreach (Exhibit exhibit in step.Exhibits) Show(page, exhibit, sheet, language);
            page.Append("</div></section>\n");
        }
        page.Append(CultureInfo.InvariantCulture, $"</main><script type=\"application/json\" id=\"sheet\">{ExplanationJson.Formulas(sheet).ToJsonString(JsonSerializerOptions.Default)}</script><script>{Resource("explain.js")}</script></body></html>\n");
        return page.ToString();
    }

    private static void Editors(StringBuilder page, Sheet sheet, Grid[] grids, Language language)
    {
        page.Append(CultureInfo.InvariantCulture, $"<details id=\"editors\" hidden><summary>{Text(Change.In(language))}</summary><div class=\"exhibits\">");
        foreach (Grid grid in grids)
        {
            page.Append(CultureInfo.InvariantCulture, $"<table class=\"editor\"><caption>{Text(grid.Title.In(language))}</caption>");
            for (int r = 0; r < grid.Height; r++)
            {
                page.Append("<tr>");
                for (int c = 0; c < grid.Width; c++)
                    page.Append(CultureInfo.InvariantCulture, $"<td><input type=\"number\" step=\"any\" data-given=\"{grid[r, c]}\" value=\"{sheet[grid[r, c]]:R}\" aria-label=\"{Text(grid.Name)}[{r},{c}]\"/></td>");
                page.Append("</tr>");
            }
            page.Append("</table>");
        }
        page.Append(CultureInfo.InvariantCulture, $"</div><button id=\"reset\" type=\"button\">{Text(Reset.In(language))}</button></details>\n");
    }

    private static void Show(StringBuilder page, Exhibit exhibit, Sheet sheet, Language language)
    {
        switch (exhibit)
        {
            case Exhibit.Numbers numbers:
                Figure(page, Sketch.Of(sheet, numbers, language), sheet, language, null);
                break;
            case Exhibit.Labels labels:
                Figure(page, Sketch.Of(sheet, labels, language), sheet, language, null);
                break;
            case Exhibit.Drawing drawing:
                Figure(page, drawing.Sketch, sheet, language, drawing.Caption);
                break;
            case Exhibit.Working working:
                page.Append(CultureInfo.InvariantCulture, $"<p class=\"working\" data-working=\"{working.Cell}\" data-name=\"{Text(working.Name)}\">{Text(Working.Of(sheet, working.Name, working.Cell))}</p>");
                break;
            case Exhibit.Line line:
                page.Append(CultureInfo.InvariantCulture, $"<p class=\"working\">{Text(line.Text)}</p>");
                break;
            case Exhibit.Picture picture:
                string caption = Text(picture.Caption.In(language));
                page.Append(CultureInfo.InvariantCulture, $"<figure><img class=\"pixels\" width=\"{picture.Image.Width * picture.Scale}\" height=\"{picture.Image.Height * picture.Scale}\" alt=\"{caption}\" src=\"{SketchSvg.DataUri(picture.Image)}\"/><figcaption>{caption}</figcaption></figure>");
                break;
            case Exhibit.Table table:
                page.Append("<div class=\"scroll\"><table class=\"figures\"><thead><tr>");
                foreach (Words head in table.Head) page.Append(CultureInfo.InvariantCulture, $"<th>{Text(head.In(language))}</th>");
                page.Append("</tr></thead><tbody>");
                foreach (IReadOnlyList<Words> row in table.Rows)
                {
                    page.Append("<tr>");
                    foreach (Words value in row) page.Append(CultureInfo.InvariantCulture, $"<td>{Text(value.In(language))}</td>");
                    page.Append("</tr>");
                }
                page.Append("</tbody></table></div>");
                break;
        }
    }

    private static void Figure(StringBuilder page, Sketch sketch, Sheet sheet, Language language, Words? caption)
    {
        page.Append(CultureInfo.InvariantCulture, $"<figure class=\"scroll\">{SketchSvg.Draw(sketch, sheet, language)}");
        if (caption is { } words) page.Append(CultureInfo.InvariantCulture, $"<figcaption>{Text(words.In(language))}</figcaption>");
        page.Append("</figure>");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private static string Resource(string name)
    {
        using Stream stream = typeof(ExplanationPage).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"the library lacks its part {name}");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

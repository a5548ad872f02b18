using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Delineate.Explain;
using Delineate.Explain.Topics;
using Delineate.Imaging;
using Xunit;

namespace Delineate.Tests.Explain;

/// <summary>What an explanation looks like as a page, as JSON and as pictures.</summary>
public sealed partial class SurfacesTests
{
    [Theory]
    [MemberData(nameof(Examples.Topics), MemberType = typeof(Examples))]
    public void A_page_stands_alone_and_shows_every_step(string topic)
    {
        Explanation explained = Examples.Of(topic);
        foreach (Language language in Enum.GetValues<Language>())
        {
            string html = ExplanationPage.Html(explained, language);
            Assert.Contains(language == Language.Zh ? "lang=\"zh-Hans\"" : "lang=\"en\"", html, StringComparison.Ordinal);
            Assert.DoesNotContain("http", html.Replace("http://www.w3.org", "", StringComparison.Ordinal), StringComparison.Ordinal);
            Assert.Equal(explained.Steps.Count, Section().Count(html));
            Assert.All(explained.Steps, step => Assert.Contains(System.Net.WebUtility.HtmlEncode(step.Title.In(language)), html, StringComparison.Ordinal));
            foreach (Match svg in Svg().Matches(html)) XDocument.Parse(svg.Value); // well formed
            JsonArray cells = JsonNode.Parse(Data().Match(html).Groups[1].Value)!.AsArray();
            Assert.Equal(explained.Sheet.Formulas.Count, cells.Count);
        }
    }

    [Theory]
    [MemberData(nameof(Examples.Topics), MemberType = typeof(Examples))]
    public void Every_text_is_in_both_languages(string topic)
    {
        Explanation explained = Examples.Of(topic);
        foreach (Words words in (Words[])[explained.Title, explained.Summary, .. explained.Steps.SelectMany(s => (Words[])[s.Title, s.Text])])
        {
            Assert.DoesNotContain(words.English, c => c >= 0x2E80);
            if (words.English.Contains(' ')) Assert.Contains(words.Chinese, c => c >= 0x2E80); // others are names
        }
    }

    [Theory]
    [MemberData(nameof(Examples.Topics), MemberType = typeof(Examples))]
    public void Json_tells_the_numbers_and_the_steps(string topic)
    {
        Explanation explained = Examples.Of(topic);
        JsonObject json = ExplanationJson.Of(explained, Language.En);
        Assert.Equal(topic, (string)json["topic"]!);
        Assert.Equal(explained.Steps.Count, json["steps"]!.AsArray().Count);
        Assert.Equal(explained.Sheet.Grids.Sum(g => g.Height * g.Width), json["grids"]!.AsArray().Sum(g => g!["values"]!.AsArray().Count));
    }

    [Theory]
    [MemberData(nameof(Examples.Topics), MemberType = typeof(Examples))]
    public void Every_step_is_a_picture_whose_words_the_font_has(string topic)
    {
        Explanation explained = Examples.Of(topic);
        for (int i = 0; i < explained.Steps.Count; i++)
        {
            Image picture = ExplanationPictures.Draw(explained, i);
            Assert.InRange(picture.Width, 720, 4000);
            Assert.True(picture.Pixels.Count(p => p < 128) > 100, "nothing is drawn");
        }
        // What the font lacks it draws as a box: none of the texts may need one.
        string texts = string.Concat(explained.Steps.Select(s => s.Title.English + s.Text.English + string.Concat(s.Exhibits.OfType<Exhibit.Line>().Select(l => l.Text))))
            + string.Concat(explained.Sheet.Grids.Select(g => g.Name + g.Title.English));
        Assert.All(texts.Distinct(), ch => Assert.True(Font.OfSize(16).Has(ch), $"the font lacks '{ch}'"));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(-3, "−3")]
    [InlineData(0.5, "0.5")]
    [InlineData(1.0 / 3, "0.3333")]
    [InlineData(123456.7, "123500")]
    [InlineData(1e-5, "1E−5")]
    [InlineData(double.NaN, "–")]
    public void Numbers_are_short(double value, string text) => Assert.Equal(text, Matrix.Format(value));

    [GeneratedRegex("<section class=\"step\"")]
    private static partial Regex Section();

    [GeneratedRegex("<svg viewBox.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Svg();

    [GeneratedRegex("id=\"sheet\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Data();
}

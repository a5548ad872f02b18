using System.Xml;
using System.Xml.Linq;
using Delineate.Data;
using Delineate.Drawing;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Drawing;

public sealed class TrainingReportTests
{
    private const string Nasty = "<b>&\"'</b>\u0001";

    [Fact]
    public void The_page_is_well_formed_and_shows_everything_it_was_given()
    {
        XElement page = Parse(Page());
        string[] headings = [.. page.Descendants("h2").Select(h => h.Value)];
        Assert.Equal(["Training", "Scores", "Confusion matrix", "Worst images", "Best images", "Recipe"], headings);
        Assert.Equal(4, page.Descendants("svg").Count(s => (string?)s.Attribute("class") == "chart"));
        Assert.Equal(3, page.Descendants("tbody").Single().Elements("tr").Count());
        Assert.Equal("absent", page.Descendants("tbody").Single().Elements("tr").Last().Elements("td").ElementAt(1).Value);
        Assert.Equal(9, page.Descendants("rect").Count());
        Assert.Contains("epochs", page.Descendants("pre").Single().Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_are_text_never_markup()
    {
        string page = Page();
        Assert.DoesNotContain("<b>&\"", page, StringComparison.Ordinal);
        Assert.Contains(Parse(page).Descendants("td"), td => td.Value == "<b>&\"'</b>");
    }

    [Fact]
    public void Nothing_is_fetched_and_pictures_lie_inside()
    {
        string text = Page();
        foreach (string outside in (string[])["http:", "https:", "//cdn", "<script", "<link", "@import", "url("]) Assert.DoesNotContain(outside, text, StringComparison.OrdinalIgnoreCase);
        XElement[] pictures = [.. Parse(text).Descendants("img")];
        Assert.Equal(6, pictures.Length);
        foreach (XElement picture in pictures)
        {
            const string Prefix = "data:image/jpeg;base64,";
            string source = (string)picture.Attribute("src")!;
            Assert.StartsWith(Prefix, source, StringComparison.Ordinal);
            Image image = ImageFile.Decode(Convert.FromBase64String(source[Prefix.Length..]), "picture");
            Assert.Equal((210, 420), (image.Height, image.Width)); // 600 × 1200, made smaller
        }
    }

    [Fact]
    public void A_bare_evaluation_and_a_large_class_table_fit_too()
    {
        var classes = new ClassTable(Enumerable.Range(0, 60).Select(i => $"class {i}"));
        XElement page = Parse(TrainingReport.Html(new ReportContent { Title = "t", Classes = classes, Facts = [], Confusion = new ConfusionMatrix(60) }));
        Assert.Empty(page.Descendants("rect"));
        Assert.Contains("60 classes are too many to draw", page.Value, StringComparison.Ordinal);
    }

    private static string Page()
    {
        var classes = new ClassTable([Nasty, "cat", "dog"]) { Background = 0 };
        var confusion = new ConfusionMatrix(3);
        confusion.Add(new LabelMap(1, 4, [0, 0, 1, 255]), new LabelMap(1, 4, [0, 1, 1, 0]));
        var example = new ReportExample(Nasty, 0.5, new Image(600, 1200), new LabelMap(600, 1200), new LabelMap(600, 1200));
        return TrainingReport.Html(new ReportContent
        {
            Title = Nasty,
            Classes = classes,
            Facts = [(Nasty, Nasty)],
            Confusion = confusion,
            Best = [example],
            Worst = [example],
            Recipe = new Recipe().ToJson(),
            History = [.. Enumerable.Range(1, 3).Select(i => new EpochRecord
            {
                Epoch = i, Step = i, LearningRate = 0.1 / i, TrainLoss = 1.0 / i, TrainSeconds = 1, ImagesPerSecond = 3, MeanIou = i == 3 ? null : 0.5,
                Terms = new Dictionary<string, double> { [Nasty] = 0.5, ["dice"] = 0.25 },
            })],
        });
    }

    private static XElement Parse(string page)
    {
        using var reader = XmlReader.Create(new StringReader(page), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader);
    }
}

using System.Xml;
using System.Xml.Linq;
using Delineate.Data;
using Delineate.Drawing;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tests.Models;
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
        XElement page = Parse(TrainingReport.Html(new ReportContent { Title = "t", Facts = [], Evaluation = new SemanticEvaluation(classes) }));
        Assert.Empty(page.Descendants("rect"));
        Assert.Contains("60 classes are too many to draw", page.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Objects_come_with_COCOs_figures_curves_and_pictures()
    {
        Sample sample = Objects.Sample(1);
        Instance[] truth = [.. sample.Annotation.Instances!];
        var evaluation = new ObjectEvaluation(Objects.Classes, [InstanceSimilarity.Masks, InstanceSimilarity.Boxes]);
        var prediction = new Prediction { Instances = [truth[0] with { Score = 0.9f }, truth[1] with { Score = 0.1f }] };
        ImageScore score = evaluation.Add(sample.Annotation, prediction)!;
        XElement page = Parse(TrainingReport.Html(new ReportContent
        {
            Title = "t",
            Facts = [],
            Evaluation = evaluation,
            Worst = [new ReportExample("a & b", score, sample.Image, sample.Annotation, prediction)],
            History = [new EpochRecord { Epoch = 1, Step = 1, LearningRate = 0.1, TrainLoss = 1, TrainSeconds = 1, ImagesPerSecond = 3, Scores = evaluation.Scores, Terms = new Dictionary<string, double> { ["loss_mask"] = 0.5, ["loss_box_reg"] = 0.25 } }],
        }));
        Assert.Equal(["Training", "Scores", "Classes", "Precision and recall", "Worst images"], page.Descendants("h2").Select(h => h.Value));
        string[] rows = [.. page.Descendants("tbody").First().Elements("tr").Select(r => string.Join('|', r.Elements("td").Select(d => d.Value)))];
        Assert.Equal(24, rows.Length);
        Assert.Equal("mask AP|100.0|average precision, IoU 0.50 to 0.95", rows[0]);
        Assert.Equal("box AR100|100.0|average recall of at most 100 objects of a class in an image", rows[20]);
        Assert.Equal(["tall", "wide"], page.Descendants("tbody").ElementAt(1).Elements("tr").Select(r => r.Elements("td").First().Value));
        Assert.Contains("a & b, 1 found, 1 missed, 0 false", page.Descendants("figcaption").Single().Value, StringComparison.Ordinal);
        Assert.Equal(3, page.Descendants("img").Count());
        XElement[] charts = [.. page.Descendants("svg")];
        Assert.Contains(charts, c => c.Elements("text").Any(t => t.Value == "rpn_box_reg") || c.Elements("text").Any(t => t.Value == "box_reg"));
        XElement curves = charts.Single(c => (string?)c.Attribute("aria-label") == "mask: precision, per cent");
        Assert.Equal(["IoU 0.50", "IoU 0.75", "IoU 0.90"], curves.Elements("text").Select(t => t.Value).Where(t => t.StartsWith("IoU", StringComparison.Ordinal)).Order());
        Assert.Equal(101, curves.Elements("polyline").First().Attribute("points")!.Value.Split(' ').Length);
    }

    private static string Page()
    {
        var classes = new ClassTable([Nasty, "cat", "dog"]) { Background = 0 };
        var evaluation = new SemanticEvaluation(classes);
        evaluation.Add(new Annotation { Semantic = new LabelMap(1, 4, [0, 0, 1, 255]) }, new Prediction { Semantic = new LabelMap(1, 4, [0, 1, 1, 0]) });
        var example = new ReportExample(Nasty, new ImageScore(0.5, 0, Nasty), new Image(600, 1200), new Annotation { Semantic = new LabelMap(600, 1200) }, new Prediction { Semantic = new LabelMap(600, 1200) });
        return TrainingReport.Html(new ReportContent
        {
            Title = Nasty,
            Facts = [(Nasty, Nasty)],
            Evaluation = evaluation,
            Best = [example],
            Worst = [example],
            Recipe = new Recipe().ToJson(),
            History = [.. Enumerable.Range(1, 3).Select(i => new EpochRecord
            {
                Epoch = i, Step = i, LearningRate = 0.1 / i, TrainLoss = 1.0 / i, TrainSeconds = 1, ImagesPerSecond = 3, Scores = i == 3 ? null : new Scores([new("mean_iou", "mean IoU", 0.5)], []),
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

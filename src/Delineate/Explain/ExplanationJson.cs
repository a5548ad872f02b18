using System.Text.Json.Nodes;

namespace Delineate.Explain;

/// <summary>An explanation as JSON: for other programs, and for the page's script.</summary>
public static class ExplanationJson
{
    /// <summary>The grids with their values and the steps with what they show; pictures are told by their size and caption.</summary>
    public static JsonObject Of(Explanation explanation, Language language)
    {
        ArgumentNullException.ThrowIfNull(explanation);
        Sheet sheet = explanation.Sheet;
        return new JsonObject
        {
            ["topic"] = explanation.Topic,
            ["title"] = explanation.Title.In(language),
            ["summary"] = explanation.Summary.In(language),
            ["grids"] = new JsonArray([.. sheet.Grids.Select(grid => (JsonNode)new JsonObject
            {
                ["name"] = grid.Name,
                ["title"] = grid.Title.In(language),
                ["height"] = grid.Height,
                ["width"] = grid.Width,
                ["given"] = grid.IsGiven,
                ["values"] = new JsonArray([.. sheet.ValuesOf(grid).Values.Select(Number)]),
            })]),
            ["steps"] = new JsonArray([.. explanation.Steps.Select(step => (JsonNode)new JsonObject
            {
                ["title"] = step.Title.In(language),
                ["text"] = step.Text.In(language),
                ["exhibits"] = new JsonArray([.. step.Exhibits.Select(e => (JsonNode)Show(e, sheet, language))]),
            })]),
        };
    }

    /// <summary>What each cell is computed from, for the page's script: an array whose first element names the kind.</summary>
    internal static JsonArray Formulas(Sheet sheet) => new([.. sheet.Formulas.Select(f => (JsonNode)Write(f))]);

    private static JsonArray Write(Formula formula) => formula switch
    {
        Formula.Given given => new JsonArray("g", Number(given.Value)),
        Formula.Products products => new JsonArray(["p", .. products.Terms.SelectMany(t => (int[])[t.A, t.B]).Select(Whole)]),
        Formula.Weighted weighted => new JsonArray(["w", .. weighted.Terms.SelectMany(t => (JsonNode?[])[Number(t.Weight), Whole(t.Cell)])]),
        Formula.Largest largest => new JsonArray(["m", .. largest.Cells.Select(Whole)]),
        Formula.Place place => new JsonArray("l", place.Factor, place.A, place.B, place.Ignored),
        Formula.CountOf count => new JsonArray(["c", Number(count.Value), .. count.Cells.Select(Whole)]),
        Formula.Ratio ratio => new JsonArray("r", new JsonArray([.. ratio.Over.Select(Whole)]), new JsonArray([.. ratio.Under.Select(Whole)])),
        Formula.Mean mean => new JsonArray(["a", .. mean.Cells.Select(Whole)]),
        _ => throw new ArgumentException($"a formula of {formula.GetType().Name}", nameof(formula)),
    };

    private static JsonObject Show(Exhibit exhibit, Sheet sheet, Language language) => exhibit switch
    {
        Exhibit.Numbers numbers => new JsonObject
        {
            ["kind"] = "grid",
            ["grid"] = numbers.Grid.Name,
            ["marks"] = new JsonArray([.. numbers.Marks.Where(m => m.Value != Mark.None).OrderBy(m => m.Key).Select(m => (JsonNode)new JsonObject
            {
                ["row"] = (m.Key - numbers.Grid.First) / numbers.Grid.Width,
                ["column"] = (m.Key - numbers.Grid.First) % numbers.Grid.Width,
                ["mark"] = m.Value.ToString().ToLowerInvariant(),
            })]),
        },
        Exhibit.Labels labels => new JsonObject { ["kind"] = "labels", ["grid"] = labels.Grid.Name, ["truth"] = labels.Truth.Name, ["ignored"] = labels.Ignored },
        Exhibit.Working working => new JsonObject { ["kind"] = "working", ["text"] = Explain.Working.Of(sheet, working.Name, working.Cell) },
        Exhibit.Line line => new JsonObject { ["kind"] = "line", ["text"] = line.Text },
        Exhibit.Picture picture => new JsonObject { ["kind"] = "picture", ["height"] = picture.Image.Height, ["width"] = picture.Image.Width, ["caption"] = picture.Caption.In(language) },
        Exhibit.Table table => new JsonObject
        {
            ["kind"] = "table",
            ["head"] = new JsonArray([.. table.Head.Select(h => (JsonNode)h.In(language))]),
            ["rows"] = new JsonArray([.. table.Rows.Select(r => (JsonNode)new JsonArray([.. r.Select(v => (JsonNode)v.In(language))]))]),
        },
        Exhibit.Drawing drawing => new JsonObject
        {
            ["kind"] = "drawing",
            ["caption"] = drawing.Caption.In(language),
            ["texts"] = new JsonArray([.. drawing.Sketch.Shapes.OfType<Shape2d.Text>().Select(t => (JsonNode)t.Content.In(language))]),
        },
        _ => throw new ArgumentException($"an exhibit of {exhibit.GetType().Name}", nameof(exhibit)),
    };

    private static JsonNode? Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;

    private static JsonNode? Whole(int value) => JsonValue.Create(value);
}

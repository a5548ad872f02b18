namespace Delineate.Explain;

/// <summary>How a cell's value comes about, as a line with the numbers put in.</summary>
internal static class Working
{
    private const int MostTerms = 40; // of a sum; the page's script has the same

    public static string Of(Sheet sheet, string name, int cell) => $"{name} = {Terms(sheet, cell)} = {Matrix.Format(sheet[cell])}";

    private static string Terms(Sheet sheet, int cell)
    {
        string Show(int c) => Bracketed(sheet[c]);
        string List(IReadOnlyList<int> cells, string between) => Joined([.. cells.Select(Show)], between);
        return sheet.Formulas[cell] switch
        {
            Formula.Products products => Joined([.. products.Terms.Select(t => $"{Show(t.A)}·{Show(t.B)}")], " + "),
            Formula.Weighted weighted => Joined([.. weighted.Terms.Select(t => $"{Bracketed(t.Weight)}·{Show(t.Cell)}")], " + "),
            Formula.Largest largest => $"max({List(largest.Cells, ", ")})",
            Formula.Place place => $"{place.Factor}·{Show(place.A)} + {Show(place.B)}",
            Formula.Ratio ratio => $"({List(ratio.Over, " + ")}) / ({List(ratio.Under, " + ")})",
            Formula.Mean mean => $"mean({Joined([.. mean.Cells.Where(c => !double.IsNaN(sheet[c])).Select(Show)], ", ")})",
            Formula.CountOf count => $"#({Matrix.Format(count.Value)})",
            _ => Show(cell),
        };
    }

    private static string Bracketed(double value) => value < 0 ? $"({Matrix.Format(value)})" : Matrix.Format(value);

    private static string Joined(string[] terms, string between) => terms.Length switch
    {
        0 => "0",
        > MostTerms => string.Join(between, terms[..MostTerms]) + between + "…",
        _ => string.Join(between, terms),
    };
}

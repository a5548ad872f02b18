using System.Globalization;

namespace Delineate.Explain;

/// <summary>How a cell of a <see cref="Sheet"/> gets its value from cells before it. Cells are named by their numbers in the sheet.</summary>
public abstract record Formula
{
    /// <summary>A number that was given.</summary>
    public sealed record Given(double Value) : Formula;

    /// <summary>Σ a·b.</summary>
    public sealed record Products(IReadOnlyList<(int A, int B)> Terms) : Formula;

    /// <summary>Σ weight·cell.</summary>
    public sealed record Weighted(IReadOnlyList<(double Weight, int Cell)> Terms) : Formula;

    /// <summary>The largest of some cells.</summary>
    public sealed record Largest(IReadOnlyList<int> Cells) : Formula;

    /// <summary>factor·a + b, and no number (NaN) where a is <paramref name="Ignored"/>: a pixel's place in a flattened confusion matrix.</summary>
    public sealed record Place(int Factor, int A, int B, int Ignored) : Formula;

    /// <summary>How many of some cells have this value.</summary>
    public sealed record CountOf(double Value, IReadOnlyList<int> Cells) : Formula;

    /// <summary>The sum of some cells over that of others; no number where the others are 0.</summary>
    public sealed record Ratio(IReadOnlyList<int> Over, IReadOnlyList<int> Under) : Formula;

    /// <summary>The mean of those cells that are numbers.</summary>
    public sealed record Mean(IReadOnlyList<int> Cells) : Formula;
}

/// <summary>A rectangle of cells with a name.</summary>
/// <param name="First">The number of its first cell in the sheet; the others follow row by row.</param>
/// <param name="IsGiven">Whether its numbers were given: a reader may change them.</param>
public sealed record Grid(string Name, Words Title, int Height, int Width, int First, bool IsGiven)
{
    /// <summary>The number of a cell in the sheet.</summary>
    public int this[int row, int column] => First + (row * Width) + column;

    /// <summary>The numbers of all its cells.</summary>
    public IReadOnlyList<int> Cells => [.. Enumerable.Range(First, Height * Width)];
}

/// <summary>
/// The numbers of an explanation with what each was computed from, as in a spreadsheet. It is the second, naive computation that the library's own ops must agree
/// with (<see cref="Check"/>), and what lets a page compute everything again when its reader changes a number.
/// </summary>
public sealed class Sheet
{
    private readonly List<Formula> formulas = [];
    private readonly List<double> values = [];
    private readonly List<Grid> grids = [];

    public IReadOnlyList<Formula> Formulas => formulas;

    public IReadOnlyList<Grid> Grids => grids;

    /// <summary>A cell's value.</summary>
    public double this[int cell] => values[cell];

    /// <summary>Numbers that were given.</summary>
    public Grid Give(string name, Words title, Matrix numbers)
    {
        ArgumentNullException.ThrowIfNull(numbers);
        return Add(name, title, numbers.Height, numbers.Width, (r, c) => new Formula.Given(numbers[r, c]), isGiven: true);
    }

    /// <summary>Cells that are computed from those before them.</summary>
    public Grid Compute(string name, Words title, int height, int width, Func<int, int, Formula> formula) => Add(name, title, height, width, formula, isGiven: false);

    /// <summary>The values of a grid.</summary>
    public Matrix ValuesOf(Grid grid)
    {
        ArgumentNullException.ThrowIfNull(grid);
        return new Matrix(grid.Height, grid.Width, [.. grid.Cells.Select(cell => values[cell])]);
    }

    /// <summary>Demands that the library's op gave the same numbers, to float rounding.</summary>
    /// <exception cref="InvalidOperationException">It did not: a fault of the program.</exception>
    public void Check(Grid grid, ReadOnlySpan<float> library)
    {
        Matrix own = ValuesOf(grid);
        double scale = own.Values.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        if (library.Length != own.Values.Count) throw new InvalidOperationException($"the library's {grid.Name} has {library.Length} values, not {own.Values.Count}");
        for (int i = 0; i < library.Length; i++)
        {
            if (Math.Abs(library[i] - own.Values[i]) > 1e-5 * Math.Max(1, scale))
                throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"the library's {grid.Name} has {library[i]} at {i}, the sheet {own.Values[i]}"));
        }
    }

    private Grid Add(string name, Words title, int height, int width, Func<int, int, Formula> formula, bool isGiven)
    {
        var grid = new Grid(name, title, height, width, formulas.Count, isGiven);
        for (int i = 0; i < height * width; i++)
        {
            Formula f = formula(i / width, i % width);
            formulas.Add(f);
            values.Add(Evaluate(f));
        }
        grids.Add(grid);
        return grid;
    }

    private double Evaluate(Formula formula) => formula switch
    {
        Formula.Given given => given.Value,
        Formula.Products products => products.Terms.Sum(t => values[t.A] * values[t.B]),
        Formula.Weighted weighted => weighted.Terms.Sum(t => t.Weight * values[t.Cell]),
        Formula.Largest largest => largest.Cells.Select(c => values[c]).DefaultIfEmpty(0).Max(),
        Formula.Place place => values[place.A] == place.Ignored ? double.NaN : (place.Factor * values[place.A]) + values[place.B],
        Formula.CountOf count => count.Cells.Count(c => values[c] == count.Value),
        Formula.Ratio ratio => ratio.Under.Sum(c => values[c]) is var under and not 0 ? ratio.Over.Sum(c => values[c]) / under : double.NaN,
        Formula.Mean mean => mean.Cells.Select(c => values[c]).Where(v => !double.IsNaN(v)).DefaultIfEmpty(double.NaN).Average(),
        _ => throw new ArgumentException($"a formula of {formula.GetType().Name}", nameof(formula)),
    };
}

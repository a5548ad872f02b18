using Delineate.Imaging;

namespace Delineate.Explain;

/// <summary>What a cell is to the step that shows it.</summary>
public enum Mark
{
    None,

    /// <summary>Under the window, or read by what the step computes.</summary>
    Read,

    /// <summary>Computed by this step.</summary>
    Made,

    /// <summary>Put in: padding, or a zero between.</summary>
    Filled,

    /// <summary>A label that is right.</summary>
    Right,

    /// <summary>A label that is wrong.</summary>
    Wrong,

    /// <summary>A label that does not count.</summary>
    Ignored,
}

/// <summary>Something that a step shows.</summary>
public abstract record Exhibit
{
    /// <summary>A grid of the sheet, with marks on some cells (by their numbers in the sheet).</summary>
    public sealed record Numbers(Grid Grid, IReadOnlyDictionary<int, Mark> Marks) : Exhibit;

    /// <summary>A grid of labels: right where it equals <paramref name="Truth"/>, else wrong; neither where the truth is <paramref name="Ignored"/>.</summary>
    public sealed record Labels(Grid Grid, Grid Truth, int Ignored) : Exhibit;

    /// <summary>How a cell's value comes about, with the numbers put in: 0·0 + 1·1 + … = 258.</summary>
    public sealed record Working(string Name, int Cell) : Exhibit;

    /// <summary>A line of symbols and numbers.</summary>
    public sealed record Line(string Text) : Exhibit;

    /// <summary>A picture with what it shows; <paramref name="Scale"/> screen pixels to each of its own.</summary>
    public sealed record Picture(Image Image, Words Caption, int Scale = 1) : Exhibit;

    /// <summary>A table; the first column is text, the others are figures.</summary>
    public sealed record Table(IReadOnlyList<Words> Head, IReadOnlyList<IReadOnlyList<Words>> Rows) : Exhibit;

    /// <summary>A drawing of boxes and arrows, or whatever else is laid out by hand.</summary>
    public sealed record Drawing(Sketch Sketch, Words Caption) : Exhibit;
}

/// <summary>One step: what happens, and what is to be seen of it.</summary>
public sealed record Step(Words Title, Words Text, IReadOnlyList<Exhibit> Exhibits);

/// <summary>A topic explained with numbers of one's own: steps as data, which the terminal, a page, pictures and JSON show each in their way.</summary>
/// <param name="Topic">Its name on the command line.</param>
/// <param name="Summary">What went in and what came out, in a line.</param>
/// <param name="Sheet">The numbers behind the steps, each with what it was computed from.</param>
public sealed record Explanation(string Topic, Words Title, Words Summary, Sheet Sheet, IReadOnlyList<Step> Steps);

/// <summary>Options that a topic cannot be explained with; the message names the rule in one line.</summary>
public sealed class ExplainException : Exception
{
    public ExplainException(string message)
        : base(message)
    {
    }

    public ExplainException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public ExplainException()
    {
    }
}

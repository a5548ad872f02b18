using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text;

namespace Delineate.Cli;

/// <summary>
/// The help of a command: usage, what it takes in named groups, defaults, examples at the end. The page of the library names the executable's file
/// and knows neither groups nor examples.
/// </summary>
internal sealed class HelpPage : SynchronousCommandLineAction
{
    private const int NarrowestWidth = 60, WidestWidth = 120, WidestNames = 34;

    /// <summary>What follows the command's name, one line for each way to use it; made up from its arguments where there is none.</summary>
    public IReadOnlyList<string> Usage { get; init; } = [];

    public IReadOnlyList<string> Examples { get; init; } = [];

    /// <summary>Sentences before the examples.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The options that stand under a heading of their own, in the order of the headings' first options.</summary>
    public IReadOnlyDictionary<Option, string> Groups { get; init; } = new Dictionary<Option, string>();

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        Console.Out.Write(Text(parseResult.CommandResult.Command, Console.IsOutputRedirected ? 100 : WindowWidth()));
        return 0;
    }

    /// <summary>The words that run a command: <c>delineate data check</c>.</summary>
    internal static string PathOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{PathOf(parent)} {command.Name}" : "delineate";

    internal string Text(Command command, int width)
    {
        width = Math.Clamp(width, NarrowestWidth, WidestWidth);
        var page = new StringBuilder();
        string path = PathOf(command);
        foreach (string line in Wrap(command.Description ?? "", width)) page.Append(line).Append('\n');
        page.Append("\nUsage:\n");
        foreach (string usage in Usage.Count > 0 ? Usage : [UsageOf(command)]) page.Append("  ").Append(path).Append(' ').Append(usage).Append('\n');

        List<(string Heading, string Names, string Text)> rows =
        [
            .. command.Subcommands.Where(c => !c.Hidden).Select(c => ("Commands", c.Name, c.Description ?? "")),
            .. command.Arguments.Where(a => !a.Hidden).Select(a => ("Arguments", a.HelpName ?? a.Name, a.Description ?? "")),
            .. command.Options.Where(o => !o.Hidden && !Groups.ContainsKey(o)).OrderBy(o => o is HelpOption or VersionOption)
                .Select(o => ("Options", Names(o), About(o))),
            .. command.Options.Where(o => !o.Hidden && Groups.ContainsKey(o)).Select(o => (Groups[o], Names(o), About(o))),
        ];
        int column = rows.Where(r => r.Names.Length <= WidestNames).Select(r => r.Names.Length).DefaultIfEmpty(0).Max() + 4;
        foreach (var group in rows.GroupBy(r => r.Heading))
        {
            page.Append('\n').Append(group.Key).Append(":\n");
            foreach ((_, string names, string text) in group)
            {
                List<string> lines = Wrap(text, width - column);
                if (names.Length + 4 > column) page.Append("  ").Append(names).Append('\n').Append(' ', column);
                else page.Append("  ").Append(names.PadRight(column - 2));
                page.AppendJoin("\n" + new string(' ', column), lines).Append('\n');
            }
        }
        if (Notes.Count > 0) page.Append('\n');
        foreach (string note in Notes) page.AppendJoin('\n', Wrap(note, width)).Append('\n');
        if (Examples.Count > 0) page.Append("\nExamples:\n");
        foreach (string example in Examples) page.Append("  ").Append(example).Append('\n');
        if (command.Subcommands.Count > 0) page.Append($"\n'{path} COMMAND --help' explains a command.\n");
        return page.ToString();
    }

    private static string UsageOf(Command command)
    {
        if (command.Subcommands.Count > 0) return "COMMAND [options]";
        IEnumerable<string> needed = command.Options.Where(o => o.Required).Select(o => $"{o.Name} {ValueName(o)}");
        IEnumerable<string> arguments = command.Arguments.Select(a => (a.HelpName ?? a.Name) + (a.Arity.MaximumNumberOfValues > 1 ? "…" : ""));
        return string.Join(' ', [.. arguments, .. needed, "[options]"]);
    }

    private static string Names(Option option)
    {
        IEnumerable<string> names = option.Aliases.Where(a => !a.StartsWith('/') && a != "-?").Append(option.Name).OrderBy(n => n.Length);
        string value = ValueName(option);
        return string.Join(", ", names) + (value.Length == 0 ? "" : " " + value);
    }

    private static string ValueName(Option option) => option.Arity.MaximumNumberOfValues == 0 || option.ValueType == typeof(bool) || option is HelpOption or VersionOption ? ""
        : option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant();

    private static string About(Option option)
    {
        if (option is HelpOption) return "Show this help";
        if (option is VersionOption) return "Show the version";
        string text = option.Description ?? "";
        if (option.Required) text += " (required)";
        else if (option is { HasDefaultValue: true } && option.ValueType != typeof(bool) && option.GetDefaultValue() is { } value) text += $" [{value.ToString()!.ToLowerInvariant()}]";
        return text;
    }

    private static int WindowWidth()
    {
        try
        {
            return Console.WindowWidth - 1;
        }
        catch (Exception e) when (e is IOException or PlatformNotSupportedException)
        {
            return WidestWidth;
        }
    }

    private static List<string> Wrap(string text, int width)
    {
        var lines = new List<string>();
        var line = new StringBuilder();
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                lines.Add(line.ToString());
                line.Clear();
            }
            line.Append(line.Length > 0 ? " " : "").Append(word);
        }
        lines.Add(line.ToString());
        return lines;
    }
}

/// <summary>Attaches a <see cref="HelpPage"/>.</summary>
internal static class HelpPages
{
    public static TCommand WithHelp<TCommand>(this TCommand command, HelpPage page)
        where TCommand : Command
    {
        if (command.Options.OfType<HelpOption>().FirstOrDefault() is { } known) known.Action = page;
        else command.Options.Add(new HelpOption { Action = page });
        return command;
    }

    /// <summary>Adds examples to the end of a command's help.</summary>
    public static Command WithExamples(this Command command, params string[] examples) => command.WithHelp(new HelpPage { Examples = examples });
}

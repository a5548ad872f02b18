using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Training;

namespace Delineate.Cli;

/// <summary>A mistake of the user that no library exception describes: one line, exit code 2.</summary>
internal sealed class UserException(string message) : Exception(message);

/// <summary>Runs the parsed command and turns what goes wrong into one line and an exit code: 2 for the user's mistakes, 130 when interrupted, 1 for a bug of ours.</summary>
internal static class CommandRunner
{
    public const int UserMistake = 2, Interrupted = 130, Bug = 1;

    public static async Task<int> Run(RootCommand root, string[] args)
    {
        ParseResult parsed = root.Parse(args);
        Command command = parsed.CommandResult.Command;
        if (command.Subcommands.Count > 0 && parsed.Action is null or ParseErrorAction && parsed.UnmatchedTokens.Count == 0)
            return ((SynchronousCommandLineAction)HelpOf(command)!.Action!).Invoke(parsed); // 'delineate' and 'delineate data' alone
        if (parsed.Errors.Count > 0) return Fail($"{Mistake(parsed)}. See '{HelpPage.PathOf(command)} --help'");

        using var interruption = new Interruption();
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interruption.Token);
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            Console.Error.WriteLine("interrupted");
            return Interrupted;
        }
        catch (Exception e) when (Explain(e) is { } message)
        {
            return Fail(message);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"delineate failed through a fault of its own: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            if (Environment.GetEnvironmentVariable("DELINEATE_DEBUG") == "1") Console.Error.WriteLine(e);
            else Console.Error.WriteLine("Please report it; with DELINEATE_DEBUG=1 set, the place is printed.");
            return Bug;
        }
    }

    /// <summary>One sentence for what the person at the keyboard can mend: bad files, data, options. Null for a fault of ours.</summary>
    internal static string? Explain(Exception e) => e switch
    {
        AggregateException { InnerExceptions: [var only] } => Explain(only),
        FileNotFoundException { FileName: { Length: > 0 } file } => $"there is no file {file}",
        UserException or IOException or UnauthorizedAccessException or RecipeException or TrainingException or UnknownModelException or ModelOptionsException or ShapeException => e.Message,
        OutOfMemoryException => "there is not enough memory: use a smaller --batch-size, --crop-size or image",
        _ => null,
    };

    private static int Fail(string message)
    {
        Console.Error.WriteLine($"error: {message.ReplaceLineEndings(" ").TrimEnd('.')}");
        return UserMistake;
    }

    /// <summary>The first thing wrong with the command line, with the near name where a name is unknown.</summary>
    private static string Mistake(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens is not [var unknown, ..]) return parsed.Errors[0].Message.Trim().TrimEnd('.');
        bool isOption = unknown.StartsWith('-') && unknown.Length > 1;
        if (!isOption && command.Subcommands.Count == 0) return $"'{unknown}' is one argument too many";
        string[] known = isOption
            ? [.. command.Options.Where(o => !o.Hidden).SelectMany(o => o.Aliases.Append(o.Name)).Where(n => n.StartsWith("--", StringComparison.Ordinal))]
            : [.. command.Subcommands.Select(c => c.Name)];
        string hint = NearNames.Suggest(unknown, known);
        string what = $"there is no {(isOption ? "option" : "command")} '{unknown}'";
        return hint.StartsWith("known:", StringComparison.Ordinal) && isOption ? what : $"{what}: {hint}";
    }

    private static HelpOption? HelpOf(Command command) => command.Options.OfType<HelpOption>().FirstOrDefault();

    /// <summary>The first Ctrl-C or termination signal asks the command to end well; the second ends the process at once.</summary>
    private sealed class Interruption : IDisposable
    {
        private readonly CancellationTokenSource source = new();
        private readonly List<PosixSignalRegistration> registrations;

        public Interruption() => registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(s => PosixSignalRegistration.Create(s, Ask))];

        public CancellationToken Token => source.Token;

        public void Dispose()
        {
            foreach (PosixSignalRegistration registration in registrations) registration.Dispose();
            source.Dispose();
        }

        private void Ask(PosixSignalContext context)
        {
            bool onTerminal = !Console.IsErrorRedirected;
            if (source.IsCancellationRequested)
            {
                if (onTerminal) Console.Error.Write("\e[?25h\n"); // the cursor that a progress bar hides
                return; // the system's own handling: the end
            }
            context.Cancel = true;
            Console.Error.WriteLine($"{(onTerminal ? "\n" : "")}interrupted: ending after this step; once more ends at once");
            source.Cancel();
        }
    }
}

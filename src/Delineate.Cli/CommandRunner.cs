using System.CommandLine;
using System.CommandLine.Parsing;
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
        if (parsed.Errors.Count > 0 && parsed.Action is not null and not System.CommandLine.Invocation.ParseErrorAction)
        {
            return await parsed.InvokeAsync(); // --help and --version win over missing arguments
        }
        if (parsed.Errors.Count > 0)
        {
            Command command = parsed.CommandResult.Command;
            string path = command is RootCommand ? "delineate" : $"delineate {Path(parsed.CommandResult)}";
            return Fail($"{parsed.Errors[0].Message.TrimEnd('.')}. See '{path} --help'.");
        }
        try
        {
            var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(2) };
            return await parsed.InvokeAsync(configuration);
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("interrupted");
            return Interrupted;
        }
        catch (Exception e) when (IsUsersMistake(e))
        {
            return Fail(e.Message);
        }
        catch (OutOfMemoryException)
        {
            return Fail("there is not enough memory: use a smaller --batch-size, --crop-size or image");
        }
        catch (Exception e)
        {
            Console.Error.WriteLine($"delineate failed through a fault of its own: {e.GetType().Name}: {e.Message}");
            if (Environment.GetEnvironmentVariable("DELINEATE_DEBUG") == "1") Console.Error.WriteLine(e);
            else Console.Error.WriteLine("Please report it; with DELINEATE_DEBUG=1 set, the place is printed.");
            return Bug;
        }
    }

    /// <summary>Bad files, bad data, bad options: what the person at the keyboard can mend.</summary>
    private static bool IsUsersMistake(Exception e) => e is UserException or IOException or UnauthorizedAccessException or RecipeException or TrainingException
        or UnknownModelException or ModelOptionsException or ShapeException;

    private static int Fail(string message)
    {
        Console.Error.WriteLine($"error: {message.ReplaceLineEndings(" ")}");
        return UserMistake;
    }

    private static string Path(SymbolResult result) => result.Parent is CommandResult { Command: not RootCommand } parent
        ? $"{Path(parent)} {((CommandResult)result).Command.Name}"
        : ((CommandResult)result).Command.Name;
}

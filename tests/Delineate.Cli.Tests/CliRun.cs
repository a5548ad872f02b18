using System.CommandLine;
using System.Text.Json.Nodes;

[assembly: Xunit.CollectionBehavior(DisableTestParallelization = true)] // commands write to the process's one console

namespace Delineate.Cli.Tests;

/// <summary>A command run inside the test process, with what it printed.</summary>
internal sealed record CliRun(int Code, string Output, string Errors)
{
    /// <summary>The last line of standard error: the mistake, where there was one.</summary>
    public string Error => Errors.TrimEnd().Split('\n')[^1];

    /// <summary>Standard output as the one object that <c>--json</c> promises; anything before or after it is an exception.</summary>
    public JsonObject Json => JsonNode.Parse(Output)!.AsObject();

    public static CliRun Of(params string[] args) => Of(Program.Commands(), args);

    /// <summary>The same with other commands than the program's.</summary>
    public static CliRun Of(RootCommand commands, params string[] args)
    {
        (TextWriter output, TextWriter errors) = (Console.Out, Console.Error);
        using StringWriter toOutput = new(), toErrors = new();
        try
        {
            Console.SetOut(toOutput);
            Console.SetError(toErrors);
            int code = CommandRunner.Run(commands, args).GetAwaiter().GetResult();
            return new CliRun(code, toOutput.ToString(), toErrors.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
        }
    }
}

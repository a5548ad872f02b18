using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Delineate.Tensors.Kernels;

namespace Delineate.Cli.Commands;

/// <summary>Options that several commands have, so that they are named and explained alike everywhere.</summary>
internal static class SharedOptions
{
    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object on standard output and nothing else" };

    public static Option<int?> Threads()
    {
        var option = new Option<int?>("--threads") { Description = "Threads to compute with; any number gives the same result", DefaultValueFactory = _ => null, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > 256) result.AddError("--threads takes 1 to 256");
        });
        return option;
    }

    public static Option<string> Data() => new("--data") { Description = "The data set's folder: VOC layout, images/ + masks/, or images/ + instances/", Required = true, HelpName = "DIR" };

    public static Option<string> Weights() => new("--weights") { Description = "A model file (.safetensors) that 'delineate train' wrote", Required = true, HelpName = "FILE" };

    public static void Use(this ParseResult parsed, Option<int?> threads)
    {
        if (parsed.GetValue(threads) is { } count) ThreadTeam.Threads = count;
    }

    /// <summary>Adds examples to the end of a command's help.</summary>
    public static Command WithExamples(this Command command, params string[] examples)
    {
        command.Options.Add(new HelpOption { Action = new ExamplesAction(examples) });
        return command;
    }

    private sealed class ExamplesAction(string[] examples) : SynchronousCommandLineAction
    {
        private readonly HelpAction help = new();

        public override int Invoke(ParseResult parseResult)
        {
            int code = help.Invoke(parseResult);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (string example in examples) output.WriteLine($"  {example}");
            output.WriteLine();
            return code;
        }
    }
}

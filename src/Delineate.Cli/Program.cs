using System.CommandLine;
using System.Globalization;
using Delineate.Cli.Commands;

namespace Delineate.Cli;

internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        return await CommandRunner.Run(Commands(), args);
    }

    /// <summary>Every command; a new one is a line here.</summary>
    internal static RootCommand Commands()
    {
        var root = new RootCommand("Image segmentation in managed code: train, evaluate and run networks on your own images.")
        {
            DemoCommand.Create(),
            TrainCommand.Create(),
            EvalCommand.Create(),
            PredictCommand.Create(),
            RunCommand.Create(),
            ExportCommand.Create(),
            ModelsCommand.Create(),
            BenchCommand.Create(),
            ExplainCommand.Create(),
            DataCommand.Create(),
            WeightsCommand.Create(),
        };
        root.Options.OfType<VersionOption>().Single().Action = new VersionAction();
        return root.WithHelp(new HelpPage
        {
            Examples =
            [
                "delineate demo",
                "delineate data check my-data",
                "delineate train --data my-data --model fcn_resnet50 --output runs/first",
                "delineate eval --weights runs/first/best.safetensors --data my-data",
                "delineate predict --weights runs/first/best.safetensors photo.jpg --output out",
            ],
            Notes = ["Exit codes: 0 done, 2 a mistake in the command, the files or the data, 130 interrupted, 1 a fault of the program."],
        });
    }
}

using System.CommandLine;
using System.Globalization;
using Delineate.Cli;
using Delineate.Cli.Commands;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

var root = new RootCommand("Image segmentation in managed code: train, evaluate and run networks on your own images.")
{
    DemoCommand.Create(),
    TrainCommand.Create(),
    EvalCommand.Create(),
    PredictCommand.Create(),
    ModelsCommand.Create(),
    DataCommand.Create(),
};
return await CommandRunner.Run(root, args);

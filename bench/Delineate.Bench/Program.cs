using Delineate.Bench;

switch (args is [string name, ..] ? name : "")
{
    case "conv":
        return ConvBench.Run(args.AsSpan(1));
    case "norm":
        NormBench.Run(args[1..]);
        return 0;
    case "train":
        return TrainBench.Run(args[1..]);
    default:
        Console.Error.WriteLine("usage: dotnet run -c Release --project bench/Delineate.Bench -- conv|norm|train [arguments]");
        return 2;
}

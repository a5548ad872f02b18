using Delineate.Bench;

switch (args is [string name, ..] ? name : "")
{
    case "conv":
        return ConvBench.Run(args.AsSpan(1));
    case "norm":
        NormBench.Run(args[1..]);
        return 0;
    default:
        Console.Error.WriteLine("usage: dotnet run -c Release --project bench/Delineate.Bench -- conv|norm [filter]");
        return 2;
}

using Delineate.Bench;

switch (args is [string name, ..] ? name : "")
{
    case "conv":
        return ConvBench.Run(args.AsSpan(1));
    default:
        Console.Error.WriteLine("usage: dotnet run -c Release --project bench/Delineate.Bench -- conv");
        return 2;
}

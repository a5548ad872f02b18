using Delineate.Bench;

switch (args is [var name, ..] ? name : "")
{
    case "norm":
        NormBench.Run(args[1..]);
        return 0;
    default:
        Console.Error.WriteLine("usage: Delineate.Bench norm [filter]");
        return 2;
}

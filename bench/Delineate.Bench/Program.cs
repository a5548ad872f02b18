using System.Globalization;
using Delineate.Bench;
using Delineate.Bench.Networks;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
switch (args is [string name, ..] ? name : "")
{
    case "networks":
        return NetworkCommand.Run(args[1..]);
    case "peer" when args.Length == 5:
        return OwnPeer.Serve(args[1], args[2], args[3], int.Parse(args[4], CultureInfo.InvariantCulture));
    case "onnx":
        return OnnxCheck.Run(args[1..]);
    case "onnx-detectors":
        return OnnxDetectorCheck.Run(args[1..]);
    case "load":
        return LoadBench.Run(args[1..]);
    case "load-peer" when args.Length == 4:
        return LoadBench.Serve(args[1], args[2], int.Parse(args[3], CultureInfo.InvariantCulture));
    case "seams":
        return SeamCheck.Run(args[1..]);
    case "ops":
        return OpBench.Run(args[1..]);
    case "conv":
        return ConvBench.Run(args.AsSpan(1));
    case "coco":
        return CocoBench.Run(args[1..]);
    case "scaling":
        return ScalingBench.Run(args[1..]);
    case "sliding":
        return SlidingBench.Run(args[1..]);
    case "norm":
        NormBench.Run(args[1..]);
        return 0;
    default:
        Console.Error.WriteLine("usage: dotnet run -c Release --project bench/Delineate.Bench -- networks|onnx|onnx-detectors|seams|load|ops|conv|norm|scaling|sliding|coco [arguments]");
        return 2;
}

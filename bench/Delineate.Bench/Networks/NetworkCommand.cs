using System.CommandLine;

namespace Delineate.Bench.Networks;

/// <summary>The command line of <see cref="NetworkBench"/>.</summary>
internal static class NetworkCommand
{
    public static int Run(string[] args)
    {
        var workloads = new Argument<string[]>("workloads") { Description = "Which; all where none is named", Arity = ArgumentArity.ZeroOrMore };
        workloads.AcceptOnlyFromAmong([.. OwnNetworks.Names]);
        var size = new Option<string?>("--size") { Description = "HEIGHTxWIDTH instead of each network's own" };
        var threads = new Option<int[]>("--threads") { AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2] };
        var engines = new Option<string[]>("--engines") { AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["delineate", "pytorch", "onnxruntime"] };
        engines.AcceptOnlyFromAmong("delineate", "pytorch", "onnxruntime");
        var modes = new Option<string[]>("--modes") { Description = "Ways in which Delineate runs a network", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [OwnInference.Modes[0]] };
        modes.AcceptOnlyFromAmong([.. OwnInference.Modes]);
        var rounds = new Option<int>("--rounds") { Description = "How many measurements of each engine should count", DefaultValueFactory = _ => 5 };
        var attempts = new Option<int>("--attempts") { Description = "How many times as many rounds are run at most to get them", DefaultValueFactory = _ => 4 };
        var tolerance = new Option<double>("--tolerance") { Description = "How far the calibrator may be below its best rate", DefaultValueFactory = _ => 0.05 };
        var work = new Option<string>("--work") { Description = "Where weights and inputs are kept", DefaultValueFactory = _ => Path.Combine("out", "bench") };
        var json = new Option<string?>("--json") { Description = "A file for all figures" };
        var command = new RootCommand("Whole networks against PyTorch and ONNX Runtime (bench/peers/setup.sh fetches what they need)")
        {
            workloads, size, threads, engines, modes, rounds, attempts, tolerance, work, json,
        };
        command.SetAction(parsed =>
        {
            return NetworkBench.Run(new NetworkBenchOptions
            {
                Workloads = parsed.GetValue(workloads) is { Length: > 0 } some ? some : OwnNetworks.Names,
                Size = parsed.GetValue(size),
                Threads = parsed.GetValue(threads)!,
                Families = parsed.GetValue(engines)!,
                OwnModes = parsed.GetValue(modes)!,
                Rounds = parsed.GetValue(rounds),
                Attempts = parsed.GetValue(attempts),
                Tolerance = parsed.GetValue(tolerance),
                Folder = Path.GetFullPath(parsed.GetValue(work)!),
                Json = parsed.GetValue(json),
            }) ? 0 : 1;
        });
        return command.Parse(args).Invoke();
    }
}

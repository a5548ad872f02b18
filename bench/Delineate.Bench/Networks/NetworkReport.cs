using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Delineate.Bench.Networks;

/// <summary>The figures of <see cref="NetworkBench"/> as tables and as JSON.</summary>
internal static class NetworkReport
{
    public static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One workload on one number of threads.</summary>
    public static void Write(WorkloadResult result)
    {
        Print($"\n{result.Workload} {result.Size}, {result.Threads} thread{(result.Threads == 1 ? "" : "s")}: {result.Flops / 1e9:F1} GFLOP as direct sums, peak {result.Calibrator.Best:F0} GFLOP/s");
        Print($"{"engine",-24} {"median ms",10} {"min",9} {"GFLOP/s",8} {"÷ ours",7} {"counted",8} {"runs",5} {"peak MB",8} {"running",8} {"error max",10} {"rms",8} {"vs PyTorch",10}");
        foreach (EngineResult engine in result.Engines)
        {
            IReadOnlyList<Measurement> accepted = engine.Accepted(result.Calibrator);
            double median = result.MedianMs(engine), all = EngineResult.Median(engine.Measurements.SelectMany(m => m.Ms));
            Print($"{engine.Engine.Name,-24} {median,10:F2} {engine.Measurements.SelectMany(m => m.Ms).Min(),9:F2} {result.Flops / median / 1e6,8:F0} {median / result.OursMs,7:F2} {accepted.Count,4}/{engine.Measurements.Count,-3} {accepted.Sum(m => m.Ms.Length),5} {engine.PeakMegabytes,8} {engine.RunningMegabytes,8} {engine.WorstError.Max,10:E1} {engine.WorstError.Rms,8:E1} {engine.AgainstPyTorch?.Max,10:E1}{(accepted.Count == 0 ? $"   every measurement was disturbed; median of those {all:F2}" : "")}{(result.IsRight(engine) ? "" : "   WRONG RESULT")}");
            if (engine.ManagedKilobytes is { } managed) Print($"{"",-24} allocates {managed:F0} KB on the managed heap in a run");
        }
    }

    /// <summary>All workloads: how many times as long as Delineate the others took.</summary>
    public static void WriteSummary(IReadOnlyList<WorkloadResult> results)
    {
        Print($"\n{"workload",-24} {"threads",7} {"Delineate ms",13} {"ONNX Runtime ÷ ours",20} {"PyTorch's best ÷ ours",22} {"memory ÷ PyTorch's",19}");
        foreach (WorkloadResult result in results)
        {
            Print($"{result.Workload,-24} {result.Threads,7} {result.OursMs,13:F2} {result.Against("onnxruntime"),20:F2} {result.Against("pytorch"),22:F2} {Memory(result),19:F2}");
        }
    }

    public static JsonObject ToJson(IReadOnlyList<WorkloadResult> results, NetworkBenchOptions options) => new()
    {
        ["machine"] = new JsonObject
        {
            ["cpu"] = Processor(),
            ["cores"] = Environment.ProcessorCount,
            ["system"] = RuntimeInformation.OSDescription,
            ["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture),
        },
        ["tolerance"] = options.Tolerance,
        ["rounds"] = options.Rounds,
        ["workloads"] = new JsonArray([.. results.Select(ToJson)]),
    };

    private static JsonObject ToJson(WorkloadResult result) => new()
    {
        ["workload"] = result.Workload,
        ["input"] = result.Size,
        ["threads"] = result.Threads,
        ["gflop"] = result.Flops / 1e9,
        ["peak_gflops"] = result.Calibrator.Best,
        ["onnxruntime_over_ours"] = Number(result.Against("onnxruntime")),
        ["pytorch_over_ours"] = Number(result.Against("pytorch")),
        ["engines"] = new JsonArray([.. result.Engines.Select(e => ToJson(result, e))]),
    };

    private static JsonObject ToJson(WorkloadResult result, EngineResult engine) => new()
    {
        ["engine"] = engine.Engine.Name,
        ["version"] = engine.Version,
        ["median_ms"] = Number(result.MedianMs(engine)),
        ["gflops"] = Number(result.Flops / result.MedianMs(engine) / 1e6),
        ["peak_memory_mb"] = engine.PeakMegabytes,
        ["running_memory_mb"] = engine.RunningMegabytes,
        ["managed_kb_per_run"] = engine.ManagedKilobytes,
        ["error_max"] = Number(engine.WorstError.Max),
        ["error_rms"] = Number(engine.WorstError.Rms),
        ["errors"] = new JsonArray([.. engine.Errors.Select(e => (JsonNode)new JsonObject { ["max"] = Number(e.Max), ["rms"] = Number(e.Rms) })]),
        ["is_right"] = result.IsRight(engine),
        ["error_max_against_pytorch"] = engine.AgainstPyTorch is { } error ? Number(error.Max) : null,
        ["measurements"] = new JsonArray([.. engine.Measurements.Select(m => (JsonNode)new JsonObject
        {
            ["round"] = m.Round,
            ["counts"] = EngineResult.Counts(m, result.Calibrator),
            ["before_gflops"] = Math.Round(m.Before, 1),
            ["after_gflops"] = Math.Round(m.After, 1),
            ["others_ms"] = m.OthersMs,
            ["ms"] = Rounded(m.Ms),
            ["cpu_ms"] = Rounded(m.CpuMs),
        })]),
    };

    /// <summary>Peak memory over that of PyTorch's most frugal mode.</summary>
    private static double Memory(WorkloadResult result)
    {
        double Least(string family) => result.Engines.Where(e => e.Engine.Family == family).Select(e => (double)e.PeakMegabytes).DefaultIfEmpty(double.NaN).Min();
        return Least("delineate") / Least("pytorch");
    }

    private static JsonArray Rounded(double[] values) => new([.. values.Select(v => (JsonNode)Math.Round(v, 3))]);

    /// <summary>JSON has no NaN.</summary>
    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    private static string Processor()
    {
        const string Info = "/proc/cpuinfo";
        string? line = File.Exists(Info) ? File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static void Print(FormattableString text) => Console.Out.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}

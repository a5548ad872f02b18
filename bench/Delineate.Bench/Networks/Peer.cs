using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Delineate.Bench.Networks;

/// <summary>An engine in one of its modes: what is compared.</summary>
/// <param name="Family">delineate, pytorch or onnxruntime.</param>
/// <param name="Mode">How that engine runs the network.</param>
internal sealed record Engine(string Family, string Mode)
{
    public string Name => Family switch
    {
        "pytorch" => $"PyTorch {Mode}",
        "onnxruntime" => "ONNX Runtime",
        _ => $"Delineate {Mode}",
    };
}

/// <summary>A process that has loaded one network in one engine and runs it on demand; between two runs it sleeps.</summary>
internal sealed class Peer : IDisposable
{
    private static bool warned;
    private readonly Process process;
    private long loadingMegabytes;

    private Peer(Engine engine, Process process) => (Engine, this.process) = (engine, process);

    public Engine Engine { get; }

    public string Version { get; private set; } = "";

    /// <summary>Managed bytes that the last runs allocated, at least; null where the engine has no such heap.</summary>
    public double? ManagedKilobytes { get; private set; }

    /// <summary>Processor time so far, all threads together.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
    }

    /// <summary>The most memory that the process held so far, loading included.</summary>
    public long PeakMegabytes => Math.Max(loadingMegabytes, RunningMegabytes);

    /// <summary>The most memory that the process held since <see cref="BeginRunning"/>; where the system cannot tell, since its start.</summary>
    public long RunningMegabytes
    {
        get
        {
            process.Refresh();
            return process.PeakWorkingSet64 >> 20;
        }
    }

    /// <summary>Begins a new measurement of the peak: loading and warming up are over.</summary>
    public void BeginRunning()
    {
        const string PeakOnly = "5"; // proc(5): resets the peak resident set size to the present one
        loadingMegabytes = RunningMegabytes;
        string file = $"/proc/{process.Id}/clear_refs";
        if (File.Exists(file)) File.WriteAllText(file, PeakOnly);
    }

    /// <summary>Starts the process and waits until the network is loaded.</summary>
    public static Peer Start(Engine engine, string workload, string folder, int threads)
    {
        string[] arguments = [workload, folder, engine.Mode, threads.ToString(CultureInfo.InvariantCulture)];
        ProcessStartInfo start = engine.Family switch
        {
            "delineate" => Own(["peer", .. arguments]),
            "pytorch" => Python("torch_peer.py", ["serve", .. arguments], threads),
            "onnxruntime" => new ProcessStartInfo("node", [Path.Combine(PeersFolder, "ort_peer.mjs"), .. arguments]),
            _ => throw new ArgumentException($"there is no engine '{engine.Family}'"),
        };
        (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
        var peer = new Peer(engine, Process.Start(start)!);
        peer.Version = (string)peer.Answer("loading")["version"]!;
        return peer;
    }

    /// <summary>Makes the folder of a workload where it is not there: weights, input, ONNX file and the outputs in double precision, by PyTorch.</summary>
    public static void Prepare(string workload, string folder, string? size)
    {
        if (File.Exists(Path.Combine(folder, "work.json"))) return;
        Console.Error.WriteLine($"{workload}: making weights, input, ONNX file and double-precision outputs in {folder}");
        ProcessStartInfo start = Python("torch_peer.py", size is null ? ["prepare", workload, folder] : ["prepare", workload, folder, size], Environment.ProcessorCount);
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"torch_peer.py prepare {workload} ended with {process.ExitCode}");
    }

    /// <summary>Runs the network so many times. Milliseconds by the clock, and of processor time, of each.</summary>
    public (double[] Ms, double[] CpuMs) Run(int count)
    {
        JsonObject answer = Ask($"run {count}");
        if (answer["managed_kb"] is { } managed) ManagedKilobytes = (double)managed;
        return (Numbers("ms"), Numbers("cpu_ms"));

        double[] Numbers(string key) => [.. answer[key]!.AsArray().Select(n => (double)n!)];
    }

    /// <summary>Writes the outputs of the last timed run as raw floats, in PyTorch's order of axes, to prefix0.f32, prefix1.f32, …</summary>
    public void Save(string prefix) => Ask($"save {prefix}");

    public void Dispose()
    {
        process.StandardInput.Close(); // the end of its input ends it
        if (!process.WaitForExit(TimeSpan.FromSeconds(10))) process.Kill();
        process.Dispose();
    }

    public static string PeersFolder { get; } = Path.Combine(Root(), "bench", "peers");

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Delineate.slnx"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("the bench runs from a clone of the repository: its peers are in bench/peers");
    }

    public static ProcessStartInfo Own(string[] arguments)
    {
        string program = Environment.ProcessPath!;
        bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new ProcessStartInfo(program, isHost ? [typeof(Peer).Assembly.Location, .. arguments] : arguments);
    }

    /// <summary>Debian's Python, which has PyTorch; on OpenBLAS where <c>setup.sh</c> fetched it.</summary>
    public static ProcessStartInfo Python(string script, string[] arguments, int threads)
    {
        var start = new ProcessStartInfo("/usr/bin/python3", [Path.Combine(PeersFolder, script), .. arguments]);
        start.Environment["OMP_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        start.Environment["OMP_WAIT_POLICY"] = "passive"; // a spinning thread would take a core from whoever is measured next
        // glibc would give every large map back to the system and take it anew, page by page; with these it keeps them, as the other engines do.
        start.Environment["MALLOC_MMAP_THRESHOLD_"] = start.Environment["MALLOC_TRIM_THRESHOLD_"] = (8L << 30).ToString(CultureInfo.InvariantCulture);
        string blas = Path.Combine(PeersFolder, "openblas");
        if (Directory.Exists(blas)) start.Environment["LD_LIBRARY_PATH"] = blas;
        else if (!Interlocked.Exchange(ref warned, true)) Console.Error.WriteLine("warning: without bench/peers/setup.sh PyTorch runs on the reference BLAS, which is slow");
        return start;
    }

    private JsonObject Ask(string line)
    {
        process.StandardInput.WriteLine(line);
        process.StandardInput.Flush();
        return Answer(line);
    }

    private JsonObject Answer(string question) => process.StandardOutput.ReadLine() is { } line
        ? JsonNode.Parse(line)!.AsObject()
        : throw new InvalidOperationException($"{Engine.Name} ended while it was at: {question}");
}

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Delineate.Bench.Networks;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;

namespace Delineate.Bench;

/// <summary>
/// Reading a checkpoint of fcn_resnet101, full size with its auxiliary head, beside PyTorch: <c>load [FOLDER]</c>. Each side is a process of its own; they load in
/// turn, from a file that the system has in memory, in both of PyTorch's formats.
/// </summary>
internal static class LoadBench
{
    private const string Model = "fcn_resnet101";
    private const int Rounds = 7, Classes = 21;

    /// <summary>What is compared, and how each side does it: in memory of its own (<c>new</c>) or into a network that exists (<c>into</c>).</summary>
    private static readonly (string About, string Ours, string Theirs, bool Fresh)[] Works =
    [
        ("a new process's first load: ModelFile.LoadAs, torch.load", "new", "new", true),
        ("into a network that exists; torch.load", "into", "new", false),
        ("into a network that exists; torch.load and load_state_dict", "into", "into", false),
    ];

    public static int Run(string[] args)
    {
        string folder = args.Length > 0 ? args[0] : Path.Combine("out", "bench", "load");
        using (Process make = Process.Start(Peer.Python("load_bench.py", ["make", folder], Environment.ProcessorCount))!)
        {
            make.WaitForExit();
            if (make.ExitCode != 0) return make.ExitCode;
        }
        Console.WriteLine($"{Model} with auxiliary head; medians of {Rounds}; ms by the clock, and of processor time; MB that a process held at the most in its first load beyond what it held before and the network itself");
        Console.WriteLine($"{"",-60} {"format",-7} {"threads",7} {"ms: ours",9} {"PyTorch",8} {"ratio",6} {"cpu: ours",10} {"PyTorch",8} {"ratio",6} {"MB: ours",9} {"PyTorch",8} {"file",7}");
        foreach ((string about, string ours, string theirs, bool fresh) in Works)
        {
            foreach (string format in new[] { "zip", "stream" })
            {
                string path = Path.Combine(folder, $"{Model}_{format}.pth");
                foreach (int threads in new[] { Environment.ProcessorCount, 1 }.Distinct())
                {
                    var starts = new[] { Peer.Own(["load-peer", path, ours, threads.ToString(CultureInfo.InvariantCulture)]), Peer.Python("load_bench.py", ["serve", path, theirs], Environment.ProcessorCount) };
                    Loaded[] found = fresh ? FirstLoads(starts) : LaterLoads(starts);
                    (Loaded own, Loaded peer) = (found[0], found[1]);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{about,-60} {format,-7} {threads,7} {own.Ms,9:F0} {peer.Ms,8:F0} {own.Ms / peer.Ms,6:F2} {own.CpuMs,10:F0} {peer.CpuMs,8:F0} {own.CpuMs / peer.CpuMs,6:F2} {own.ExtraMegabytes,9:F1} {peer.ExtraMegabytes,8:F1} {new FileInfo(path).Length / 1e6,7:F1}"));
                }
            }
        }
        return 0;
    }

    /// <summary>Of each side as many processes as there are rounds, one at a time and in turn.</summary>
    private static Loaded[] FirstLoads(ProcessStartInfo[] starts)
    {
        var loads = starts.Select(_ => new List<Loaded>()).ToArray();
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < starts.Length; i++)
            {
                int turn = (round + i) % starts.Length;
                using var side = new Side(starts[turn]);
                loads[turn].Add(side.First);
            }
        }
        return Array.ConvertAll(loads, Loaded.Median);
    }

    /// <summary>Of each side one process, which has loaded once; from then on they load in turn, and one sleeps while the other loads.</summary>
    private static Loaded[] LaterLoads(ProcessStartInfo[] starts)
    {
        Side[] sides = Array.ConvertAll(starts, start => new Side(start));
        var loads = starts.Select(_ => new List<Loaded>()).ToArray();
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < sides.Length; i++) loads[(round + i) % sides.Length].Add(sides[(round + i) % sides.Length].Load());
        }
        foreach (Side side in sides) side.Dispose();
        return Array.ConvertAll(loads, Loaded.Median);
    }

    /// <summary>Our side: loads the file whenever a line comes, and answers with the milliseconds that it took.</summary>
    public static int Serve(string path, string work, int threads)
    {
        ThreadTeam.Threads = threads;
        Module? network = null;
        if (work == "into")
        {
            var classes = new ClassTable(Enumerable.Range(0, Classes).Select(i => $"class {i}"));
            using (Init.Skip()) network = ModelCatalog.Create(Model, new ModelOptions { AuxiliaryHead = true }, classes).Network;
            foreach ((_, Tensor tensor) in network.StateDict()) tensor.Span.Fill(float.NaN); // the network's memory is there before it is loaded
        }
        Answer(new JsonObject { ["ready"] = true });
        while (Console.ReadLine() is not null)
        {
            GC.Collect();
            TimeSpan processor = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            Module loaded = network ?? ModelFile.LoadAs(path, Model).Network;
            if (network is not null)
            {
                using WeightFile file = WeightFile.Open(path);
                WeightLoading.Load(network, file);
            }
            double ms = Stopwatch.GetElapsedTime(start).TotalMilliseconds, cpuMs = (Environment.CpuUsage.TotalTime - processor).TotalMilliseconds;
            if (loaded.StateDict().Any(s => float.IsNaN(s.Tensor.Span[^1]))) throw new InvalidOperationException("a tensor was not filled");
            long made = network is null ? loaded.StateDict().Sum(s => (long)s.Tensor.Length * sizeof(float)) : 0;
            Answer(new JsonObject { ["ms"] = ms, ["cpu_ms"] = cpuMs, ["new_bytes"] = made });
        }
        return 0;
    }

    private static void Answer(JsonObject values) => Console.Out.WriteLine(values.ToJsonString(JsonSerializerOptions.Web));

    /// <summary>One load, or the medians of several.</summary>
    private readonly record struct Loaded(double Ms, double CpuMs, double ExtraMegabytes)
    {
        public static Loaded Median(List<Loaded> loads) =>
            new(EngineResult.Median(loads.Select(l => l.Ms)), EngineResult.Median(loads.Select(l => l.CpuMs)), EngineResult.Median(loads.Select(l => l.ExtraMegabytes)));
    }

    /// <summary>A process that loads on demand, and sleeps otherwise.</summary>
    private sealed class Side : IDisposable
    {
        private readonly Process process;
        private readonly double extraMegabytes;

        public Side(ProcessStartInfo start)
        {
            (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
            process = Process.Start(start)!;
            Answer();
            long before = Status("VmRSS");
            File.WriteAllText($"/proc/{process.Id}/clear_refs", "5"); // proc(5): from now on the peak is what is held at the most
            JsonObject first = Ask();
            extraMegabytes = (Status("VmHWM") - before - (long)first["new_bytes"]!) / 1e6;
            First = Of(first);
        }

        /// <summary>The process's first load.</summary>
        public Loaded First { get; }

        public Loaded Load() => Of(Ask());

        public void Dispose()
        {
            process.StandardInput.Close(); // the end of its input ends it
            if (!process.WaitForExit(TimeSpan.FromSeconds(10))) process.Kill();
            process.Dispose();
        }

        private JsonObject Ask()
        {
            process.StandardInput.WriteLine("load");
            process.StandardInput.Flush();
            return Answer();
        }

        private Loaded Of(JsonObject answer) => new((double)answer["ms"]!, (double)answer["cpu_ms"]!, extraMegabytes);

        private JsonObject Answer() => JsonNode.Parse(process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("a side ended"))!.AsObject();

        private long Status(string key)
        {
            string line = File.ReadLines($"/proc/{process.Id}/status").First(l => l.StartsWith(key, StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;
        }
    }
}

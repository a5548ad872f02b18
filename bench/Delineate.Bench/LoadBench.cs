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
        Console.WriteLine($"{Model} with auxiliary head; ms, medians of {Rounds}; extra: the most that a process held at its first load beyond what it held before and the network itself, MB");
        Console.WriteLine($"{"",-60} {"format",-7} {"threads",7} {"ours",8} {"PyTorch",8} {"ratio",6} {"extra: ours",12} {"PyTorch",8} {"file",7}");
        foreach ((string about, string ours, string theirs, bool fresh) in Works)
        {
            foreach (string format in new[] { "zip", "stream" })
            {
                string path = Path.Combine(folder, $"{Model}_{format}.pth");
                foreach (int threads in new[] { Environment.ProcessorCount, 1 }.Distinct())
                {
                    var starts = new[] { Peer.Own(["load-peer", path, ours, threads.ToString(CultureInfo.InvariantCulture)]), Peer.Python("load_bench.py", ["serve", path, theirs], Environment.ProcessorCount) };
                    (double Ms, double ExtraMegabytes)[] found = fresh ? FirstLoads(starts) : LaterLoads(starts);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{about,-60} {format,-7} {threads,7} {found[0].Ms,8:F0} {found[1].Ms,8:F0} {found[0].Ms / found[1].Ms,6:F2} {found[0].ExtraMegabytes,12:F1} {found[1].ExtraMegabytes,8:F1} {new FileInfo(path).Length / 1e6,7:F1}"));
                }
            }
        }
        return 0;
    }

    /// <summary>Of each side as many processes as there are rounds, one at a time and in turn.</summary>
    private static (double Ms, double ExtraMegabytes)[] FirstLoads(ProcessStartInfo[] starts)
    {
        var loads = starts.Select(_ => new List<Side>()).ToArray();
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < starts.Length; i++)
            {
                int turn = (round + i) % starts.Length;
                using var side = new Side(starts[turn]);
                loads[turn].Add(side);
            }
        }
        return Array.ConvertAll(loads, sides => (EngineResult.Median(sides.Select(s => s.FirstMs)), EngineResult.Median(sides.Select(s => s.ExtraMegabytes))));
    }

    /// <summary>Of each side one process, which has loaded once; from then on they load in turn, and one sleeps while the other loads.</summary>
    private static (double Ms, double ExtraMegabytes)[] LaterLoads(ProcessStartInfo[] starts)
    {
        Side[] sides = Array.ConvertAll(starts, start => new Side(start));
        var ms = starts.Select(_ => new List<double>()).ToArray();
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < sides.Length; i++) ms[(round + i) % sides.Length].Add((double)sides[(round + i) % sides.Length].Load()["ms"]!);
        }
        foreach (Side side in sides) side.Dispose();
        return [.. sides.Select((side, i) => (EngineResult.Median(ms[i]), side.ExtraMegabytes))];
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
            long start = Stopwatch.GetTimestamp();
            Module loaded = network ?? ModelFile.LoadAs(path, Model).Network;
            if (network is not null)
            {
                using WeightFile file = WeightFile.Open(path);
                WeightLoading.Load(network, file);
            }
            double ms = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            if (loaded.StateDict().Any(s => float.IsNaN(s.Tensor.Span[^1]))) throw new InvalidOperationException("a tensor was not filled");
            long made = network is null ? loaded.StateDict().Sum(s => (long)s.Tensor.Length * sizeof(float)) : 0;
            Answer(new JsonObject { ["ms"] = ms, ["new_bytes"] = made });
        }
        return 0;
    }

    private static void Answer(JsonObject values) => Console.Out.WriteLine(values.ToJsonString(JsonSerializerOptions.Web));

    /// <summary>A process that loads on demand, and sleeps otherwise.</summary>
    private sealed class Side : IDisposable
    {
        private readonly Process process;

        public Side(ProcessStartInfo start)
        {
            (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
            process = Process.Start(start)!;
            Answer();
            long before = Status("VmRSS");
            File.WriteAllText($"/proc/{process.Id}/clear_refs", "5"); // proc(5): from now on the peak is what is held at the most
            JsonObject first = Load();
            (FirstMs, ExtraMegabytes) = ((double)first["ms"]!, (Status("VmHWM") - before - (long)first["new_bytes"]!) / 1e6);
        }

        public double FirstMs { get; }

        public double ExtraMegabytes { get; }

        public JsonObject Load()
        {
            process.StandardInput.WriteLine("load");
            process.StandardInput.Flush();
            return Answer();
        }

        public void Dispose()
        {
            process.StandardInput.Close(); // the end of its input ends it
            if (!process.WaitForExit(TimeSpan.FromSeconds(10))) process.Kill();
            process.Dispose();
        }

        private JsonObject Answer() => JsonNode.Parse(process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("a side ended"))!.AsObject();

        private long Status(string key)
        {
            string line = File.ReadLines($"/proc/{process.Id}/status").First(l => l.StartsWith(key, StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;
        }
    }
}

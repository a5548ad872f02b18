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
/// turn, from a file that the system has in memory, in both of PyTorch's formats. The peak is taken of each process's first load.
/// </summary>
internal static class LoadBench
{
    private const string Model = "fcn_resnet101";
    private const int Rounds = 7, Classes = 21;

    /// <summary>What is compared: weights read into a network that exists, and a network or state dict with memory of its own.</summary>
    private static readonly (string Work, string Theirs)[] Works = [("into", "torch.load and load_state_dict"), ("new", "torch.load")];

    public static int Run(string[] args)
    {
        string folder = args.Length > 0 ? args[0] : Path.Combine("out", "bench", "load");
        using (Process make = Process.Start(Peer.Python("load_bench.py", ["make", folder], Environment.ProcessorCount))!)
        {
            make.WaitForExit();
            if (make.ExitCode != 0) return make.ExitCode;
        }
        Console.WriteLine($"{Model} with auxiliary head; medians of {Rounds}, ms; extra: the most that the process held at a load beyond what it held before and the network itself, MB");
        Console.WriteLine($"{"format",-8} {"work",-6} {"threads",7} {"ours",8} {"PyTorch",8} {"ratio",6} {"of torch.load",14} {"extra, ours",12} {"PyTorch",8} {"file",7}");
        foreach (string format in new[] { "zip", "stream" })
        {
            string path = Path.Combine(folder, $"{Model}_{format}.pth");
            double torchLoad = 0;
            foreach ((string work, _) in Works.Reverse())
            {
                foreach (int threads in work == "new" ? [Environment.ProcessorCount] : new[] { Environment.ProcessorCount, 1 })
                {
                    using var ours = new Side(Peer.Own(["load-peer", path, work, threads.ToString(CultureInfo.InvariantCulture)]));
                    using var theirs = new Side(Peer.Python("load_bench.py", ["serve", path, work], Environment.ProcessorCount));
                    for (int round = 0; round < Rounds; round++)
                    {
                        foreach (Side side in round % 2 == 0 ? [ours, theirs] : new[] { theirs, ours }) side.Load();
                    }
                    if (work == "new") torchLoad = theirs.MedianMs;
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{format,-8} {work,-6} {threads,7} {ours.MedianMs,8:F1} {theirs.MedianMs,8:F1} {ours.MedianMs / theirs.MedianMs,6:F2} {ours.MedianMs / torchLoad,14:F2} {ours.ExtraMegabytes,12:F1} {theirs.ExtraMegabytes,8:F1} {new FileInfo(path).Length / 1e6,7:F1}"));
                }
            }
        }
        foreach ((string work, string theirs) in Works) Console.WriteLine($"{work}: PyTorch's side is {theirs}");
        return 0;
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
        private readonly List<double> ms = [];

        public Side(ProcessStartInfo start)
        {
            (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
            process = Process.Start(start)!;
            Answer();
            long before = Status("VmRSS");
            File.WriteAllText($"/proc/{process.Id}/clear_refs", "5"); // proc(5): the peak is what there is now
            long made = (long)Load()["new_bytes"]!;
            ExtraMegabytes = (Status("VmHWM") - before - made) / 1e6;
            ms.Clear(); // the first load warmed up
        }

        public double MedianMs => EngineResult.Median(ms);

        public double ExtraMegabytes { get; }

        public JsonObject Load()
        {
            process.StandardInput.WriteLine("load");
            process.StandardInput.Flush();
            JsonObject answer = Answer();
            ms.Add((double)answer["ms"]!);
            return answer;
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

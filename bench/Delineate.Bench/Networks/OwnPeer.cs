using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Tensors.Weights;

namespace Delineate.Bench.Networks;

/// <summary>
/// Delineate's side of the whole-network bench, a process like those of the others: loads once, then obeys lines on standard input
/// (<c>run N</c>, <c>save PREFIX</c>; see <c>bench/peers/torch_peer.py</c>).
/// </summary>
internal abstract class OwnPeer
{
    private const double Rate = 1e-3, Momentum = 0.9, Decay = 1e-4; // those of torch_peer.py

    public static int Serve(string workload, string folder, string mode, int threads)
    {
        ThreadTeam.Threads = threads;
        using RoundingPolicy.RoundingScope allowed = RoundingPolicy.Use(OwnInference.RoundingOf(mode));
        OwnNetwork network;
        using (Init.Skip()) network = OwnNetworks.Create(workload);
        using (WeightFile file = WeightFile.Open(Path.Combine(folder, "weights.pth"))) WeightLoading.Load(network.Module, file);
        JsonNode work = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "work.json")))!;
        var shape = Shape.Of([.. work["input"]!.AsArray().Select(n => (int)n!)]);
        Tensor input = new RawTensor(shape, MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(folder, "input.f32"))).ToArray()).ToTensor().Keep();
        OwnPeer peer = (bool)work["trains"]! ? new Training(network, input, File.ReadAllBytes(Path.Combine(folder, "labels.u8"))) : new Inference(network, input, mode);
        GC.Collect(); // what setting up left behind is not the network's memory
        Answer(new JsonObject { ["version"] = $"{typeof(OwnNetwork).Assembly.GetName().Version!.ToString(3)} on .NET {Environment.Version}" });
        while (Console.ReadLine() is { } line)
        {
            string[] words = line.Split(' ', 2);
            if (words[0] == "run") peer.Run(int.Parse(words[1], CultureInfo.InvariantCulture));
            else if (words[0] == "save") peer.Save(words[1]);
        }
        return 0;
    }

    /// <summary>What the last timed run computed, in PyTorch's order of axes.</summary>
    protected abstract IReadOnlyList<RawTensor> Outputs();

    /// <summary>One run: what was timed, without what is done for the comparison.</summary>
    protected abstract Measured Once();

    private void Run(int count)
    {
        Measured[] runs = [.. Enumerable.Range(0, count).Select(_ => Once())];
        Answer(new JsonObject
        {
            ["ms"] = new JsonArray([.. runs.Select(r => (JsonNode)r.Wall.TotalMilliseconds)]),
            ["cpu_ms"] = new JsonArray([.. runs.Select(r => (JsonNode)r.Processor.TotalMilliseconds)]),
            ["managed_kb"] = runs.Min(r => r.ManagedBytes) / 1024.0,
        });
    }

    private void Save(string prefix)
    {
        IReadOnlyList<RawTensor> outputs = Outputs();
        for (int i = 0; i < outputs.Count; i++) File.WriteAllBytes($"{prefix}{i}.f32", MemoryMarshal.AsBytes(outputs[i].ToArray().AsSpan()));
        Answer(new JsonObject { ["saved"] = outputs.Count });
    }

    private static void Answer(JsonObject values) => Console.Out.WriteLine(values.ToJsonString(JsonSerializerOptions.Web));

    protected readonly record struct Measured(TimeSpan Wall, TimeSpan Processor, long ManagedBytes)
    {
        public static Measured Of(Action work)
        {
            long bytes = GC.GetTotalAllocatedBytes(precise: true);
            TimeSpan processor = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            work();
            TimeSpan wall = Stopwatch.GetElapsedTime(start);
            processor = Environment.CpuUsage.TotalTime - processor;
            return new Measured(wall, processor, GC.GetTotalAllocatedBytes(precise: true) - bytes);
        }
    }

    private sealed class Inference(OwnNetwork network, Tensor input, string mode) : OwnPeer
    {
        private readonly Func<Tensor, Tensor[]> infer = OwnInference.Of(mode, network, input);
        private Tensor[]? kept;

        protected override IReadOnlyList<RawTensor> Outputs() => Array.ConvertAll(kept!, RawTensor.Of);

        protected override Measured Once()
        {
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            using MemoryScope scope = TensorMemory.Scope();
            Tensor[] outputs = [];
            Measured run = Measured.Of(() => outputs = infer(input));
            Tensor[] compared = network.Compared(outputs);
            kept ??= Array.ConvertAll(compared, o => Tensor.Empty(o.Shape).Keep());
            foreach ((Tensor output, Tensor copy) in compared.Zip(kept)) output.Span.CopyTo(copy.Span);
            foreach (Tensor output in outputs) output.Span.Fill(float.NaN); // the memory goes back poisoned: a value that the next run does not write shows
            return run;
        }
    }

    private sealed class Training(OwnNetwork network, Tensor images, byte[] labels) : OwnPeer
    {
        private readonly Sgd optimizer = new([new ParameterGroup(network.Module.NamedParameters())], new SgdOptions { Momentum = Momentum, WeightDecay = Decay });
        private RawTensor[]? first;
        private float value;
        private int steps;

        protected override IReadOnlyList<RawTensor> Outputs() => first!;

        protected override Measured Once()
        {
            network.Module.Train();
            Measured run = Measured.Of(Step);
            if (!float.IsFinite(value)) throw new InvalidOperationException($"the loss is {value}");
            return run;
        }

        private void Step()
        {
            using RandomScope random = RandomScope.Begin(1, 0, (ulong)steps++);
            using (TensorMemory.Scope())
            {
                Tensor loss = network.Loss(images, labels);
                value = loss.Item();
                loss.Backward();
            }
            first ??= [new RawTensor([1], new[] { value }), .. network.Watched().Select(p => RawTensor.Of(p.Gradient!))];
            optimizer.Step(Rate);
            network.Module.ZeroGrad();
        }
    }
}

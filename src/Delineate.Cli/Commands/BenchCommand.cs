using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Optim;
using Delineate.Tensors.Weights;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate bench</c>: how fast a network predicts or trains on this machine, and how much memory that takes.</summary>
internal static class BenchCommand
{
    private const int WarmUpRuns = 2; // the first compiles and takes memory, the second finds both done
    private const int Objects = 8; // in each image, for detectors to learn from
    private const double LongMs = 5000; // whoever waits longer is told how long

    public static Command Create()
    {
        var name = new Argument<string>("model") { HelpName = "MODEL", Description = "A network that 'delineate models' lists" };
        Option<Size2d> size = SharedOptions.Size("--size", "Height and width of the images");
        Option<int> batch = SharedOptions.Whole("--batch", "Images in one run", 1, 1024, 1);
        Option<int> runs = SharedOptions.Whole("--runs", $"Runs that are timed, after {WarmUpRuns} that are not", 1, 10000, 20);
        Option<int> classes = SharedOptions.Whole("--classes", "Classes that the network tells apart; a model file has its own", 1, 255, 21);
        var train = new Option<bool>("--train") { Description = "Time training steps: forward, loss, backward and an update of the weights" };
        var weights = new Option<string?>("--weights") { HelpName = "FILE", Description = "A model file, or a PyTorch .pth of the same network; random weights where left out" };
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("bench", "Measure a network's speed and memory on this machine") { name, size, batch, runs, classes, train, weights, threads, json };
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            Model model = Load(parsed.GetValue(name)!, parsed.GetValue(classes), parsed.GetValue(weights));
            return Task.FromResult(Run(new Terminal(parsed.GetValue(json)), model, parsed.GetValue(size), parsed.GetValue(batch), parsed.GetValue(runs), parsed.GetValue(train), cancel));
        });
        return command.WithHelp(new HelpPage
        {
            Notes =
            [
                "A prediction goes from images in memory to their label maps, a training step to changed weights. Operations are 2 for a multiply-add, counted as direct sums: "
                + "faster algorithms need fewer, so the rate may lie above the machine's peak. A training step counts as three times its forward pass.",
            ],
            Examples =
            [
                "delineate bench fcn_resnet50 --size 480x480",
                "delineate bench unet --size 256x256 --batch 2 --classes 2 --train --threads 1 --json",
                "delineate bench unet --size 512x512 --weights runs/cells/best.safetensors",
            ],
        });
    }

    /// <summary>The network that takes images as they are: what the card says of resizing is left out.</summary>
    private static Model Load(string name, int classes, string? weights)
    {
        var table = new ClassTable(Enumerable.Range(0, classes).Select(i => $"class {i}"));
        if (weights is null) return ModelCatalog.Create(name, new ModelOptions(), table);
        ModelCard? card = CardOf(SharedOptions.ExistingFile(weights));
        if (card is not null && card.Model != name) throw new UserException($"{weights} is a {card.Model}, not a {name}");
        Model model = card is null
            ? ModelCatalog.Create(name, new ModelOptions(), table)
            : ModelCatalog.Create(name, card.Options, new ClassTable(card.Classes), card.Preprocessing with { ShortSide = null });
        ModelFile.LoadInto(model, weights);
        return model;
    }

    /// <summary>What a model file says of itself; null for weights without a card, and for what is no weight file, which loading will tell.</summary>
    private static ModelCard? CardOf(string path)
    {
        try
        {
            return ModelFile.LoadCard(path);
        }
        catch (WeightsFormatException)
        {
            return null;
        }
    }

    private static int Run(Terminal terminal, Model model, Size2d size, int batch, int runs, bool train, CancellationToken cancel)
    {
        Sample[] samples = Samples(size, batch, model.Classes.Count);
        Action run = train ? Training(model, new Batch(samples)) : Prediction(model, new Batch(samples).Images, cancel);
        double peak = PeakRate.Best(ThreadTeam.Threads);
        Summary cost = model.Summarize(size);
        double flops = 2.0 * batch * (train ? 3 * cost.TrainingMultiplyAdds : cost.MultiplyAdds); // the gradients of data and of weights cost as much as the forward pass each
        double pace = 0;
        for (int i = 0; i < WarmUpRuns; i++) pace = Milliseconds(run);
        if (pace * runs > LongMs) terminal.Note(Invariant($"timing {runs} runs of about {pace / 1000:F1} s"));
        var milliseconds = new double[runs];
        for (int i = 0; i < runs; i++)
        {
            cancel.ThrowIfCancellationRequested();
            milliseconds[i] = Milliseconds(run);
        }
        peak = Math.Max(peak, PeakRate.Best(ThreadTeam.Threads));
        Array.Sort(milliseconds);
        double median = (milliseconds[(runs - 1) / 2] + milliseconds[runs / 2]) / 2;
        double p95 = milliseconds[(int)Math.Ceiling(0.95 * runs) - 1];
        double rate = flops / median / 1e6;
        long memory = Process.GetCurrentProcess().PeakWorkingSet64 >> 20;

        terminal.Line($"{model.Name}, {batch} image{(batch == 1 ? "" : "s")} of {Text(size)}, {ThreadTeam.Threads} thread{(ThreadTeam.Threads == 1 ? "" : "s")}, {(train ? "training step" : "prediction")}");
        terminal.Line(Invariant($"time     median {median:F2} ms, 95th percentile {p95:F2} ms ({runs} run{(runs == 1 ? "" : "s")})"));
        terminal.Line(Invariant($"images   {1000 * batch / median:F2} a second"));
        terminal.Line(Invariant($"rate     {rate:F0} GFLOP/s ({flops / 1e9:F1} GFLOP), {100 * rate / peak:F0} % of this machine's {peak:F0} GFLOP/s"));
        terminal.Line(Invariant($"memory   {memory} MB at most"));
        terminal.Json(new JsonObject
        {
            ["model"] = model.Name,
            ["size"] = Text(size),
            ["batch"] = batch,
            ["threads"] = ThreadTeam.Threads,
            ["train"] = train,
            ["runs"] = runs,
            ["median_ms"] = Math.Round(median, 3),
            ["p95_ms"] = Math.Round(p95, 3),
            ["gflops"] = Math.Round(rate, 2),
            ["peak_gflops"] = Math.Round(peak, 2),
            ["peak_memory_mb"] = memory,
        });
        return 0;
    }

    private static double Milliseconds(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    private static Action Prediction(Model model, ImageBatch images, CancellationToken cancel)
    {
        model.Network.Train(false);
        return () => model.Predict(images, cancel: cancel);
    }

    private static Action Training(Model model, Batch batch)
    {
        const double Rate = 1e-3;
        model.Network.Train();
        var optimizer = new Sgd([new ParameterGroup(model.Network.NamedParameters())], new SgdOptions { WeightDecay = 1e-4 });
        return () =>
        {
            using (TensorMemory.Scope()) model.Loss(batch).Total.Backward();
            optimizer.Step(Rate);
            optimizer.ZeroGrad();
        };
    }

    /// <summary>Images, labels and objects of noise, the same in every run.</summary>
    private static Sample[] Samples(Size2d size, int count, int classes)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var image = new Image(size.Height, size.Width);
            random.NextBytes(image.Pixels);
            var labels = new LabelMap(size.Height, size.Width);
            for (int k = 0; k < labels.Labels.Length; k++) labels.Labels[k] = (byte)random.Next(classes);
            return new Sample($"noise {i}", image, new Annotation { Semantic = labels, Instances = [.. Enumerable.Range(0, Objects).Select(_ => Object(random, size, classes))] });
        })];
    }

    /// <summary>A thing somewhere in the image, a quarter of it or less, with its mask and no joints.</summary>
    private static Instance Object(Random random, Size2d size, int classes)
    {
        (int height, int width) = (1 + random.Next(Math.Max(1, size.Height / 2)), 1 + random.Next(Math.Max(1, size.Width / 2)));
        (int top, int left) = (random.Next(size.Height - height + 1), random.Next(size.Width - width + 1));
        var box = new Box(left, top, left + width, top + height);
        return new Instance { Label = 1 + random.Next(Math.Max(1, classes - 1)), Box = box, Mask = Rle.FromBox(box, size.Height, size.Width) };
    }

    private static string Text(Size2d size) => Invariant($"{size.Height}x{size.Width}");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

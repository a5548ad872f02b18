using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Delineate.Training;

namespace Delineate.Tests.Training;

/// <summary>Small pictures in memory in which a bright square is class 1; every third has a border that is ignored.</summary>
internal sealed class Squares(int count, int side = 20) : Dataset
{
    public override ClassTable Classes { get; } = new(["background", "square"]);

    public override IReadOnlyList<string> Names { get; } = [.. Enumerable.Range(0, count).Select(i => $"square{i}")];

    /// <summary>Called before a sample is read; throws to play a file that cannot be.</summary>
    public Action<int>? Reading { get; init; }

    public override Sample Load(int index)
    {
        Reading?.Invoke(index);
        var random = new Philox(7, (ulong)index);
        var image = new Image(side, side);
        var labels = new LabelMap(side, side);
        int edge = 5 + random.NextInt(side / 3), top = random.NextInt(side - edge), left = random.NextInt(side - edge);
        for (int y = 0; y < side; y++)
        {
            for (int x = 0; x < side; x++)
            {
                bool inside = y >= top && y < top + edge && x >= left && x < left + edge;
                byte grey = (byte)((inside ? 170 : 40) + random.NextInt(40));
                image[y, x] = new Rgb(grey, (byte)(grey / 2), 30);
                labels[y, x] = (byte)(index % 3 == 0 && (y == 0 || x == 0) ? 255 : inside ? 1 : 0);
            }
        }
        return new Sample(Names[index], image, new Annotation { Semantic = labels });
    }
}

/// <summary>A training small enough for a test, in a temporary folder.</summary>
internal sealed class TinyRun : IDisposable
{
    public static readonly Recipe UNetRecipe = new()
    {
        Model = "unet",
        Options = new ModelOptions { Channels = 4, Depth = 1 },
        Epochs = 2,
        BatchSize = 2,
        LearningRate = 0.05,
        WarmupEpochs = 0.5,
        BaseSize = 20,
        MinScale = 0.8,
        MaxScale = 1.2,
        CropSize = [16, 16],
        ColorJitter = 0.3,
        EvalShortSide = null,
    };

    public TinyRun() => Directory.CreateDirectory(Path);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "delineate-run-" + System.IO.Path.GetRandomFileName());

    public RunFolder Folder => new(Path);

    /// <summary>A network whose heads drop values, with an auxiliary one.</summary>
    public static SemanticModel Fcn(float dropout = 0.3f)
    {
        var network = new Fcn(new Philox(3), new FcnOptions { Depth = 18, NumClasses = 2, AuxiliaryHead = true, WidthDivisor = 32, Dropout = dropout });
        return new SemanticModel("fcn_resnet18", network, x => network.Forward(x), minimumSize: 1) { Classes = new Squares(1).Classes };
    }

    /// <summary>Everything that a checkpoint holds but the metadata: weights, running statistics, optimizer.</summary>
    public static SortedDictionary<string, float[]> Tensors(string file)
    {
        using WeightFile open = SafetensorsFile.Open(file);
        return new SortedDictionary<string, float[]>(open.Tensors.ToDictionary(t => t.Key, t => t.Value.ToArray()), StringComparer.Ordinal);
    }

    /// <summary>A run cancelled before it took a step beyond <paramref name="steps"/> of this session.</summary>
    public static TrainingState Train(Model model, Recipe recipe, RunFolder folder, Dataset? train = null, Dataset? validation = null, int? steps = null, int? evaluated = null)
    {
        using var cancel = new CancellationTokenSource();
        int taken = 0, seen = 0;
        using var trainer = new Trainer(model, recipe, train ?? new Squares(7), validation, folder)
        {
            Progress = p =>
            {
                if (p.IsEvaluation ? ++seen == evaluated : ++taken == steps) cancel.Cancel();
            },
        };
        return trainer.Run(cancel.Token);
    }

    public void CopyTo(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(Path)) File.Copy(file, System.IO.Path.Combine(folder, System.IO.Path.GetFileName(file)), overwrite: true);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

using Delineate.Data;
using Delineate.Data.Sets;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;

namespace Delineate.Cli.Commands;

/// <summary>How well a weight file fits a model of the catalog, built with the options and classes that the file's own names and shapes tell.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Options">Whether there is an auxiliary head; a U-Net's width, depth and decoder.</param>
/// <param name="Classes">The classes that its score layers are made for.</param>
/// <param name="Matching">Tensors of the network that the file has, name and shape.</param>
/// <param name="Count">Tensors of the network.</param>
/// <param name="Unknown">Tensors of the file that the network lacks.</param>
internal sealed record WeightsFit(string Model, ModelOptions Options, int Classes, int Matching, int Count, int Unknown)
{
    private const int MostClasses = 255, UsualClasses = 21;

    /// <summary>Every tensor of the network is in the file, and no other.</summary>
    public bool IsWhole => Matching == Count && Unknown == 0;

    /// <summary>The fit of every model of the catalog, the best first.</summary>
    public static IReadOnlyList<WeightsFit> All(WeightFile file) =>
        [.. ModelCatalog.Names.Select(name => Of(file, name)).OrderByDescending(f => f.IsWhole).ThenByDescending(f => (double)f.Matching / (f.Count + f.Unknown))];

    /// <summary>The fit of one model; <paramref name="classes"/> where the file is not to be asked.</summary>
    public static WeightsFit Of(WeightFile file, string model, int? classes = null)
    {
        ModelOptions options = OptionsOf(file);
        Model network = NewModel(model, options, classes ?? UsualClasses);
        if (classes is null && ClassesOf(file, network) is var told && told != UsualClasses) network = NewModel(model, options, told);
        Dictionary<string, Shape> shapes = network.Network.StateDict().ToDictionary(s => s.Name, s => RawTensor.ShapeOf(s.Tensor));
        int matching = shapes.Count(s => file.Tensors.TryGetValue(s.Key, out RawTensor? tensor) && tensor.Shape == s.Value);
        return new WeightsFit(model, options, network.Classes.Count, matching, shapes.Count, file.Tensors.Keys.Count(name => !IsBeside(name) && !shapes.ContainsKey(name)));
    }

    /// <summary>A model without values, for weights to be put into. Its classes are VOC's where there are as many, as in torchvision's published weights.</summary>
    public static Model NewModel(string name, ModelOptions options, int classes)
    {
        using Init.SkipScope quick = Init.Skip();
        ClassTable table = classes == Voc.ClassNames.Count
            ? new ClassTable(Voc.ClassNames) { Background = 0 }
            : new ClassTable(Enumerable.Range(0, classes).Select(i => $"class {i}"));
        return ModelCatalog.Create(name, options, table);
    }

    /// <summary>What files hold beside a network: PyTorch's batch counters, and what a training run needs to go on.</summary>
    private static bool IsBeside(string name) => name.EndsWith("num_batches_tracked", StringComparison.Ordinal) || name.StartsWith(ModelFile.TrainingPrefix, StringComparison.Ordinal);

    private static ModelOptions OptionsOf(WeightFile file)
    {
        var options = new ModelOptions { AuxiliaryHead = file.Tensors.Keys.Any(name => name.StartsWith("aux_classifier.", StringComparison.Ordinal)) };
        if (!file.Tensors.TryGetValue("inc.double_conv.0.weight", out RawTensor? first) || first.Shape.Rank != 4) return options;
        const int MostChannels = 512, MostDepth = 8, MostDeepChannels = 2048; // what the catalog's options may be
        int depth = Enumerable.Range(1, MostDepth).TakeWhile(i => file.Tensors.ContainsKey($"down{i}.maxpool_conv.1.double_conv.0.weight")).Count(), channels = first.Shape[0];
        bool isBilinear = !file.Tensors.ContainsKey("up1.up.weight");
        bool isPossible = depth > 0 && channels is >= 1 and <= MostChannels && channels << depth <= MostDeepChannels && !(isBilinear && channels % 2 != 0);
        return isPossible ? options with { Channels = channels, Depth = depth, Bilinear = isBilinear } : options;
    }

    /// <summary>The outermost size of a layer that has 21 of them where the network is made for 21 classes, and is a score layer.</summary>
    private static int ClassesOf(WeightFile file, Model usual)
    {
        foreach ((string name, Tensor tensor) in usual.Network.StateDict())
        {
            if (!usual.IsScoreLayer(name) || tensor.Shape.Rank == 0 || tensor.Shape[0] != UsualClasses) continue;
            if (file.Tensors.TryGetValue(name, out RawTensor? score) && score.Shape.Rank > 0 && score.Shape[0] is >= 1 and <= MostClasses and var classes) return classes;
        }
        return UsualClasses;
    }
}

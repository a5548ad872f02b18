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
    /// <summary>Every tensor of the network is in the file, and no other.</summary>
    public bool IsWhole => Matching == Count && Unknown == 0;

    /// <summary>The fit of every model of the catalog, the best first.</summary>
    public static IReadOnlyList<WeightsFit> All(WeightFile file) =>
        [.. ModelCatalog.Names.Select(name => Of(file, name)).OrderByDescending(f => f.IsWhole).ThenByDescending(f => (double)f.Matching / (f.Count + f.Unknown))];

    private static WeightsFit Of(WeightFile file, string name)
    {
        Model model = NewModel(file, name);
        Dictionary<string, Shape> shapes = model.Network.StateDict().ToDictionary(s => s.Name, s => RawTensor.ShapeOf(s.Tensor));
        IReadOnlyDictionary<string, RawTensor> tensors = DetectorWeights.Current(file.Tensors);
        int matching = shapes.Count(s => tensors.TryGetValue(s.Key, out RawTensor? tensor) && tensor.Shape == s.Value);
        return new WeightsFit(name, model.Options, model.Classes.Count, matching, shapes.Count, tensors.Keys.Count(key => !IsBeside(key) && !shapes.ContainsKey(key)));
    }

    private static Model NewModel(WeightFile file, string name)
    {
        const int UsualClasses = 21;
        using Init.SkipScope quick = Init.Skip();
        try
        {
            return BareWeights.NewModel(name, file, classes: null);
        }
        catch (Exception e) when (e is WeightsFormatException or ModelOptionsException)
        {
            // No network of this name has such tensors: the usual one shows how far they are from it.
            return ModelCatalog.Create(name, new ModelOptions(), ModelCatalog.PublishedClasses(name, UsualClasses));
        }
    }

    /// <summary>What files hold beside a network: PyTorch's batch counters, and what a training run needs to go on.</summary>
    private static bool IsBeside(string name) => name.EndsWith("num_batches_tracked", StringComparison.Ordinal) || name.StartsWith(ModelFile.TrainingPrefix, StringComparison.Ordinal);
}

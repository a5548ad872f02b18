using Delineate.Tensors;
using Delineate.Tensors.Weights;

namespace Delineate.Models;

/// <summary>
/// How weights of the classifier on which a network is built, as torchvision publishes them for ImageNet, fit into it: which of their names become which of
/// its. A name changes its beginning only.
/// </summary>
/// <param name="Classifier">What the names in the file begin with that the network has no place for: the layer that scores ImageNet's classes.</param>
/// <param name="Parts">Beginnings of names in the file, and what stands for them in the network: <c>features.</c> → <c>backbone.</c>.</param>
public sealed record BackboneNames(string Classifier, IReadOnlyList<(string InFile, string InNetwork)> Parts)
{
    /// <summary>Whether these are weights of the classifier: none of their names is one of the network's, and some would be.</summary>
    internal bool Recognise(WeightFile file, IReadOnlyDictionary<string, Shape> network) =>
        !file.Tensors.Keys.Any(network.ContainsKey) && file.Tensors.Keys.Any(name => InNetwork(name) is { } there && network.ContainsKey(there));

    /// <summary>Whether a tensor of the file belongs to the layer that the network has no place for.</summary>
    internal bool IsLeftOut(string nameInFile) => nameInFile.StartsWith(Classifier, StringComparison.Ordinal);

    /// <summary>Whether a tensor of the network gets its values from the classifier.</summary>
    internal bool Cover(string nameInNetwork) => Parts.Any(p => nameInNetwork.StartsWith(p.InNetwork, StringComparison.Ordinal));

    /// <summary>
    /// The file's tensors under the network's names, those of the classifier's last layer left out; names that have no place in it keep their own. What is
    /// fully connected in the file and a convolution in the network becomes one: PyTorch flattens [C, H, W], so a row of its weight is a kernel in that order.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="network">The network's shapes in PyTorch's order of axes.</param>
    internal IReadOnlyDictionary<string, RawTensor> Rename(WeightFile file, IReadOnlyDictionary<string, Shape> network)
    {
        var renamed = new Dictionary<string, RawTensor>();
        foreach ((string name, RawTensor tensor) in file.Tensors)
        {
            if (IsLeftOut(name)) continue;
            string there = InNetwork(name) ?? name;
            renamed[there] = network.TryGetValue(there, out Shape wanted) ? AsConvolution(tensor, wanted) : tensor;
        }
        return renamed;
    }

    /// <summary>A name of the file as the network has it; null where the network has no place for it.</summary>
    internal string? InNetwork(string nameInFile)
    {
        if (IsLeftOut(nameInFile)) return null;
        foreach ((string inFile, string inNetwork) in Parts)
        {
            if (nameInFile.StartsWith(inFile, StringComparison.Ordinal)) return inNetwork + nameInFile[inFile.Length..];
        }
        return null;
    }

    private static RawTensor AsConvolution(RawTensor tensor, Shape wanted) =>
        tensor.Shape.Rank == 2 && wanted.Rank == 4 && tensor.Shape[0] == wanted[0] && tensor.Shape[1] == wanted.Product(1, 4)
            ? tensor.Unflatten(1, wanted[1], wanted[2], wanted[3]) : tensor;
}

using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>The networks by the names under which the field knows them.</summary>
public static class ModelCatalog
{
    /// <summary>Every name that <see cref="Create"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["fcn_resnet18", "fcn_resnet50", "fcn_resnet101", "unet"];

    /// <summary>A new network with starting values that <paramref name="random"/> decides.</summary>
    /// <exception cref="ArgumentException">There is no network of this name.</exception>
    public static Module Create(string name, int numClasses, Philox random) => name switch
    {
        "fcn_resnet18" => new Fcn(random, new FcnOptions { Depth = 18, NumClasses = numClasses, AuxiliaryHead = true }),
        "fcn_resnet50" => new Fcn(random, new FcnOptions { Depth = 50, NumClasses = numClasses, AuxiliaryHead = true }),
        "fcn_resnet101" => new Fcn(random, new FcnOptions { Depth = 101, NumClasses = numClasses, AuxiliaryHead = true }),
        "unet" => new UNet(random, new UNetOptions { NumClasses = numClasses }),
        _ => throw new ArgumentException($"there is no model named '{name}': {string.Join(", ", Names)} are known", nameof(name)),
    };
}

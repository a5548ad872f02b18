using Delineate.Data;
using Delineate.Losses;
using Delineate.Tensors;

namespace Delineate.Models;

/// <summary>The models by the names under which the field knows them.</summary>
public static class ModelCatalog
{
    /// <summary>Every name that <see cref="Create"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["fcn_resnet18", "fcn_resnet50", "fcn_resnet101", "unet"];

    /// <summary>One line about a model of the catalog: what it is, and the paper.</summary>
    public static string Describe(string name) => name switch
    {
        "fcn_resnet18" => "FCN on a dilated ResNet-18: small and quick (Long 2015, He 2016)",
        "fcn_resnet50" => "FCN on a dilated ResNet-50, as torchvision's (Long 2015, He 2016)",
        "fcn_resnet101" => "FCN on a dilated ResNet-101, as torchvision's (Long 2015, He 2016)",
        "unet" => "U-Net: few images, fine outlines, microscopy (Ronneberger 2015)",
        _ => throw Unknown(name),
    };

    /// <summary>A new model whose starting values <paramref name="seed"/> decides.</summary>
    /// <exception cref="UnknownModelException">There is no model of this name; the message has the near ones.</exception>
    /// <exception cref="ModelOptionsException">An option is out of its range.</exception>
    public static Model Create(
        string name, ModelOptions options, ClassTable classes, Preprocessing? preprocessing = null, ulong seed = 1, SemanticLossOptions? loss = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(classes);
        options.Checked();
        var random = new Philox(seed);
        return name switch
        {
            "fcn_resnet18" => Fcn(18),
            "fcn_resnet50" => Fcn(50),
            "fcn_resnet101" => Fcn(101),
            "unet" => UNet(),
            _ => throw Unknown(name),
        };

        SemanticModel Fcn(int depth)
        {
            var network = new Fcn(random, new FcnOptions
            {
                Depth = depth,
                NumClasses = classes.Count,
                OutputStride = options.OutputStride,
                AuxiliaryHead = options.AuxiliaryHead,
            });
            return new SemanticModel(name, network, x => network.Forward(x), minimumSize: 1)
            {
                Classes = classes,
                Options = options,
                Preprocessing = preprocessing ?? new(),
                LossOptions = loss ?? new(),
            };
        }

        SemanticModel UNet()
        {
            var network = new UNet(random, new UNetOptions
            {
                NumClasses = classes.Count,
                Channels = options.Channels,
                Depth = options.Depth,
                Decoder = options.Bilinear ? UNetDecoder.Bilinear : UNetDecoder.TransposedConvolution,
            });
            return new SemanticModel(name, network, x => new SemanticLogits(network.Forward(x)), minimumSize: 1 << options.Depth)
            {
                Classes = classes,
                Options = options,
                Preprocessing = preprocessing ?? new(),
                LossOptions = loss ?? new(),
            };
        }
    }

    private static UnknownModelException Unknown(string name) => new($"there is no model '{name}': {NearNames.Suggest(name, Names)}");
}

/// <summary>A model name that the catalog does not have.</summary>
public sealed class UnknownModelException(string message) : Exception(message);

using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Bench.Networks;

/// <summary>A network of the bench: the module that holds the weights, and how it runs. Its outputs are those of its twin in <c>bench/peers/workloads.py</c>.</summary>
internal record OwnNetwork(Module Module, Func<Tensor, Tensor[]> Forward)
{
    /// <summary>A function from the input to the outputs by a network that makes its plans itself; null where it leaves that to the mode.</summary>
    public virtual Func<Tensor, Tensor[]>? Planned => null;

    /// <summary>What is compared of the outputs.</summary>
    public virtual Tensor[] Compared(Tensor[] outputs) => outputs;

    /// <summary>The loss of a training step: cross-entropy, and half of the auxiliary head's.</summary>
    public virtual Tensor Loss(Tensor input, byte[] labels)
    {
        Tensor[] outputs = Forward(input);
        Tensor loss = outputs[0].CrossEntropy((ReadOnlyMemory<byte>)labels);
        return outputs.Length > 1 ? loss + (0.5f * outputs[1].CrossEntropy((ReadOnlyMemory<byte>)labels)) : loss;
    }

    /// <summary>The parameters whose gradients of the first step are compared: the first, which the whole network lies behind, and the last.</summary>
    public virtual Tensor[] Watched()
    {
        Tensor[] parameters = [.. Module.NamedParameters().Where(p => !p.Name.StartsWith("aux_classifier", StringComparison.Ordinal)).Select(p => p.Tensor)];
        return [parameters[0], parameters[^1]];
    }
}

/// <summary>The workloads by name, as Delineate builds them.</summary>
internal static class OwnNetworks
{
    public static readonly IReadOnlyList<string> Names =
    [
        "fcn_resnet50", "fcn8s_vgg16", "unet", "resnet50_fpn", "conv_transpose_64_s32", "conv_transpose_2_s2", "train_fcn_resnet50", "train_unet",
        "maskrcnn_resnet50_fpn", "train_maskrcnn_resnet18_fpn",
    ];

    public static OwnNetwork Create(string workload)
    {
        var random = new Philox(1); // what it decides is overwritten by the weights that all engines share
        switch (workload)
        {
            case "fcn_resnet50" or "train_fcn_resnet50":
                var fcn = new Fcn(random, new FcnOptions { AuxiliaryHead = workload[0] == 't', Dropout = 0 });
                return new OwnNetwork(fcn, x => fcn.Forward(x) is (var y, var aux) && aux is not null ? [y, aux] : [y]);
            case "fcn8s_vgg16":
                return Of(new Fcn8sBody(random));
            case "unet" or "train_unet":
                return Of(new UNet(random));
            case "resnet50_fpn":
                var pyramid = new ResNetFpn(random);
                return new OwnNetwork(pyramid, pyramid.Forward);
            case "conv_transpose_64_s32":
                return Of(new ConvTranspose2d(random, 21, 21, 64, stride: 32, padding: 16, bias: false));
            case "conv_transpose_2_s2":
                return Of(new ConvTranspose2d(random, 512, 256, 2, stride: 2));
            case "maskrcnn_resnet50_fpn":
                return new OwnDetector("maskrcnn_resnet50_fpn", 91, 800, 1333);
            case "train_maskrcnn_resnet18_fpn":
                return new OwnDetector("maskrcnn_resnet18_fpn", 2, 256, 256);
            default:
                throw new ArgumentException($"there is no workload '{workload}': {string.Join(", ", Names)}");
        }

        static OwnNetwork Of(Layer layer) => new(layer, x => [layer.Forward(x)]);
    }
}

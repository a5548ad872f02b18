using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Bench.Networks;

/// <summary>A network of the bench: the module that holds the weights, and how it runs. Its outputs are those of its twin in <c>bench/peers/workloads.py</c>.</summary>
internal sealed record OwnNetwork(Module Module, Func<Tensor, Tensor[]> Forward);

/// <summary>The workloads by name, as Delineate builds them.</summary>
internal static class OwnNetworks
{
    public static readonly IReadOnlyList<string> Names =
    [
        "fcn_resnet50", "fcn8s_vgg16", "unet", "resnet50_fpn", "conv_transpose_64_s32", "conv_transpose_2_s2", "train_fcn_resnet50", "train_unet",
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
            default:
                throw new ArgumentException($"there is no workload '{workload}': {string.Join(", ", Names)}");
        }

        static OwnNetwork Of(Layer layer) => new(layer, x => [layer.Forward(x)]);
    }
}

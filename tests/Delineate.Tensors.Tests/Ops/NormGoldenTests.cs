using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

/// <summary>Pooling, normalisation and resizing against the reference implementation, forward and backward.</summary>
public sealed class NormGoldenTests
{
    private static readonly Lazy<Golden> Folder = new(() => Golden.Reference("ops"));

    [ReferenceTheory]
    [InlineData("pool.max3s2p1")]
    [InlineData("pool.max2ceil")]
    [InlineData("pool.avg3s2")]
    [InlineData("pool.avg_nopad")]
    [InlineData("pool.adaptive")]
    [InlineData("interp.bil_size")]
    [InlineData("interp.bil_down")]
    [InlineData("interp.bil_ac")]
    [InlineData("interp.bil_x2")]
    [InlineData("interp.bil_x.5")]
    [InlineData("interp.bil_x1.5")]
    [InlineData("interp.near_size")]
    [InlineData("interp.near_x2")]
    public void Pools_and_resizes_match(string name) => Matches(name, inputs => name switch
    {
        "pool.max3s2p1" => inputs[0].MaxPool2d(3, 2, 1),
        "pool.max2ceil" => inputs[0].MaxPool2d(2, ceilMode: true),
        "pool.avg3s2" => inputs[0].AvgPool2d(3, 2, 1),
        "pool.avg_nopad" => inputs[0].AvgPool2d(3, 2, 1, countIncludePad: false),
        "pool.adaptive" => inputs[0].AdaptiveAvgPool2d((3, 4)),
        "interp.bil_size" => inputs[0].ResizeBilinear(31, 29),
        "interp.bil_down" => inputs[0].ResizeBilinear(5, 6),
        "interp.bil_ac" => inputs[0].ResizeBilinear(31, 29, alignCorners: true),
        "interp.bil_x2" => inputs[0].ResizeBilinear(2f),
        "interp.bil_x.5" => inputs[0].ResizeBilinear(0.5f),
        "interp.bil_x1.5" => inputs[0].ResizeBilinear(1.5f),
        "interp.near_size" => inputs[0].ResizeNearest(31, 29),
        _ => inputs[0].ResizeNearest(2f),
    });

    [ReferenceFact]
    public void Batch_norm_in_training_matches_and_moves_the_running_statistics()
    {
        Tensor mean = Folder.Value.Tensor("bn.rm"), variance = Folder.Value.Tensor("bn.rv");
        Matches("bn.train", inputs => inputs[0].BatchNorm(inputs[1], inputs[2], mean, variance, training: true));
        TensorAssert.Close(Folder.Value.Tensor("bn.train.rm"), mean);
        TensorAssert.Close(Folder.Value.Tensor("bn.train.rv"), variance);
    }

    [ReferenceFact]
    public void Batch_norm_in_evaluation_matches() => Matches("bn.eval", inputs =>
        inputs[0].BatchNorm(inputs[1], inputs[2], Folder.Value.Tensor("bn.rm"), Folder.Value.Tensor("bn.rv"), training: false));

    [ReferenceFact]
    public void Group_norm_matches() => Matches("gn", inputs => inputs[0].GroupNorm(3, inputs[1], inputs[2]));

    [ReferenceFact]
    public void Layer_norm_matches() => Matches("ln", inputs => inputs[0].LayerNorm(inputs[1], inputs[2]), Folder.Value.Tensor);

    private static void Matches(string name, Func<Tensor[], Tensor> op, Func<string, Tensor>? read = null)
    {
        read ??= Folder.Value.ChannelsLast;
        List<Tensor> inputs = [];
        for (int i = 0; Folder.Value.Has($"{name}.in{i}"); i++)
        {
            inputs.Add(read($"{name}.in{i}"));
            inputs[i].RequiresGrad = true;
        }
        Tensor y = op([.. inputs]);
        TensorAssert.Close(read($"{name}.y"), y, 5e-6, name);
        y.Backward(read($"{name}.gy"));
        for (int i = 0; i < inputs.Count; i++) TensorAssert.Close(read($"{name}.g{i}"), inputs[i].Gradient!, 5e-6, $"{name} gradient {i}");
    }
}

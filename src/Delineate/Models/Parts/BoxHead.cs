using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>Two fully connected layers on a pooled region (torchvision's <c>TwoMLPHead</c>). [K, 7, 7, C] → [K, F].</summary>
internal sealed class TwoMlpHead : Layer
{
    private readonly Linear fc6, fc7;

    public TwoMlpHead(Philox random, int channels, int pooled, int features)
    {
        fc6 = Child("fc6", new Linear(random, channels * pooled * pooled, features));
        fc7 = Child("fc7", new Linear(random, features, features));
    }

    protected override Tensor Apply(Tensor x) => fc7.ForwardRelu(fc6.ForwardRelu(Flattened(x)));

    /// <summary>The values of each region in one row, channels first, as torchvision's weights expect them. [K, h, w, C] → [K, C·h·w].</summary>
    public static Tensor Flattened(Tensor x) => x.Permute(0, 3, 1, 2).Reshape([x.Shape[0], x.Shape.Product(1, 4)]);
}

/// <summary>3×3 convolutions with normalisation and one fully connected layer on a pooled region (torchvision's <c>FastRCNNConvFCHead</c>). [K, 7, 7, C] → [K, F].</summary>
internal sealed class ConvBoxHead : Layer
{
    private const int Depth = 4;
    private readonly ConvUnit[] units;
    private readonly Linear fc;

    public ConvBoxHead(Philox random, int channels, int pooled, int features, Func<int, BatchNormLayer> norm)
    {
        units = [.. ConvUnit.Row(random, channels, channels, Depth, Init.KaimingNormalFanOut, norm).Select((unit, i) => Child($"{i}", unit))];
        fc = Child($"{Depth + 1}", new Linear(random, channels * pooled * pooled, features)); // torchvision counts the flattening between
    }

    protected override Tensor Apply(Tensor x)
    {
        foreach (ConvUnit unit in units) x = unit.Forward(x);
        return fc.ForwardRelu(TwoMlpHead.Flattened(x));
    }
}

/// <summary>What is in a region, and where exactly its box lies if it is an object of each class (Girshick 2015).</summary>
internal sealed class BoxPredictor : Module
{
    private readonly Linear classes, deltas;

    public BoxPredictor(Philox random, int features, int numClasses)
    {
        classes = Child("cls_score", new Linear(random, features, numClasses));
        deltas = Child("bbox_pred", new Linear(random, features, 4 * numClasses));
    }

    /// <summary>[K, F] → logits [K, classes] and deltas [K, 4·classes].</summary>
    public (Tensor Logits, Tensor Deltas) Forward(Tensor x) => (classes.Forward(x), deltas.Forward(x));
}

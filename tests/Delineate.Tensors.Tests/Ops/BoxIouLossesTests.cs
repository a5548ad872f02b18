using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class BoxIouLossesTests
{
    public enum Form
    {
        Generalized,
        Distance,
        Complete,
    }

    [Theory]
    [InlineData(Form.Generalized, LossReduction.Mean)]
    [InlineData(Form.Generalized, LossReduction.None)]
    [InlineData(Form.Distance, LossReduction.Sum)]
    [InlineData(Form.Distance, LossReduction.None)]
    [InlineData(Form.Complete, LossReduction.None)]
    public void Values_and_gradients_match_the_formulas(Form form, LossReduction reduction)
    {
        Tensor target = Boxes(37, 1), boxes = Boxes(37, 2);
        // The factor of the complete form counts as a constant: it is that of the boxes as they are.
        double[] factors = [.. Enumerable.Range(0, 37).Select(i => Factor(Array.ConvertAll(boxes.ToArray(), v => (double)v), target, i))];
        GradCheck.Run(t => Loss(form, t[0], target, reduction), v =>
        {
            double[] each = [.. Enumerable.Range(0, 37).Select(i => Reference(form, v[0], target, i, factors[i]))];
            return reduction switch { LossReduction.Mean => [each.Average()], LossReduction.Sum => [each.Sum()], _ => each };
        }, [boxes]);
    }

    [Theory]
    [InlineData(Form.Generalized)]
    [InlineData(Form.Distance)]
    [InlineData(Form.Complete)]
    public void Equal_boxes_lose_nothing_and_points_are_finite(Form form)
    {
        Tensor boxes = Boxes(5, 3);
        Assert.All(Loss(form, boxes, boxes, LossReduction.None).ToArray(), v => Assert.Equal(0, v, 5));
        Tensor point = Tensor.From([3, 3, 3, 3], [4]);
        point.RequiresGrad = true;
        Tensor loss = Loss(form, point, Tensor.From([3, 3, 3, 3], [4]), LossReduction.None);
        Assert.Equal([], loss.Shape);
        loss.Backward();
        Assert.True(float.IsFinite(loss.Item()));
        Assert.All(point.Gradient!.ToArray(), g => Assert.True(float.IsFinite(g)));
    }

    [Fact]
    public void Edges_at_the_same_place_have_half_of_the_gradient_each()
    {
        Tensor boxes = Tensor.From([0, 0, 10, 10], [1, 4]);
        boxes.RequiresGrad = true;
        boxes.GeneralizedIouLoss(Tensor.From([0, 0, 10, 10], [1, 4])).Backward();
        Assert.All(boxes.Gradient!.ToArray(), g => Assert.Equal(0, g, 6));
        boxes = Tensor.From([0, 0, 10, 20], [1, 4]);
        boxes.RequiresGrad = true;
        boxes.GeneralizedIouLoss(Tensor.From([0, 0, 10, 10], [1, 4])).Backward();
        Assert.Equal(100.0 / 200 / 20, boxes.Gradient!.Span[3], 6); // IoU = 10 / y2
        Assert.Equal(((5 * 200) - (5 * 100.0)) / (200 * 200), boxes.Gradient.Span[1], 6); // both areas change by 5, where one alone would change by 10
    }

    [Fact]
    public void The_mean_of_nothing_is_0()
    {
        Tensor boxes = Tensor.Zeros([0, 4]);
        boxes.RequiresGrad = true;
        Tensor loss = boxes.GeneralizedIouLoss(Tensor.Zeros([0, 4]));
        loss.Backward();
        Assert.Equal(0, loss.Item());
        Assert.Equal([0, 4], boxes.Gradient!.Shape);
        Assert.Equal([2, 3], Tensor.Zeros([2, 3, 4]).DistanceIouLoss(Tensor.Zeros([2, 3, 4]), LossReduction.None).Shape);
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 4]).GeneralizedIouLoss(Tensor.Zeros([1, 4])));
        string message = Assert.Throws<ShapeException>(() => Tensor.Zeros([4, 2]).CompleteIouLoss(Tensor.Zeros([4, 2]))).Message;
        Assert.Contains("CompleteIouLoss takes boxes of [..., 4]", message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Scalar(1).DistanceIouLoss(Tensor.Scalar(1)));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits() =>
        SameBits.OnAnyThreads([[5000, 4]], x => x[0].CompleteIouLoss(Boxes(5000, 3), LossReduction.None));

    [ReferenceTheory]
    [InlineData(Form.Generalized, "pair.generalized_box_iou_loss")]
    [InlineData(Form.Distance, "pair.distance_box_iou_loss")]
    [InlineData(Form.Complete, "pair.complete_box_iou_loss")]
    public void Torchvision_gives_the_same(Form form, string name)
    {
        var golden = Golden.Reference("losses");
        Tensor boxes = golden.Tensor("in.pair.a");
        boxes.RequiresGrad = true;
        Tensor loss = Loss(form, boxes, golden.Tensor("in.pair.b"), LossReduction.Mean);
        TensorAssert.Close(golden.Tensor(name), loss, 1e-6);
        loss.Backward();
        TensorAssert.Close(golden.Tensor($"{name}_grad.0"), boxes.Gradient!, 1e-5);
    }

    private static Tensor Loss(Form form, Tensor boxes, Tensor target, LossReduction reduction) => form switch
    {
        Form.Generalized => boxes.GeneralizedIouLoss(target, reduction),
        Form.Distance => boxes.DistanceIouLoss(target, reduction),
        _ => boxes.CompleteIouLoss(target, reduction),
    };

    /// <summary>Boxes of which some meet those of another seed, some lie inside them and some apart.</summary>
    private static Tensor Boxes(int count, int seed)
    {
        var random = new Random(seed);
        var rows = new float[4 * count];
        for (int i = 0; i < rows.Length; i += 4)
        {
            (rows[i], rows[i + 1]) = (random.NextSingle() * 6, random.NextSingle() * 6);
            (rows[i + 2], rows[i + 3]) = (rows[i] + 0.5f + (random.NextSingle() * 5), rows[i + 1] + 0.5f + (random.NextSingle() * 5));
        }
        return Tensor.From(rows, [count, 4]);
    }

    private static double Ratios(double[] boxes, Tensor target, int i)
    {
        ReadOnlySpan<double> p = boxes.AsSpan(4 * i, 4);
        ReadOnlySpan<float> t = target.Span.Slice(4 * i, 4);
        return 4 / (Math.PI * Math.PI) * Math.Pow(Math.Atan((t[2] - t[0]) / (double)(t[3] - t[1])) - Math.Atan((p[2] - p[0]) / (p[3] - p[1])), 2);
    }

    private static double Factor(double[] boxes, Tensor target, int i)
    {
        double v = Ratios(boxes, target, i), iou = Overlap(boxes, target, i).Iou;
        return v / (1 - iou + v);
    }

    private static (double Iou, double Union) Overlap(double[] boxes, Tensor target, int i)
    {
        ReadOnlySpan<double> p = boxes.AsSpan(4 * i, 4);
        ReadOnlySpan<float> t = target.Span.Slice(4 * i, 4);
        double shared = Math.Max(0, Math.Min(p[2], t[2]) - Math.Max(p[0], t[0])) * Math.Max(0, Math.Min(p[3], t[3]) - Math.Max(p[1], t[1]));
        double union = ((p[2] - p[0]) * (p[3] - p[1])) + ((double)(t[2] - t[0]) * (t[3] - t[1])) - shared;
        return (shared / union, union);
    }

    private static double Reference(Form form, double[] boxes, Tensor target, int i, double factor)
    {
        ReadOnlySpan<double> p = boxes.AsSpan(4 * i, 4);
        ReadOnlySpan<float> t = target.Span.Slice(4 * i, 4);
        (double iou, double union) = Overlap(boxes, target, i);
        double width = Math.Max(p[2], t[2]) - Math.Min(p[0], t[0]), height = Math.Max(p[3], t[3]) - Math.Min(p[1], t[1]);
        if (form == Form.Generalized) return 1 - iou + (((width * height) - union) / (width * height));
        double distance = Math.Pow((p[0] + p[2] - t[0] - t[2]) / 2, 2) + Math.Pow((p[1] + p[3] - t[1] - t[3]) / 2, 2);
        double loss = 1 - iou + (distance / ((width * width) + (height * height)));
        return form == Form.Distance ? loss : loss + (factor * Ratios(boxes, target, i));
    }
}

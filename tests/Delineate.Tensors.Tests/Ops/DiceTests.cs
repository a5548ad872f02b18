using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class DiceTests
{
    public static TheoryData<DiceOptions> Forms => new()
    {
        new DiceOptions(),
        new DiceOptions { Smooth = 0, Epsilon = 0.002f, Squared = true, Reduction = LossReduction.None },
        new DiceOptions { Smooth = 0.5f, Squared = true, Reduction = LossReduction.Sum },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void Masks_give_the_references_values_and_gradients(DiceOptions options)
    {
        Shape shape = [3, 4, 5];
        float[] masks = [.. Enumerable.Range(0, 60).Select(i => i % 7 < 3 ? 1f : 0f)];
        GradCheck.Run(
            x => x[0].DiceLoss(Tensor.From(masks, shape), options),
            x =>
            {
                double[] each = [.. Enumerable.Range(0, 3).Select(row => 1 - Dice(
                    [.. x[0].Skip(row * 20).Take(20).Select(v => 1 / (1 + Math.Exp(-v)))],
                    [.. masks.Skip(row * 20).Take(20).Select(v => (double)v)],
                    options))];
                return options.Reduction switch { LossReduction.None => each, LossReduction.Sum => [each.Sum()], _ => [each.Average()] };
            },
            [GradCheck.Input(shape, 1, 3)],
            1e-5);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Labels_give_the_references_values_and_gradients(DiceOptions options)
    {
        foreach (int classes in new[] { 1, 2, 5, 21 })
        {
            byte[] labels = CrossEntropyTests.Labels(2 * 5 * 7, classes, 255);
            GradCheck.Run(
                x => x[0].DiceLoss(labels, options),
                x =>
                {
                    double dice = 0;
                    int[] counted = [.. Enumerable.Range(0, labels.Length).Where(i => labels[i] != 255)];
                    for (int c = 0; c < classes; c++)
                    {
                        double[] p = [.. counted.Select(i => Softmax(x[0], i, classes, c))];
                        dice += Dice(p, [.. counted.Select(i => labels[i] == c ? 1.0 : 0)], options);
                    }
                    return [1 - (dice / classes)];
                },
                [GradCheck.Input([2, 5, 7, classes], 1, 3)],
                2e-5);
        }
    }

    [Fact]
    public void A_perfect_prediction_costs_nothing_and_its_opposite_everything()
    {
        Tensor sure = Tensor.From([50, -50, -50, 50], [2, 2]);
        Assert.Equal(0, sure.DiceLoss(new byte[] { 0, 1 }).Item(), 1e-6f);
        Assert.Equal(1, sure.DiceLoss(new byte[] { 1, 0 }, new() { Smooth = 0 }).Item(), 1e-6f);
    }

    [Fact]
    public void Where_everything_is_ignored_the_loss_is_zero()
    {
        Tensor x = GradCheck.Input([3, 2]);
        x.RequiresGrad = true;
        foreach (float smooth in new[] { 0f, 1f })
        {
            Tensor loss = x.DiceLoss(new byte[] { 255, 255, 255 }, new() { Smooth = smooth });
            Assert.Equal(0, loss.Item());
            loss.Backward();
            Assert.All(x.Gradient!.ToArray(), v => Assert.Equal(0, v));
        }
    }

    [Fact]
    public void Misuse_is_named()
    {
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).DiceLoss(Tensor.Zeros([3])));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).DiceLoss(new byte[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2, 3]).DiceLoss(new byte[] { 0, 3 }));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        byte[] labels = CrossEntropyTests.Labels(2 * 70 * 71, 11, 255);
        SameBits.OnAnyThreads([[2, 70, 71, 11]], x => x[0].DiceLoss(labels));
    }

    /// <summary>DETR: smooth 1, plain sums, divided by the number of boxes. SOLO: squares, 0.001 for each sum below.</summary>
    [ReferenceFact]
    public void The_published_forms_come_out()
    {
        var golden = Golden.Reference("losses");
        Tensor targets = golden.Tensor("in.bin.target");
        Tensor x = golden.Tensor("in.bin.logits");
        x.RequiresGrad = true;
        Tensor detr = x.DiceLoss(targets);
        TensorAssert.Close(golden.Tensor("detr.dice"), detr, 1e-6);
        detr.Backward();
        TensorAssert.Close(golden.Tensor("detr.dice_grad.0"), x.Gradient!, 2e-6);
        x.ZeroGrad();
        Tensor solo = x.DiceLoss(targets, new() { Smooth = 0, Epsilon = 0.002f, Squared = true, Reduction = LossReduction.None });
        TensorAssert.Close(golden.Tensor("solo.dice"), solo, 1e-6);
    }

    private static double Softmax(double[] x, int row, int classes, int c)
    {
        double most = Enumerable.Range(0, classes).Max(k => x[(row * classes) + k]);
        return Math.Exp(x[(row * classes) + c] - most) / Enumerable.Range(0, classes).Sum(k => Math.Exp(x[(row * classes) + k] - most));
    }

    private static double Dice(double[] p, double[] t, DiceOptions o)
    {
        double overlap = p.Zip(t, (a, b) => a * b).Sum();
        double size = o.Squared ? p.Sum(v => v * v) + t.Sum(v => v * v) : p.Sum() + t.Sum();
        return ((2 * overlap) + o.Smooth) / (size + o.Smooth + o.Epsilon);
    }
}

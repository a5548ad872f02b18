using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class CrossEntropyTests
{
    public static TheoryData<int, float, bool, LossReduction> Cases
    {
        get
        {
            var cases = new TheoryData<int, float, bool, LossReduction>();
            foreach (int classes in new[] { 1, 2, 3, 4, 5, 8, 11, 16, 21, 40, 64, 65 })
            {
                cases.Add(classes, 0, false, LossReduction.Mean);
                if (classes > 1) cases.Add(classes, 0.1f, true, LossReduction.Mean);
            }
            foreach (LossReduction reduction in Enum.GetValues<LossReduction>())
            {
                cases.Add(5, 0, true, reduction);
                cases.Add(5, 0.3f, false, reduction);
                cases.Add(5, 1, true, reduction);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Values_and_gradients_are_the_references(int classes, float smoothing, bool weighted, LossReduction reduction)
    {
        Shape shape = [2, 7, 9, classes];
        byte[] labels = Labels(2 * 7 * 9, classes, 255);
        Tensor? weights = weighted ? GradCheck.Input([classes], 5) + 1.2f : null;
        var options = new CrossEntropyOptions { ClassWeights = weights, LabelSmoothing = smoothing, Reduction = reduction };
        double[] w = weights is null ? [.. Enumerable.Repeat(1.0, classes)] : Array.ConvertAll(weights.ToArray(), v => (double)v);
        double[] Expected(double[][] x) => Naive(x[0], labels, classes, 255, w, smoothing, reduction);
        GradCheck.Run(x => x[0].CrossEntropy(labels, options), Expected, [GradCheck.Input(shape, 1, 4)], 2e-5);
        int[] wide = Array.ConvertAll(labels, l => (int)l);
        GradCheck.Run(x => x[0].CrossEntropy(wide, options), Expected, [GradCheck.Input(shape, 1, 4)], 2e-5);
    }

    [Fact]
    public void A_worked_example_comes_out()
    {
        // Two classes, scores (0, ln 3) and (0, 0): p of class 1 is 3/4 and 1/2, so the losses of labels 1 and 0 are ln 4/3 and ln 2; the third pixel is ignored.
        Tensor logits = Tensor.From([0, MathF.Log(3), 0, 0, 7, -7], [3, 2]);
        logits.RequiresGrad = true;
        byte[] labels = [1, 0, 255];
        Assert.Equal((Math.Log(4 / 3.0) + Math.Log(2)) / 2, logits.CrossEntropy(labels).Item(), 2e-7);
        TensorAssert.Close([Math.Log(4 / 3.0), Math.Log(2), 0], logits.CrossEntropy(labels, new() { Reduction = LossReduction.None }), 3e-7);
        logits.CrossEntropy(labels).Backward();
        TensorAssert.Close([0.125, -0.125, -0.25, 0.25, 0, 0], logits.Gradient!, 3e-7);

        // Weighted by (1, 3) the mean is (3·ln 4/3 + ln 2) / 4.
        var weighted = new CrossEntropyOptions { ClassWeights = Tensor.From([1, 3], [2]) };
        Assert.Equal(((3 * Math.Log(4 / 3.0)) + Math.Log(2)) / 4, logits.CrossEntropy(labels, weighted).Item(), 2e-7);
    }

    [Fact]
    public void Where_everything_is_ignored_loss_and_gradient_are_zero()
    {
        Tensor logits = GradCheck.Input([1, 2, 3, 4]);
        logits.RequiresGrad = true;
        Tensor loss = logits.CrossEntropy(Enumerable.Repeat((byte)255, 6).ToArray());
        Assert.Equal(0, loss.Item());
        loss.Backward();
        Assert.All(logits.Gradient!.ToArray(), v => Assert.Equal(0, v));
        Assert.Equal(0, Tensor.Zeros([0, 3]).CrossEntropy(Array.Empty<byte>()).Item());
    }

    [Fact]
    public void An_ignored_pixel_may_hold_anything()
    {
        Tensor logits = Tensor.From([float.NaN, float.PositiveInfinity, 1, 1], [2, 2]);
        logits.RequiresGrad = true;
        Tensor loss = logits.CrossEntropy(new byte[] { 255, 0 });
        Assert.Equal(MathF.Log(2), loss.Item(), 1e-6f);
        loss.Backward();
        Assert.Equal([0, 0, -0.5f, 0.5f], logits.Gradient!.ToArray());
    }

    [Fact]
    public void Sure_and_wrong_predictions_neither_overflow_nor_vanish()
    {
        Tensor logits = Tensor.From([1000, -1000, 0, 20, 0, 0], [2, 3]);
        float[] losses = logits.CrossEntropy(new byte[] { 1, 0 }, new() { Reduction = LossReduction.None }).ToArray();
        Assert.Equal(2000, losses[0]);
        Assert.Equal(4.1223073e-9f, losses[1], 1e-8f);
    }

    [Fact]
    public void Any_number_of_pixels_gives_what_each_pixel_gives_alone()
    {
        // Blocks of pixels, registers of pixels and single ones: where a pixel lies changes no bit of its loss or its gradient.
        const int Classes = 21;
        Tensor all = GradCheck.Input([150, Classes], 3, 6);
        byte[] labels = Labels(150, Classes, 255);
        var each = new CrossEntropyOptions { Reduction = LossReduction.None, LabelSmoothing = 0.05f };
        (float[] losses, float[] gradients) = Run(0, 150);
        foreach ((int from, int count) in new[] { (0, 1), (1, 3), (5, 16), (7, 17), (20, 63), (9, 64), (3, 65), (1, 149) })
        {
            (float[] someLosses, float[] someGradients) = Run(from, count);
            TensorAssert.SameBits(losses.AsSpan(from, count), someLosses);
            TensorAssert.SameBits(gradients.AsSpan(from * Classes, count * Classes), someGradients);
        }

        (float[], float[]) Run(int from, int count)
        {
            Tensor x = Tensor.From(all.Span.Slice(from * Classes, count * Classes), [count, Classes]);
            x.RequiresGrad = true;
            Tensor loss = x.CrossEntropy(labels.AsMemory(from, count), each);
            loss.Backward(Tensor.Full(loss.Shape, 1));
            return (loss.ToArray(), x.Gradient!.ToArray());
        }
    }

    [Fact]
    public void A_wrong_label_is_found_wherever_it_lies()
    {
        for (int place = 0; place < 100; place++)
        {
            var labels = new byte[100];
            labels[place] = 3;
            var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([100, 3]).CrossEntropy(labels));
            Assert.Contains($"at {place} is 3", thrown.Message, StringComparison.Ordinal);
            var wide = new int[100];
            wide[place] = 259; // 3 in its lowest byte
            Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([100, 3]).CrossEntropy(wide));
            wide[place] = -1;
            Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([100, 3]).CrossEntropy(wide));
        }
        Tensor.Zeros([100, 300]).CrossEntropy(Enumerable.Range(0, 100).Select(i => (byte)(200 + (i % 56))).ToArray(), new() { IgnoreIndex = -100 });
    }

    [Fact]
    public void The_ignored_label_can_be_a_class_or_negative()
    {
        Tensor logits = Tensor.From([0, 0, 5, 0], [2, 2]);
        Assert.Equal(MathF.Log(2), logits.CrossEntropy(new byte[] { 1, 0 }, new() { IgnoreIndex = 0 }).Item(), 1e-6f);
        Assert.Equal(MathF.Log(2), logits.CrossEntropy(new[] { 1, -100 }, new() { IgnoreIndex = -100 }).Item(), 1e-6f);
    }

    [Fact]
    public void A_label_that_is_no_class_is_named_with_its_place()
    {
        var labels = new byte[2 * 3 * 4];
        labels[21] = 7;
        var thrown = Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2, 3, 4, 5]).CrossEntropy(labels));
        Assert.Contains("image 1, row 2, column 1", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("is 7", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("0 … 4", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([1, 5]).CrossEntropy(new[] { -1 }));
    }

    [Fact]
    public void Sizes_that_do_not_fit_are_named()
    {
        Assert.Contains("[2, 3]", Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).CrossEntropy(new byte[3])).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).CrossEntropy(new byte[2], new() { ClassWeights = Tensor.Zeros([2]) }));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 0]).CrossEntropy(new byte[2]));
        Assert.Throws<ShapeException>(() => Tensor.Scalar(1).CrossEntropy(new byte[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2, 3]).CrossEntropy(new byte[2], new() { LabelSmoothing = 1.5f }));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        byte[] labels = Labels(2 * 97 * 83, 21, 255);
        foreach (LossReduction reduction in Enum.GetValues<LossReduction>())
        {
            SameBits.OnAnyThreads([[2, 97, 83, 21]], x => x[0].CrossEntropy(labels, new() { Reduction = reduction, LabelSmoothing = 0.1f }));
        }
    }

    [ReferenceTheory]
    [InlineData("mean")]
    [InlineData("weight")]
    [InlineData("smooth")]
    [InlineData("sum")]
    public void PyTorch_gives_the_same(string name)
    {
        var golden = Golden.Reference("losses");
        Tensor logits = golden.ChannelsLast("in.pix.logits");
        logits.RequiresGrad = true;
        byte[] labels = golden.Array("in.pix.label").Bytes;
        var options = new CrossEntropyOptions
        {
            ClassWeights = name == "weight" ? golden.Tensor("in.pix.weight") : null,
            LabelSmoothing = name == "smooth" ? 0.1f : 0,
            Reduction = name == "sum" ? LossReduction.Sum : LossReduction.Mean,
        };
        Tensor loss = logits.CrossEntropy(labels, options);
        TensorAssert.Close(golden.Tensor($"ce.{name}"), loss, 1e-6);
        loss.Backward();
        TensorAssert.Close(golden.ChannelsLast($"ce.{name}_grad.0"), logits.Gradient!, 2e-6);
    }

    internal static byte[] Labels(int count, int classes, byte ignored)
    {
        var random = new Random(count + classes);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(6) == 0 ? ignored : (byte)random.Next(classes))];
    }

    /// <summary>Of the definition: targets (1 − ε)·onehot + ε / C, each term times its class's weight.</summary>
    private static double[] Naive(double[] x, byte[] labels, int classes, int ignored, double[] weights, double smoothing, LossReduction reduction)
    {
        var losses = new double[labels.Length];
        double divisor = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] == ignored) continue;
            double[] row = x[(i * classes)..((i + 1) * classes)];
            double logSum = row.Max() + Math.Log(row.Sum(v => Math.Exp(v - row.Max())));
            for (int c = 0; c < classes; c++) losses[i] += (((c == labels[i] ? 1 : 0) * (1 - smoothing)) + (smoothing / classes)) * weights[c] * (logSum - row[c]);
            divisor += weights[labels[i]];
        }
        return reduction switch { LossReduction.None => losses, LossReduction.Sum => [losses.Sum()], _ => [losses.Sum() / divisor] };
    }
}

using Delineate.Tensors.Kernels;
using Delineate.Tensors.Optim;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Optim;

public sealed class OptimizerTests
{
    private const int Odd = (1 << 16) + 13; // several pieces and a tail

    public static TheoryData<string> Kinds => ["plain", "sgd", "nesterov", "adamw"];

    [ReferenceTheory]
    [InlineData("sgd", 0.1)]
    [InlineData("nesterov", 0.1)]
    [InlineData("adamw", 0.01)]
    public void Five_steps_equal_PyTorchs(string name, double rate)
    {
        Golden golden = Golden.Reference("ops");
        NpyArray gradients = golden.Array($"opt.{name}.g"), expected = golden.Array($"opt.{name}.w");
        Tensor w = golden.Tensor($"opt.{name}.w0");
        Optimizer optimizer = name switch
        {
            "sgd" => new Sgd([Group(w)], new SgdOptions { Momentum = 0.9, WeightDecay = 0.01 }),
            "nesterov" => new Sgd([Group(w)], new SgdOptions { Momentum = 0.9, Nesterov = true }),
            _ => new AdamW([Group(w)], new AdamWOptions { WeightDecay = 0.05 }),
        };
        for (int step = 0; step < 5; step++)
        {
            w.Gradient = Tensor.From(gradients.Floats.AsSpan(step * w.Length, w.Length), w.Shape);
            optimizer.Step(rate);
            TensorAssert.Close(expected.Values.AsSpan(step * w.Length, w.Length), w.Span, 3e-7, $"step {step}");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Steps_follow_the_formula_in_double_for_every_length(string kind)
    {
        for (int length = 0; length <= 70; length++)
        {
            Tensor w = GradCheck.Input([length], length + 1);
            var reference = new Reference(kind, w.ToArray());
            Optimizer optimizer = Make(kind, Group(w));
            for (int step = 0; step < 4; step++)
            {
                w.Gradient = GradCheck.Input([length], (100 * step) + length);
                reference.Step(w.Gradient.ToArray(), 0.05);
                optimizer.Step(0.05);
            }
            TensorAssert.Close(reference.Weights, w, 2e-6);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_number_of_threads_changes_no_bit(string kind)
    {
        int before = ThreadTeam.Threads;
        try
        {
            ThreadTeam.Threads = 1;
            float[] one = Train(kind);
            ThreadTeam.Threads = 3;
            TensorAssert.SameBits(one, Train(kind));
        }
        finally
        {
            ThreadTeam.Threads = before;
        }

        static float[] Train(string kind)
        {
            Tensor w = GradCheck.Input([Odd]);
            Optimizer optimizer = Make(kind, Group(w));
            for (int step = 0; step < 3; step++)
            {
                w.Gradient = GradCheck.Input([Odd], step + 5);
                GradientClipping.ByNorm([w], 10);
                optimizer.Step(0.05);
            }
            return w.ToArray();
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_restored_state_goes_on_with_the_same_bits(string kind)
    {
        Tensor w = GradCheck.Input([2, 3, 3, 5]);
        Optimizer first = Make(kind, Group(w));
        Run(first, w, 0, 3);
        float[] weights = w.ToArray();
        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Guid.NewGuid():N}.safetensors");
        try
        {
            SafetensorsFile.Save(path, first.State().Select(s => (s.Key, s.Value)));
            Run(first, w, 3, 6);
            Tensor v = Tensor.From(weights, [2, 3, 3, 5]);
            Optimizer second = Make(kind, Group(v));
            using (WeightFile file = SafetensorsFile.Open(path)) second.LoadState(file.Tensors);
            Assert.Equal(3, second.Steps);
            Run(second, v, 3, 6);
            TensorAssert.SameBits(w.Span, v.Span);
        }
        finally
        {
            File.Delete(path);
        }

        static void Run(Optimizer optimizer, Tensor w, int from, int to)
        {
            for (int step = from; step < to; step++)
            {
                w.Gradient = GradCheck.Input(w.Shape, step + 1);
                optimizer.Step(0.05 / (step + 1));
            }
        }
    }

    [Fact]
    public void A_state_of_another_network_is_refused_by_name()
    {
        var optimizer = new Sgd([Group(Tensor.Zeros([3]))]);
        var other = new Sgd([new ParameterGroup([("w", Tensor.Zeros([4])), ("v", Tensor.Zeros([1]))])]);
        var e = Assert.Throws<InvalidDataException>(() => optimizer.LoadState(other.State()));
        Assert.Contains("momentum.w, momentum.v", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Groups_have_their_own_rate_and_decay()
    {
        Tensor a = Tensor.Full([1], 1), b = Tensor.Full([1], 1);
        var optimizer = new Sgd([new ParameterGroup([("a", a)]), new ParameterGroup([("b", b)], learningRateScale: 10, weightDecay: 0)], new SgdOptions { Momentum = 0, WeightDecay = 1 });
        (a.Gradient, b.Gradient) = (Tensor.Full([1], 1), Tensor.Full([1], 1));
        optimizer.Step(0.01);
        Assert.Equal(1 - (0.01f * 2), a.Item(), 6);
        Assert.Equal(1 - 0.1f, b.Item(), 6);
    }

    [Fact]
    public void A_parameter_without_a_gradient_stays_as_it_is()
    {
        Tensor a = Tensor.Full([1], 1), b = Tensor.Full([1], 1);
        var optimizer = new AdamW([new ParameterGroup([("a", a), ("b", b)])]);
        a.Gradient = Tensor.Full([1], 1);
        optimizer.Step(0.1);
        Assert.NotEqual(1, a.Item());
        Assert.Equal(1, b.Item());
    }

    [Fact]
    public void A_parameter_that_is_given_twice_is_refused() =>
        Assert.Throws<ArgumentException>(() => new Sgd([Group(Tensor.Zeros([1])), Group(Tensor.Zeros([1]))]));

    [Fact]
    public void Clipping_scales_all_gradients_to_the_norm()
    {
        Tensor a = Tensor.Zeros([2]), b = Tensor.Zeros([1]), without = Tensor.Zeros([1]);
        (a.Gradient, b.Gradient) = (Tensor.From([3, 0], [2]), Tensor.From([4], [1]));
        Assert.Equal(5, GradientClipping.ByNorm([a, b, without], 1), 12);
        Assert.Equal([0.6f, 0], a.Gradient.ToArray().Select(v => MathF.Round(v, 5)));
        Assert.Equal(0.8f, b.Gradient.Item(), 5);
    }

    [Fact]
    public void Clipping_leaves_small_and_broken_gradients_alone()
    {
        Tensor a = Tensor.Zeros([2]);
        a.Gradient = Tensor.From([3, 4], [2]);
        Assert.Equal(5, GradientClipping.ByNorm([a], 5.1), 12);
        Assert.Equal([3f, 4], a.Gradient.ToArray());
        a.Gradient = Tensor.From([float.NaN, 4], [2]);
        Assert.True(double.IsNaN(GradientClipping.ByNorm([a], 1)));
        Assert.Equal(4, a.Gradient.Span[1]);
    }

    private static ParameterGroup Group(Tensor w) => new([("w", w)]);

    private static Optimizer Make(string kind, ParameterGroup group) => kind switch
    {
        "plain" => new Sgd([group], new SgdOptions { Momentum = 0, WeightDecay = 0.1 }),
        "sgd" => new Sgd([group], new SgdOptions { WeightDecay = 0.1 }),
        "nesterov" => new Sgd([group], new SgdOptions { WeightDecay = 0.1, Nesterov = true }),
        _ => new AdamW([group], new AdamWOptions { WeightDecay = 0.1 }),
    };

    /// <summary>The update formulas in double.</summary>
    private sealed class Reference(string kind, float[] start)
    {
        private readonly double[] m = new double[start.Length];
        private readonly double[] v = new double[start.Length];
        private int steps;

        public double[] Weights { get; } = Array.ConvertAll(start, w => (double)w);

        public void Step(float[] gradient, double rate)
        {
            steps++;
            for (int i = 0; i < Weights.Length; i++)
            {
                double g = kind == "adamw" ? gradient[i] : gradient[i] + (0.1 * Weights[i]);
                if (kind == "adamw")
                {
                    Weights[i] *= 1 - (rate * 0.1);
                    m[i] = (0.9 * m[i]) + (0.1 * g);
                    v[i] = (0.999 * v[i]) + (0.001 * g * g);
                    Weights[i] -= rate * (m[i] / (1 - Math.Pow(0.9, steps))) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.999, steps))) + 1e-8);
                    continue;
                }
                m[i] = ((kind == "plain" ? 0 : 0.9) * m[i]) + g;
                Weights[i] -= rate * (kind == "nesterov" ? g + (0.9 * m[i]) : m[i]);
            }
        }
    }
}

using Delineate.Tensors.Kernels;

namespace Delineate.Tensors.Nn;

/// <summary>Fills a weight before training; the generator decides all of its values.</summary>
public delegate void Initializer(Tensor weight, Philox random);

/// <summary>
/// Starting values of weights. Fan-in is the number of inputs that one output sees (all axes of a weight but the first), fan-out the number
/// of outputs that one input reaches (the first axis times the kernel's area).
/// </summary>
public static class Init
{
    private const int Grain = 1 << 14;

    [ThreadStatic]
    private static int skipped;

    /// <summary>PyTorch's default for layers with weights: uniform within ±1/√fan-in (Kaiming uniform with a = √5).</summary>
    public static readonly Initializer PyTorchDefault = (weight, random) => Uniform(weight, random, 1 / Math.Sqrt(FanIn(weight)));

    /// <summary>
    /// Normal with deviation √(2/fan-out), for layers before a ReLU (He et al. 2015): what torchvision's ResNets start from.
    /// </summary>
    public static readonly Initializer KaimingNormalFanOut = (weight, random) => Normal(weight, random, Math.Sqrt(2 / FanOut(weight)));

    /// <summary>Normal with deviation √(2/fan-in), for layers before a ReLU (He et al. 2015).</summary>
    public static readonly Initializer KaimingNormalFanIn = (weight, random) => Normal(weight, random, Math.Sqrt(2 / FanIn(weight)));

    /// <summary>Uniform within ±√(6/fan-in), for layers before a ReLU (He et al. 2015).</summary>
    public static readonly Initializer KaimingUniform = (weight, random) => Uniform(weight, random, Math.Sqrt(6 / FanIn(weight)));

    /// <summary>Uniform within ±√(6/(fan-in + fan-out)) (Glorot and Bengio 2010).</summary>
    public static readonly Initializer XavierUniform = (weight, random) =>
        Uniform(weight, random, Math.Sqrt(6 / (FanIn(weight) + FanOut(weight))));

    /// <summary>All zeros: the score layers of the first FCNs.</summary>
    public static readonly Initializer Zeros = (weight, _) => weight.Span.Clear();

    /// <summary>
    /// The kernel that makes a transposed convolution enlarge each channel by itself, bilinearly (Long et al. 2015). A weight [C, K, K, C] gets
    /// the kernel where both channels are equal, a grouped one [C, K, K, 1] everywhere.
    /// </summary>
    /// <exception cref="ShapeException">The weight is neither.</exception>
    public static readonly Initializer BilinearUpsampling = (weight, _) =>
    {
        (Shape shape, int depth) = (weight.Shape, weight.Shape.Rank == 4 ? weight.Shape[3] : 0);
        if (depth != 1 && (depth == 0 || depth != shape[0]))
            throw new ShapeException($"BilinearUpsampling fills [C, K, K, C] or [C, K, K, 1], got {shape}");
        Span<float> values = weight.Span;
        values.Clear();
        for (int c = 0; c < shape[0]; c++)
        {
            for (int y = 0; y < shape[1]; y++)
            {
                for (int x = 0; x < shape[2]; x++)
                    values[(((((c * shape[1]) + y) * shape[2]) + x) * depth) + (depth == 1 ? 0 : c)] = (float)(Tent(y, shape[1]) * Tent(x, shape[2]));
            }
        }
    };

    /// <summary>
    /// Until the result is disposed, this thread draws no random values: weights are left as the memory was. For a network whose weights are all loaded
    /// next, which saves most of the time that its making takes.
    /// </summary>
    public static SkipScope Skip()
    {
        skipped++;
        return default;
    }

    /// <summary>Uniform within ±<paramref name="bound"/>.</summary>
    public static void Uniform(Tensor weight, Philox random, double bound) => Fill(weight, random, (part, generator) =>
    {
        for (int i = 0; i < part.Length; i++) part[i] = (float)(((generator.NextFloat() * 2) - 1) * bound);
    });

    /// <summary>Normal with mean 0.</summary>
    public static void Normal(Tensor weight, Philox random, double deviation) => Fill(weight, random, (part, generator) =>
    {
        // Box-Muller gives two numbers at a time.
        for (int i = 0; i < part.Length; i += 2)
        {
            double radius = deviation * Math.Sqrt(-2 * Math.Log(1 - generator.NextFloat()));
            (double sine, double cosine) = Math.SinCos(2 * Math.PI * generator.NextFloat());
            part[i] = (float)(radius * cosine);
            if (i + 1 < part.Length) part[i + 1] = (float)(radius * sine);
        }
    });

    internal static double FanIn(Tensor weight) =>
        Math.Max(1, weight.Shape.Rank < 2 ? weight.Length : weight.Shape.Product(1, weight.Shape.Rank));

    internal static double FanOut(Tensor weight) =>
        weight.Shape.Rank < 2 ? weight.Length : (double)weight.Shape[0] * weight.Shape.Product(1, weight.Shape.Rank - 1);

    private delegate void Filler(Span<float> part, Philox generator);

    /// <summary>Fills by parts of a fixed size, each from a generator of its own, so that the threads can share the work.</summary>
    private static void Fill(Tensor weight, Philox random, Filler filler)
    {
        ulong seed = ((ulong)random.NextBits() << 32) | random.NextBits();
        if (skipped > 0) return;
        ThreadTeam.Ranges(weight.Length, Grain, (from, to) => filler(weight.Span[from..to], new Philox(seed, (ulong)(from / Grain))));
    }

    /// <summary>A tent over <paramref name="size"/> places whose peak is 1, in the middle.</summary>
    private static double Tent(int place, int size)
    {
        int factor = (size + 1) / 2;
        double centre = size % 2 == 1 ? factor - 1 : factor - 0.5;
        return 1 - (Math.Abs(place - centre) / factor);
    }

    /// <summary>Ends the <see cref="Skip"/> it came from.</summary>
    public readonly struct SkipScope : IDisposable
    {
        public void Dispose() => skipped--;
    }
}

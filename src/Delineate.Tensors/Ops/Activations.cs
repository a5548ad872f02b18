using System.Numerics;
using System.Runtime.CompilerServices;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Functions of one value, element by element. [...] → [...].</summary>
public static class Activations
{
    /// <summary>eˣ.</summary>
    public static Tensor Exp(this Tensor x) => Activate(x, default(ExpOp));

    /// <summary>The natural logarithm: −∞ at 0, NaN below.</summary>
    public static Tensor Log(this Tensor x) => Activate(x, default(LogOp));

    /// <summary>The square root: NaN below 0.</summary>
    public static Tensor Sqrt(this Tensor x) => Activate(x, default(SqrtOp));

    /// <summary>max(x, 0); NaN stays NaN.</summary>
    public static Tensor Relu(this Tensor x) => Activate(x, default(ReluOp));

    /// <summary>min(max(x, 0), 6) (MobileNet; Howard et al. 2017).</summary>
    public static Tensor Relu6(this Tensor x) => Activate(x, default(Relu6Op));

    /// <summary>x where positive, else <paramref name="slope"/> · x (Maas et al. 2013).</summary>
    public static Tensor LeakyRelu(this Tensor x, float slope = 0.01f) => Activate(x, new LeakyReluOp(slope));

    /// <summary>x where positive, else <paramref name="alpha"/> · (eˣ − 1) (Clevert et al. 2016).</summary>
    public static Tensor Elu(this Tensor x, float alpha = 1) => Activate(x, new EluOp(alpha));

    /// <summary>1 / (1 + e⁻ˣ), without overflow.</summary>
    public static Tensor Sigmoid(this Tensor x) => Activate(x, default(SigmoidOp));

    /// <summary>ln(1 / (1 + e⁻ˣ)), without overflow.</summary>
    public static Tensor LogSigmoid(this Tensor x) => Activate(x, default(LogSigmoidOp));

    /// <summary>ln(1 + eˣ), without overflow.</summary>
    public static Tensor Softplus(this Tensor x) => Activate(x, default(SoftplusOp));

    /// <summary>The hyperbolic tangent.</summary>
    public static Tensor Tanh(this Tensor x) => Activate(x, default(TanhOp));

    /// <summary>x · Φ(x) with Φ the normal distribution (Hendrycks and Gimpel 2016); with <paramref name="approximate"/> their tanh form.</summary>
    public static Tensor Gelu(this Tensor x, bool approximate = false) => approximate ? Activate(x, default(TanhGeluOp)) : Activate(x, default(GeluOp));

    /// <summary>x · sigmoid(x) (Elfwing et al. 2017), also called swish.</summary>
    public static Tensor Silu(this Tensor x) => Activate(x, default(SiluOp));

    /// <summary>min(max(x + 3, 0), 6) / 6 (MobileNetV3; Howard et al. 2019).</summary>
    public static Tensor HardSigmoid(this Tensor x) => Activate(x, default(HardSigmoidOp));

    /// <summary>x · min(max(x + 3, 0), 6) / 6 (MobileNetV3; Howard et al. 2019).</summary>
    public static Tensor HardSwish(this Tensor x) => Activate(x, default(HardSwishOp));

    private static Tensor Activate<TOp>(Tensor x, TOp op)
        where TOp : struct, IActivation
    {
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedMap<TOp>(typeof(TOp).Name[..^2], op), x.Shape, x);
        Tensor y = Tensor.Empty(x.Shape);
        Elementwise.Map(x, y, op);
        Tensor saved = TOp.SavesOutput ? y : x;
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = dy.Block.IsUnshared ? dy : Tensor.Empty(dy.Shape);
            Elementwise.Zip(dy, saved, dx, new GradientOf<TOp>(op));
            return dx;
        }, read: [saved]);
    }
}

/// <summary>A function of one value with its derivative, which is written in terms of the function's input or, where that is cheaper, its output.</summary>
internal interface IActivation : IMap
{
    static abstract bool SavesOutput { get; }

    Vector<float> Gradient(Vector<float> dy, Vector<float> saved);
}

internal readonly struct GradientOf<TOp>(TOp op) : IZip
    where TOp : struct, IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> dy, Vector<float> saved) => op.Gradient(dy, saved);
}

internal readonly struct ExpOp : IActivation
{
    public static bool SavesOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => VectorMath.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> y) => dy * y;
}

internal readonly struct LogOp : IActivation
{
    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => Vector.Log(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x) => dy / x;
}

internal readonly struct SqrtOp : IActivation
{
    public static bool SavesOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => Vector.SquareRoot(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> y) => dy / (y + y);
}

internal readonly struct ReluOp : IActivation
{
    public static bool SavesOutput => true;

    // Written with "not above" so that NaN, which no comparison holds for, stays what it is.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => Vector.ConditionalSelect(Vector.LessThanOrEqual(x, Vector<float>.Zero), Vector<float>.Zero, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> y) => Vector.ConditionalSelect(Vector.LessThanOrEqual(y, Vector<float>.Zero), Vector<float>.Zero, dy);
}

internal readonly struct Relu6Op : IActivation
{
    public static bool SavesOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => Vector.Min(Vector.Max(x, Vector<float>.Zero), new Vector<float>(6));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> y)
    {
        Vector<int> flat = Vector.LessThanOrEqual(y, Vector<float>.Zero) | Vector.GreaterThanOrEqual(y, new Vector<float>(6));
        return Vector.ConditionalSelect(flat, Vector<float>.Zero, dy);
    }
}

internal readonly struct LeakyReluOp(float slope) : IActivation
{
    public float Slope => slope;

    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => Gradient(x, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x) => Vector.ConditionalSelect(Vector.GreaterThan(x, Vector<float>.Zero), dy, dy * slope);
}

internal readonly struct EluOp(float alpha) : IActivation
{
    public float Alpha => alpha;

    public static bool SavesOutput => false;

    // eˣ − 1 = tanh(x/2) · (eˣ + 1) keeps its digits near 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> below = VectorMath.Tanh(x * 0.5f) * (VectorMath.Exp(x) + Vector<float>.One) * alpha;
        return Vector.ConditionalSelect(Vector.GreaterThan(x, Vector<float>.Zero), x, below);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x) =>
        Vector.ConditionalSelect(Vector.GreaterThan(x, Vector<float>.Zero), dy, dy * VectorMath.Exp(x) * alpha);
}

internal readonly struct SigmoidOp : IActivation
{
    public static bool SavesOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => VectorMath.Sigmoid(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> y) => dy * y * (Vector<float>.One - y);
}

internal readonly struct LogSigmoidOp : IActivation
{
    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => -VectorMath.Softplus(-x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x) => dy * VectorMath.Sigmoid(-x);
}

internal readonly struct SoftplusOp : IActivation
{
    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => VectorMath.Softplus(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x) => dy * VectorMath.Sigmoid(x);
}

internal readonly struct TanhOp : IActivation
{
    public static bool SavesOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => VectorMath.Tanh(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> y) => dy * (Vector<float>.One - (y * y));
}

internal readonly struct GeluOp : IActivation
{
    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        VectorMath.Normal(x, out Vector<float> cumulative, out _);
        return x * cumulative;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x)
    {
        VectorMath.Normal(x, out Vector<float> cumulative, out Vector<float> density);
        return dy * (cumulative + (x * density));
    }
}

/// <summary>x/2 · (1 + tanh z) = x · sigmoid(2z), z = √(2/π)·(x + 0.044715·x³).</summary>
internal readonly struct TanhGeluOp : IActivation
{
    private const float Twice = 1.59576912f; // 2·√(2/π)

    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => x * VectorMath.Sigmoid(x * (Vector<float>.One + (x * x * 0.044715f)) * Twice);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x)
    {
        Vector<float> s = VectorMath.Sigmoid(x * (Vector<float>.One + (x * x * 0.044715f)) * Twice);
        Vector<float> slope = (Vector<float>.One + (x * x * (3 * 0.044715f))) * Twice;
        return dy * (s + (x * s * (Vector<float>.One - s) * slope));
    }
}

internal readonly struct SiluOp : IActivation
{
    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => x * VectorMath.Sigmoid(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x)
    {
        Vector<float> s = VectorMath.Sigmoid(x);
        return dy * (s + (x * s * (Vector<float>.One - s)));
    }
}

internal readonly struct HardSigmoidOp : IActivation
{
    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => Vector.Min(Vector.Max(x + new Vector<float>(3), Vector<float>.Zero), new Vector<float>(6)) / new Vector<float>(6);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x) =>
        Vector.ConditionalSelect(Vector.LessThan(Vector.Abs(x), new Vector<float>(3)), dy / new Vector<float>(6), Vector<float>.Zero);
}

internal readonly struct HardSwishOp : IActivation
{
    public static bool SavesOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => x * default(HardSigmoidOp).Apply(x);

    // 0 below −3, (2x + 3) / 6 between, 1 above 3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Gradient(Vector<float> dy, Vector<float> x)
    {
        Vector<float> three = new(3);
        Vector<float> inside = dy * ((x + x + three) / new Vector<float>(6));
        return Vector.ConditionalSelect(Vector.LessThan(x, -three), Vector<float>.Zero, Vector.ConditionalSelect(Vector.GreaterThan(x, three), dy, inside));
    }
}

/// <summary>A function of one value, element by element. Reads x.</summary>
internal sealed record TracedMap<TOp>(string Function, TOp Op) : GraphOp
    where TOp : struct, IMap
{
    public override string Name => Function;

    public override bool RunsInPlace => true;

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Elementwise.MapWork(inputs[0].Tensor, output.Tensor, Op);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        string x = onnx.Of(node.Inputs[0]!);
        onnx.Set(node, (object)Op switch
        {
            ExpOp => Add("Exp", x),
            LogOp => Add("Log", x),
            SqrtOp => Add("Sqrt", x),
            ReluOp => Add("Relu", x),
            Relu6Op => Add("Clip", x, onnx.Number(0), onnx.Number(6)),
            LeakyReluOp leaky => onnx.Add(node, "LeakyRelu", [x], new OnnxAttribute("alpha", leaky.Slope)),
            EluOp elu => onnx.Add(node, "Elu", [x], new OnnxAttribute("alpha", elu.Alpha)),
            SigmoidOp => Add("Sigmoid", x),
            LogSigmoidOp => Add("Neg", Add("Softplus", Add("Neg", x))),
            SoftplusOp => Add("Softplus", x),
            TanhOp => Add("Tanh", x),
            GeluOp => Add("Mul", Add("Mul", x, onnx.Number(0.5f)), Add("Add", Add("Erf", Add("Mul", x, onnx.Number(float.Sqrt(0.5f)))), onnx.Number(1))),
            SiluOp => Add("Mul", x, Add("Sigmoid", x)),
            HardSigmoidOp => onnx.Add(node, "HardSigmoid", [x], new OnnxAttribute("alpha", 1 / 6f), new OnnxAttribute("beta", 0.5f)),
            HardSwishOp => Add("HardSwish", x),
            WithRight<AddOp> op => Add("Add", x, onnx.Number(op.Right)),
            WithRight<MultiplyOp> op => Add("Mul", x, onnx.Number(op.Right)),
            WithRight<DivideOp> op => Add("Div", x, onnx.Number(op.Right)),
            WithLeft<SubtractOp> op => Add("Sub", onnx.Number(op.Left), x),
            WithLeft<DivideOp> op => Add("Div", onnx.Number(op.Left), x),
            _ => throw OnnxGraph.Refusal(node, "no form of it in ONNX is known here"),
        });

        string Add(string op, params string[] inputs) => onnx.Add(node, op, inputs);
    }
}

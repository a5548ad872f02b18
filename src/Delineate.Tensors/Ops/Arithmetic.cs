using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Addition, subtraction, multiplication and division, element by element, with NumPy's broadcasting: axes of size 1, or missing in front, repeat.</summary>
public static class Arithmetic
{
    extension(Tensor)
    {
        public static Tensor operator +(Tensor a, Tensor b) => a.Add(b);

        public static Tensor operator +(Tensor a, float b) => a.Add(b);

        public static Tensor operator +(float a, Tensor b) => b.Add(a);

        public static Tensor operator -(Tensor a, Tensor b) => a.Sub(b);

        public static Tensor operator -(Tensor a, float b) => a.Add(-b);

        public static Tensor operator -(float a, Tensor b) => Affine(b, -1, a);

        public static Tensor operator *(Tensor a, Tensor b) => a.Mul(b);

        public static Tensor operator *(Tensor a, float b) => a.Mul(b);

        public static Tensor operator *(float a, Tensor b) => b.Mul(a);

        public static Tensor operator /(Tensor a, Tensor b) => a.Div(b);

        public static Tensor operator /(Tensor a, float b) => a.Div(b);

        public static Tensor operator /(float a, Tensor b) => Tracer.Current is { } tracer
            ? tracer.Add(new TracedMap<WithLeft<DivideOp>>(nameof(Div), new(a, default)), b.Shape, b)
            : Tensor.Scalar(a).Div(b);

        public static Tensor operator -(Tensor a) => a.Neg();
    }

    /// <summary>a + b. Shapes that broadcast → the larger of each axis.</summary>
    /// <exception cref="ShapeException">The shapes do not broadcast.</exception>
    public static Tensor Add(this Tensor a, Tensor b)
    {
        Tensor y = Apply(a, b, default(AddOp), nameof(Add));
        (Shape shapeA, Shape shapeB) = (a.Shape, b.Shape);
        (bool wantsA, bool wantsB) = (a.WantsGrad, b.WantsGrad);
        return Autograd.Record(y, [a, b], dy => [wantsA ? Broadcast.SumTo(dy, shapeA) : null, wantsB ? Broadcast.SumTo(dy, shapeB) : null], read: []);
    }

    /// <summary>a − b. Shapes that broadcast → the larger of each axis.</summary>
    /// <exception cref="ShapeException">The shapes do not broadcast.</exception>
    public static Tensor Sub(this Tensor a, Tensor b)
    {
        Tensor y = Apply(a, b, default(SubtractOp), nameof(Sub));
        (Shape shapeA, Shape shapeB) = (a.Shape, b.Shape);
        (bool wantsA, bool wantsB) = (a.WantsGrad, b.WantsGrad);
        return Autograd.Record(y, [a, b], dy => [wantsA ? Broadcast.SumTo(dy, shapeA) : null, wantsB ? SumToOwn(Scaled(dy, -1), shapeB) : null], read: []);
    }

    /// <summary>a · b. Shapes that broadcast → the larger of each axis.</summary>
    /// <exception cref="ShapeException">The shapes do not broadcast.</exception>
    public static Tensor Mul(this Tensor a, Tensor b)
    {
        Tensor y = Apply(a, b, default(MultiplyOp), nameof(Mul));
        (bool wantsA, bool wantsB) = (a.WantsGrad, b.WantsGrad);
        return Autograd.Record(y, [a, b], dy =>
        [
            wantsA ? SumToOwn(Apply(dy, b, default(MultiplyOp), nameof(Mul)), a.Shape) : null,
            wantsB ? SumToOwn(Apply(dy, a, default(MultiplyOp), nameof(Mul)), b.Shape) : null,
        ]);
    }

    /// <summary>a / b. Shapes that broadcast → the larger of each axis.</summary>
    /// <exception cref="ShapeException">The shapes do not broadcast.</exception>
    public static Tensor Div(this Tensor a, Tensor b)
    {
        Tensor y = Apply(a, b, default(DivideOp), nameof(Div));
        (bool wantsA, bool wantsB) = (a.WantsGrad, b.WantsGrad);
        return Autograd.Record(y, [a, b], dy =>
        {
            // d(a/b)/da = 1/b and d(a/b)/db = −(a/b)/b.
            Tensor da = Apply(dy, b, default(DivideOp), nameof(Div));
            Tensor? db = null;
            if (wantsB)
            {
                Tensor full = Apply(da, y, default(NegativeProductOp), nameof(Div));
                db = SumToOwn(full, b.Shape);
            }
            if (wantsA) return [SumToOwn(da, a.Shape), db];
            da.Block.Release();
            return [null, db];
        });
    }

    /// <summary>x + value. [...] → [...].</summary>
    public static Tensor Add(this Tensor x, float value) => Affine(x, 1, value);

    /// <summary>x − value. [...] → [...].</summary>
    public static Tensor Sub(this Tensor x, float value) => Affine(x, 1, -value);

    /// <summary>x · value. [...] → [...].</summary>
    public static Tensor Mul(this Tensor x, float value)
    {
        Tensor y = Scaled(x, value);
        return Autograd.Record(y, x, dy => Scaled(dy, value), read: []);
    }

    /// <summary>x / value. [...] → [...].</summary>
    public static Tensor Div(this Tensor x, float value)
    {
        Tensor y = Divided(x, value);
        return Autograd.Record(y, x, dy => Divided(dy, value), read: []);
    }

    /// <summary>−x. [...] → [...].</summary>
    public static Tensor Neg(this Tensor x) => x.Mul(-1);

    /// <summary>factor · x + value, for factors of 1 and −1: one rounding.</summary>
    private static Tensor Affine(Tensor x, float factor, float value)
    {
        if (Tracer.Current is { } tracer)
        {
            return factor == 1
                ? tracer.Add(new TracedMap<WithRight<AddOp>>(nameof(Add), new(value, default)), x.Shape, x)
                : tracer.Add(new TracedMap<WithLeft<SubtractOp>>(nameof(Sub), new(value, default)), x.Shape, x);
        }
        Tensor y = Tensor.Empty(x.Shape);
        if (factor == 1) Elementwise.Map(x, y, new WithRight<AddOp>(value, default));
        else Elementwise.Map(x, y, new WithLeft<SubtractOp>(value, default));
        return Autograd.Record(y, x, dy => factor == 1 ? dy : Scaled(dy, -1), read: []);
    }

    private static Tensor Apply<TOp>(Tensor a, Tensor b, TOp op, string name)
        where TOp : struct, IZip
    {
        Shape shape = Broadcast.ShapeOf(a.Shape, b.Shape, name);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedZip<TOp>(name, op), shape, a, b);
        Tensor y = Tensor.Empty(shape);
        Broadcast.Run(a, b, y, op);
        return y;
    }

    private static Tensor Scaled(Tensor x, float factor)
    {
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedMap<WithRight<MultiplyOp>>(nameof(Mul), new(factor, default)), x.Shape, x);
        Tensor y = Tensor.Empty(x.Shape);
        Elementwise.Map(x, y, new WithRight<MultiplyOp>(factor, default));
        return y;
    }

    private static Tensor Divided(Tensor x, float divisor)
    {
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedMap<WithRight<DivideOp>>(nameof(Div), new(divisor, default)), x.Shape, x);
        Tensor y = Tensor.Empty(x.Shape);
        Elementwise.Map(x, y, new WithRight<DivideOp>(divisor, default));
        return y;
    }

    /// <summary>The sum of a tensor that nobody else holds: its memory goes back where the sum is another tensor.</summary>
    private static Tensor SumToOwn(Tensor full, Shape shape)
    {
        Tensor sum = Broadcast.SumTo(full, shape);
        if (sum != full) full.Block.Release();
        return sum;
    }
}

/// <summary>A function of two values with broadcasting. Reads a, b.</summary>
internal sealed record TracedZip<TOp>(string Function, TOp Op) : GraphOp
    where TOp : struct, IZip
{
    public override string Name => Function;

    public override bool RunsInPlace => true;

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Broadcast.RunWork(inputs[0].Tensor, inputs[1].Tensor, output.Tensor, Op);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        string name = (object)Op switch
        {
            AddOp => "Add",
            SubtractOp => "Sub",
            MultiplyOp => "Mul",
            DivideOp => "Div",
            _ => throw OnnxGraph.Refusal(node, "no form of it in ONNX is known here"),
        };
        onnx.Result(node, name, [onnx.Broadcast(node, 0), onnx.Broadcast(node, 1)]);
    }
}

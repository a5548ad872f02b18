using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Layer normalisation.</summary>
public static unsafe class LayerNormOp
{
    private const int MostPieces = 64;
    private const int Grain = 1 << 14;

    /// <summary>
    /// Normalises over the last axes, those of weight and bias (the last one where neither is given), then scales and shifts each element.
    /// [..., D] → [..., D]. Ba, Kiros and Hinton 2016, arXiv:1607.06450.
    /// </summary>
    /// <exception cref="ShapeException">The shape of weight or bias is not the end of x's.</exception>
    public static Tensor LayerNorm(this Tensor x, Tensor? weight = null, Tensor? bias = null, float eps = 1e-5f)
    {
        int axes = (weight ?? bias)?.Shape.Rank ?? 1;
        if (axes < 1 || x.Shape.Rank < axes) throw new ShapeException($"LayerNorm normalises over the last axes, got {x.Shape} with weight {weight?.Shape}, bias {bias?.Shape}");
        ReadOnlySpan<int> end = x.Shape.AsSpan()[^axes..];
        if ((weight is not null && !weight.Shape.AsSpan().SequenceEqual(end)) || (bias is not null && !bias.Shape.AsSpan().SequenceEqual(end)))
            throw new ShapeException($"LayerNorm takes a weight and bias shaped like the last axes of {x.Shape}, got weight {weight?.Shape.ToString() ?? "none"}, bias {bias?.Shape.ToString() ?? "none"}");
        int length = Shape.Of(end).Length;
        int rows = length == 0 ? 0 : x.Length / length;

        if (Tracer.Current is { } tracer) return tracer.Add(new TracedLayerNorm(rows, length, eps), x.Shape, x, weight, bias);
        Tensor y = Tensor.Empty(x.Shape);
        Tensor moments = Tensor.Empty([2, rows]); // of each row the mean and 1/√(variance + eps)
        Forward(x, rows, length, weight, bias, eps, moments, y).Run();
        (bool wantsX, bool wantsWeight, bool wantsBias) = (x.WantsGrad, weight is { WantsGrad: true }, bias is { WantsGrad: true });
        Autograd.Record(y, [x, weight, bias], dy => Backward(dy, x, rows, length, weight, bias, wantsX, wantsWeight, wantsBias, moments));
        if (y.Node is null) moments.Block.Release();
        return y;
    }

    internal static Work Forward(Tensor x, int rows, int length, Tensor? weight, Tensor? bias, float eps, Tensor moments, Tensor y)
    {
        float* from = Pinned.Of(x), to = Pinned.Of(y), weights = Pinned.OfOptional(weight), biases = Pinned.OfOptional(bias);
        float* means = Pinned.Of(moments), inverses = means + rows;
        return Work.Ranges(rows, Math.Max(1, Grain / Math.Max(1, length)), (first, end) =>
        {
            for (int row = first; row < end; row++)
            {
                float* line = from + ((long)row * length);
                double sum = 0, squares = 0;
                LaneLoop.Over(new SumsKernel(line, null, null, line[0], &sum, &squares), length);
                double mean = line[0] + (sum / length);
                // Once more around the mean: the row is in the cache, and no digits are lost.
                (sum, squares) = (0, 0);
                LaneLoop.Over(new SumsKernel(line, null, null, (float)mean, &sum, &squares), length);
                double variance = Math.Max(0, (squares - (sum * sum / length)) / length);
                means[row] = (float)mean;
                inverses[row] = (float)(1 / Math.Sqrt(variance + eps));
                LaneLoop.Over(new ApplyKernel(line, means[row], inverses[row], weights, biases, to + ((long)row * length)), length);
            }
        });
    }

    private static Tensor?[] Backward(Tensor dy, Tensor x, int rows, int length, Tensor? weight, Tensor? bias, bool wantsX, bool wantsWeight, bool wantsBias, Tensor moments)
    {
        Tensor? dx = wantsX ? Tensor.Empty(x.Shape) : null;
        float* gradients = Pinned.Of(dy), from = Pinned.Of(x), to = Pinned.OfOptional(dx), weights = Pinned.OfOptional(weight);
        float* means = Pinned.Of(moments), inverses = means + rows;
        int pieceRows = Math.Max(Math.Max(1, Grain / Math.Max(1, length)), (rows + MostPieces - 1) / MostPieces);
        int pieces = (rows + pieceRows - 1) / pieceRows;
        bool columns = wantsWeight || wantsBias;
        using Scratch scratch = Scratch.Floats(columns ? 2 * pieces * length : 0);
        float* partial = Pinned.Of(scratch);
        ThreadTeam.Run(pieces, p =>
        {
            float* part = partial + (2L * p * length);
            if (columns) new Span<float>(part, 2 * length).Clear();
            for (int row = p * pieceRows; row < Math.Min(rows, (p + 1) * pieceRows); row++)
            {
                long at = (long)row * length;
                (float mean, float inverse) = (means[row], inverses[row]);
                if (columns) LaneLoop.Over(new ColumnsKernel(gradients + at, from + at, mean, inverse, part, part + length), length);
                if (to is null) continue;
                double sum = 0, products = 0;
                LaneLoop.Over(new SumsKernel(from + at, gradients + at, weights, mean, &sum, &products), length);
                float b = (float)(-products * inverse * inverse * inverse / length), c = (float)(-sum * inverse / length);
                LaneLoop.Over(new InputKernel(gradients + at, from + at, weights, mean, inverse, b, c, to + at), length);
            }
        });
        Tensor? dWeight = wantsWeight ? Tensor.Zeros(weight!.Shape) : null, dBias = wantsBias ? Tensor.Zeros(bias!.Shape) : null;
        float* weightSums = Pinned.OfOptional(dWeight), biasSums = Pinned.OfOptional(dBias);
        for (int p = 0; p < pieces; p++)
        {
            float* part = partial + (2L * p * length);
            if (weightSums is not null) LaneLoop.Over(new AddKernel(part, weightSums), length);
            if (biasSums is not null) LaneLoop.Over(new AddKernel(part + length, biasSums), length);
        }
        moments.Block.Release();
        return [dx, dWeight, dBias];
    }

    /// <summary>Without gradients Σ(x − mean) and Σ(x − mean)², with them Σ g and Σ g · (x − mean), where g = dy · weight.</summary>
    private readonly struct SumsKernel(float* x, float* dy, float* weight, float mean, double* sum, double* products) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V total = V.All(0), product = V.All(0), center = V.All(mean);
            int i = from;
            for (; i + V.Count <= to; i += V.Count)
            {
                V distance = V.Load(x + i) - center;
                V g = dy is null ? distance : weight is null ? V.Load(dy + i) : V.Load(dy + i) * V.Load(weight + i);
                total += g;
                product = V.MultiplyAdd(g, distance, product);
            }
            *sum += V.Sum(total);
            *products += V.Sum(product);
            return i;
        }
    }

    private readonly struct ApplyKernel(float* x, float mean, float inverse, float* weight, float* bias, float* y) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V center = V.All(mean), factor = V.All(inverse);
            int i = from;
            for (; i + V.Count <= to; i += V.Count)
            {
                V value = (V.Load(x + i) - center) * factor;
                if (weight is not null) value *= V.Load(weight + i);
                if (bias is not null) value += V.Load(bias + i);
                value.Store(y + i);
            }
            return i;
        }
    }

    /// <summary>Adds one row to the sums that weight and bias want.</summary>
    private readonly struct ColumnsKernel(float* dy, float* x, float mean, float inverse, float* weightSums, float* biasSums) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V center = V.All(mean), factor = V.All(inverse);
            int i = from;
            for (; i + V.Count <= to; i += V.Count)
            {
                V g = V.Load(dy + i);
                V.MultiplyAdd(g, (V.Load(x + i) - center) * factor, V.Load(weightSums + i)).Store(weightSums + i);
                (V.Load(biasSums + i) + g).Store(biasSums + i);
            }
            return i;
        }
    }

    /// <summary>dx = inverse · dy · weight + b · (x − mean) + c.</summary>
    private readonly struct InputKernel(float* dy, float* x, float* weight, float mean, float inverse, float b, float c, float* dx) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V center = V.All(mean), factor = V.All(inverse), slope = V.All(b), offset = V.All(c);
            int i = from;
            for (; i + V.Count <= to; i += V.Count)
            {
                V g = V.Load(dy + i) * factor;
                if (weight is not null) g *= V.Load(weight + i);
                (g + V.MultiplyAdd(slope, V.Load(x + i) - center, offset)).Store(dx + i);
            }
            return i;
        }
    }

    private readonly struct AddKernel(float* values, float* sums) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int i = from;
            for (; i + V.Count <= to; i += V.Count) (V.Load(sums + i) + V.Load(values + i)).Store(sums + i);
            return i;
        }
    }
}

/// <summary>Reads x, weight, bias.</summary>
internal sealed record TracedLayerNorm(int Rows, int Length, float Epsilon) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) =>
        LayerNormOp.Forward(inputs[0].Tensor, Rows, Length, inputs[1].Optional, inputs[2].Optional, Epsilon, Tensor.Unpooled([2, Rows]), output.Tensor);
}

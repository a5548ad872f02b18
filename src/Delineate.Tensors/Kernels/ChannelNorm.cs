namespace Delineate.Tensors.Kernels;

/// <summary>
/// How a map [rows, C] is normalised: y = (x − mean) · scale + shift, each a vector of C. Subtracting first keeps the digits of a
/// channel whose mean is far larger than its deviation.
/// </summary>
internal readonly unsafe struct ChannelAffine(float* mean, float* scale, float* shift)
{
    public readonly float* Mean = mean;
    public readonly float* Scale = scale;
    public readonly float* Shift = shift;
}

/// <summary>What batch norm and group norm share: moments, normalisation and gradients of a map [rows, C], one channel a column.</summary>
internal static unsafe class ChannelNorm
{
    private const int MostPieces = 64;    // partial sums kept for each channel
    private const int SumGrain = 1 << 14; // floats: a smaller piece costs more to hand out than to sum
    private const int Strip = 512;        // channels summed at a time: their sums stay in the first cache beside the rows that stream by
    private const int PassGrain = 1 << 16;

    /// <summary>Mean and biased variance of every column, read once. Each piece of rows sums around a shift of its own; pieces meet in double.</summary>
    public static void Moments(float* x, int rows, int channels, double* mean, double* variance)
    {
        int pieceRows = PieceRows(rows, channels);
        int pieces = (rows + pieceRows - 1) / pieceRows;
        using Scratch scratch = Scratch.Floats(3 * pieces * channels);
        float* partial = Pinned.Of(scratch);
        ThreadTeam.Run(pieces, p =>
        {
            int from = p * pieceRows;
            float* shift = partial + (3L * p * channels);
            for (int c = 0; c < channels; c += Strip)
                LaneLoop.Over(new MomentsKernel(x + ((long)from * channels) + c, Math.Min(pieceRows, rows - from), channels, shift + c), Math.Min(Strip, channels - c));
        });
        ThreadTeam.Ranges(channels, 128, (from, to) =>
        {
            for (int c = from; c < to; c++)
            {
                double total = 0;
                for (int p = 0; p < pieces; p++)
                {
                    float* part = partial + (3L * p * channels) + c;
                    total += ((double)part[0] * Math.Min(pieceRows, rows - (p * pieceRows))) + part[channels];
                }
                double m = total / rows;
                double squares = 0;
                for (int p = 0; p < pieces; p++)
                {
                    // Σ(x − m)² = Σ(x − s)² + 2(s − m)·Σ(x − s) + n(s − m)²
                    float* part = partial + (3L * p * channels) + c;
                    double move = part[0] - m;
                    squares += part[2 * channels] + (move * ((2 * part[channels]) + (move * Math.Min(pieceRows, rows - (p * pieceRows)))));
                }
                mean[c] = m;
                variance[c] = Math.Max(0, squares) / rows;
            }
        });
    }

    /// <summary>y = act((x − mean) · scale + shift + residual). From each thread's last rows to its first: the last are what the sums left in its caches.</summary>
    public static void Apply(float* x, int rows, int channels, ChannelAffine affine, float* residual, Activation activation, float* y)
    {
        int pieceRows = Math.Max(1, PassGrain / channels);
        bool past = LaneLoop.IsPastCaches((long)rows * channels, channels);
        ThreadTeam.Ranges(
            rows,
            pieceRows,
            (from, to) =>
            {
                long at = (long)from * channels;
                LaneLoop.Over(new ApplyKernel(x + at, to - from, channels, affine, residual is null ? null : residual + at, activation, y + at, past), channels);
            },
            backwards: true);
    }

    /// <summary>Σ g and Σ g · (x − mean) of every column, where g is the gradient that the activation let through.</summary>
    public static void GradientSums(ChannelGradient gradient, int rows, int channels, double* sums, double* products)
    {
        int pieceRows = PieceRows(rows, channels);
        int pieces = (rows + pieceRows - 1) / pieceRows;
        using Scratch scratch = Scratch.Floats(2 * pieces * channels);
        float* partial = Pinned.Of(scratch);
        ThreadTeam.Run(pieces, p =>
        {
            int from = p * pieceRows;
            for (int c = 0; c < channels; c += Strip)
            {
                var kernel = new GradientSumsKernel(gradient.Skip(from, c, channels), Math.Min(pieceRows, rows - from), channels, partial + (2L * p * channels) + c);
                LaneLoop.Over(kernel, Math.Min(Strip, channels - c));
            }
        });
        ThreadTeam.Ranges(channels, 256, (from, to) =>
        {
            for (int c = from; c < to; c++)
            {
                double sum = 0, product = 0;
                for (int p = 0; p < pieces; p++)
                {
                    float* part = partial + (2L * p * channels) + c;
                    sum += part[0];
                    product += part[channels];
                }
                sums[c] = sum;
                products[c] = product;
            }
        });
    }

    /// <summary>
    /// dx = a · g + b · (x − mean) + c, and the residual's gradient g; either may be left out or written over dy, and b and c are zero where null.
    /// </summary>
    public static void GradientInput(ChannelGradient gradient, int rows, int channels, float* a, float* b, float* c, float* dx, float* dResidual)
    {
        int pieceRows = Math.Max(1, PassGrain / channels);
        bool past = LaneLoop.IsPastCaches((long)rows * channels, channels);
        ThreadTeam.Ranges(
            rows,
            pieceRows,
            (from, to) =>
            {
                long at = (long)from * channels;
                var kernel = new GradientInputKernel(gradient.Skip(from, 0, channels), to - from, channels, a, b, c, dx is null ? null : dx + at, dResidual is null ? null : dResidual + at, past && !gradient.IsOf(dx), past && !gradient.IsOf(dResidual));
                LaneLoop.Over(kernel, channels);
            },
            backwards: true);
    }

    private static int PieceRows(int rows, int channels) => Math.Max(Math.Max(1, SumGrain / channels), (rows + MostPieces - 1) / MostPieces);

    /// <summary>For a piece of rows: a shift near the mean, Σ(x − shift) and Σ(x − shift)², each C floats, one after the other.</summary>
    private readonly struct MomentsKernel(float* x, int rows, int channels, float* result) : ILaneKernel
    {
        // Rows that the shift is the mean of. With n rows in the piece |shift − mean|² ≤ n/16 · variance whatever the data, and
        // some 1/16 · variance for most, so that hardly a digit of Σ(x − shift)² is lost.
        private const int Samples = 16;

        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            float* sum = result + channels;
            float* squares = sum + channels;
            int samples = Math.Min(Samples, rows);
            for (int c = from; c < end; c += V.Count)
            {
                V sampled = V.All(0);
                for (int k = 0; k < samples; k++) sampled += V.Load(x + ((long)((long)k * rows / samples) * channels) + c);
                (sampled * V.All(1f / samples)).Store(result + c);
                V.All(0).Store(sum + c);
                V.All(0).Store(squares + c);
            }
            int row = 0;
            for (; row + 4 <= rows; row += 4)
            {
                float* x0 = x + ((long)row * channels);
                float* x2 = x0 + (2L * channels);
                for (int c = from; c < end; c += V.Count)
                {
                    V shift = V.Load(result + c);
                    V d0 = V.Load(x0 + c) - shift, d1 = V.Load(x0 + channels + c) - shift;
                    V d2 = V.Load(x2 + c) - shift, d3 = V.Load(x2 + channels + c) - shift;
                    (V.Load(sum + c) + ((d0 + d1) + (d2 + d3))).Store(sum + c);
                    V near = V.MultiplyAdd(d1, d1, d0 * d0), far = V.MultiplyAdd(d3, d3, d2 * d2);
                    (V.Load(squares + c) + (near + far)).Store(squares + c);
                }
            }
            for (; row < rows; row++)
            {
                float* x0 = x + ((long)row * channels);
                for (int c = from; c < end; c += V.Count)
                {
                    V d = V.Load(x0 + c) - V.Load(result + c);
                    (V.Load(sum + c) + d).Store(sum + c);
                    V.MultiplyAdd(d, d, V.Load(squares + c)).Store(squares + c);
                }
            }
            return end;
        }
    }

    private readonly struct ApplyKernel(float* x, int rows, int channels, ChannelAffine affine, float* residual, Activation activation, float* y, bool past) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            for (int row = 0; row < rows; row++)
            {
                long at = (long)row * channels;
                for (int c = from; c < end; c += V.Count)
                {
                    V value = V.MultiplyAdd(V.Load(x + at + c) - V.Load(affine.Mean + c), V.Load(affine.Scale + c), V.Load(affine.Shift + c));
                    if (residual is not null) value += V.Load(residual + at + c);
                    if (activation == Activation.Relu) value = V.Relu(value);
                    value.Store(y + at + c, past);
                }
            }
            return end;
        }
    }

    private readonly struct GradientSumsKernel(ChannelGradient gradient, int rows, int channels, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            float* products = result + channels;
            for (int c = from; c < end; c += V.Count)
            {
                V.All(0).Store(result + c);
                V.All(0).Store(products + c);
            }
            int row = 0;
            for (; row + 4 <= rows; row += 4)
            {
                long at = (long)row * channels;
                for (int c = from; c < end; c += V.Count)
                {
                    long i = at + c;
                    V g0 = gradient.Load(i, c, out V d0);
                    V g1 = gradient.Load(i + channels, c, out V d1);
                    V g2 = gradient.Load(i + (2L * channels), c, out V d2);
                    V g3 = gradient.Load(i + (3L * channels), c, out V d3);
                    (V.Load(result + c) + ((g0 + g1) + (g2 + g3))).Store(result + c);
                    V near = V.MultiplyAdd(g1, d1, g0 * d0), far = V.MultiplyAdd(g3, d3, g2 * d2);
                    (V.Load(products + c) + (near + far)).Store(products + c);
                }
            }
            for (; row < rows; row++)
            {
                long at = (long)row * channels;
                for (int c = from; c < end; c += V.Count)
                {
                    V g = gradient.Load(at + c, c, out V d);
                    (V.Load(result + c) + g).Store(result + c);
                    V.MultiplyAdd(g, d, V.Load(products + c)).Store(products + c);
                }
            }
            return end;
        }
    }

    private readonly struct GradientInputKernel(ChannelGradient gradient, int rows, int channels, float* a, float* b, float* c, float* dx, float* dResidual, bool dxPast, bool residualPast) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            for (int row = 0; row < rows; row++)
            {
                long at = (long)row * channels;
                for (int j = from; j < end; j += V.Count)
                {
                    V d = default;
                    V g = b is null ? gradient.Load<V>(at + j, j) : gradient.Load(at + j, j, out d);
                    if (dResidual is not null) g.Store(dResidual + at + j, residualPast);
                    if (dx is null) continue;
                    V result = V.Load(a + j) * g;
                    if (b is not null) result += V.MultiplyAdd(V.Load(b + j), d, V.Load(c + j));
                    result.Store(dx + at + j, dxPast);
                }
            }
            return end;
        }
    }
}

using System.Numerics.Tensors;

namespace Delineate.Tensors.Kernels;

/// <summary>The three products of a convolution over whole maps, on the team's threads. Results have the same bits on any number of them.</summary>
internal static unsafe class Convolution
{
    /// <summary>What this thread's convolutions may do to be faster.</summary>
    [field: ThreadStatic]
    public static Rounding Rounding { get; set; }

    /// <summary>y = x ∗ w + bias. <paramref name="bias"/> may be empty.</summary>
    public static void Forward(ConvGeometry g, ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> y) => Run(g, false, x, weight, bias, y);

    /// <summary>dx = the adjoint of the convolution applied to dy, + bias: the gradient to the data, or a transposed convolution.</summary>
    public static void BackwardData(ConvGeometry g, ReadOnlySpan<float> dy, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> dx) => Run(g, true, dy, weight, bias, dx);

    /// <summary>dw = d(loss)/d(weight) from the map and d(loss)/d(y).</summary>
    public static void BackwardWeights(ConvGeometry g, ReadOnlySpan<float> x, ReadOnlySpan<float> dy, Span<float> dw)
    {
        if (dy.Length == 0 || dw.Length == 0)
        {
            dw.Clear();
            return;
        }
        fixed (float* map = x, gradient = dy, sum = dw)
        {
            if (Depthwise.Fits(g)) Depthwise.BackwardWeights(g, map, gradient, sum);
            else if (Winograd.TileSize(g, false, Rounding) >= 4) new WinogradWeightGradient(g).Run(map, gradient, sum);
            else new WeightGradient(g, Gather.Windows(g, g.InChannels)).Run(map, gradient, sum);
        }
    }

    /// <summary>db = the sum of the rows of dy [rows, channels], which is what a bias's gradient is.</summary>
    public static void BackwardBias(ReadOnlySpan<float> dy, Span<float> db)
    {
        const int RowsInPiece = 1024;
        int channels = db.Length;
        db.Clear();
        if (dy.Length == 0) return;
        int rows = dy.Length / channels;
        int pieces = (rows + RowsInPiece - 1) / RowsInPiece;
        using Scratch partial = Scratch.Floats(pieces * channels);
        fixed (float* fixedSource = dy, fixedSums = partial.Span)
        {
            float* source = fixedSource;
            float* sums = fixedSums;
            ThreadTeam.Run(pieces, piece =>
            {
                var sum = new Span<float>(sums + ((nint)piece * channels), channels);
                sum.Clear();
                int end = Math.Min(rows, (piece + 1) * RowsInPiece);
                for (int row = piece * RowsInPiece; row < end; row++)
                {
                    TensorPrimitives.Add(sum, new ReadOnlySpan<float>(source + ((nint)row * channels), channels), sum);
                }
            });
        }
        for (int piece = 0; piece < pieces; piece++) TensorPrimitives.Add(db, partial.Span.Slice(piece * channels, channels), db);
    }

    private static void Run(ConvGeometry g, bool adjoint, ReadOnlySpan<float> from, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> to)
    {
        if (to.Length == 0) return;
        ConvKernel kernel = ConvKernel.For(g, adjoint, Rounding, PixelStrides.Dense(g, adjoint));
        using Scratch packed = Scratch.Floats(kernel.PackedLength);
        using Scratch biases = Scratch.Floats(kernel.BiasLength);
        kernel.PackBias(bias, default, biases.Span);
        fixed (float* w = weight, x = from, y = to)
        {
            if (!kernel.ReadsWeight) kernel.Pack(w, null, Pinned.Of(packed));
            kernel.Run(x, kernel.ReadsWeight ? w : Pinned.Of(packed), Pinned.Of(biases), null, Activation.None, y);
        }
    }
}

using System.Numerics.Tensors;

namespace Delineate.Tensors.Kernels;

/// <summary>The three products of a convolution over whole maps, on the team's threads. Results have the same bits on any number of them.</summary>
internal static unsafe class Convolution
{
    /// <summary>What this thread's convolutions may do to be faster.</summary>
    [field: ThreadStatic]
    public static Rounding Rounding { get; set; }

    /// <summary>y = x ∗ w + bias. <paramref name="bias"/> may be empty.</summary>
    public static void Forward(ConvGeometry g, ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> y)
    {
        if (y.Length == 0) return;
        if (Depthwise.Fits(g))
        {
            fixed (float* map = x, filters = weight, first = bias, sum = y) Depthwise.Forward(g, map, filters, first, sum);
            return;
        }
        if (WinogradSize(g) is > 0 and int size)
        {
            RunWinograd(g, false, size, x, weight, bias, y);
            return;
        }
        var product = new GatherProduct(GatherInput(g), g.Output, g.Output, 1, 0, g.OutGroup, g.Groups);
        using Scratch packed = Scratch.Floats(product.PackedLength);
        fixed (float* to = packed.Span, from = weight) WeightPacking.Forward(g, from, to);
        Run([product], g.OutGroup, g.Groups, x, packed.Span, bias, y);
    }

    /// <summary>
    /// dx = the adjoint of the convolution applied to dy, + bias: the gradient to the data, or a transposed convolution. With stride s
    /// the pixels of dx fall into s·s phases, each a dense convolution of dy with the taps that reach it: no zeros are inserted.
    /// </summary>
    public static void BackwardData(ConvGeometry g, ReadOnlySpan<float> dy, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> dx)
    {
        if (dx.Length == 0) return;
        if (Depthwise.Fits(g))
        {
            fixed (float* map = dy, filters = weight, first = bias, sum = dx) Depthwise.BackwardData(g, map, filters, first, sum);
            return;
        }
        if (WinogradSize(g) is > 0 and int size)
        {
            RunWinograd(g, true, size, dy, weight, bias, dx);
            return;
        }
        List<AxisPhase> vertical = AxisPhase.All(g.Input.Height, g.Kernel.Height, g.Stride.Height, g.Padding.Height, g.Dilation.Height);
        List<AxisPhase> horizontal = AxisPhase.All(g.Input.Width, g.Kernel.Width, g.Stride.Width, g.Padding.Width, g.Dilation.Width);
        var products = new GatherProduct[vertical.Count * horizontal.Count];
        var kernelTaps = new int[products.Length][];
        for (int i = 0; i < products.Length; i++)
        {
            (AxisPhase v, AxisPhase h) = (vertical[i / horizontal.Count], horizontal[i % horizontal.Count]);
            var lattice = new Size2d(v.Length, h.Length);
            var gather = new Gather(g.Batch, g.Output, g.OutChannels, g.Groups, lattice, 1, v.Offsets, h.Offsets);
            products[i] = new GatherProduct(gather, lattice, g.Input, g.Stride, (v.Start, h.Start), g.InGroup, g.Groups);
            kernelTaps[i] = [.. v.KernelTaps.SelectMany(y => h.KernelTaps.Select(x => (y * g.Kernel.Width) + x))];
        }
        using Scratch packed = Scratch.Floats(products.Sum(p => p.PackedLength));
        fixed (float* to = packed.Span, from = weight)
        {
            float* next = to;
            for (int i = 0; i < products.Length; i++)
            {
                WeightPacking.Transposed(g, kernelTaps[i], from, next);
                next += products[i].PackedLength;
            }
        }
        Run(products, g.InGroup, g.Groups, dy, packed.Span, bias, dx);
    }

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
            else if (WinogradSize(g) == 4) new WinogradWeightGradient(g).Run(map, gradient, sum);
            else new WeightGradient(g, GatherInput(g)).Run(map, gradient, sum);
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

    /// <summary>
    /// Outputs of a Winograd tile along each axis for this convolution, or 0 where the direct sum is faster: few channels pay for the
    /// transforms, but not for much multiplication.
    /// </summary>
    private static int WinogradSize(ConvGeometry g)
    {
        if (Rounding == Rounding.Direct || !Winograd.Fits(g)) return 0;
        bool pays = g.InChannels >= 16 && g.OutChannels >= 16 && (g.InChannels + g.OutChannels) * 8 <= g.InChannels * g.OutChannels;
        return !pays ? 0 : Rounding == Rounding.Strict ? 2 : 4;
    }

    private static void RunWinograd(ConvGeometry g, bool adjoint, int size, ReadOnlySpan<float> from, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Span<float> to)
    {
        (int inChannels, int outChannels) = adjoint ? (g.OutChannels, g.InChannels) : (g.InChannels, g.OutChannels);
        using Scratch filters = Scratch.Floats(Winograd.FilterLength(g, adjoint, size));
        using Scratch biases = Scratch.Floats(GatherProduct.Padded(outChannels));
        biases.Span.Clear();
        bias.CopyTo(biases.Span);
        fixed (float* w = weight, x = from, y = to)
        {
            Winograd.TransformFilters(g, adjoint, size, w, Pinned.Of(filters));
            new Winograd(g, adjoint, size).Run(new Map(x, inChannels), Pinned.Of(filters), Pinned.Of(biases), default, Activation.None, new Map(y, outChannels));
        }
    }

    /// <summary>The left matrix of the forward pass: a row for each output pixel, a column for each tap and input channel of a group.</summary>
    private static Gather GatherInput(ConvGeometry g)
    {
        return new Gather(g.Batch, g.Input, g.InChannels, g.Groups, g.Output, g.Stride, Taps(g.Kernel.Height, g.Dilation.Height, g.Padding.Height), Taps(g.Kernel.Width, g.Dilation.Width, g.Padding.Width));

        static int[] Taps(int kernel, int dilation, int padding) => [.. Enumerable.Range(0, kernel).Select(k => (k * dilation) - padding)];
    }

    private static void Run(GatherProduct[] products, int columns, int groups, ReadOnlySpan<float> source, ReadOnlySpan<float> packed, ReadOnlySpan<float> bias, Span<float> target)
    {
        int padded = GatherProduct.Padded(columns);
        using Scratch biases = Scratch.Floats(groups * padded);
        biases.Span.Clear();
        for (int i = 0; i < groups && bias.Length > 0; i++) bias.Slice(i * columns, columns).CopyTo(biases.Span[(i * padded)..]);
        fixed (float* sourceFixed = source, packedFixed = packed, biasFixed = biases.Span, targetFixed = target)
        {
            float* s = sourceFixed, w = packedFixed, b = biasFixed, t = targetFixed;
            var firstPiece = new int[products.Length + 1];
            var weights = new nint[products.Length + 1];
            for (int i = 0; i < products.Length; i++)
            {
                firstPiece[i + 1] = firstPiece[i] + products[i].Pieces;
                weights[i + 1] = weights[i] + products[i].PackedLength;
            }
            ThreadTeam.Run(firstPiece[^1], piece =>
            {
                int i = Array.BinarySearch(firstPiece, piece);
                if (i < 0) i = ~i - 1;
                while (firstPiece[i + 1] == piece) i++; // products without a piece share their first one's number with the next
                products[i].Run(piece - firstPiece[i], s, w + weights[i], b, t);
            });
        }
    }
}

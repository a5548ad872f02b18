namespace Delineate.Tensors.Kernels;

/// <summary>
/// A convolution as a product of matrices: windows of the map, gathered block by block, times the weight. The adjoint with stride s falls into
/// s·s phases, each a dense convolution of its own with the taps that reach it: no zeros are inserted. Neighbouring phases that see the same
/// pixels are one product, whose columns are the channels of a run of pixels.
/// </summary>
internal sealed unsafe class DirectConvolution : ConvKernel
{
    private readonly ConvGeometry g;
    private readonly bool adjoint;
    private readonly PixelStrides strides;
    private readonly GatherProduct[] products;
    private readonly int[][][] kernelTaps; // of each product, for each of its phases
    private readonly int mostPhases = 1;
    private readonly int[] firstPiece;
    private readonly nint[] firstWeight;
    private readonly Action<int> runPiece;

    // What one run works on.
    private float* x, packed, bias;
    private Map residual, y;
    private float floor;

    public DirectConvolution(ConvGeometry g, bool adjoint, PixelStrides strides)
    {
        (this.g, this.adjoint, this.strides) = (g, adjoint, strides);
        (products, kernelTaps) = adjoint ? Adjoint(g, strides) : ([new GatherProduct(Gather.Windows(g, strides.Input), g.Output, g.Output, 1, 0, g.OutGroup, g.Groups)], []);
        if (adjoint) mostPhases = kernelTaps.Max(phases => phases.Length);
        firstPiece = new int[products.Length + 1];
        firstWeight = new nint[products.Length + 1];
        for (int i = 0; i < products.Length; i++)
        {
            firstPiece[i + 1] = firstPiece[i] + products[i].Pieces;
            firstWeight[i + 1] = firstWeight[i] + products[i].PackedLength;
        }
        runPiece = RunPiece;
    }

    public override string Algorithm => adjoint ? "adjoint" : "direct";

    public override int PackedLength => checked((int)firstWeight[^1]);

    protected override int OutChannels => adjoint ? g.InChannels : g.OutChannels;

    public override int BiasLength => g.Groups * GatherProduct.Padded(mostPhases * OutChannels / g.Groups);

    /// <summary>Each group's part begins a tile of columns; where phases run together it is there once for each.</summary>
    public override void PackBias(ReadOnlySpan<float> bias, ReadOnlySpan<float> scale, Span<float> packed)
    {
        int columns = OutChannels / g.Groups;
        packed.Clear();
        if (bias.Length == 0) return;
        for (int group = 0; group < g.Groups; group++)
        {
            Span<float> row = packed[(group * GatherProduct.Padded(mostPhases * columns))..];
            for (int phase = 0; phase < mostPhases; phase++) bias.Slice(group * columns, columns).CopyTo(row[(phase * columns)..]);
        }
    }

    public override void Pack(float* weight, float* scale, float* packed)
    {
        if (!adjoint) WeightPacking.Forward(g, weight, scale, packed);
        else for (int i = 0; i < products.Length; i++) WeightPacking.Transposed(g, kernelTaps[i], weight, scale, packed + firstWeight[i]);
    }

    public override void Run(float* x, float* weight, float* bias, float* residual, Activation activation, float* y)
    {
        this.x = x;
        packed = weight;
        this.bias = bias;
        // Phases write scattered pixels: what is added to them comes in a pass of its own.
        bool together = products.Length == 1 && products[0].IsContiguous;
        this.residual = together ? new Map(residual, strides.Residual) : default;
        this.y = new Map(y, strides.Output);
        bool later = residual is not null && !together;
        floor = Floor(later ? Activation.None : activation);
        ThreadTeam.Run(firstPiece[^1], runPiece);
        if (later) PixelSum.Add(new Map(residual, strides.Residual), this.y, (long)g.Batch * g.Input.Height * g.Input.Width, g.InChannels, activation);
    }

    private static (GatherProduct[] Products, int[][][] KernelTaps) Adjoint(ConvGeometry g, PixelStrides strides)
    {
        List<AxisPhase> vertical = AxisPhase.All(g.Input.Height, g.Kernel.Height, g.Stride.Height, g.Padding.Height, g.Dilation.Height);
        List<AxisPhase> horizontal = AxisPhase.All(g.Input.Width, g.Kernel.Width, g.Stride.Width, g.Padding.Width, g.Dilation.Width);
        bool dense = g.Groups == 1 && strides.Output == g.InChannels; // else neighbouring pixels are not neighbouring floats
        var products = new List<GatherProduct>();
        var kernelTaps = new List<int[][]>();
        foreach (AxisPhase v in vertical)
        {
            for (int i = 0, end; i < horizontal.Count; i = end)
            {
                AxisPhase h = horizontal[i];
                for (end = i + 1; dense && end < horizontal.Count && horizontal[end].Length == h.Length && horizontal[end].Offsets.AsSpan().SequenceEqual(h.Offsets);) end++;
                var lattice = new Size2d(v.Length, h.Length);
                var gather = new Gather(g.Batch, g.Output, strides.Input, g.OutChannels, g.Groups, lattice, 1, v.Offsets, h.Offsets);
                products.Add(new GatherProduct(gather, lattice, g.Input, g.Stride, (v.Start, h.Start), (end - i) * g.InGroup, g.Groups));
                kernelTaps.Add([.. horizontal[i..end].Select(phase => v.KernelTaps.SelectMany(y => phase.KernelTaps.Select(x => (y * g.Kernel.Width) + x)).ToArray())]);
            }
        }
        return ([.. products], [.. kernelTaps]);
    }

    private void RunPiece(int piece)
    {
        int i = Array.BinarySearch(firstPiece, piece);
        if (i < 0) i = ~i - 1;
        while (firstPiece[i + 1] == piece) i++; // products without a piece share their first one's number with the next
        products[i].Run(piece - firstPiece[i], x, packed + firstWeight[i], bias, residual, floor, y);
    }
}

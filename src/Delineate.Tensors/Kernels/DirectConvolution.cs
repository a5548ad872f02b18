namespace Delineate.Tensors.Kernels;

/// <summary>
/// A convolution as a product of matrices: windows of the map, gathered block by block, times the weight. The adjoint with stride s falls into
/// s·s phases, each a dense convolution of its own with the taps that reach it: no zeros are inserted.
/// </summary>
internal sealed unsafe class DirectConvolution : ConvKernel
{
    private readonly ConvGeometry g;
    private readonly bool adjoint;
    private readonly PixelStrides strides;
    private readonly GatherProduct[] products;
    private readonly int[][] kernelTaps;
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
        (products, kernelTaps) = adjoint ? Adjoint(g, strides.Input) : ([new GatherProduct(Gather.Windows(g, strides.Input), g.Output, g.Output, 1, 0, g.OutGroup, g.Groups)], []);
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

    protected override int BiasGroups => g.Groups;

    public override void Pack(float* weight, float* packed)
    {
        if (!adjoint) WeightPacking.Forward(g, weight, packed);
        else for (int i = 0; i < products.Length; i++) WeightPacking.Transposed(g, kernelTaps[i], weight, packed + firstWeight[i]);
    }

    public override void Run(float* x, float* packed, float* bias, float* residual, Activation activation, float* y)
    {
        this.x = x;
        this.packed = packed;
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

    private static (GatherProduct[] Products, int[][] KernelTaps) Adjoint(ConvGeometry g, int pixelStride)
    {
        List<AxisPhase> vertical = AxisPhase.All(g.Input.Height, g.Kernel.Height, g.Stride.Height, g.Padding.Height, g.Dilation.Height);
        List<AxisPhase> horizontal = AxisPhase.All(g.Input.Width, g.Kernel.Width, g.Stride.Width, g.Padding.Width, g.Dilation.Width);
        var products = new GatherProduct[vertical.Count * horizontal.Count];
        var kernelTaps = new int[products.Length][];
        for (int i = 0; i < products.Length; i++)
        {
            (AxisPhase v, AxisPhase h) = (vertical[i / horizontal.Count], horizontal[i % horizontal.Count]);
            var lattice = new Size2d(v.Length, h.Length);
            var gather = new Gather(g.Batch, g.Output, pixelStride, g.OutChannels, g.Groups, lattice, 1, v.Offsets, h.Offsets);
            products[i] = new GatherProduct(gather, lattice, g.Input, g.Stride, (v.Start, h.Start), g.InGroup, g.Groups);
            kernelTaps[i] = [.. v.KernelTaps.SelectMany(y => h.KernelTaps.Select(x => (y * g.Kernel.Width) + x))];
        }
        return (products, kernelTaps);
    }

    private void RunPiece(int piece)
    {
        int i = Array.BinarySearch(firstPiece, piece);
        if (i < 0) i = ~i - 1;
        while (firstPiece[i + 1] == piece) i++; // products without a piece share their first one's number with the next
        products[i].Run(piece - firstPiece[i], x, packed + firstWeight[i], bias, residual, floor, y);
    }
}

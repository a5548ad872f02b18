using System.Diagnostics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// A 3×3 convolution of stride 1, at any dilation, by Winograd's minimal filtering: tiles of the map are transformed, multiplied point by
/// point with transformed filters (one product of matrices for each point, summing over channels), and transformed back. Where the direct sum
/// needs 9 multiplications, F(2×2) needs 4, F(4×4) 2.25 and F(6×6) 1.78. Lavin and Gray 2016, arXiv:1509.09308. The gradient to the data is the same
/// with the filters turned around.
/// </summary>
internal sealed unsafe class Winograd : ConvKernel
{
    /// <summary>Rows of the transformed maps lie this much further apart than their channels, lest they compete for the same lines of a cache.</summary>
    private const int Apart = Line;

    private const int Line = 16; // floats in a cache line

    private const int DepthBlock = 512;
    private const int FilterDepth = 192; // in channels whose filters a thread transforms at once
    private const int MostColumns = 128; // out channels of one piece of work
    private const long MostRound = 10 << 20; // floats of transformed tiles and products that the third-level cache should hold
    private const long MostPacked = 3 << 20; // floats of transformed filters that are kept; more than that is made on each run, as it is used: 5 % slower at worst, a tenth of the memory less
    private const int TransformGroup = 12; // tiles transformed by one piece of work

    private readonly ConvGeometry g;
    private readonly bool adjoint;
    private readonly int size;
    private readonly PixelStrides strides;
    private readonly WinogradTiles tiles;
    private readonly Size2d inputMap;
    private readonly Size2d padding;
    private readonly int inChannels;
    private readonly int outChannels;
    private readonly int paddedOut;
    private readonly int points;
    private readonly int depthBlock;
    private readonly int inputBlock;
    private readonly int blockTiles;
    private readonly int columnBlock;
    private readonly bool together;
    private readonly int inputRow;
    private readonly int productRow;
    private readonly nint inputPlane;
    private readonly nint productPlane;
    private readonly int columnPieces;
    private readonly Action<int> wholePiece, inputPiece, productPiece, outputPiece;

    // What one run works on.
    private Map x, y, residual;
    private float* filters, bias, transformed, products;
    private Activation activation;
    private int blockStart, blockCount, inputStart, inputCount;

    /// <param name="g">The convolution; for its adjoint, the one whose adjoint it is.</param>
    /// <param name="adjoint">Whether the gradient to the data is wanted: dy → dx.</param>
    /// <param name="size">Outputs of a tile along each axis: 2, 4 or 6.</param>
    /// <param name="strides">Of the maps.</param>
    public Winograd(ConvGeometry g, bool adjoint, int size, PixelStrides strides)
    {
        (this.g, this.adjoint, this.size, this.strides) = (g, adjoint, size, strides);
        Debug.Assert(Fits(g) && size is 2 or 4 or 6);
        (inputMap, inChannels) = adjoint ? (g.Output, g.OutChannels) : (g.Input, g.InChannels);
        (Size2d outputMap, outChannels) = adjoint ? (g.Input, g.InChannels) : (g.Output, g.OutChannels);
        padding = adjoint ? ((2 * g.Dilation.Height) - g.Padding.Height, (2 * g.Dilation.Width) - g.Padding.Width) : g.Padding;
        tiles = new WinogradTiles(g.Batch, outputMap, size, g.Dilation);
        points = (size + 2) * (size + 2);
        paddedOut = GatherProduct.Padded(outChannels);
        ReadsWeight = (long)points * inChannels * paddedOut > MostPacked;
        depthBlock = EvenBlock(inChannels, DepthBlock, 1);
        inputBlock = ReadsWeight ? EvenBlock(inChannels, FilterDepth, Line) : inChannels;
        inputRow = RoundUp(inputBlock, Line) + Apart;

        // Small filters: every thread takes tiles of its own through all steps, within its second-level cache. Large ones, or few tiles: all threads
        // share a round of many tiles, so that each filter is fetched, or made, once for all of them.
        together = ReadsWeight || tiles.Count < 8 * Tile.Rows;
        (blockTiles, columnBlock) = Blocking();
        productRow = (together ? paddedOut : columnBlock) + Apart;
        inputPlane = ((nint)RoundUp(blockTiles, Tile.Rows) * inputRow) + Apart;
        productPlane = ((nint)RoundUp(blockTiles, Tile.Rows) * productRow) + Apart;
        columnPieces = (paddedOut + columnBlock - 1) / columnBlock;
        (wholePiece, inputPiece, productPiece, outputPiece) = (RunWhole, RunInput, ReadsWeight ? RunFiltersAndProduct : RunProduct, RunOutput);
    }

    /// <summary>True where the convolution is one that this class can do.</summary>
    public static bool Fits(ConvGeometry g) => g.Kernel == 3 && g.Stride == 1 && g.Groups == 1;

    /// <summary>
    /// Outputs of a tile along each axis that should be fastest for this convolution, or 0 for the direct sum. Counted in multiply-adds: the products,
    /// the transforms and the making of the filters.
    /// </summary>
    public static int TileSize(ConvGeometry g, bool adjoint, Rounding rounding)
    {
        const double TransformCost = 7; // a channel's value at a point, both ways
        const double FilterCost = 15; // a transformed filter's value
        if (rounding == Rounding.Direct || !Fits(g) || g.InChannels < 16 || g.OutChannels < 16) return 0;
        Size2d map = adjoint ? g.Input : g.Output;
        double pairs = (double)g.InChannels * g.OutChannels;
        double least = 9.0 * g.Batch * map.Height * map.Width * pairs;
        int best = 0;
        foreach (int size in rounding == Rounding.Strict ? (ReadOnlySpan<int>)[2] : [4, 6])
        {
            double points = (size + 2) * (size + 2);
            double tiles = new WinogradTiles(g.Batch, map, size, g.Dilation).Count;
            double cost = points * ((tiles * (pairs + (TransformCost * (g.InChannels + g.OutChannels)))) + (FilterCost * pairs));
            if (cost < least) (best, least) = (size, cost);
        }
        return best;
    }

    protected override int OutChannels => outChannels;

    public override string Algorithm => $"winograd{size}{(adjoint ? " adjoint" : "")}";

    public override bool ReadsWeight { get; }

    public override int PackedLength => ReadsWeight ? 0 : checked(points * inChannels * paddedOut);

    /// <summary>The bias, and behind it the scale.</summary>
    public override int BiasLength => 2 * paddedOut;

    /// <summary>The scale is left to the end of each run.</summary>
    public override void PackBias(ReadOnlySpan<float> bias, ReadOnlySpan<float> scale, Span<float> packed)
    {
        base.PackBias(bias, scale, packed[..paddedOut]);
        packed[paddedOut..].Fill(1);
        scale.CopyTo(packed[paddedOut..]);
    }

    /// <summary>Transforms the weight, in the blocks and panels that the product reads one after the other.</summary>
    public override void Pack(float* weight, float* scale, float* packed)
    {
        (int depth, int padded, int block) = (inChannels, paddedOut, depthBlock);
        ThreadTeam.Run(padded / Tile.Columns, panel =>
        {
            int column = panel * Tile.Columns;
            for (int from = 0; from < depth; from += block)
            {
                int length = Math.Min(block, depth - from);
                WinogradFilters.Transform(g, adjoint, size, weight, column, from, length, packed + ((nint)from * padded) + ((nint)column * length), (nint)depth * padded);
            }
        });
    }

    public override void Run(float* x, float* weight, float* bias, float* residual, Activation activation, float* y)
    {
        (this.x, this.residual, this.y, this.activation) = (new Map(x, strides.Input), new Map(residual, strides.Residual), new Map(y, strides.Output), activation);
        filters = weight;
        this.bias = bias;
        if (!together)
        {
            ThreadTeam.Run((tiles.Count + blockTiles - 1) / blockTiles, wholePiece);
            return;
        }
        using Scratch scratch = Scratch.Floats(checked((int)(points * (inputPlane + productPlane))));
        transformed = Pinned.Of(scratch);
        products = transformed + (points * inputPlane);
        for (blockStart = 0; blockStart < tiles.Count; blockStart += blockTiles)
        {
            blockCount = Math.Min(blockTiles, tiles.Count - blockStart);
            int groups = (blockCount + TransformGroup - 1) / TransformGroup;
            for (inputStart = 0; inputStart < inChannels; inputStart += inputBlock)
            {
                inputCount = Math.Min(inputBlock, inChannels - inputStart);
                ThreadTeam.Run(groups, inputPiece);
                ThreadTeam.Run(ReadsWeight ? columnPieces : points * columnPieces, productPiece);
            }
            ThreadTeam.Run(groups, outputPiece);
        }
    }

    private (int Tiles, int Columns) Blocking()
    {
        int columns = Math.Min(paddedOut, MostColumns);
        if (!together)
        {
            int fits = (int)((200L << 10) / ((long)points * (inChannels + columns)));
            return (EvenBlock(tiles.Count, Math.Clamp(fits, 24, 48), Tile.Rows), columns);
        }
        int most = (int)Math.Clamp(MostRound / (points * ((long)inputBlock + paddedOut)), 96, 480);
        // Enough pieces for all threads to end together; where they are cut changes no sum.
        int pieces = ThreadTeam.Threads == 1 ? 1 : 4 * ThreadTeam.Threads;
        if (ReadsWeight) columns = Math.Min(columns, RoundUp((paddedOut + pieces - 1) / pieces, Tile.Columns));
        return (EvenBlock(tiles.Count, most, Tile.Rows), columns);
    }

    /// <summary>The length of equal blocks of <paramref name="count"/>, whole units, of about <paramref name="most"/> at most.</summary>
    internal static int EvenBlock(int count, int most, int unit)
    {
        int blocks = (count + most - 1) / most;
        return RoundUp((count + blocks - 1) / blocks, unit);
    }

    internal static int RoundUp(int value, int unit) => (value + unit - 1) / unit * unit;

    /// <summary>Some tiles from map to map.</summary>
    private void RunWhole(int block)
    {
        int first = block * blockTiles, count = Math.Min(blockTiles, tiles.Count - first);
        using Scratch scratch = Scratch.Floats(checked((int)(points * (inputPlane + productPlane))));
        float* input = Pinned.Of(scratch), product = input + (points * inputPlane);
        TransformInput(first, count, 0, inChannels, input);
        ClearRows(input, count);
        for (int column = 0; column < paddedOut; column += columnBlock)
        {
            int width = Math.Min(columnBlock, paddedOut - column);
            for (int point = 0; point < points; point++) MultiplyPacked(point, count, column, width, input + (point * inputPlane), product + (point * productPlane));
            TransformOutput(first, count, column, Math.Min(width, outChannels - column), product);
        }
    }

    private void RunInput(int group)
    {
        int first = group * TransformGroup;
        TransformInput(blockStart + first, Math.Min(TransformGroup, blockCount - first), inputStart, inputCount, transformed + ((nint)first * inputRow));
        if (first + TransformGroup >= blockCount) ClearRows(transformed, blockCount);
    }

    private void RunProduct(int piece)
    {
        (int point, int part) = Math.DivRem(piece, columnPieces);
        int column = part * columnBlock;
        MultiplyPacked(point, blockCount, column, Math.Min(columnBlock, paddedOut - column), transformed + (point * inputPlane), products + (point * productPlane) + column);
    }

    /// <summary>Some columns of the products at all points: filters are transformed as many as the thread's caches hold, and used at once.</summary>
    private void RunFiltersAndProduct(int part)
    {
        int column = part * columnBlock, width = Math.Min(columnBlock, paddedOut - column);
        nint plane = ((nint)inputCount * width) + Apart;
        using Scratch scratch = Scratch.Floats(checked((int)(points * plane)));
        float* panels = Pinned.Of(scratch);
        for (int c = 0; c < width; c += Tile.Columns) WinogradFilters.Transform(g, adjoint, size, filters, column + c, inputStart, inputCount, panels + ((nint)c * inputCount), plane);
        for (int point = 0; point < points; point++)
        {
            Multiply(inputCount, blockCount, width, transformed + (point * inputPlane), panels + (point * plane), inputStart == 0, products + (point * productPlane) + column);
        }
    }

    private void RunOutput(int group)
    {
        int first = group * TransformGroup;
        TransformOutput(blockStart + first, Math.Min(TransformGroup, blockCount - first), 0, outChannels, products + ((nint)first * productRow));
    }

    /// <summary>Rows past the last tile are multiplied with the others, but never read: they only must not hold what slows a processor down.</summary>
    private void ClearRows(float* input, int count)
    {
        int rows = RoundUp(count, Tile.Rows) - count;
        for (int point = 0; rows > 0 && point < points; point++) new Span<float>(input + (point * inputPlane) + ((nint)count * inputRow), rows * inputRow).Clear();
    }

    /// <summary>The product of one point's transformed tiles and some columns of its packed filters.</summary>
    private void MultiplyPacked(int point, int count, int column, int width, float* input, float* product)
    {
        float* matrix = filters + ((nint)point * inChannels * paddedOut);
        for (int from = 0; from < inChannels; from += depthBlock)
        {
            int depth = Math.Min(depthBlock, inChannels - from);
            Multiply(depth, count, width, input + from, matrix + ((nint)from * paddedOut) + ((nint)column * depth), from == 0, product);
        }
    }

    /// <summary>product (+)= input · panels.</summary>
    private void Multiply(int depth, int count, int width, float* input, float* panel, bool isFirst, float* product)
    {
        float* zeros = Tile.Zeros;
        for (int c = 0; c < width; c += Tile.Columns)
        {
            for (int row = 0; row < count; row += Tile.Rows)
            {
                float* left = input + ((nint)row * inputRow);
                float* to = product + ((nint)row * productRow) + c;
                // While the first rows are multiplied, the next panel of filters comes closer; then the next rows.
                float* ahead = row == 0 ? panel + ((nint)depth * Tile.Columns) : row == Tile.Rows ? panel + ((nint)depth * (Tile.Columns + 16)) : left + ((nint)Tile.Rows * inputRow);
                Tile.Run(depth, left, inputRow, 1, panel, Tile.Columns, isFirst ? zeros : to, isFirst ? 0 : productRow, zeros, float.NegativeInfinity, to, productRow, ahead, 16);
            }
            panel += (nint)depth * Tile.Columns;
        }
    }

    private void TransformInput(int first, int count, int channel, int channels, float* to)
    {
        var from = new Map(x.Data + channel, x.PixelStride);
        if (size == 6) LaneLoop.Over(new PatchKernel<Winograd6.Input>(tiles, padding, inputMap, from, first, count, to, inputRow, inputPlane), channels);
        else if (size == 4) LaneLoop.Over(new PatchKernel<Winograd4.Input>(tiles, padding, inputMap, from, first, count, to, inputRow, inputPlane), channels);
        else LaneLoop.Over(new PatchKernel<Winograd2.Input>(tiles, padding, inputMap, from, first, count, to, inputRow, inputPlane), channels);
    }

    private void TransformOutput(int first, int count, int column, int width, float* from)
    {
        if (size == 6) LaneLoop.Over(new OutputKernel<Winograd6.Output>(this, first, count, column, from), width);
        else if (size == 4) LaneLoop.Over(new OutputKernel<Winograd4.Output>(this, first, count, column, from), width);
        else LaneLoop.Over(new OutputKernel<Winograd2.Output>(this, first, count, column, from), width);
    }

    /// <summary>Products at the points to tiles of the map, with scale, bias, residual and activation.</summary>
    private readonly struct OutputKernel<T>(Winograd w, int first, int count, int firstChannel, float* products) : ILaneKernel
        where T : IAxisTransform
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            float* work = stackalloc float[2 * SquareTransform.WorkLength];
            float* square = work + SquareTransform.WorkLength;
            int end = to - ((to - from) % V.Count);
            (int height, int width) = w.tiles.Map;
            (int down, int across) = w.tiles.Step;
            Map y = w.y, residual = w.residual;
            bool relu = w.activation == Activation.Relu;
            for (int tile = 0; tile < count; tile++)
            {
                (int image, int top, int left) = w.tiles[first + tile];
                int rows = WinogradTiles.Inside(top, down, height, T.Outputs), columns = WinogradTiles.Inside(left, across, width, T.Outputs);
                nint pixel = ((((nint)image * height) + top) * width) + left;
                float* point = products + ((nint)tile * w.productRow);
                for (int c = from; c < end; c += V.Count)
                {
                    SquareTransform.Apply<T, V>(point + c, T.Inputs * w.productPlane, w.productPlane, work, square, T.Outputs * V.Count, V.Count);
                    V shift = V.Load(w.bias + firstChannel + c), scale = V.Load(w.bias + w.paddedOut + firstChannel + c);
                    for (int i = 0; i < rows; i++)
                    {
                        nint place = pixel + ((nint)i * down * width);
                        for (int j = 0; j < columns; j++)
                        {
                            V value = V.MultiplyAdd(V.Load(square + (((i * T.Outputs) + j) * V.Count)), scale, shift);
                            if (residual.Data is not null) value += V.Load(residual.Data + (place * residual.PixelStride) + firstChannel + c);
                            if (relu) value = V.Relu(value);
                            value.Store(y.Data + (place * y.PixelStride) + firstChannel + c);
                            place += across;
                        }
                    }
                }
            }
            return end;
        }
    }
}

using System.Diagnostics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// d(loss)/d(weight) of a 3×3 convolution of stride 1 by the adjoint of Winograd's filtering: at each point the transformed map and the
/// transformed gradient are multiplied, the depth of the product being the tiles, and the sums are brought back to nine taps once, at the end.
/// The sums are 36/9 times as large as the gradient, so a large layer's input channels come in parts, one after the other.
/// </summary>
internal sealed unsafe class WinogradWeightGradient
{
    private const int Size = 4;
    private const int Points = (Size + 2) * (Size + 2);
    private const int Apart = 16; // as in Winograd
    private const int TransformGroup = 12;
    private const long MostSums = 12 << 20; // floats: transforming dy again for every part costs little beside the products
    private const int PartUnit = 256;

    private readonly ConvGeometry g;
    private readonly WinogradTiles tiles;
    private readonly int blockTiles;
    private readonly int mapRow, gradientRow, sumRow;
    private readonly nint mapPlane, gradientPlane, sumPlane;
    private readonly int partChannels;
    private readonly int columnBlock;

    public WinogradWeightGradient(ConvGeometry g)
    {
        Debug.Assert(Winograd.Fits(g));
        this.g = g;
        tiles = new WinogradTiles(g.Batch, g.Output, Size, g.Dilation);
        partChannels = PartOf(g.InChannels, g.OutChannels);
        int padded = GatherProduct.Padded(partChannels);
        (mapRow, gradientRow, sumRow) = (padded + Apart, Winograd.RoundUp(Winograd.RoundUp(g.OutChannels, Tile.Rows), 16) + Apart, padded + Apart);
        int most = (int)Math.Clamp((3L << 20) / (Points * ((long)g.InChannels + g.OutChannels)), 96, 480);
        blockTiles = Winograd.EvenBlock(tiles.Count, most, Tile.Rows);
        (mapPlane, gradientPlane) = (((nint)blockTiles * mapRow) + Apart, ((nint)blockTiles * gradientRow) + Apart);
        sumPlane = ((nint)Winograd.RoundUp(g.OutChannels, Tile.Rows) * sumRow) + Apart;
        columnBlock = Math.Min(padded, 256 / Tile.Columns * Tile.Columns);
    }

    public void Run(float* map, float* dy, float* dw)
    {
        using Scratch scratch = Scratch.Floats(checked((int)(Points * (mapPlane + gradientPlane))));
        using Scratch sumScratch = Scratch.Floats(checked((int)(Points * sumPlane)));
        float* inputs = Pinned.Of(scratch), gradients = inputs + (Points * mapPlane), sums = Pinned.Of(sumScratch);
        for (int from = 0; from < g.InChannels; from += partChannels) RunPart(map + from, Math.Min(partChannels, g.InChannels - from), dy, inputs, gradients, sums, dw + from);
    }

    /// <summary>The gradient of the weights of <paramref name="channels"/> input channels, the first of which <paramref name="map"/> and <paramref name="dw"/> point to.</summary>
    private void RunPart(float* map, int channels, float* dy, float* inputs, float* gradients, float* sums, float* dw)
    {
        int columns = GatherProduct.Padded(channels), columnPieces = (columns + columnBlock - 1) / columnBlock;
        for (int first = 0; first < tiles.Count; first += blockTiles)
        {
            int start = first, count = Math.Min(blockTiles, tiles.Count - first);
            ThreadTeam.Run((count + TransformGroup - 1) / TransformGroup, group =>
            {
                int at = group * TransformGroup, length = Math.Min(TransformGroup, count - at);
                Transform<Winograd4.Input>(g.Padding, g.Input, new Map(map, g.InChannels), channels, start + at, length, inputs + ((nint)at * mapRow), mapRow, mapPlane);
                Transform<Winograd4.Spread>(0, g.Output, new Map(dy, g.OutChannels), g.OutChannels, start + at, length, gradients + ((nint)at * gradientRow), gradientRow, gradientPlane);
            });
            ThreadTeam.Run(Points * columnPieces, piece =>
            {
                (int point, int part) = Math.DivRem(piece, columnPieces);
                int column = part * columnBlock;
                Multiply(count, start == 0, inputs + (point * mapPlane) + column, Math.Min(columnBlock, columns - column), gradients + (point * gradientPlane), sums + (point * sumPlane) + column);
            });
        }
        ThreadTeam.Ranges(g.OutChannels, 4, (from, to) =>
        {
            for (int co = from; co < to; co++) LaneLoop.Over(new TapsKernel(sums + ((nint)co * sumRow), sumPlane, dw + ((nint)co * 9 * g.InChannels), g.InChannels), channels);
        });
    }

    /// <summary>Input channels whose sums are kept at a time: all, or equal parts in whole units.</summary>
    private static int PartOf(int inChannels, int outChannels)
    {
        long most = Math.Max(PartUnit, MostSums / ((long)Points * outChannels));
        int parts = (int)((inChannels + most - 1) / most);
        return parts == 1 ? inChannels : Winograd.RoundUp((inChannels + parts - 1) / parts, PartUnit);
    }

    /// <summary>Some tiles; in the first block with zeros behind the channels.</summary>
    private void Transform<T>(Size2d padding, Size2d size, Map map, int channels, int first, int count, float* to, int row, nint plane)
        where T : IAxisTransform
    {
        LaneLoop.Over(new PatchKernel<T>(tiles, padding, size, map, first, count, to, row, plane), channels);
        // What lies past the last channel is multiplied too, into sums that nobody reads: zeros are the fastest numbers to do that with.
        int tail = row - Apart - channels;
        for (int point = 0; tail > 0 && first < blockTiles && point < Points; point++)
        {
            for (int tile = 0; tile < count; tile++) new Span<float>(to + (point * plane) + ((nint)tile * row) + channels, tail).Clear();
        }
    }

    private void Multiply(int count, bool isFirst, float* input, int width, float* gradient, float* sum)
    {
        float* zeros = Tile.Zeros;
        for (int c = 0; c < width; c += Tile.Columns)
        {
            for (int row = 0; row < g.OutChannels; row += Tile.Rows)
            {
                float* to = sum + ((nint)row * sumRow) + c;
                float* left = gradient + row;
                Tile.Run(count, left, 1, gradientRow, input + c, mapRow, isFirst ? zeros : to, isFirst ? 0 : sumRow, zeros, float.NegativeInfinity, to, sumRow, left + Tile.Rows, gradientRow);
            }
        }
    }

    private readonly struct TapsKernel(float* sums, nint plane, float* dw, int channels) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            float* work = stackalloc float[SquareTransform.WorkLength];
            int c = from;
            for (; c + V.Count <= to; c += V.Count) SquareTransform.Apply<Winograd4.Taps, V>(sums + c, 6 * plane, plane, work, dw + c, 3 * channels, channels);
            return c;
        }
    }
}

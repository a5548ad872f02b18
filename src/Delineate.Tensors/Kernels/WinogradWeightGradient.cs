using System.Diagnostics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// d(loss)/d(weight) of a 3×3 convolution of stride 1 by the adjoint of Winograd's filtering: at each point the transformed map and the
/// transformed gradient are multiplied, the depth of the product being the tiles, and the sums are brought back to nine taps once, at the end.
/// The sums are 36/9 times as large as the gradient, so a large layer's input channels come in parts, one after the other. A large map's tiles come in groups with
/// sums of their own, added at the end, so that a thread multiplies what it transformed; how many depends on the shape alone.
/// </summary>
internal sealed unsafe class WinogradWeightGradient
{
    private const int Size = 4;
    private const int Points = (Size + 2) * (Size + 2);
    private const int Apart = 16; // as in Winograd
    private const int TransformGroup = 12;
    private const long MostSums = 12 << 20; // floats: transforming dy again for every part costs little beside the products
    private const int PartUnit = 256;
    private const int MostGroups = 8;
    private const long MostGroupSums = 3 << 20; // floats, those of all groups together
    private const int LeastGroupTiles = 192;

    private readonly ConvGeometry g;
    private readonly WinogradTiles tiles;
    private readonly int blockTiles;
    private readonly int mapRow, gradientRow, sumRow;
    private readonly nint mapPlane, gradientPlane, sumPlane;
    private readonly int partChannels;
    private readonly int columnBlock;
    private readonly int groups;

    public WinogradWeightGradient(ConvGeometry g)
    {
        Debug.Assert(Winograd.Fits(g));
        this.g = g;
        tiles = new WinogradTiles(g.Batch, g.Output, Size, g.Dilation);
        partChannels = PartOf(g.InChannels, g.OutChannels);
        int padded = GatherProduct.Padded(partChannels);
        (mapRow, gradientRow, sumRow) = (padded + Apart, Winograd.RoundUp(Winograd.RoundUp(g.OutChannels, Tile.Rows), 16) + Apart, padded + Apart);
        sumPlane = ((nint)Winograd.RoundUp(g.OutChannels, Tile.Rows) * sumRow) + Apart;
        groups = (int)Math.Clamp(Math.Min(MostGroupSums / (Points * sumPlane), tiles.Count / LeastGroupTiles), 1, MostGroups);
        int most = (int)Math.Clamp((groups > 1 ? 1L << 20 : 3L << 20) / (Points * ((long)g.InChannels + g.OutChannels)), 96, 480);
        blockTiles = Winograd.EvenBlock((tiles.Count + groups - 1) / groups, most, Tile.Rows);
        (mapPlane, gradientPlane) = (((nint)blockTiles * mapRow) + Apart, ((nint)blockTiles * gradientRow) + Apart);
        columnBlock = Math.Min(padded, 256 / Tile.Columns * Tile.Columns);
    }

    public void Run(float* map, float* dy, float* dw)
    {
        using Scratch scratch = Scratch.Floats(checked((int)(groups * Points * sumPlane)));
        float* sums = Pinned.Of(scratch);
        for (int from = 0; from < g.InChannels; from += partChannels) RunPart(map + from, Math.Min(partChannels, g.InChannels - from), dy, sums, dw + from);
    }

    /// <summary>The gradient of the weights of <paramref name="channels"/> input channels, the first of which <paramref name="map"/> and <paramref name="dw"/> point to.</summary>
    private void RunPart(float* map, int channels, float* dy, float* sums, float* dw)
    {
        int groupTiles = (tiles.Count + groups - 1) / groups;
        void RunGroup(int group) => SumTiles(map, channels, dy, group * groupTiles, Math.Min(tiles.Count, (group + 1) * groupTiles), sums + (group * Points * sumPlane));
        // A thread that has a group to itself multiplies what it transformed; with more threads than groups they share each of them.
        if (ThreadTeam.Threads <= groups) ThreadTeam.Run(groups, RunGroup);
        else for (int group = 0; group < groups; group++) RunGroup(group);
        ThreadTeam.Ranges(g.OutChannels, 4, (from, to) =>
        {
            for (int co = from; co < to; co++)
            {
                float* row = sums + ((nint)co * sumRow);
                LaneLoop.Over(new GroupsKernel(row, sumPlane, groups), channels);
                LaneLoop.Over(new TapsKernel(row, sumPlane, dw + ((nint)co * 9 * g.InChannels), g.InChannels), channels);
            }
        });
    }

    /// <summary>The products of the tiles from <paramref name="begin"/> to <paramref name="end"/>, summed.</summary>
    private void SumTiles(float* map, int channels, float* dy, int begin, int end, float* sums)
    {
        using Scratch scratch = Scratch.Floats(checked((int)(Points * (mapPlane + gradientPlane))));
        float* inputs = Pinned.Of(scratch), gradients = inputs + (Points * mapPlane);
        int columns = GatherProduct.Padded(channels), columnPieces = (columns + columnBlock - 1) / columnBlock;
        for (int first = begin; first < end; first += blockTiles)
        {
            int start = first, count = Math.Min(blockTiles, end - first);
            bool isFirst = first == begin;
            ThreadTeam.Run((count + TransformGroup - 1) / TransformGroup, group =>
            {
                int at = group * TransformGroup, length = Math.Min(TransformGroup, count - at);
                Transform<Winograd4.Input>(g.Padding, g.Input, new Map(map, g.InChannels), channels, start + at, length, isFirst, inputs + ((nint)at * mapRow), mapRow, mapPlane);
                Transform<Winograd4.Spread>(0, g.Output, new Map(dy, g.OutChannels), g.OutChannels, start + at, length, isFirst, gradients + ((nint)at * gradientRow), gradientRow, gradientPlane);
            });
            ThreadTeam.Run(Points * columnPieces, piece =>
            {
                (int point, int part) = Math.DivRem(piece, columnPieces);
                int column = part * columnBlock;
                Multiply(count, isFirst, inputs + (point * mapPlane) + column, Math.Min(columnBlock, columns - column), gradients + (point * gradientPlane), sums + (point * sumPlane) + column);
            });
        }
    }

    /// <summary>Input channels whose sums are kept at a time: all, or equal parts in whole units.</summary>
    private static int PartOf(int inChannels, int outChannels)
    {
        long most = Math.Max(PartUnit, MostSums / ((long)Points * outChannels));
        int parts = (int)((inChannels + most - 1) / most);
        return parts == 1 ? inChannels : Winograd.RoundUp((inChannels + parts - 1) / parts, PartUnit);
    }

    /// <summary>Some tiles; in the first block with zeros behind the channels.</summary>
    private void Transform<T>(Size2d padding, Size2d size, Map map, int channels, int first, int count, bool clearsTail, float* to, int row, nint plane)
        where T : IAxisTransform
    {
        LaneLoop.Over(new PatchKernel<T>(tiles, padding, size, map, first, count, to, row, plane), channels);
        // What lies past the last channel is multiplied too, into sums that nobody reads: zeros are the fastest numbers to do that with.
        int tail = row - Apart - channels;
        for (int point = 0; clearsTail && tail > 0 && point < Points; point++)
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

    /// <summary>The sums of all groups, added to the first one's.</summary>
    private readonly struct GroupsKernel(float* sums, nint plane, int groups) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            for (int point = 0; groups > 1 && point < Points; point++)
            {
                float* first = sums + (point * plane);
                for (int c = from; c < end; c += V.Count)
                {
                    V sum = V.Load(first + c);
                    for (int group = 1; group < groups; group++) sum += V.Load(first + (group * Points * plane) + c);
                    sum.Store(first + c);
                }
            }
            return end;
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

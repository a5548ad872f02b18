using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors.Weights;

/// <summary>
/// Copies a strided view to row-major memory. From a file it is read in pieces, cut along the axis of the longest stride: each is one stretch of the
/// file, which a thread reads into a megabyte of working memory and puts in order from there while it is in the core's cache.
/// </summary>
internal static unsafe class StridedCopy
{
    private const int PieceLength = 1 << 18; // floats
    private const int MostGap = 16; // elements that are read for one that is wanted; sparser views are read place by place
    private const int Line = 16; // floats of a 64-byte cache line

    /// <summary>Copies from memory.</summary>
    public static void Run(ReadOnlySpan<float> from, StridedView view, Span<float> to)
    {
        if (to.IsEmpty) return;
        fixed (float* source = from, target = to) Arrange(Axes(view), source + view.Offset, target);
    }

    /// <summary>Copies from a file. It reads no more than some times what it copies, however far apart a hostile file says that its elements lie.</summary>
    /// <exception cref="WeightsFormatException">The file was cut short or cannot be read.</exception>
    public static void Run(FileValues from, StridedView view, Span<float> to)
    {
        if (to.IsEmpty) return;
        fixed (float* target = to) Copy(from, view.Offset, Axes(view), target);
    }

    private static void Copy(FileValues from, long first, Axis[] axes, float* target)
    {
        int cut = 0;
        (long count, long reach) = (1, 1); // elements of the view, and of the file from its first to its last
        for (int i = 0; i < axes.Length; i++)
        {
            count *= axes[i].Size;
            reach += (axes[i].Size - 1) * axes[i].From;
            if (axes[i].From > axes[cut].From) cut = i;
        }
        if (axes is [] or [{ From: 1 }] && count <= PieceLength)
        {
            from.Read(first, new Span<float>(target, (int)count));
            return;
        }
        Axis along = axes[cut];
        if (reach > MostGap * count)
        {
            Axis[] place = [.. axes[..cut], .. axes[(cut + 1)..]];
            for (long i = 0; i < along.Size; i++) Copy(from, first + (i * along.From), place, target + (i * along.To));
            return;
        }
        long placeReach = reach - ((along.Size - 1) * along.From);
        // Where places overlap, to read each by itself would read the same elements many times over.
        long pieceSize = along.From >= placeReach ? Math.Clamp(PieceLength / along.From, 1, along.Size) : along.Size;
        ThreadTeam.Run((int)((along.Size + pieceSize - 1) / pieceSize), i =>
        {
            long start = i * pieceSize;
            Axis[] piece = [.. axes];
            piece[cut] = along with { Size = Math.Min(pieceSize, along.Size - start) };
            CopyPiece(from, first + (start * along.From), (int)(((piece[cut].Size - 1) * along.From) + placeReach), piece, target + (start * along.To));
        });
    }

    /// <summary>Copies a stretch of <paramref name="length"/> elements of the file.</summary>
    private static void CopyPiece(FileValues from, long first, int length, Axis[] axes, float* target)
    {
        if (axes is [{ From: 1 }])
        {
            from.Read(first, new Span<float>(target, length));
            return;
        }
        using Scratch scratch = Scratch.Floats(length);
        from.Read(first, scratch.Span);
        Arrange(axes, Pinned.Of(scratch), target);
    }

    /// <summary>The axes from the innermost of the target on: those of one element left out, neighbours that one stride passes through made one.</summary>
    private static Axis[] Axes(StridedView view)
    {
        var axes = new List<Axis>();
        long to = 1;
        for (int i = view.Shape.Rank - 1; i >= 0; i--)
        {
            int size = view.Shape[i];
            if (size == 1) continue;
            if (axes.Count > 0 && view.Strides[i] == axes[^1].From * axes[^1].Size) axes[^1] = axes[^1] with { Size = axes[^1].Size * size };
            else axes.Add(new Axis(size, view.Strides[i], to));
            to *= size;
        }
        return [.. axes];
    }

    /// <summary>Loops over all axes but two: the target's innermost, and of the others the one along which the source is densest.</summary>
    private static void Arrange(Axis[] axes, float* from, float* to)
    {
        Axis row = axes.Length > 0 ? axes[0] : new Axis(1, 1, 1), lines = new(1, 0, 0);
        Span<Axis> outer = axes.Skip(1).ToArray();
        if (outer.Length > 0)
        {
            int densest = 0;
            for (int i = 1; i < outer.Length; i++)
            {
                if (outer[i].From < outer[densest].From) densest = i;
            }
            lines = outer[densest];
            outer[densest] = outer[0];
            outer = outer[1..];
        }
        Arrange(outer, lines, row, from, to);
    }

    private static void Arrange(ReadOnlySpan<Axis> outer, Axis lines, Axis row, float* from, float* to)
    {
        if (outer.IsEmpty)
        {
            if (row.From == 1) CopyRows(lines, (int)row.Size, from, to);
            else Transpose(lines, row, from, to);
            return;
        }
        Axis axis = outer[0];
        for (long i = 0; i < axis.Size; i++) Arrange(outer[1..], lines, row, from + (i * axis.From), to + (i * axis.To));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a network is loaded before the runtime would find out which loops are hot
    private static void CopyRows(Axis lines, int length, float* from, float* to)
    {
        for (long i = 0; i < lines.Size; i++) new ReadOnlySpan<float>(from + (i * lines.From), length).CopyTo(new Span<float>(to + (i * lines.To), length));
    }

    /// <summary>Writes rows a cache line at a time, so that the source's elements beside one another are read soon after one another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(Axis lines, Axis row, float* from, float* to)
    {
        nint stride = (nint)row.From;
        for (long start = 0; start < row.Size; start += Line)
        {
            int count = (int)Math.Min(Line, row.Size - start);
            for (long i = 0; i < lines.Size; i++)
            {
                float* source = from + (i * lines.From) + (start * stride), target = to + (i * lines.To) + start;
                int k = 0;
                for (; k + 4 <= count; k += 4)
                    Vector128.Create(source[k * stride], source[(k + 1) * stride], source[(k + 2) * stride], source[(k + 3) * stride]).Store(target + k);
                for (; k < count; k++) target[k] = source[k * stride];
            }
        }
    }

    /// <summary>An axis with the distance of its neighbours in the source and in the target.</summary>
    private readonly record struct Axis(long Size, long From, long To);
}

using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Delineate.Imaging;

/// <summary>
/// The five row filters of PNG, both ways. A filter predicts each byte from its neighbours a (left), b (above) and c (above left) and the file
/// holds the difference. Source: PNG specification, third edition, §9.
/// </summary>
internal static class PngFilter
{
    public const int Count = 5;
    public const int None = 0, Sub = 1, Up = 2, Average = 3, Paeth = 4;

    /// <summary>Zero bytes that must lie before the rows given to <see cref="Apply"/>: the neighbours of the first pixel.</summary>
    public const int Margin = 8;

    private interface IPredictor
    {
        static abstract Vector128<byte> Predict(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c);
    }

    /// <summary>
    /// Turns differences back into a row: <paramref name="row"/> = <paramref name="filtered"/> + prediction. Spans of one length; they do not overlap.
    /// </summary>
    public static void Undo(int filter, ReadOnlySpan<byte> filtered, ReadOnlySpan<byte> above, Span<byte> row, int pixelBytes)
    {
        Debug.Assert(filtered.Length == row.Length && above.Length == row.Length && pixelBytes is >= 1 and <= 8, "rows of one picture");
        switch (filter)
        {
            case None: filtered.CopyTo(row); break;
            case Sub: Undo<SubPredictor>(filtered, above, row, pixelBytes); break;
            case Up: UndoUp(filtered, above, row); break;
            case Average: Undo<AveragePredictor>(filtered, above, row, pixelBytes); break;
            default: Undo<PaethPredictor>(filtered, above, row, pixelBytes); break;
        }
    }

    /// <summary>
    /// Writes the differences of <paramref name="row"/> and returns the sum of their magnitudes (as signed bytes): the smaller, the better a row
    /// is likely to compress. <paramref name="row"/> and <paramref name="above"/> start with <see cref="Margin"/> zero bytes.
    /// </summary>
    public static long Apply(int filter, ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, Span<byte> filtered, int pixelBytes) => filter switch
    {
        None => Apply<NoPredictor>(row, above, filtered, pixelBytes),
        Sub => Apply<SubPredictor>(row, above, filtered, pixelBytes),
        Up => Apply<UpPredictor>(row, above, filtered, pixelBytes),
        Average => Apply<AveragePredictor>(row, above, filtered, pixelBytes),
        _ => Apply<PaethPredictor>(row, above, filtered, pixelBytes),
    };

    /// <summary>
    /// One pixel a step, because each needs its left neighbour: its bytes are the low lanes, and the lanes above hold leftovers that the next steps
    /// overwrite.
    /// </summary>
    private static void Undo<TPredictor>(ReadOnlySpan<byte> filtered, ReadOnlySpan<byte> above, Span<byte> row, int pixelBytes)
        where TPredictor : struct, IPredictor
    {
        ref byte from = ref MemoryMarshal.GetReference(filtered);
        ref byte up = ref MemoryMarshal.GetReference(above);
        ref byte to = ref MemoryMarshal.GetReference(row);
        Vector128<byte> a = default, c = default;
        int i = 0;
        for (; i <= row.Length - sizeof(ulong); i += pixelBytes)
        {
            Vector128<byte> b = Load(ref up, i);
            a = Load(ref from, i) + TPredictor.Predict(a, b, c);
            c = b;
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, i), a.AsUInt64().ToScalar());
        }
        for (; i < row.Length; i++)
        {
            byte left = i < pixelBytes ? (byte)0 : row[i - pixelBytes], aboveLeft = i < pixelBytes ? (byte)0 : above[i - pixelBytes];
            Vector128<byte> prediction = TPredictor.Predict(Vector128.Create(left), Vector128.Create(above[i]), Vector128.Create(aboveLeft));
            row[i] = (byte)(filtered[i] + prediction.ToScalar());
        }

        static Vector128<byte> Load(ref byte start, int offset) =>
            Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, offset))).AsByte();
    }

    private static void UndoUp(ReadOnlySpan<byte> filtered, ReadOnlySpan<byte> above, Span<byte> row)
    {
        int i = 0;
        for (; i <= row.Length - Vector<byte>.Count; i += Vector<byte>.Count)
            (new Vector<byte>(filtered[i..]) + new Vector<byte>(above[i..])).CopyTo(row[i..]);
        for (; i < row.Length; i++) row[i] = (byte)(filtered[i] + above[i]);
    }

    private static long Apply<TPredictor>(ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, Span<byte> filtered, int pixelBytes)
        where TPredictor : struct, IPredictor
    {
        Debug.Assert(row.Length == filtered.Length + Margin && above.Length == row.Length, "rows carry a margin");
        const int MostSteps = 128; // a 16-bit lane gains at most 2 · 128 a step
        int i = 0, left = Margin - pixelBytes;
        long cost = 0;
        while (i <= filtered.Length - Vector128<byte>.Count)
        {
            Vector128<ushort> sums = default;
            for (int step = 0; step < MostSteps && i <= filtered.Length - Vector128<byte>.Count; step++, i += Vector128<byte>.Count)
            {
                Vector128<byte> a = Vector128.Create(row[(i + left)..]), b = Vector128.Create(above[(i + Margin)..]);
                Vector128<byte> difference = Vector128.Create(row[(i + Margin)..]) - TPredictor.Predict(a, b, Vector128.Create(above[(i + left)..]));
                difference.CopyTo(filtered[i..]);
                Vector128<byte> magnitude = Vector128.Min(difference, -difference); // of signed bytes, 128 included
                (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(magnitude);
                sums += low + high;
            }
            (Vector128<uint> lower, Vector128<uint> upper) = Vector128.Widen(sums);
            cost += Vector128.Sum(lower + upper);
        }
        for (; i < filtered.Length; i++)
        {
            Vector128<byte> a = Vector128.Create(row[i + left]), b = Vector128.Create(above[i + Margin]), c = Vector128.Create(above[i + left]);
            filtered[i] = (byte)(row[i + Margin] - TPredictor.Predict(a, b, c).ToScalar());
            cost += Math.Abs((int)(sbyte)filtered[i]);
        }
        return cost;
    }

    private readonly struct NoPredictor : IPredictor
    {
        public static Vector128<byte> Predict(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c) => default;
    }

    private readonly struct SubPredictor : IPredictor
    {
        public static Vector128<byte> Predict(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c) => a;
    }

    private readonly struct UpPredictor : IPredictor
    {
        public static Vector128<byte> Predict(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c) => b;
    }

    private readonly struct AveragePredictor : IPredictor
    {
        // ⌊(a + b) / 2⌋ without the ninth bit of the sum.
        public static Vector128<byte> Predict(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c) => (a & b) + ((a ^ b) >>> 1);
    }

    private readonly struct PaethPredictor : IPredictor
    {
        // The neighbour nearest to p = a + b − c, ties in the order a, b, c. |p − a| = |b − c| and |p − b| = |a − c| fit a byte. |p − c| is
        // their difference where c lies between a and b, else their sum, which is never the smallest: 255 stands in for it, and nothing needs
        // a ninth bit.
        public static Vector128<byte> Predict(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c)
        {
            Vector128<byte> least = Vector128.Min(a, b), most = Vector128.Max(a, b);
            Vector128<byte> toA = Distance(b, c), toB = Distance(a, c);
            Vector128<byte> cIsBetween = Vector128.Equals(Vector128.Max(least, Vector128.Min(most, c)), c);
            Vector128<byte> toC = Distance(toA, toB) | ~cIsBetween;
            Vector128<byte> nearest = Vector128.Min(Vector128.Min(toA, toB), toC);
            return Vector128.ConditionalSelect(
                Vector128.Equals(nearest, toA), a, Vector128.ConditionalSelect(Vector128.Equals(nearest, toB), b, c));
        }

        private static Vector128<byte> Distance(Vector128<byte> u, Vector128<byte> v) => Vector128.Max(u, v) - Vector128.Min(u, v);
    }
}

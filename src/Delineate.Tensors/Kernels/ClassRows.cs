using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// The class scores of pixels, [pixels, C], where C is small: a row is shorter than a register or two, so the lanes of a register stand for pixels,
/// not for classes. What is reduced over the classes is first turned over to [C, pixels]; what is spread over them runs along memory, each lane
/// picking its pixel's figure. Works on up to <see cref="Block"/> pixels at a time, whose scores stay in the first-level cache.
/// </summary>
internal static unsafe class ClassRows
{
    /// <summary>Pixels in a block.</summary>
    public const int Block = 64;

    /// <summary>The most classes for which this pays: beyond it a row fills registers by itself.</summary>
    public const int MostClasses = 64;

    /// <summary>max and Σ exp(x − max) of each row; the sum is NaN where the row holds a NaN.</summary>
    /// <param name="x">The scores, [pixels, classes].</param>
    /// <param name="pixels">At most <see cref="Block"/>.</param>
    /// <param name="classes">C.</param>
    /// <param name="turned">Room for <see cref="Block"/> · C floats.</param>
    /// <param name="max">Room for <see cref="Block"/> floats.</param>
    /// <param name="sum">Room for <see cref="Block"/> floats.</param>
    public static void SumExp(float* x, int pixels, int classes, float* turned, float* max, float* sum)
    {
        Turn(x, pixels, classes, turned);
        LaneLoop.Widest(new SumExpKernel(turned, classes, max, sum), pixels);
    }

    /// <summary>The first class with the largest score of each row, and that score, which is NaN where the row holds one.</summary>
    public static void Winners(float* x, int pixels, int classes, float* turned, float* max, byte* winners)
    {
        Turn(x, pixels, classes, turned);
        LaneLoop.Widest(new WinnersKernel(turned, classes, max, winners), pixels);
    }

    /// <summary>result = exp(x − shift) · factor, with a shift and a factor for each pixel.</summary>
    /// <param name="x">The scores, [pixels, classes].</param>
    /// <param name="shift"><see cref="Block"/> floats, those beyond the pixels of no meaning.</param>
    /// <param name="factor">The same.</param>
    /// <param name="pixels">At most <see cref="Block"/>.</param>
    /// <param name="places">What <see cref="Places"/> gave.</param>
    /// <param name="result">[pixels, classes].</param>
    public static void ScaledExp(float* x, float* shift, float* factor, int pixels, ReadOnlySpan<int> places, float* result)
    {
        fixed (int* at = places) LaneLoop.Widest(new ScaledExpKernel(x, shift, factor, at, places.Length, result), pixels);
    }

    /// <summary>For <see cref="ScaledExp"/>: which pixel, of as many as a register has lanes, each of their scores belongs to.</summary>
    public static int[] Places(int classes)
    {
        int lanes = Vector512.IsHardwareAccelerated ? Lanes16.Count : Vector256.IsHardwareAccelerated ? Lanes8.Count : Vector128.IsHardwareAccelerated ? Lanes4.Count : Lanes1.Count;
        var places = new int[lanes * classes];
        for (int i = 0; i < places.Length; i++) places[i] = i / classes;
        return places;
    }

    /// <summary>[pixels, C] to [C, Block], zeros beyond the pixels.</summary>
    private static void Turn(float* x, int pixels, int classes, float* turned)
    {
        if (pixels < Block) new Span<float>(turned, Block * classes).Clear();
        int p = 0;
        if ((Sse.IsSupported || AdvSimd.Arm64.IsSupported) && classes >= 4)
        {
            for (; p + 4 <= pixels; p += 4)
            {
                float* row = x + ((long)p * classes);
                for (int c = 0; c + 4 <= classes; c += 4) Turn4(row + c, classes, turned + (c * Block) + p);
                // The last few classes once more together with some before them.
                if (classes % 4 != 0) Turn4(row + classes - 4, classes, turned + ((classes - 4) * Block) + p);
            }
        }
        for (; p < pixels; p++)
        {
            for (int c = 0; c < classes; c++) turned[(c * Block) + p] = x[(p * classes) + c];
        }
    }

    /// <summary>Four scores of four pixels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn4(float* x, int classes, float* turned)
    {
        Vector128<float> a = Vector128.Load(x), b = Vector128.Load(x + classes), c = Vector128.Load(x + (2 * classes)), d = Vector128.Load(x + (3 * classes));
        Vector128<double> ab = ZipLow(a, b).AsDouble(), abHigh = ZipHigh(a, b).AsDouble(); // pairs of one class: a0 b0, a1 b1; a2 b2, a3 b3
        Vector128<double> cd = ZipLow(c, d).AsDouble(), cdHigh = ZipHigh(c, d).AsDouble();
        ZipLow(ab, cd).AsSingle().Store(turned);
        ZipHigh(ab, cd).AsSingle().Store(turned + Block);
        ZipLow(abHigh, cdHigh).AsSingle().Store(turned + (2 * Block));
        ZipHigh(abHigh, cdHigh).AsSingle().Store(turned + (3 * Block));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b) => Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b) => Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> ZipLow(Vector128<double> a, Vector128<double> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b) : AdvSimd.Arm64.ZipLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> ZipHigh(Vector128<double> a, Vector128<double> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : AdvSimd.Arm64.ZipHigh(a, b);

    private readonly struct SumExpKernel(float* turned, int classes, float* max, float* sum) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            for (int p = from; p < to; p += V.Count)
            {
                float* scores = turned + p;
                V most = V.Load(scores);
                for (int c = 1; c < classes; c++) most = V.Max(most, V.Load(scores + (c * Block)));
                V total = V.All(0);
                for (int c = 0; c < classes; c++) total += VectorMath.Exp(V.Load(scores + (c * Block)) - most);
                most.Store(max + p);
                total.Store(sum + p);
            }
            return to;
        }
    }

    private readonly struct WinnersKernel(float* turned, int classes, float* max, byte* winners) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            for (int p = from; p < to; p += V.Count)
            {
                float* scores = turned + p;
                V most = V.Load(scores), place = V.All(0);
                for (int c = 1; c < classes; c++) V.TakeLarger(ref most, ref place, V.Load(scores + (c * Block)), V.All(c));
                most.Store(max + p);
                place.StoreBytes(winners + p);
            }
            return to;
        }
    }

    private readonly struct ScaledExpKernel(float* x, float* shift, float* factor, int* places, int period, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int p = from;
            for (; p + V.Count <= to; p += V.Count)
            {
                V shifts = V.Load(shift + p), factors = V.Load(factor + p);
                float* source = x + ((long)p * period / V.Count), target = result + ((long)p * period / V.Count);
                for (int i = 0; i < period; i += V.Count)
                    (VectorMath.Exp(V.Load(source + i) - V.Pick(shifts, places + i)) * V.Pick(factors, places + i)).Store(target + i);
            }
            if (p < to) Last<V>(p, to - p);
            return to;
        }

        /// <summary>Fewer pixels than lanes: through a register's room, so that nothing beyond them is touched.</summary>
        private void Last<V>(int p, int pixels)
            where V : struct, ILanes<V>
        {
            V shifts = V.Load(shift + p), factors = V.Load(factor + p);
            int classes = period / V.Count, length = pixels * classes;
            float* source = x + ((long)p * classes), target = result + ((long)p * classes);
            float* lanes = stackalloc float[V.Count];
            for (int i = 0; i < length; i += V.Count)
            {
                int count = Math.Min(V.Count, length - i);
                for (int k = 0; k < V.Count; k++) lanes[k] = k < count ? source[i + k] : 0;
                (VectorMath.Exp(V.Load(lanes) - V.Pick(shifts, places + i)) * V.Pick(factors, places + i)).Store(lanes);
                for (int k = 0; k < count; k++) target[i + k] = lanes[k];
            }
        }
    }
}

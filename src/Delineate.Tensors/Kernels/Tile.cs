using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// The innermost loop of every product: a tile of C held in registers while the depth runs past it.
/// The tile is 12×32 with 512-bit vectors, 6×16 with 256-bit ones and 8×8 with 128-bit ones, which fills the registers of each.
/// </summary>
internal static unsafe class Tile
{
    /// <summary>The most rows and columns any instruction set's tile has: the size of a tile's buffer on the stack.</summary>
    public const int MaxLength = 12 * 32;

    /// <summary>The most columns any instruction set's tile has.</summary>
    public const int MaxColumns = 32;

    private static readonly float[] ZeroRow = GC.AllocateArray<float>(MaxColumns, pinned: true);

    /// <summary>A row of zeros: a start or a bias that adds nothing.</summary>
    public static float* Zeros => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(ZeroRow));

    /// <summary>Rows of the tile on this machine.</summary>
    public static int Rows => Vector512.IsHardwareAccelerated ? 12 : Vector256.IsHardwareAccelerated ? 6 : 8;

    /// <summary>Rows of a short tile, a divisor of <see cref="Rows"/>.</summary>
    public static int ShortRows => Vector512.IsHardwareAccelerated ? 4 : Vector256.IsHardwareAccelerated ? 2 : 4;

    /// <summary>Columns of the tile on this machine.</summary>
    public static int Columns => Vector512.IsHardwareAccelerated ? 32 : Vector256.IsHardwareAccelerated ? 16 : 8;

    /// <summary>
    /// c[i, j] = max(floor, start[i, j] + bias[j] + Σₖ a[i·aRow + k·aStep] · b[k·bStep + j]) over the whole tile. A start row of 0 repeats one row;
    /// start may be c itself; a floor of 0 is a ReLU, of −∞ nothing. Free strides for a: rows of a map (step 1) and panels packed across rows (row 1) take the same code.
    /// At each depth the line at <paramref name="ahead"/>, which moves by <paramref name="aheadStep"/>, is asked for from memory: what will be needed next.
    /// With <paramref name="past"/> c is stored around the caches: it begins on a cache line, and cRow is whole lines.
    /// </summary>
    public static void Run(
        int depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow, float* ahead, nint aheadStep, bool past = false)
    {
        if (Vector512.IsHardwareAccelerated) Run512(depth, a, aRow, aStep, b, bStep, start, startRow, bias, floor, c, cRow, ahead, aheadStep, past);
        else if (Vector256.IsHardwareAccelerated) Run256(depth, a, aRow, aStep, b, bStep, start, startRow, bias, floor, c, cRow, ahead, aheadStep, past);
        else Run128(depth, a, aRow, aStep, b, bStep, start, startRow, bias, floor, c, cRow, ahead, aheadStep);
    }

    /// <summary>The same over <see cref="ShortRows"/> rows, for what is left below the last whole tile.</summary>
    public static void RunShort(int depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow)
    {
        if (Vector512.IsHardwareAccelerated) Run512Short(depth, a, aRow, aStep, b, bStep, start, startRow, bias, floor, c, cRow);
        else if (Vector256.IsHardwareAccelerated) Run256Short(depth, a, aRow, aStep, b, bStep, start, startRow, bias, floor, c, cRow);
        else Run128Short(depth, a, aRow, aStep, b, bStep, start, startRow, bias, floor, c, cRow);
    }

    // No call may stand in these methods: accumulators that live across a call are kept on the stack, at a quarter of the speed.
    // Three rows share one pointer, [p], [p + row], [p + 2·row], so that addresses cost no instructions.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run512(nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow, float* ahead, nint aheadStep, bool past)
    {
        PrefetchRows(start, startRow, 12);
        if (start != c && !past) PrefetchRows(c, cRow, 12);
        Vector512<float> c00 = Vector512<float>.Zero, c01 = Vector512<float>.Zero;
        Vector512<float> c10 = Vector512<float>.Zero, c11 = Vector512<float>.Zero;
        Vector512<float> c20 = Vector512<float>.Zero, c21 = Vector512<float>.Zero;
        Vector512<float> c30 = Vector512<float>.Zero, c31 = Vector512<float>.Zero;
        Vector512<float> c40 = Vector512<float>.Zero, c41 = Vector512<float>.Zero;
        Vector512<float> c50 = Vector512<float>.Zero, c51 = Vector512<float>.Zero;
        Vector512<float> c60 = Vector512<float>.Zero, c61 = Vector512<float>.Zero;
        Vector512<float> c70 = Vector512<float>.Zero, c71 = Vector512<float>.Zero;
        Vector512<float> c80 = Vector512<float>.Zero, c81 = Vector512<float>.Zero;
        Vector512<float> c90 = Vector512<float>.Zero, c91 = Vector512<float>.Zero;
        Vector512<float> cA0 = Vector512<float>.Zero, cA1 = Vector512<float>.Zero;
        Vector512<float> cB0 = Vector512<float>.Zero, cB1 = Vector512<float>.Zero;
        nint aRow2 = aRow * 2;
        float* a3 = a + (3 * aRow);
        float* a6 = a + (6 * aRow);
        float* a9 = a + (9 * aRow);
        for (; depth > 0; depth--)
        {
            Vector512<float> b0 = Vector512.Load(b);
            Vector512<float> b1 = Vector512.Load(b + 16);
            if (Sse.IsSupported) Sse.Prefetch0(ahead);
            Vector512<float> v = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(v, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(v, b1, c01);
            v = Vector512.Create(a[aRow]);
            c10 = Vector512.MultiplyAddEstimate(v, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(v, b1, c11);
            v = Vector512.Create(a[aRow2]);
            c20 = Vector512.MultiplyAddEstimate(v, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(v, b1, c21);
            v = Vector512.Create(*a3);
            c30 = Vector512.MultiplyAddEstimate(v, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(v, b1, c31);
            v = Vector512.Create(a3[aRow]);
            c40 = Vector512.MultiplyAddEstimate(v, b0, c40);
            c41 = Vector512.MultiplyAddEstimate(v, b1, c41);
            v = Vector512.Create(a3[aRow2]);
            c50 = Vector512.MultiplyAddEstimate(v, b0, c50);
            c51 = Vector512.MultiplyAddEstimate(v, b1, c51);
            v = Vector512.Create(*a6);
            c60 = Vector512.MultiplyAddEstimate(v, b0, c60);
            c61 = Vector512.MultiplyAddEstimate(v, b1, c61);
            v = Vector512.Create(a6[aRow]);
            c70 = Vector512.MultiplyAddEstimate(v, b0, c70);
            c71 = Vector512.MultiplyAddEstimate(v, b1, c71);
            v = Vector512.Create(a6[aRow2]);
            c80 = Vector512.MultiplyAddEstimate(v, b0, c80);
            c81 = Vector512.MultiplyAddEstimate(v, b1, c81);
            v = Vector512.Create(*a9);
            c90 = Vector512.MultiplyAddEstimate(v, b0, c90);
            c91 = Vector512.MultiplyAddEstimate(v, b1, c91);
            v = Vector512.Create(a9[aRow]);
            cA0 = Vector512.MultiplyAddEstimate(v, b0, cA0);
            cA1 = Vector512.MultiplyAddEstimate(v, b1, cA1);
            v = Vector512.Create(a9[aRow2]);
            cB0 = Vector512.MultiplyAddEstimate(v, b0, cB0);
            cB1 = Vector512.MultiplyAddEstimate(v, b1, cB1);
            a += aStep;
            a3 += aStep;
            a6 += aStep;
            a9 += aStep;
            b += bStep;
            ahead += aheadStep;
        }
        Vector512<float> bias0 = Vector512.Load(bias), bias1 = Vector512.Load(bias + 16), least = Vector512.Create(floor);
        Put(c00, c01, start, bias0, bias1, least, c, past);
        Put(c10, c11, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c20, c21, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c30, c31, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c40, c41, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c50, c51, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c60, c61, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c70, c71, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c80, c81, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c90, c91, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(cA0, cA1, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(cB0, cB1, start += startRow, bias0, bias1, least, c += cRow, past);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run512Short(nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow)
    {
        PrefetchRows(start, startRow, 4);
        Vector512<float> c00 = Vector512<float>.Zero, c01 = Vector512<float>.Zero;
        Vector512<float> c10 = Vector512<float>.Zero, c11 = Vector512<float>.Zero;
        Vector512<float> c20 = Vector512<float>.Zero, c21 = Vector512<float>.Zero;
        Vector512<float> c30 = Vector512<float>.Zero, c31 = Vector512<float>.Zero;
        nint aRow2 = aRow * 2;
        float* a3 = a + (3 * aRow);
        for (; depth > 0; depth--)
        {
            Vector512<float> b0 = Vector512.Load(b);
            Vector512<float> b1 = Vector512.Load(b + 16);
            Vector512<float> v = Vector512.Create(*a);
            c00 = Vector512.MultiplyAddEstimate(v, b0, c00);
            c01 = Vector512.MultiplyAddEstimate(v, b1, c01);
            v = Vector512.Create(a[aRow]);
            c10 = Vector512.MultiplyAddEstimate(v, b0, c10);
            c11 = Vector512.MultiplyAddEstimate(v, b1, c11);
            v = Vector512.Create(a[aRow2]);
            c20 = Vector512.MultiplyAddEstimate(v, b0, c20);
            c21 = Vector512.MultiplyAddEstimate(v, b1, c21);
            v = Vector512.Create(*a3);
            c30 = Vector512.MultiplyAddEstimate(v, b0, c30);
            c31 = Vector512.MultiplyAddEstimate(v, b1, c31);
            a += aStep;
            a3 += aStep;
            b += bStep;
        }
        Vector512<float> bias0 = Vector512.Load(bias), bias1 = Vector512.Load(bias + 16), least = Vector512.Create(floor);
        Put(c00, c01, start, bias0, bias1, least, c, past: false);
        Put(c10, c11, start += startRow, bias0, bias1, least, c += cRow, past: false);
        Put(c20, c21, start += startRow, bias0, bias1, least, c += cRow, past: false);
        Put(c30, c31, start += startRow, bias0, bias1, least, c += cRow, past: false);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run256(nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow, float* ahead, nint aheadStep, bool past)
    {
        PrefetchRows(start, startRow, 6);
        if (start != c && !past) PrefetchRows(c, cRow, 6);
        Vector256<float> c00 = Vector256<float>.Zero, c01 = Vector256<float>.Zero;
        Vector256<float> c10 = Vector256<float>.Zero, c11 = Vector256<float>.Zero;
        Vector256<float> c20 = Vector256<float>.Zero, c21 = Vector256<float>.Zero;
        Vector256<float> c30 = Vector256<float>.Zero, c31 = Vector256<float>.Zero;
        Vector256<float> c40 = Vector256<float>.Zero, c41 = Vector256<float>.Zero;
        Vector256<float> c50 = Vector256<float>.Zero, c51 = Vector256<float>.Zero;
        nint aRow2 = aRow * 2;
        float* a3 = a + (3 * aRow);
        for (; depth > 0; depth--)
        {
            Vector256<float> b0 = Vector256.Load(b);
            Vector256<float> b1 = Vector256.Load(b + 8);
            if (Sse.IsSupported) Sse.Prefetch0(ahead);
            Vector256<float> v = Vector256.Create(*a);
            c00 = Vector256.MultiplyAddEstimate(v, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(v, b1, c01);
            v = Vector256.Create(a[aRow]);
            c10 = Vector256.MultiplyAddEstimate(v, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(v, b1, c11);
            v = Vector256.Create(a[aRow2]);
            c20 = Vector256.MultiplyAddEstimate(v, b0, c20);
            c21 = Vector256.MultiplyAddEstimate(v, b1, c21);
            v = Vector256.Create(*a3);
            c30 = Vector256.MultiplyAddEstimate(v, b0, c30);
            c31 = Vector256.MultiplyAddEstimate(v, b1, c31);
            v = Vector256.Create(a3[aRow]);
            c40 = Vector256.MultiplyAddEstimate(v, b0, c40);
            c41 = Vector256.MultiplyAddEstimate(v, b1, c41);
            v = Vector256.Create(a3[aRow2]);
            c50 = Vector256.MultiplyAddEstimate(v, b0, c50);
            c51 = Vector256.MultiplyAddEstimate(v, b1, c51);
            a += aStep;
            a3 += aStep;
            b += bStep;
            ahead += aheadStep;
        }
        Vector256<float> bias0 = Vector256.Load(bias), bias1 = Vector256.Load(bias + 8), least = Vector256.Create(floor);
        Put(c00, c01, start, bias0, bias1, least, c, past);
        Put(c10, c11, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c20, c21, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c30, c31, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c40, c41, start += startRow, bias0, bias1, least, c += cRow, past);
        Put(c50, c51, start += startRow, bias0, bias1, least, c += cRow, past);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run256Short(nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow)
    {
        PrefetchRows(start, startRow, 2);
        Vector256<float> c00 = Vector256<float>.Zero, c01 = Vector256<float>.Zero;
        Vector256<float> c10 = Vector256<float>.Zero, c11 = Vector256<float>.Zero;
        for (; depth > 0; depth--)
        {
            Vector256<float> b0 = Vector256.Load(b);
            Vector256<float> b1 = Vector256.Load(b + 8);
            Vector256<float> v = Vector256.Create(*a);
            c00 = Vector256.MultiplyAddEstimate(v, b0, c00);
            c01 = Vector256.MultiplyAddEstimate(v, b1, c01);
            v = Vector256.Create(a[aRow]);
            c10 = Vector256.MultiplyAddEstimate(v, b0, c10);
            c11 = Vector256.MultiplyAddEstimate(v, b1, c11);
            a += aStep;
            b += bStep;
        }
        Vector256<float> bias0 = Vector256.Load(bias), bias1 = Vector256.Load(bias + 8), least = Vector256.Create(floor);
        Put(c00, c01, start, bias0, bias1, least, c, past: false);
        Put(c10, c11, start += startRow, bias0, bias1, least, c += cRow, past: false);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run128(nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow, float* ahead, nint aheadStep)
    {
        PrefetchRows(start, startRow, 8);
        if (start != c) PrefetchRows(c, cRow, 8);
        Vector128<float> c00 = Vector128<float>.Zero, c01 = Vector128<float>.Zero;
        Vector128<float> c10 = Vector128<float>.Zero, c11 = Vector128<float>.Zero;
        Vector128<float> c20 = Vector128<float>.Zero, c21 = Vector128<float>.Zero;
        Vector128<float> c30 = Vector128<float>.Zero, c31 = Vector128<float>.Zero;
        Vector128<float> c40 = Vector128<float>.Zero, c41 = Vector128<float>.Zero;
        Vector128<float> c50 = Vector128<float>.Zero, c51 = Vector128<float>.Zero;
        Vector128<float> c60 = Vector128<float>.Zero, c61 = Vector128<float>.Zero;
        Vector128<float> c70 = Vector128<float>.Zero, c71 = Vector128<float>.Zero;
        nint aRow2 = aRow * 2;
        float* a3 = a + (3 * aRow);
        float* a6 = a + (6 * aRow);
        for (; depth > 0; depth--)
        {
            Vector128<float> b0 = Vector128.Load(b);
            Vector128<float> b1 = Vector128.Load(b + 4);
            if (Sse.IsSupported) Sse.Prefetch0(ahead);
            Vector128<float> v = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(v, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(v, b1, c01);
            v = Vector128.Create(a[aRow]);
            c10 = Vector128.MultiplyAddEstimate(v, b0, c10);
            c11 = Vector128.MultiplyAddEstimate(v, b1, c11);
            v = Vector128.Create(a[aRow2]);
            c20 = Vector128.MultiplyAddEstimate(v, b0, c20);
            c21 = Vector128.MultiplyAddEstimate(v, b1, c21);
            v = Vector128.Create(*a3);
            c30 = Vector128.MultiplyAddEstimate(v, b0, c30);
            c31 = Vector128.MultiplyAddEstimate(v, b1, c31);
            v = Vector128.Create(a3[aRow]);
            c40 = Vector128.MultiplyAddEstimate(v, b0, c40);
            c41 = Vector128.MultiplyAddEstimate(v, b1, c41);
            v = Vector128.Create(a3[aRow2]);
            c50 = Vector128.MultiplyAddEstimate(v, b0, c50);
            c51 = Vector128.MultiplyAddEstimate(v, b1, c51);
            v = Vector128.Create(*a6);
            c60 = Vector128.MultiplyAddEstimate(v, b0, c60);
            c61 = Vector128.MultiplyAddEstimate(v, b1, c61);
            v = Vector128.Create(a6[aRow]);
            c70 = Vector128.MultiplyAddEstimate(v, b0, c70);
            c71 = Vector128.MultiplyAddEstimate(v, b1, c71);
            a += aStep;
            a3 += aStep;
            a6 += aStep;
            b += bStep;
            ahead += aheadStep;
        }
        Vector128<float> bias0 = Vector128.Load(bias), bias1 = Vector128.Load(bias + 4), least = Vector128.Create(floor);
        Put(c00, c01, start, bias0, bias1, least, c);
        Put(c10, c11, start += startRow, bias0, bias1, least, c += cRow);
        Put(c20, c21, start += startRow, bias0, bias1, least, c += cRow);
        Put(c30, c31, start += startRow, bias0, bias1, least, c += cRow);
        Put(c40, c41, start += startRow, bias0, bias1, least, c += cRow);
        Put(c50, c51, start += startRow, bias0, bias1, least, c += cRow);
        Put(c60, c61, start += startRow, bias0, bias1, least, c += cRow);
        Put(c70, c71, start += startRow, bias0, bias1, least, c += cRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run128Short(nint depth, float* a, nint aRow, nint aStep, float* b, nint bStep, float* start, nint startRow, float* bias, float floor, float* c, nint cRow)
    {
        PrefetchRows(start, startRow, 4);
        Vector128<float> c00 = Vector128<float>.Zero, c01 = Vector128<float>.Zero;
        Vector128<float> c10 = Vector128<float>.Zero, c11 = Vector128<float>.Zero;
        Vector128<float> c20 = Vector128<float>.Zero, c21 = Vector128<float>.Zero;
        Vector128<float> c30 = Vector128<float>.Zero, c31 = Vector128<float>.Zero;
        nint aRow2 = aRow * 2;
        float* a3 = a + (3 * aRow);
        for (; depth > 0; depth--)
        {
            Vector128<float> b0 = Vector128.Load(b);
            Vector128<float> b1 = Vector128.Load(b + 4);
            Vector128<float> v = Vector128.Create(*a);
            c00 = Vector128.MultiplyAddEstimate(v, b0, c00);
            c01 = Vector128.MultiplyAddEstimate(v, b1, c01);
            v = Vector128.Create(a[aRow]);
            c10 = Vector128.MultiplyAddEstimate(v, b0, c10);
            c11 = Vector128.MultiplyAddEstimate(v, b1, c11);
            v = Vector128.Create(a[aRow2]);
            c20 = Vector128.MultiplyAddEstimate(v, b0, c20);
            c21 = Vector128.MultiplyAddEstimate(v, b1, c21);
            v = Vector128.Create(*a3);
            c30 = Vector128.MultiplyAddEstimate(v, b0, c30);
            c31 = Vector128.MultiplyAddEstimate(v, b1, c31);
            a += aStep;
            a3 += aStep;
            b += bStep;
        }
        Vector128<float> bias0 = Vector128.Load(bias), bias1 = Vector128.Load(bias + 4), least = Vector128.Create(floor);
        Put(c00, c01, start, bias0, bias1, least, c);
        Put(c10, c11, start += startRow, bias0, bias1, least, c += cRow);
        Put(c20, c21, start += startRow, bias0, bias1, least, c += cRow);
        Put(c30, c31, start += startRow, bias0, bias1, least, c += cRow);
    }

    /// <summary>One row of a tile comes to its end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(
        Vector512<float> sum0, Vector512<float> sum1, float* start, Vector512<float> bias0, Vector512<float> bias1, Vector512<float> least, float* c, bool past)
    {
        sum0 = Vector512.MaxNative(least, sum0 + Vector512.Load(start) + bias0);
        sum1 = Vector512.MaxNative(least, sum1 + Vector512.Load(start + 16) + bias1);
        if (past)
        {
            sum0.StoreAlignedNonTemporal(c);
            sum1.StoreAlignedNonTemporal(c + 16);
            return;
        }
        sum0.Store(c);
        sum1.Store(c + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(
        Vector256<float> sum0, Vector256<float> sum1, float* start, Vector256<float> bias0, Vector256<float> bias1, Vector256<float> least, float* c, bool past)
    {
        sum0 = Vector256.MaxNative(least, sum0 + Vector256.Load(start) + bias0);
        sum1 = Vector256.MaxNative(least, sum1 + Vector256.Load(start + 8) + bias1);
        if (past)
        {
            sum0.StoreAlignedNonTemporal(c);
            sum1.StoreAlignedNonTemporal(c + 8);
            return;
        }
        sum0.Store(c);
        sum1.Store(c + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(
        Vector128<float> sum0, Vector128<float> sum1, float* start, Vector128<float> bias0, Vector128<float> bias1, Vector128<float> least, float* c)
    {
        sum0 = Vector128.MaxNative(least, sum0 + Vector128.Load(start) + bias0);
        sum1 = Vector128.MaxNative(least, sum1 + Vector128.Load(start + 4) + bias1);
        sum0.Store(c);
        sum1.Store(c + 4);
    }

    /// <summary>Asks for the rows that are needed only at the end, so that the multiplications hide the wait.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void PrefetchRows(float* row, nint stride, int rows)
    {
        if (!Sse.IsSupported || stride == 0) return;
        for (int i = 0; i < rows; i++)
        {
            Sse.Prefetch0(row);
            Sse.Prefetch0(row + 16);
            row += stride;
        }
    }
}

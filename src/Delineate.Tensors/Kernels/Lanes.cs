using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// A register of floats, one channel a lane: what a kernel is written in once, for every width. Comparisons are fused with what
/// follows them, so that masks stay inside.
/// </summary>
internal unsafe interface ILanes<V> : IAdditionOperators<V, V, V>, ISubtractionOperators<V, V, V>, IMultiplyOperators<V, V, V>
    where V : struct, ILanes<V>
{
    static abstract int Count { get; }

    static abstract V All(float value);

    static abstract V Load(float* from);

    /// <summary>Bytes widened to floats.</summary>
    static abstract V LoadBytes(byte* from);

    void Store(float* to);

    /// <summary>Stores around the caches where <paramref name="past"/> is set; the address must then be a multiple of the register's size.</summary>
    void Store(float* to, bool past);

    /// <summary>The lanes, whole numbers 0 … 255, as bytes.</summary>
    void StoreBytes(byte* to);

    /// <summary>a · b + c, fused where the processor fuses.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>The larger; NaN where either is NaN.</summary>
    static abstract V Max(V a, V b);

    /// <summary>max(0, value); NaN stays NaN.</summary>
    static abstract V Relu(V value);

    /// <summary>0 where <paramref name="sign"/> ≤ 0, else the value.</summary>
    static abstract V WherePositive(V value, V sign);

    /// <summary>The value where a = b, else 0.</summary>
    static abstract V WhereEqual(V a, V b, V value);

    /// <summary>Where the value is larger than the best so far, or NaN, it becomes the best and <paramref name="at"/> its place.</summary>
    static abstract void TakeLarger(ref V best, ref V place, V value, V at);

    /// <summary>The sum of the lanes, always in the same order.</summary>
    static abstract float Sum(V value);

    /// <summary>Held between two bounds; NaN stays NaN.</summary>
    static abstract V Clamp(V value, float least, float most);

    /// <summary>The nearest whole number, the even one of two.</summary>
    static abstract V Round(V value);

    /// <summary>value · 2ᵖᵒʷᵉʳ for whole powers of −250 … 250.</summary>
    static abstract V TimesPowerOfTwo(V value, V power);

    /// <summary>Lane i of the result is lane <paramref name="places"/>[i] of the values.</summary>
    static abstract V Pick(V values, int* places);
}

/// <summary>A kernel over a range of lanes-wide columns: channels, or the elements of a row.</summary>
internal interface ILaneKernel
{
    /// <summary>Does as many whole registers of the range as fit and returns where it stopped.</summary>
    int Run<V>(int from, int to)
        where V : struct, ILanes<V>;
}

internal static class LaneLoop
{
    /// <summary>Floats in 24 MB: beyond it the next op finds little of a result in the last cache of a usual processor.</summary>
    public const int PastCaches = 6 << 20;

    /// <summary>
    /// True where a result should be stored around the caches: it is larger than what they hold, so that reading its old lines first would only
    /// cost memory traffic, and its rows of <paramref name="width"/> floats all begin on a cache line.
    /// </summary>
    public static bool IsPastCaches(long length, int width) => length >= PastCaches && width % Lanes16.Count == 0;

    /// <summary>Runs a kernel over 0 … <paramref name="count"/> − 1, in the widest registers that the processor has, the rest in narrower ones.</summary>
    public static void Over<TKernel>(in TKernel kernel, int count)
        where TKernel : struct, ILaneKernel
    {
        int done = 0;
        if (Vector512.IsHardwareAccelerated && count >= Lanes16.Count) done = kernel.Run<Lanes16>(0, count);
        if (Vector256.IsHardwareAccelerated && count - done >= Lanes8.Count) done = kernel.Run<Lanes8>(done, count);
        if (Vector128.IsHardwareAccelerated && count - done >= Lanes4.Count) done = kernel.Run<Lanes4>(done, count);
        if (done < count) kernel.Run<Lanes1>(done, count);
    }

    /// <summary>
    /// Runs a kernel that computes each element from others than it writes: it takes the whole range at once, its last register reaching back over
    /// elements that it has done before. For few channels, which would else be walked several times in ever narrower registers.
    /// </summary>
    public static void Overlapped<TKernel>(in TKernel kernel, int count)
        where TKernel : struct, ILaneKernel
    {
        if (Vector512.IsHardwareAccelerated && count >= Lanes16.Count) kernel.Run<Lanes16>(0, count);
        else if (Vector256.IsHardwareAccelerated && count >= Lanes8.Count) kernel.Run<Lanes8>(0, count);
        else if (Vector128.IsHardwareAccelerated && count >= Lanes4.Count) kernel.Run<Lanes4>(0, count);
        else kernel.Run<Lanes1>(0, count);
    }

    /// <summary>Runs a kernel that deals with its tail itself, in the widest registers that the processor has alone: a value does not depend on its place.</summary>
    public static void Widest<TKernel>(in TKernel kernel, int count)
        where TKernel : struct, ILaneKernel
    {
        if (Vector512.IsHardwareAccelerated) kernel.Run<Lanes16>(0, count);
        else if (Vector256.IsHardwareAccelerated) kernel.Run<Lanes8>(0, count);
        else if (Vector128.IsHardwareAccelerated) kernel.Run<Lanes4>(0, count);
        else kernel.Run<Lanes1>(0, count);
    }
}

internal readonly unsafe struct Lanes16(Vector512<float> value) : ILanes<Lanes16>
{
    public readonly Vector512<float> Value = value;

    public static int Count => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 All(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Load(float* from) => new(Vector512.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 LoadBytes(byte* from) => Avx512F.IsSupported
        ? new(Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(from))))
        : new(Vector512.Create(Lanes8.LoadBytes(from).Value, Lanes8.LoadBytes(from + 8).Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => Value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to, bool past)
    {
        if (past) Value.StoreAlignedNonTemporal(to);
        else Value.Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBytes(byte* to)
    {
        Vector512<int> whole = Vector512.ConvertToInt32(Value);
        if (Avx512F.IsSupported)
        {
            Avx512F.ConvertToVector128Byte(whole).Store(to);
            return;
        }
        new Lanes8(Value.GetLower()).StoreBytes(to);
        new Lanes8(Value.GetUpper()).StoreBytes(to + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator +(Lanes16 a, Lanes16 b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator -(Lanes16 a, Lanes16 b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator *(Lanes16 a, Lanes16 b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 MultiplyAdd(Lanes16 a, Lanes16 b, Lanes16 c) => new(Vector512.MultiplyAddEstimate(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Max(Lanes16 a, Lanes16 b) => new(Vector512.Max(a.Value, b.Value));

    // The native maximum gives its second operand where one is NaN (x64), or NaN (Arm): either way NaN stays.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Relu(Lanes16 value) => new(Vector512.MaxNative(Vector512<float>.Zero, value.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 WherePositive(Lanes16 value, Lanes16 sign) =>
        new(Vector512.AndNot(value.Value, Vector512.LessThanOrEqual(sign.Value, Vector512<float>.Zero)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 WhereEqual(Lanes16 a, Lanes16 b, Lanes16 value) => new(Vector512.Equals(a.Value, b.Value) & value.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TakeLarger(ref Lanes16 best, ref Lanes16 place, Lanes16 value, Lanes16 at)
    {
        Vector512<float> wins = Vector512.GreaterThan(value.Value, best.Value) | ~Vector512.Equals(value.Value, value.Value);
        best = new(Vector512.ConditionalSelect(wins, value.Value, best.Value));
        place = new(Vector512.ConditionalSelect(wins, at.Value, place.Value));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes16 value) => Lanes8.Sum(new(value.Value.GetLower() + value.Value.GetUpper()));

    // The bound comes first: see Relu.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Clamp(Lanes16 value, float least, float most) =>
        new(Vector512.MinNative(Vector512.Create(most), Vector512.MaxNative(Vector512.Create(least), value.Value)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Round(Lanes16 value) => new(Vector512.Round(value.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 TimesPowerOfTwo(Lanes16 value, Lanes16 power)
    {
        if (Avx512F.IsSupported) return new(Avx512F.Scale(value.Value, power.Value));
        // In two factors: the power may reach beyond the exponents of floats on both sides.
        Vector512<int> whole = Vector512.ConvertToInt32Native(power.Value);
        Vector512<int> half = whole >> 1;
        return new(value.Value * PowerOfTwo(half) * PowerOfTwo(whole - half));

        static Vector512<float> PowerOfTwo(Vector512<int> n) => ((n + Vector512.Create(127)) << 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Pick(Lanes16 values, int* places) => new(Vector512.ShuffleNative(values.Value, Vector512.Load(places)));
}

internal readonly unsafe struct Lanes8(Vector256<float> value) : ILanes<Lanes8>
{
    public readonly Vector256<float> Value = value;

    public static int Count => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 All(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Load(float* from) => new(Vector256.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 LoadBytes(byte* from) => new(Vector256.Create(Lanes4.LoadBytes(from).Value, Lanes4.LoadBytes(from + 4).Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => Value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to, bool past)
    {
        if (past) Value.StoreAlignedNonTemporal(to);
        else Value.Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBytes(byte* to)
    {
        new Lanes4(Value.GetLower()).StoreBytes(to);
        new Lanes4(Value.GetUpper()).StoreBytes(to + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator +(Lanes8 a, Lanes8 b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator -(Lanes8 a, Lanes8 b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator *(Lanes8 a, Lanes8 b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 MultiplyAdd(Lanes8 a, Lanes8 b, Lanes8 c) => new(Vector256.MultiplyAddEstimate(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Max(Lanes8 a, Lanes8 b) => new(Vector256.Max(a.Value, b.Value));

    // The native maximum gives its second operand where one is NaN (x64), or NaN (Arm): either way NaN stays.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Relu(Lanes8 value) => new(Vector256.MaxNative(Vector256<float>.Zero, value.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 WherePositive(Lanes8 value, Lanes8 sign) =>
        new(Vector256.AndNot(value.Value, Vector256.LessThanOrEqual(sign.Value, Vector256<float>.Zero)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 WhereEqual(Lanes8 a, Lanes8 b, Lanes8 value) => new(Vector256.Equals(a.Value, b.Value) & value.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TakeLarger(ref Lanes8 best, ref Lanes8 place, Lanes8 value, Lanes8 at)
    {
        Vector256<float> wins = Vector256.GreaterThan(value.Value, best.Value) | ~Vector256.Equals(value.Value, value.Value);
        best = new(Vector256.ConditionalSelect(wins, value.Value, best.Value));
        place = new(Vector256.ConditionalSelect(wins, at.Value, place.Value));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes8 value) => Lanes4.Sum(new(value.Value.GetLower() + value.Value.GetUpper()));

    // The bound comes first: see Relu.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Clamp(Lanes8 value, float least, float most) =>
        new(Vector256.MinNative(Vector256.Create(most), Vector256.MaxNative(Vector256.Create(least), value.Value)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Round(Lanes8 value) => new(Vector256.Round(value.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 TimesPowerOfTwo(Lanes8 value, Lanes8 power)
    {
        // In two factors: the power may reach beyond the exponents of floats on both sides.
        Vector256<int> whole = Vector256.ConvertToInt32Native(power.Value);
        Vector256<int> half = whole >> 1;
        return new(value.Value * PowerOfTwo(half) * PowerOfTwo(whole - half));

        static Vector256<float> PowerOfTwo(Vector256<int> n) => ((n + Vector256.Create(127)) << 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Pick(Lanes8 values, int* places) => new(Vector256.ShuffleNative(values.Value, Vector256.Load(places)));
}

internal readonly unsafe struct Lanes4(Vector128<float> value) : ILanes<Lanes4>
{
    public readonly Vector128<float> Value = value;

    public static int Count => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 All(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Load(float* from) => new(Vector128.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 LoadBytes(byte* from) => new(Vector128.ConvertToSingle(Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(from)).AsByte())).AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => Value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to, bool past)
    {
        if (past) Value.StoreAlignedNonTemporal(to);
        else Value.Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBytes(byte* to)
    {
        Vector128<ushort> halves = Vector128.Narrow(Vector128.ConvertToInt32(Value).AsUInt32(), Vector128<uint>.Zero);
        Unsafe.WriteUnaligned(to, Vector128.Narrow(halves, halves).AsUInt32().ToScalar());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator +(Lanes4 a, Lanes4 b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator -(Lanes4 a, Lanes4 b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator *(Lanes4 a, Lanes4 b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 MultiplyAdd(Lanes4 a, Lanes4 b, Lanes4 c) => new(Vector128.MultiplyAddEstimate(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Max(Lanes4 a, Lanes4 b) => new(Vector128.Max(a.Value, b.Value));

    // The native maximum gives its second operand where one is NaN (x64), or NaN (Arm): either way NaN stays.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Relu(Lanes4 value) => new(Vector128.MaxNative(Vector128<float>.Zero, value.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 WherePositive(Lanes4 value, Lanes4 sign) =>
        new(Vector128.AndNot(value.Value, Vector128.LessThanOrEqual(sign.Value, Vector128<float>.Zero)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 WhereEqual(Lanes4 a, Lanes4 b, Lanes4 value) => new(Vector128.Equals(a.Value, b.Value) & value.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TakeLarger(ref Lanes4 best, ref Lanes4 place, Lanes4 value, Lanes4 at)
    {
        Vector128<float> wins = Vector128.GreaterThan(value.Value, best.Value) | ~Vector128.Equals(value.Value, value.Value);
        best = new(Vector128.ConditionalSelect(wins, value.Value, best.Value));
        place = new(Vector128.ConditionalSelect(wins, at.Value, place.Value));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes4 value) => value.Value[0] + value.Value[2] + (value.Value[1] + value.Value[3]);

    // The bound comes first: see Relu.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Clamp(Lanes4 value, float least, float most) =>
        new(Vector128.MinNative(Vector128.Create(most), Vector128.MaxNative(Vector128.Create(least), value.Value)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Round(Lanes4 value) => new(Vector128.Round(value.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 TimesPowerOfTwo(Lanes4 value, Lanes4 power)
    {
        // In two factors: the power may reach beyond the exponents of floats on both sides.
        Vector128<int> whole = Vector128.ConvertToInt32Native(power.Value);
        Vector128<int> half = whole >> 1;
        return new(value.Value * PowerOfTwo(half) * PowerOfTwo(whole - half));

        static Vector128<float> PowerOfTwo(Vector128<int> n) => ((n + Vector128.Create(127)) << 23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Pick(Lanes4 values, int* places) => new(Vector128.ShuffleNative(values.Value, Vector128.Load(places)));
}

/// <summary>One lane: the last channels of an odd count, and processors without vectors.</summary>
internal readonly unsafe struct Lanes1(float value) : ILanes<Lanes1>
{
    public readonly float Value = value;

    public static int Count => 1;

    public static Lanes1 All(float value) => new(value);

    public static Lanes1 Load(float* from) => new(*from);

    public static Lanes1 LoadBytes(byte* from) => new(*from);

    public void Store(float* to) => *to = Value;

    public void Store(float* to, bool past) => *to = Value;

    public void StoreBytes(byte* to) => *to = (byte)Value;

    public static Lanes1 operator +(Lanes1 a, Lanes1 b) => new(a.Value + b.Value);

    public static Lanes1 operator -(Lanes1 a, Lanes1 b) => new(a.Value - b.Value);

    public static Lanes1 operator *(Lanes1 a, Lanes1 b) => new(a.Value * b.Value);

    public static Lanes1 MultiplyAdd(Lanes1 a, Lanes1 b, Lanes1 c) => new(float.MultiplyAddEstimate(a.Value, b.Value, c.Value));

    public static Lanes1 Max(Lanes1 a, Lanes1 b) => new(MathF.Max(a.Value, b.Value));

    public static Lanes1 Relu(Lanes1 value) => value.Value <= 0 ? default : value;

    public static Lanes1 WherePositive(Lanes1 value, Lanes1 sign) => sign.Value <= 0 ? default : value;

    public static Lanes1 WhereEqual(Lanes1 a, Lanes1 b, Lanes1 value) => a.Value == b.Value ? value : default;

    public static void TakeLarger(ref Lanes1 best, ref Lanes1 place, Lanes1 value, Lanes1 at)
    {
        if (!(value.Value > best.Value) && !float.IsNaN(value.Value)) return;
        best = value;
        place = at;
    }

    public static float Sum(Lanes1 value) => value.Value;

    public static Lanes1 Clamp(Lanes1 value, float least, float most) => new(Math.Clamp(value.Value, least, most));

    public static Lanes1 Round(Lanes1 value) => new(MathF.Round(value.Value));

    public static Lanes1 TimesPowerOfTwo(Lanes1 value, Lanes1 power)
    {
        int whole = float.IsNaN(power.Value) ? 0 : (int)power.Value;
        int half = whole >> 1;
        return new(value.Value * PowerOfTwo(half) * PowerOfTwo(whole - half));

        static float PowerOfTwo(int n) => BitConverter.Int32BitsToSingle((n + 127) << 23);
    }

    public static Lanes1 Pick(Lanes1 values, int* places) => values;
}

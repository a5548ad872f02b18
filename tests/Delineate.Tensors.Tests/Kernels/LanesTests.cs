using Delineate.Tensors.Kernels;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Kernels;

public sealed unsafe class LanesTests
{
    private static readonly float[] A = [0, 1, -2, 3.5f, float.NaN, 7, -1, 2, 0, float.PositiveInfinity, 4, -4, 5, float.NaN, 6, -7];
    private static readonly float[] B = [1, 1, -3, 2.5f, 1, float.NaN, -1, 5, 0, 3, -4, 4, 5, float.NaN, 8, -9];

    [Fact]
    public void Every_width_computes_what_one_lane_computes()
    {
        Agrees<Lanes4>();
        Agrees<Lanes8>();
        Agrees<Lanes16>();
    }

    [Fact]
    public void One_lane_keeps_NaN()
    {
        Assert.True(float.IsNaN(Lanes1.Relu(new(float.NaN)).Value));
        Assert.True(float.IsNaN(Lanes1.Max(new(float.NaN), new(1)).Value));
        Assert.True(float.IsNaN(Lanes1.Max(new(1), new(float.NaN)).Value));
        Assert.Equal(0, Lanes1.Relu(new(-1)).Value);
        Assert.Equal(3, Lanes1.WherePositive(new(3), new(float.NaN)).Value);
        Assert.Equal(0, Lanes1.WherePositive(new(3), new(0)).Value);
    }

    [Fact]
    public void Bytes_come_back_as_they_went()
    {
        ThereAndBack<Lanes1>();
        ThereAndBack<Lanes4>();
        ThereAndBack<Lanes8>();
        ThereAndBack<Lanes16>();
    }

    [Fact]
    public void The_ladder_covers_every_count_once()
    {
        for (int count = 0; count <= 257; count++)
        {
            var visits = new float[count + 16];
            fixed (float* at = visits) LaneLoop.Over(new CountKernel(at), count);
            Assert.All(visits[..count], v => Assert.Equal(1, v));
            Assert.All(visits[count..], v => Assert.Equal(0, v));
        }
    }

    private static void Agrees<V>()
        where V : struct, ILanes<V>
    {
        Same<V>(new((a, b) => a + b), new((a, b) => a + b), "+");
        Same<V>(new((a, b) => a - b), new((a, b) => a - b), "-");
        Same<V>(new((a, b) => a * b), new((a, b) => a * b), "×");
        Same<V>(new((a, b) => V.MultiplyAdd(a, b, a)), new((a, b) => Lanes1.MultiplyAdd(a, b, a)), "multiply-add");
        Same<V>(new(V.Max), new(Lanes1.Max), "maximum");
        Same<V>(new((a, _) => V.Relu(a)), new((a, _) => Lanes1.Relu(a)), "relu");
        Same<V>(new((a, _) => V.Clamp(a, -1.5f, 4)), new((a, _) => Lanes1.Clamp(a, -1.5f, 4)), "clamp");
        Same<V>(new((a, _) => V.Round(a)), new((a, _) => Lanes1.Round(a)), "round");
        Same<V>(new((a, _) => VectorMath.Exp(a)), new((a, _) => VectorMath.Exp(a)), "exponential");
        Same<V>(new(V.WherePositive), new(Lanes1.WherePositive), "where positive");
        Same<V>(new((a, b) => V.WhereEqual(a, b, V.All(9))), new((a, b) => Lanes1.WhereEqual(a, b, Lanes1.All(9))), "where equal");
        Same<V>(new((a, b) => Larger(a, b).Best), new((a, b) => Larger(a, b).Best), "larger");
        Same<V>(new((a, b) => Larger(a, b).Place), new((a, b) => Larger(a, b).Place), "place of the larger");
        float[] ramp = [.. Enumerable.Range(1, V.Count).Select(i => (float)i)];
        fixed (float* p = ramp) Assert.Equal(V.Count * (V.Count + 1) / 2, V.Sum(V.Load(p)));
    }

    private static (V Best, V Place) Larger<V>(V best, V value)
        where V : struct, ILanes<V>
    {
        V place = V.All(1);
        V.TakeLarger(ref best, ref place, value, V.All(2));
        return (best, place);
    }

    private static void Same<V>(Func<V, V, V> wide, Func<Lanes1, Lanes1, Lanes1> narrow, string what)
        where V : struct, ILanes<V>
    {
        for (int i = 0; i + V.Count <= A.Length; i += V.Count)
        {
            float[] expected = new float[V.Count], actual = new float[V.Count];
            fixed (float* a = A, b = B, e = expected, r = actual)
            {
                wide(V.Load(a + i), V.Load(b + i)).Store(r);
                for (int k = 0; k < V.Count; k++) narrow(Lanes1.Load(a + i + k), Lanes1.Load(b + i + k)).Store(e + k);
            }
            for (int k = 0; k < V.Count; k++) Assert.True(expected[k].Equals(actual[k]), $"{what} of {A[i + k]} and {B[i + k]} in {V.Count} lanes: {actual[k]}, in one {expected[k]}");
        }
    }

    private static void ThereAndBack<V>()
        where V : struct, ILanes<V>
    {
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)], back = new byte[256];
        var floats = new float[256];
        fixed (byte* from = bytes, to = back)
        fixed (float* wide = floats)
        {
            for (int i = 0; i < 256; i += V.Count)
            {
                V.LoadBytes(from + i).Store(wide + i);
                V.Load(wide + i).StoreBytes(to + i);
            }
        }
        Assert.Equal(bytes, back);
        TensorAssert.SameBits([.. bytes.Select(b => (float)b)], floats);
    }

    private readonly struct CountKernel(float* visits) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int i = from;
            for (; i + V.Count <= to; i += V.Count) (V.Load(visits + i) + V.All(1)).Store(visits + i);
            return i;
        }
    }
}

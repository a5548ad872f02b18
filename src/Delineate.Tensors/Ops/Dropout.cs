using System.Numerics;
using System.Runtime.InteropServices;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

public static class DropoutOps
{
    private const int GroupSize = 4; // numbers in one block of the generator

    /// <summary>
    /// In training each value becomes 0 with probability <paramref name="p"/>, the others are divided by 1 − p; else x itself. [...] → [...]
    /// (Srivastava et al. 2014). The draw is the next of the thread's <see cref="RandomScope"/>.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">p is not in 0 … 1.</exception>
    public static Tensor Dropout(this Tensor x, float p, bool training)
    {
        if (!Draws(p, training)) return x;
        Tensor mask = Tensor.Empty([(x.Length + sizeof(float) - 1) / sizeof(float)]);
        Tensor y = Tensor.Empty(x.Shape);
        float scale = Scale(p);
        Forward(x, p, scale, mask, y);
        if (!x.WantsGrad) mask.Block.Release();
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = Masked(dy, mask, scale);
            mask.Block.Release();
            return dx;
        }, read: []);
    }

    /// <summary>The same for whole channels of an image. [N, ..., C] → [N, ..., C] (Tompson et al. 2015).</summary>
    /// <exception cref="ShapeException">x has no batch and channel axes.</exception>
    /// <exception cref="ArgumentOutOfRangeException">p is not in 0 … 1.</exception>
    public static Tensor Dropout2d(this Tensor x, float p, bool training)
    {
        if (x.Shape.Rank < 3) throw new ShapeException($"Dropout2d takes images of [N, H, W, C], got {x.Shape}");
        if (!Draws(p, training)) return x;
        int[] sizes = x.Shape.ToArray();
        Array.Fill(sizes, 1, 1, sizes.Length - 2);
        Tensor factors = Tensor.Full(Shape.Of(sizes), 1);
        Tensor mask = Tensor.Empty([(factors.Length + sizeof(float) - 1) / sizeof(float)]);
        Tensor scaled = Tensor.Empty(factors.Shape);
        Forward(factors, p, Scale(p), mask, scaled);
        mask.Block.Release();
        factors.Block.Release();
        return x * scaled;
    }

    private static bool Draws(float p, bool training)
    {
        if (!(p >= 0 && p <= 1)) throw new ArgumentOutOfRangeException(nameof(p), p, "a dropout probability lies in 0 … 1");
        if (training && p > 0) Tracer.Refuse("in training it draws random numbers; call Train(false) first", nameof(Dropout));
        return training && p > 0;
    }

    private static float Scale(float p) => p < 1 ? 1 / (1 - p) : 0;

    /// <summary>Draws the mask, one byte for each element, four to a float: 255 where it stays, 0 where it drops; and applies it piece by piece.</summary>
    private static void Forward(Tensor x, float p, float scale, Tensor mask, Tensor y)
    {
        Philox generator = RandomScope.Next();
        uint drops = (uint)Math.Round((double)p * (1UL << 24)); // of the 2²⁴ values of a number's upper bits
        ThreadTeam.Ranges(x.Length, Elementwise.Grain, (from, to) =>
        {
            Span<byte> bytes = MemoryMarshal.AsBytes(mask.Span)[from..to];
            generator.Mask((ulong)(from / GroupSize), drops, bytes);
            Masked(x.Span[from..to], bytes, y.Span[from..to], scale);
        });
    }

    private static Tensor Masked(Tensor x, Tensor mask, float scale)
    {
        Tensor y = Tensor.Empty(x.Shape);
        ThreadTeam.Ranges(x.Length, Elementwise.Grain, (from, to) => Masked(x.Span[from..to], MemoryMarshal.AsBytes(mask.Span)[from..to], y.Span[from..to], scale));
        return y;
    }

    private static void Masked(ReadOnlySpan<float> x, ReadOnlySpan<byte> mask, Span<float> y, float scale)
    {
        int i = 0;
        ref float from = ref MemoryMarshal.GetReference(x);
        ref float to = ref MemoryMarshal.GetReference(y);
        for (; i <= x.Length - Vector<sbyte>.Count; i += Vector<sbyte>.Count)
        {
            // 255 is −1: widened with its sign it is a mask of whole floats.
            Vector.Widen(Vector.AsVectorSByte(new Vector<byte>(mask[i..])), out Vector<short> low, out Vector<short> high);
            Vector.Widen(low, out Vector<int> m0, out Vector<int> m1);
            Vector.Widen(high, out Vector<int> m2, out Vector<int> m3);
            Keep(m0, i, ref from, ref to, scale);
            Keep(m1, i + Vector<float>.Count, ref from, ref to, scale);
            Keep(m2, i + (2 * Vector<float>.Count), ref from, ref to, scale);
            Keep(m3, i + (3 * Vector<float>.Count), ref from, ref to, scale);
        }
        for (; i < x.Length; i++) y[i] = mask[i] != 0 ? x[i] * scale : 0;
    }

    private static void Keep(Vector<int> mask, int at, ref float from, ref float to, float scale) =>
        (Vector.LoadUnsafe(ref from, (nuint)at) * scale & Vector.AsVectorSingle(mask)).StoreUnsafe(ref to, (nuint)at);
}

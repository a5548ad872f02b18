using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Delineate.Tensors;

/// <summary>
/// A counter-based random generator (Philox 4×32-10; Salmon et al. 2011): the numbers depend on the key and the position alone, so that
/// the same (seed, epoch, sample) gives the same numbers on any thread, in any order, before or after a restart.
/// </summary>
public sealed class Philox
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57; // of the published generator, as the steps of its keys
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    private readonly uint key0;
    private readonly uint key1;
    private readonly ulong stream;
    private ulong block;
    private uint a, b, c, d;
    private int left;

    /// <summary>The generator of a seed; up to three further numbers (epoch, sample, purpose) choose one of its independent streams.</summary>
    public Philox(ulong seed, ulong epoch = 0, ulong sample = 0, ulong purpose = 0)
    {
        (key0, key1) = ((uint)seed, (uint)(seed >> 32));
        stream = Mix(Mix(Mix(epoch + 1) ^ sample) ^ purpose);
    }

    private Philox(Philox other, ulong block) => (key0, key1, stream, this.block) = (other.key0, other.key1, other.stream, block);

    /// <summary>The same stream from its <paramref name="group"/>-th group of four numbers on: several threads can draw their parts of one sequence.</summary>
    internal Philox From(ulong group) => new(this, group);

    /// <summary>32 random bits.</summary>
    public uint NextBits()
    {
        if (left == 0)
        {
            (a, b, c, d) = Block(block++);
            left = 4;
        }
        return left-- switch { 4 => a, 3 => b, 2 => c, _ => d };
    }

    /// <summary>A number in [0, 1) in steps of 2⁻²⁴.</summary>
    public float NextFloat() => (NextBits() >> 8) * (1f / (1 << 24));

    /// <summary>A number in [0, 1) in steps of 2⁻⁵³.</summary>
    public double NextDouble() => ((((ulong)NextBits() << 21) ^ (NextBits() >> 11)) & ((1UL << 53) - 1)) * (1.0 / (1UL << 53));

    /// <summary>A whole number in [0, <paramref name="bound"/>), each equally likely.</summary>
    public int NextInt(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        uint range = (uint)bound;
        uint reject = (0u - range) % range; // values below it would make the first few results more likely
        while (true)
        {
            ulong product = (ulong)NextBits() * range;
            if ((uint)product >= reject) return (int)(product >> 32);
        }
    }

    /// <summary>A normally distributed number, mean 0 and deviation 1 (Box–Muller).</summary>
    public float NextNormal()
    {
        double radius = Math.Sqrt(-2 * Math.Log(1 - NextDouble()));
        return (float)(radius * Math.Cos(2 * Math.PI * NextDouble()));
    }

    /// <summary>A random order of 0 … <paramref name="count"/> − 1 (Fisher–Yates).</summary>
    public int[] Permutation(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            int j = NextInt(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>Fills with numbers in [0, 1).</summary>
    public void FillUniform(Span<float> values)
    {
        for (int i = 0; i < values.Length; i++) values[i] = NextFloat();
    }

    /// <summary>Fills with normally distributed numbers.</summary>
    public void FillNormal(Span<float> values)
    {
        for (int i = 0; i < values.Length; i++) values[i] = NextNormal();
    }

    /// <summary>
    /// One byte for each number of the stream from its <paramref name="group"/>-th group of four on: 0 where the number's upper 24 bits are below
    /// <paramref name="bound"/> (at most 2²⁴), else 255. Eight groups at a time where the processor can; the bits are those of <see cref="NextBits"/>.
    /// </summary>
    internal void Mask(ulong group, uint bound, Span<byte> mask)
    {
        ulong least = (ulong)bound << 8;
        int i = 0;
        if (Avx512F.IsSupported)
        {
            for (; i <= mask.Length - 32; i += 32, group += 8) Mask8(group, least).CopyTo(mask[i..]);
        }
        else if (Avx2.IsSupported)
        {
            for (; i <= mask.Length - 16; i += 16, group += 4) Mask4(group, least).CopyTo(mask[i..]);
        }
        for (; i < mask.Length; group++)
        {
            (uint x0, uint x1, uint x2, uint x3) = Block(group);
            for (int k = 0; k < 4 && i < mask.Length; k++) mask[i++] = k switch { 0 => x0, 1 => x1, 2 => x2, _ => x3 } >= least ? byte.MaxValue : (byte)0;
        }
    }

    /// <summary>
    /// The masks of eight groups. A 32-bit word takes the lower half of a 64-bit lane, where the widening product wants it; what gathers in the upper
    /// halves is never read. A number less the bound, in 64 bits, is negative and so has only ones in its upper half where it is below the bound.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector256<byte> Mask8(ulong group, ulong least)
    {
        Vector512<ulong> counter = Vector512.Create(group) + Vector512<ulong>.Indices;
        (Vector512<ulong> x0, Vector512<ulong> x1) = (counter, counter >> 32);
        (Vector512<ulong> x2, Vector512<ulong> x3) = (Vector512.Create((ulong)(uint)stream), Vector512.Create(stream >> 32));
        (uint k0, uint k1) = (key0, key1);
        Vector512<uint> m0 = Vector512.Create((ulong)Multiplier0).AsUInt32(), m1 = Vector512.Create((ulong)Multiplier1).AsUInt32();
        for (int round = 0; round < 10; round++)
        {
            Vector512<ulong> p0 = Avx512F.Multiply(x0.AsUInt32(), m0), p1 = Avx512F.Multiply(x2.AsUInt32(), m1);
            (x0, x1, x2, x3) = ((p1 >> 32) ^ x1 ^ Vector512.Create((ulong)k0), p1, (p0 >> 32) ^ x3 ^ Vector512.Create((ulong)k1), p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }
        Vector512<ulong> low = Vector512.Create((ulong)uint.MaxValue), bound = Vector512.Create(least);
        Vector512<ulong> below =
            (((x0 & low) - bound) >> 32 & Vector512.Create(0xFFUL)) | (((x1 & low) - bound) >> 32 & Vector512.Create(0xFF00UL))
            | (((x2 & low) - bound) >> 32 & Vector512.Create(0xFF0000UL)) | (((x3 & low) - bound) >> 32 & Vector512.Create(0xFF000000UL));
        return (~Vector512.Narrow(below, below).GetLower()).AsByte();
    }

    /// <summary>The same for four groups.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector128<byte> Mask4(ulong group, ulong least)
    {
        Vector256<ulong> counter = Vector256.Create(group) + Vector256<ulong>.Indices;
        (Vector256<ulong> x0, Vector256<ulong> x1) = (counter, counter >> 32);
        (Vector256<ulong> x2, Vector256<ulong> x3) = (Vector256.Create((ulong)(uint)stream), Vector256.Create(stream >> 32));
        (uint k0, uint k1) = (key0, key1);
        Vector256<uint> m0 = Vector256.Create((ulong)Multiplier0).AsUInt32(), m1 = Vector256.Create((ulong)Multiplier1).AsUInt32();
        for (int round = 0; round < 10; round++)
        {
            Vector256<ulong> p0 = Avx2.Multiply(x0.AsUInt32(), m0), p1 = Avx2.Multiply(x2.AsUInt32(), m1);
            (x0, x1, x2, x3) = ((p1 >> 32) ^ x1 ^ Vector256.Create((ulong)k0), p1, (p0 >> 32) ^ x3 ^ Vector256.Create((ulong)k1), p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }
        Vector256<ulong> low = Vector256.Create((ulong)uint.MaxValue), bound = Vector256.Create(least);
        Vector256<ulong> below =
            (((x0 & low) - bound) >> 32 & Vector256.Create(0xFFUL)) | (((x1 & low) - bound) >> 32 & Vector256.Create(0xFF00UL))
            | (((x2 & low) - bound) >> 32 & Vector256.Create(0xFF0000UL)) | (((x3 & low) - bound) >> 32 & Vector256.Create(0xFF000000UL));
        return (~Vector256.Narrow(below, below).GetLower()).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (uint A, uint B, uint C, uint D) Block(ulong counter) => Rounds((uint)counter, (uint)(counter >> 32), (uint)stream, (uint)(stream >> 32), key0, key1);

    /// <summary>Ten Philox rounds on a 128-bit counter and a 64-bit key.</summary>
    internal static (uint A, uint B, uint C, uint D) Rounds(uint x0, uint x1, uint x2, uint x3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)Multiplier0 * x0;
            ulong p1 = (ulong)Multiplier1 * x2;
            (x0, x1, x2, x3) = ((uint)(p1 >> 32) ^ x1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ x3 ^ k1, (uint)p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }
        return (x0, x1, x2, x3);
    }

    /// <summary>A bijective scramble of 64 bits (the finaliser of SplitMix64), so that neighbouring epochs and samples get unlike streams.</summary>
    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

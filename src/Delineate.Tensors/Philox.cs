using System.Runtime.CompilerServices;

namespace Delineate.Tensors;

/// <summary>
/// A counter-based random generator (Philox 4×32-10; Salmon et al. 2011): the numbers depend on the key and the position alone, so that
/// the same (seed, epoch, sample) gives the same numbers on any thread, in any order, before or after a restart.
/// </summary>
public sealed class Philox
{
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (uint A, uint B, uint C, uint D) Block(ulong counter) => Rounds((uint)counter, (uint)(counter >> 32), (uint)stream, (uint)(stream >> 32), key0, key1);

    /// <summary>Ten Philox rounds on a 128-bit counter and a 64-bit key.</summary>
    internal static (uint A, uint B, uint C, uint D) Rounds(uint x0, uint x1, uint x2, uint x3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = 0xD2511F53UL * x0;
            ulong p1 = 0xCD9E8D57UL * x2;
            (x0, x1, x2, x3) = ((uint)(p1 >> 32) ^ x1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ x3 ^ k1, (uint)p0);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
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

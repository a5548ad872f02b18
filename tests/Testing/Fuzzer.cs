using System.Buffers.Binary;
using System.Diagnostics;
using Xunit;

namespace Delineate.Testing;

/// <summary>What a fuzz run saw: how many inputs were read, how many were refused, and the worst time and memory of one input.</summary>
public sealed record FuzzReport(int Accepted, int Refused, double SlowestMs, long MostAllocatedBytes);

/// <summary>
/// Damages valid files in the ways that break decoders, and holds the decoder to three promises for each of them: it ends in time, it takes no
/// more memory than it may, and it either succeeds or throws the one exception that its callers expect.
/// Input i of a run depends on (corpus, seed, i) alone, so a failure is made again by <see cref="Mutate"/>.
/// </summary>
public static class Fuzzer
{
    private const int MaxGrowth = 1 << 16; // bytes an input may gain, so that repeated insertion stays cheap
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan HangLimit = TimeSpan.FromSeconds(60); // a busy machine may hold up an input for seconds; this long it does not
    private static readonly byte[] EdgeBytes = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF];
    private static readonly uint[] EdgeLengths =
        [0, 1, 2, 3, 4, 5, 8, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0xFFFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF];

    /// <summary>Inputs a codec's fuzz test should try: 2 000 in the everyday suite, 20 000 where <c>DELINEATE_FUZZ_FULL=1</c>.</summary>
    public static int InputCount => Environment.GetEnvironmentVariable("DELINEATE_FUZZ_FULL") == "1" ? 20_000 : 2_000;

    /// <summary>
    /// Decodes <paramref name="count"/> damaged copies of <paramref name="corpus"/> on a thread of its own and fails the test at the first that
    /// throws anything but <typeparamref name="TRefusal"/>, takes over <paramref name="timeLimit"/> (five seconds) three times in turn, or allocates more than <paramref name="allowedBytes"/> grants it.
    /// <paramref name="repair"/> mends the checksums of every second input, which would otherwise be refused before the code behind them is reached.
    /// <paramref name="damage"/> makes half of the faults: those that a format's own structure invites.
    /// </summary>
    public static FuzzReport Run<TRefusal>(
        IReadOnlyList<byte[]> corpus,
        int count,
        int seed,
        Action<byte[]> decode,
        Func<byte[], long> allowedBytes,
        Func<byte[], byte[]>? repair = null,
        Func<byte[], Random, byte[]>? damage = null,
        TimeSpan? timeLimit = null)
        where TRefusal : Exception
    {
        var state = new RunState { TimeLimit = timeLimit ?? TimeLimit, StartedAt = Stopwatch.GetTimestamp() };
        byte[] Input(int index) => Mutate(corpus, seed, index, repair, damage);
        string Describe(string what, int index) => Fuzzer.Describe(what, Input(index), RandomFor(seed, index).Next(corpus.Count), seed, index);
        var worker = new Thread(() => Work<TRefusal>(count, Input, decode, allowedBytes, Describe, state)) { IsBackground = true };
        worker.Start();
        while (!worker.Join(100))
        {
            int index = Volatile.Read(ref state.Index);
            var elapsed = Stopwatch.GetElapsedTime(Volatile.Read(ref state.StartedAt));
            // A hung thread cannot be ended; it is a background thread, so it dies with the test process.
            if (elapsed > HangLimit && index == Volatile.Read(ref state.Index))
                Assert.Fail(Describe($"still running after {elapsed.TotalSeconds:F1} s", index));
        }
        if (state.Failure is { } failure) Assert.Fail(failure);
        return new FuzzReport(state.Accepted, state.Refused, state.SlowestMs, state.MostAllocatedBytes);
    }

    /// <summary>Input <paramref name="index"/> of the run with <paramref name="seed"/>.</summary>
    public static byte[] Mutate(IReadOnlyList<byte[]> corpus, int seed, int index, Func<byte[], byte[]>? repair = null, Func<byte[], Random, byte[]>? damage = null)
    {
        var random = RandomFor(seed, index);
        byte[] original = corpus[random.Next(corpus.Count)];
        byte[] data = original;
        int rounds = 1 + (random.Next(4) * random.Next(3)); // most inputs carry one or a few faults, some up to seven
        for (int round = 0; round < rounds; round++) data = damage is not null && random.Next(2) == 0 ? damage(data, random) : MutateOnce(data, corpus, random);
        if (data.Length > original.Length + MaxGrowth) data = data[..(original.Length + MaxGrowth)];
        return repair is not null && index % 2 == 1 ? repair(data) : data;
    }

    private static void Work<TRefusal>(
        int count, Func<int, byte[]> inputs, Action<byte[]> decode, Func<byte[], long> allowedBytes, Func<string, int, string> describe, RunState state)
        where TRefusal : Exception
    {
        int tries = 0; // of this input that took too long
        for (int index = 0; index < count; index++)
        {
            byte[] input = inputs(index);
            long allowed = allowedBytes(input);
            Volatile.Write(ref state.StartedAt, Stopwatch.GetTimestamp());
            Volatile.Write(ref state.Index, index);
            long before = GC.GetAllocatedBytesForCurrentThread();
            bool accepted = true;
            try
            {
                decode(input);
            }
            catch (TRefusal)
            {
                accepted = false;
            }
            catch (Exception e)
            {
                state.Failure = describe($"threw {e}", index);
                return;
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            TimeSpan elapsed = Stopwatch.GetElapsedTime(state.StartedAt);
            if (elapsed > state.TimeLimit)
            {
                // A slow input is slow every time; a machine that was busy with something else is not.
                if (++tries < 3)
                {
                    index--;
                    continue;
                }
                state.Failure = describe($"took {elapsed.TotalSeconds:F1} s, and as long twice before", index);
                return;
            }
            tries = 0;
            if (accepted) state.Accepted++;
            else state.Refused++;
            state.MostAllocatedBytes = Math.Max(state.MostAllocatedBytes, allocated);
            state.SlowestMs = Math.Max(state.SlowestMs, elapsed.TotalMilliseconds);
            if (allocated <= allowed) continue;
            state.Failure = describe($"allocated {allocated:N0} bytes, {allowed:N0} are allowed", index);
            return;
        }
    }

    private static byte[] MutateOnce(byte[] data, IReadOnlyList<byte[]> corpus, Random random)
    {
        if (data.Length < 8) return [.. data, .. corpus[random.Next(corpus.Count)]];
        // Headers hold the fields worth breaking: half of all faults fall into the first 128 bytes.
        int at = random.Next(random.Next(2) == 0 ? Math.Min(128, data.Length) : data.Length);
        int length = 1 + random.Next(Math.Min(random.Next(2) == 0 ? 16 : 4096, data.Length - at));
        switch (random.Next(9))
        {
            case 0: // flip one bit
                data = (byte[])data.Clone();
                data[at] ^= (byte)(1 << random.Next(8));
                return data;
            case 1: // set a run of bytes to an edge value
                data = (byte[])data.Clone();
                data.AsSpan(at, Math.Min(length, 1 + random.Next(4))).Fill(EdgeBytes[random.Next(EdgeBytes.Length)]);
                return data;
            case 2: // overwrite a run with noise
                data = (byte[])data.Clone();
                random.NextBytes(data.AsSpan(at, Math.Min(length, 64)));
                return data;
            case 3: // cut the end off
                return data[..at];
            case 4: // repeat a block
                return [.. data[..(at + length)], .. data[at..]];
            case 5: // drop a block
                return [.. data[..at], .. data[(at + length)..]];
            case 6: // insert noise
                byte[] noise = new byte[Math.Min(length, 64)];
                random.NextBytes(noise);
                return [.. data[..at], .. noise, .. data[at..]];
            case 7: // overwrite a 32-bit or 16-bit length field, in either byte order
                data = (byte[])data.Clone();
                WriteLength(data.AsSpan(Math.Min(at, data.Length - 4)), EdgeLengths[random.Next(EdgeLengths.Length)], random.Next(4));
                return data;
            default: // the head of one file with the tail of another
                byte[] other = corpus[random.Next(corpus.Count)];
                return [.. data[..at], .. other[random.Next(other.Length)..]];
        }
    }

    private static void WriteLength(Span<byte> field, uint value, int form)
    {
        if (form == 0) BinaryPrimitives.WriteUInt32BigEndian(field, value);
        else if (form == 1) BinaryPrimitives.WriteUInt32LittleEndian(field, value);
        else if (form == 2) BinaryPrimitives.WriteUInt16BigEndian(field, (ushort)value);
        else BinaryPrimitives.WriteUInt16LittleEndian(field, (ushort)value);
    }

    private static Random RandomFor(int seed, int index) => new(unchecked((seed * 1_000_003) + index));

    private static string Describe(string what, byte[] input, int first, int seed, int index)
    {
        int shown = Math.Min(input.Length, 1024);
        return $"input {index} of seed {seed} (from corpus file {first}, {input.Length} bytes) {what}\n"
            + $"its first {shown} bytes in base64: {Convert.ToBase64String(input, 0, shown)}";
    }

    private sealed class RunState
    {
        public required TimeSpan TimeLimit;
        public int Index;
        public long StartedAt;
        public int Accepted;
        public int Refused;
        public double SlowestMs;
        public long MostAllocatedBytes;
        public volatile string? Failure;
    }
}

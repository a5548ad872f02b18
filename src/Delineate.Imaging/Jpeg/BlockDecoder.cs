using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Delineate.Imaging;

/// <summary>
/// Entropy decoding of one 8×8 block: sequential (T.81, F.2.2) and the four kinds of progressive scan (G.1.2). Blocks are 64 coefficients,
/// row-major.
/// </summary>
internal static class BlockDecoder
{
    /// <summary>
    /// Decodes a whole block into zeroed memory and returns the place, in coding order, of its last coefficient: 0 where only the mean is
    /// there.
    /// </summary>
    public static int Sequential(ref EntropyReader bits, JpegComponent component, ref short block)
    {
        DcFirst(ref bits, component, 0, ref block);
        return AcBand(ref bits, component.Ac!, 1, 63, 0, ref block, out _);
    }

    /// <summary>First scan of the mean, of which the low <paramref name="low"/> bits follow in later scans.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DcFirst(ref EntropyReader bits, JpegComponent component, int low, ref short block)
    {
        if (bits.Count < 32) bits.Refill();
        HuffmanDecoder table = component.Dc!;
        int entry = table.Lookup[(int)(bits.Buffer >> (64 - HuffmanDecoder.LookupBits))];
        if (entry == 0) entry = LongEntry(ref bits, table);
        bits.Buffer <<= entry;
        bits.Count -= entry & 63;
        int size = (entry >> 6) & 15;
        int difference = entry >> 17;
        if (size != 0)
        {
            difference = HuffmanDecoder.Extend((int)(bits.Buffer >> (64 - size)), size);
            bits.Buffer <<= size;
            bits.Count -= size;
        }
        component.DcPredictor += difference;
        block = (short)(component.DcPredictor << low);
    }

    /// <summary>One more bit of the mean.</summary>
    public static void DcRefine(ref EntropyReader bits, int low, ref short block)
    {
        if (bits.ReadBit()) block |= (short)(1 << low);
    }

    /// <summary>
    /// First scan of a band of coefficients. <paramref name="endOfBand"/> counts the blocks ahead that hold nothing in this band.
    /// </summary>
    public static void AcFirst(ref EntropyReader bits, HuffmanDecoder table, int first, int last, int low, ref short block, ref int endOfBand)
    {
        if (endOfBand > 0)
        {
            endOfBand--;
            return;
        }
        AcBand(ref bits, table, first, last, low, ref block, out int category);
        if (category > 0) endOfBand = (1 << category) - 1 + bits.Read(category);
    }

    /// <summary>
    /// One more bit of each coefficient of a band: a correction for those that are not zero, and the ones that become ±1 at this bit.
    /// </summary>
    public static void AcRefine(ref EntropyReader bits, HuffmanDecoder table, int first, int last, int low, ref short block, ref int endOfBand)
    {
        ref byte zigzag = ref MemoryMarshal.GetReference(JpegTables.Zigzag);
        int bit = 1 << low;
        int k = first;
        while (endOfBand == 0 && k <= last)
        {
            int symbol = table.ReadSymbol(ref bits);
            int run = symbol >> 4;
            int newValue = 0;
            if ((symbol & 15) != 0)
            {
                newValue = bits.ReadBit() ? bit : -bit;
            }
            else if (run < 15)
            {
                endOfBand = (1 << run) + bits.Read(run);
                break;
            }
            for (; k <= last; k++)
            {
                ref short coefficient = ref Unsafe.Add(ref block, (int)Unsafe.Add(ref zigzag, k));
                if (coefficient != 0)
                {
                    Correct(ref bits, ref coefficient, bit);
                }
                else if (run-- == 0)
                {
                    coefficient = (short)newValue;
                    break;
                }
            }
            if (k > last) throw bits.Fail("a run of coefficients passes the end of its block");
            k++;
        }
        if (endOfBand == 0) return;
        for (; k <= last; k++)
        {
            ref short coefficient = ref Unsafe.Add(ref block, (int)Unsafe.Add(ref zigzag, k));
            if (coefficient != 0) Correct(ref bits, ref coefficient, bit);
        }
        endOfBand--;
    }

    private static void Correct(ref EntropyReader bits, ref short coefficient, int bit)
    {
        if (!bits.ReadBit() || (coefficient & bit) != 0) return;
        coefficient += (short)(coefficient > 0 ? bit : -bit);
    }

    /// <summary>
    /// Runs and values of the coefficients <paramref name="first"/> to <paramref name="last"/> (at most 63); returns the place of the last
    /// one that came. <paramref name="category"/> is that of the end-of-band code, 0 where the band was filled or the code ends this block
    /// alone.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int AcBand(ref EntropyReader bits, HuffmanDecoder table, int first, int last, int low, ref short block, out int category)
    {
        ref int lookup = ref MemoryMarshal.GetArrayDataReference(table.Lookup);
        ref byte zigzag = ref MemoryMarshal.GetReference(JpegTables.Zigzag);
        category = 0;
        int lastNonZero = 0;
        // The buffer lives in registers here and goes back to the reader for refills.
        ulong buffer = bits.Buffer;
        int count = bits.Count;
        int k = first;
        while (k <= last)
        {
            if (count < 32)
            {
                (bits.Buffer, bits.Count) = (buffer, count);
                bits.Refill();
                (buffer, count) = (bits.Buffer, bits.Count);
            }
            // Within the table: the index has LookupBits bits.
            int entry = Unsafe.Add(ref lookup, (nint)(buffer >> (64 - HuffmanDecoder.LookupBits)));
            if (entry == 0)
            {
                (bits.Buffer, bits.Count) = (buffer, count);
                entry = LongEntry(ref bits, table);
            }
            int size = (entry >> 6) & 15;
            int value = entry >> 17;
            k += (entry >> 10) & 127;
            buffer <<= entry;
            count -= entry & 63;
            if (size != 0)
            {
                value = HuffmanDecoder.Extend((int)(buffer >> (64 - size)), size);
                buffer <<= size;
                count -= size;
            }
            if (k > last)
            {
                (bits.Buffer, bits.Count) = (buffer, count);
                int run = (entry >> 10) & 127;
                if (run < HuffmanDecoder.EndOfBlockRun) throw bits.Fail("a run of coefficients passes the end of its block");
                category = run - HuffmanDecoder.EndOfBlockRun;
                return lastNonZero;
            }
            // k is at most 63 here, so both places lie inside their 64 elements.
            Unsafe.Add(ref block, (int)Unsafe.Add(ref zigzag, k)) = (short)(value << low);
            lastNonZero = k;
            k++;
        }
        (bits.Buffer, bits.Count) = (buffer, count);
        return lastNonZero;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int LongEntry(ref EntropyReader bits, HuffmanDecoder table)
    {
        int entry = table.LongEntry((int)(bits.Buffer >> 48));
        return entry != 0 ? entry : throw bits.Fail("invalid Huffman code");
    }
}

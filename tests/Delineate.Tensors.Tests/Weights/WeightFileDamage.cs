using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace Delineate.Tensors.Tests.Weights;

/// <summary>Faults that the structure of a weight file invites: sizes, counts, places and names that disagree, in containers that are whole beside them.</summary>
internal static partial class WeightFileDamage
{
    /// <summary>Records of a zip archive by the last two bytes of their signatures, with the places and widths of their fields.</summary>
    private static readonly (byte[] Signature, (int At, int Width)[] Fields)[] ZipRecords =
    [
        ([1, 2], [(8, 2), (10, 2), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4), (46, 4), (50, 8), (58, 8)]), // an entry of the directory
        ([3, 4], [(6, 2), (8, 2), (18, 4), (22, 4), (26, 2), (28, 2)]), // an entry's own header
        ([5, 6], [(8, 2), (10, 2), (12, 4), (16, 4), (20, 2)]), // the end
        ([6, 6], [(4, 8), (24, 8), (32, 8), (40, 8), (48, 8)]), // the end with 64-bit fields
        ([6, 7], [(8, 8)]), // where that is
    ];

    private static readonly string[] EdgeNumbers =
        ["0", "1", "2", "3", "31", "33", "255", "65536", "2147483583", "2147483584", "2147483647", "4294967295", "4294967296", "9223372036854775807", "18446744073709551616", "-1", "1e9", "0.5", ""];

    /// <summary>A PyTorch checkpoint in a zip archive.</summary>
    public static byte[] Checkpoint(byte[] file, Random random) =>
        Zip(file, random, CompressionLevel.NoCompression, (name, bytes) => name.EndsWith("data.pkl", StringComparison.Ordinal) ? PickleDamage.Of(bytes, random) : null);

    /// <summary>An archive of NumPy's arrays.</summary>
    public static byte[] Npz(byte[] file, Random random) =>
        Zip(file, random, random.Next(2) == 0 ? CompressionLevel.NoCompression : CompressionLevel.Fastest, (_, bytes) => random.Next(2) == 0 ? Npy(bytes, random) : null);

    /// <summary>One of NumPy's arrays.</summary>
    public static byte[] Npy(byte[] file, Random random)
    {
        const int Head = 10;
        if (file.Length < Head) return file;
        int length = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(8));
        if (file[6] != 1 || length > file.Length - Head) return file;
        byte[] header = Header(file.AsSpan(Head, length), random);
        byte[] start = file[..Head];
        BinaryPrimitives.WriteUInt16LittleEndian(start.AsSpan(8), (ushort)(random.Next(8) == 0 ? random.Next(ushort.MaxValue) : header.Length));
        return [.. start, .. header, .. file.AsSpan(Head + length)];
    }

    /// <summary>A safetensors file.</summary>
    public static byte[] Safetensors(byte[] file, Random random)
    {
        if (file.Length < 8) return file;
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file);
        if (length > (ulong)(file.Length - 8)) return file;
        byte[] header = Header(file.AsSpan(8, (int)length), random), start = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(start, random.Next(8) == 0 ? (ulong)random.NextInt64() >> random.Next(64) : (ulong)header.Length);
        return [.. start, .. header, .. file.AsSpan(8 + (int)length)];
    }

    /// <summary>A header of text: numbers at their edges, words in one another's places, parts lost, doubled or nested.</summary>
    private static byte[] Header(ReadOnlySpan<byte> header, Random random)
    {
        const int MostRepeats = 1500;
        string text = Encoding.Latin1.GetString(header);
        int at = random.Next(text.Length + 1), length = random.Next(Math.Min(60, text.Length - at) + 1);
        MatchCollection numbers = NumberPattern().Matches(text), words = WordPattern().Matches(text);
        text = random.Next(6) switch
        {
            0 when numbers.Count > 0 => Replace(numbers[random.Next(numbers.Count)], EdgeNumbers[random.Next(EdgeNumbers.Length)]),
            1 when numbers.Count > 0 => Near(numbers[random.Next(numbers.Count)]),
            2 when words.Count > 0 => Replace(words[random.Next(words.Count)], words[random.Next(words.Count)].Value),
            3 => text.Remove(at, length),
            4 => text.Insert(random.Next(text.Length + 1), text.Substring(at, length)),
            _ => text.Insert(at, new string("[{(\"'\\, 0"[random.Next(9)], 1 + random.Next(MostRepeats))),
        };
        return Encoding.Latin1.GetBytes(text);

        string Replace(Match part, string by) => string.Concat(text.AsSpan(0, part.Index), by, text.AsSpan(part.Index + part.Length));

        string Near(Match number) => long.TryParse(number.Value, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            ? Replace(number, (value + random.Next(-5, 6)).ToString(CultureInfo.InvariantCulture))
            : text;
    }

    /// <summary>Half of the faults are in the archive's records; of the others, an entry is damaged as <paramref name="damage"/> will have it, lost, doubled, renamed, cut or packed.</summary>
    private static byte[] Zip(byte[] file, Random random, CompressionLevel level, Func<string, byte[], byte[]?> damage)
    {
        if (random.Next(2) == 0 || Entries(file) is not { Count: > 0 } entries) return ZipRecord(file, random);
        int chosen = random.Next(entries.Count);
        (string name, byte[] bytes) = entries[chosen];
        switch (random.Next(10))
        {
            case 0: entries.RemoveAt(chosen); break;
            case 1: entries.Add((name, bytes)); break;
            case 2: entries[chosen] = (entries[random.Next(entries.Count)].Name, bytes); break;
            case 3: entries[chosen] = (name, bytes[..random.Next(bytes.Length + 1)]); break;
            case 4: level = CompressionLevel.SmallestSize; break;
            default:
                for (int i = 0; i < entries.Count; i++)
                {
                    if (damage(entries[i].Name, entries[i].Bytes) is not { } damaged) continue;
                    entries[i] = (entries[i].Name, damaged);
                    break;
                }
                break;
        }
        var archive = new MemoryStream();
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string entry, byte[] content) in entries)
            {
                using Stream stream = zip.CreateEntry(entry, level).Open();
                stream.Write(content);
            }
        }
        return archive.ToArray();
    }

    /// <summary>The entries of an archive that .NET's own reader takes; null where it does not.</summary>
    private static List<(string Name, byte[] Bytes)>? Entries(byte[] file)
    {
        const int MostBytes = 16 << 20;
        try
        {
            using var zip = new ZipArchive(new MemoryStream(file));
            var entries = new List<(string Name, byte[] Bytes)>();
            foreach (ZipArchiveEntry entry in zip.Entries)
            {
                if (entry.Length > MostBytes || entry.FullName.Length == 0) return null;
                byte[] bytes = new byte[entry.Length];
                using Stream stream = entry.Open();
                stream.ReadExactly(bytes);
                entries.Add((entry.FullName, bytes));
            }
            return entries;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or ArgumentException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>A field of a record at an edge, or off by a little.</summary>
    private static byte[] ZipRecord(byte[] file, Random random)
    {
        (byte[] signature, (int At, int Width)[] fields) = ZipRecords[random.Next(ZipRecords.Length)];
        (int at, int width) = fields[random.Next(fields.Length)];
        byte[] mark = [(byte)'P', (byte)'K', .. signature];
        var places = new List<int>();
        for (int i = 0; i <= file.Length - mark.Length; i++)
        {
            int next = file.AsSpan(i).IndexOf(mark);
            if (next < 0) break;
            places.Add(i += next);
        }
        if (places.Count == 0) return file;
        int place = places[random.Next(places.Count)] + at;
        if (place > file.Length - width) return file;
        byte[] damaged = (byte[])file.Clone(), number = new byte[8];
        damaged.AsSpan(place, width).CopyTo(number);
        long value = random.Next(4) switch
        {
            0 => -1,
            1 => (1L << ((8 * width) - 1)) - 1,
            2 => random.NextInt64(file.Length + 100L),
            _ => BitConverter.ToInt64(number) + random.Next(-70, 71),
        };
        BitConverter.GetBytes(value).AsSpan(0, width).CopyTo(damaged.AsSpan(place));
        return damaged;
    }

    [GeneratedRegex(@"\d+")]
    private static partial Regex NumberPattern();

    [GeneratedRegex("""["'][^"']*["']""")]
    private static partial Regex WordPattern();
}

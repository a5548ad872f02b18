using System.Text;

namespace Delineate.Data;

/// <summary>
/// COCO's compressed run lengths: each length, from the fourth on less the one two before it, in groups of five bits from the lowest, a sixth bit that says
/// whether more follow, 48 added to make a printable character; the highest bit of the last group is the sign.
/// </summary>
internal static class RleText
{
    private const int Offset = 48, GroupBits = 5, GroupMask = 0x1f, SignBit = 0x10, MoreBit = 0x20;
    private const int MostGroups = 7; // 35 bits: more than any length of an image, and no shift goes past a long

    /// <summary>The lengths of a text that should cover <paramref name="pixels"/> pixels.</summary>
    /// <exception cref="FormatException">The text is damaged.</exception>
    public static long[] Read(string text, long pixels)
    {
        ArgumentNullException.ThrowIfNull(text);
        var counts = new List<long>();
        for (int i = 0; i < text.Length;)
        {
            long value = 0;
            for (int group = 0; ; group++)
            {
                if (i == text.Length) throw new FormatException("the mask's compressed text ends inside a number");
                int bits = text[i++] - Offset;
                if (bits is < 0 or > (GroupMask | MoreBit)) throw new FormatException($"character {i} of the mask's compressed text is '{text[i - 1]}', which it cannot hold");
                if (group == MostGroups) throw new FormatException($"a number of more than {MostGroups} characters in the mask's compressed text");
                value |= (long)(bits & GroupMask) << (GroupBits * group);
                if ((bits & MoreBit) != 0) continue;
                if ((bits & SignBit) != 0) value |= -1L << (GroupBits * (group + 1));
                break;
            }
            if (counts.Count > (2 * pixels) + 1) throw new FormatException($"the mask's compressed text has more runs than {pixels} pixels can have");
            if (counts.Count > 2) value += counts[^2];
            if (value < 0 || value > pixels) throw new FormatException($"run {counts.Count + 1} of the mask has a length of {value}; the image has {pixels} pixels");
            counts.Add(value);
        }
        return [.. counts];
    }

    public static string Write(ReadOnlySpan<int> counts)
    {
        var text = new StringBuilder();
        for (int i = 0; i < counts.Length; i++)
        {
            long value = i > 2 ? (long)counts[i] - counts[i - 2] : counts[i];
            for (bool more = true; more;)
            {
                int bits = (int)(value & GroupMask);
                value >>= GroupBits;
                more = value != ((bits & SignBit) != 0 ? -1 : 0);
                text.Append((char)((more ? bits | MoreBit : bits) + Offset));
            }
        }
        return text.ToString();
    }
}

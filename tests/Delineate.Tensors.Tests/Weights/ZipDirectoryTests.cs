using System.Buffers.Binary;
using System.Text;
using Delineate.Tensors.Weights;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class ZipDirectoryTests
{
    private const int WideMark = -1; // what stands in a 32-bit field whose number is in the 64-bit one

    public static TheoryData<bool, string> Archives => new() { { false, "" }, { true, "" }, { false, "a comment with PK\x05\x06 in it" }, { true, "a comment" } };

    [Theory]
    [MemberData(nameof(Archives))]
    public void Entries_are_found_with_their_bytes(bool isWide, string comment)
    {
        byte[] file = Archive(isWide, comment, ("a/data.pkl", "first"), ("a/data/0", ""), ("ä", "third one"));
        ZipDirectory zip = Open(file);
        Assert.Equal(["a/data.pkl", "a/data/0", "ä"], zip.Entries.Select(e => e.Name));
        Assert.Equal(["first", "", "third one"], zip.Entries.Select(e => Encoding.ASCII.GetString(file, (int)zip.DataAt(e), (int)e.Length)));
        Assert.All(zip.Entries, e => Assert.True(e.IsStored));
    }

    [Theory]
    [InlineData(8, 1)] // encrypted
    [InlineData(10, 8)] // deflated
    [InlineData(20, 4)] // packed to four bytes
    public void Entries_whose_bytes_are_not_there_as_they_are_are_known(int field, byte value)
    {
        byte[] file = Archive(false, "", ("a", "first"));
        file[file.AsSpan().IndexOf("PK\x01\x02"u8) + field] = value;
        Assert.False(Open(file).Entries[0].IsStored);
    }

    [Theory]
    [InlineData("PK\x06\x06", 32)] // more entries than there are
    [InlineData("PK\x06\x06", 43)] // a directory larger than the file
    [InlineData("PK\x06\x06", 55)] // and one beyond it
    [InlineData("PK\x06\x06", 0)]
    [InlineData("PK\x06\x07", 0)]
    [InlineData("PK\x06\x07", 15)]
    [InlineData("PK\x05\x06", 0)]
    [InlineData("PK\x01\x02", 0)]
    [InlineData("PK\x01\x02", 29)] // a name that does not end
    [InlineData("PK\x01\x02", 46 + 1 + 4 + 7)] // a length beyond 63 bits
    public void A_damaged_directory_is_refused(string record, int at)
    {
        byte[] file = Archive(true, "", ("a", "first"));
        file[file.AsSpan().IndexOf(Encoding.ASCII.GetBytes(record)) + at] ^= 0xFF;
        Assert.Contains("damaged or cut short", Assert.Throws<WeightsFormatException>(() => Open(file)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PK\x03\x04", 0)]
    [InlineData("PK\x03\x04", 27)] // a name that reaches beyond the file
    [InlineData("PK\x01\x02", 46 + 1 + 4 + 3)] // more bytes than the file has
    [InlineData("PK\x01\x02", 46 + 1 + 4 + 16 + 3)] // a place beyond it
    public void An_entry_that_is_not_where_the_directory_says_is_refused(string record, int at)
    {
        byte[] file = Archive(true, "", ("a", "first"));
        file[file.AsSpan().IndexOf(Encoding.ASCII.GetBytes(record)) + at] ^= 0x7F;
        ZipDirectory zip = Open(file);
        Assert.Contains("damaged or cut short", Assert.Throws<WeightsFormatException>(() => zip.DataAt(zip.Entries[0])).Message, StringComparison.Ordinal);
    }

    private static ZipDirectory Open(byte[] file) => new(new FileBytes(new MemoryStream(file), "test.pth"));

    /// <summary>An archive, field by field; a wide one has all its lengths and places in 64-bit fields.</summary>
    private static byte[] Archive(bool isWide, string comment, params (string Name, string Text)[] entries)
    {
        var file = new MemoryStream();
        var directory = new MemoryStream();
        foreach ((string name, string text) in entries)
        {
            int at = (int)file.Position;
            byte[] utf8 = Encoding.UTF8.GetBytes(name);
            Put(file, "PK\x03\x04", [20, 0, 0, 0, 0], 0, text.Length, text.Length);
            Put(file, "", [(short)utf8.Length, 5]);
            file.Write([.. utf8, .. new byte[5], .. Encoding.ASCII.GetBytes(text)]);
            Put(directory, "PK\x01\x02", [20, 20, 0, 0, 0, 0], 0, isWide ? WideMark : text.Length, isWide ? WideMark : text.Length);
            Put(directory, "", [(short)utf8.Length, (short)(isWide ? 28 : 0), 0, 0, 0], 0, isWide ? WideMark : at);
            directory.Write(utf8);
            if (isWide)
            {
                Put(directory, "", [1, 24]);
                Put(directory, "", [], text.Length, 0, text.Length, 0, at, 0);
            }
        }
        (int directoryAt, int length) = ((int)file.Position, (int)directory.Length);
        file.Write(directory.ToArray());
        if (isWide)
        {
            int endAt = (int)file.Position;
            Put(file, "PK\x06\x06", [], 44, 0, 0, 0, 0, entries.Length, 0, entries.Length, 0, length, 0, directoryAt, 0);
            Put(file, "PK\x06\x07", [], 0, endAt, 0, 1);
        }
        short count = (short)(isWide ? WideMark : entries.Length);
        Put(file, "PK\x05\x06", [0, 0, count, count], isWide ? WideMark : length, isWide ? WideMark : directoryAt);
        Put(file, "", [(short)comment.Length]);
        file.Write(Encoding.ASCII.GetBytes(comment));
        return file.ToArray();
    }

    private static void Put(MemoryStream to, string magic, short[] shorts, params int[] ints)
    {
        to.Write(Encoding.ASCII.GetBytes(magic));
        byte[] bytes = new byte[4];
        foreach (short value in shorts)
        {
            BinaryPrimitives.WriteInt16LittleEndian(bytes, value);
            to.Write(bytes, 0, 2);
        }
        foreach (int value in ints)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
            to.Write(bytes);
        }
    }
}

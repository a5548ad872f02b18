using System.Buffers;
using System.Text;

namespace Delineate.Data.Objects;

/// <summary>
/// Goes through a file of one JSON object, or of one list, and hands out the elements of some of its lists one by one, with their places in the file, and some of its
/// other values; everything else is passed over. Takes as much memory as the longest element, and that is bounded. Elements are found by their brackets; whether they are JSON inside is
/// for whoever reads them to see, so that one broken element costs no more than itself.
/// </summary>
internal sealed class JsonLists : IDisposable
{
    private const int FirstBuffer = 1 << 18, LongestElement = 1 << 26, LongestKey = 1 << 10, DeepestNesting = 64;
    private static readonly SearchValues<byte> Structure = SearchValues.Create("\"{}[]"u8);
    private static readonly SearchValues<byte> StringMarks = SearchValues.Create("\"\\"u8);
    private static readonly SearchValues<byte> AfterScalar = SearchValues.Create(",]} \t\r\n"u8);

    private readonly string path;
    private readonly Stream stream;
    private readonly IReadOnlyList<string> wanted;
    private readonly List<string> seen = [];
    private byte[] buffer = new byte[FirstBuffer];
    private long bufferStart;
    private int at, end;
    private int kept = -1; // where the element begins that must stay in the buffer
    private int elementStart, elementEnd;
    private bool begun, inList;
    private bool isList; // the file is one list

    public JsonLists(Stream stream, string path, params string[] wanted) => (this.stream, this.path, this.wanted) = (stream, path, wanted);

    /// <summary>The elements of a file that is one list and no object; <see cref="List"/> is empty for them.</summary>
    public static JsonLists OfList(Stream stream, string path) => new(stream, path) { isList = true };

    /// <summary>The key of the list that the element belongs to, or of the value.</summary>
    public string List { get; private set; } = "";

    /// <summary>The element's place in its list; −1 for a value that is no list.</summary>
    public int Index { get; private set; } = -1;

    /// <summary>Where the element begins in the file.</summary>
    public long Offset => bufferStart + elementStart;

    /// <summary>The element's bytes; they hold until the next is asked for.</summary>
    public ReadOnlyMemory<byte> Element => buffer.AsMemory(elementStart, elementEnd - elementStart);

    /// <summary>The keys of the object that were met, wanted or not.</summary>
    public IReadOnlyList<string> Keys => seen;

    /// <summary>Goes on to the next wanted value, or element of a wanted list; false at the end of the object.</summary>
    /// <exception cref="DatasetException">The file ends too early, is no JSON object, nests too deeply or has an element that is too long.</exception>
    public bool Next()
    {
        if (!begun) Begin();
        while (true)
        {
            if (inList)
            {
                if (NextElement()) return true;
                inList = false;
                if (isList) return AtEnd();
            }
            else if (isList) return false;
            else if (NextKey() is not { } found) return false;
            else if (found) return true;
        }
    }

    public void Dispose() => stream.Dispose();

    private void Begin()
    {
        begun = true;
        if (Peek() == 0xEF) at += 3; // a byte order mark
        int first = Space();
        if (first < 0) throw new DatasetException(path, "the file is empty", null);
        if (isList)
        {
            if (first != '[') throw new DatasetException(path, "it is no list in brackets", "COCO's results are one list of objects");
            at++;
            inList = true;
            return;
        }
        if (first == '[') throw new DatasetException(path, "it holds a list, not an object with \"images\", \"annotations\" and \"categories\"", "lists are what COCO calls results");
        if (first != '{') throw Wrong("the file does not begin with '{'");
        at++;
    }

    /// <summary>Passes over a key and its value, or into its list: whether the value is wanted as it is; null at the object's end.</summary>
    private bool? NextKey()
    {
        int next = AfterComma(seen.Count > 0, '}');
        if (next == '}')
        {
            at++;
            AtEnd();
            return null;
        }
        if (next < 0) throw CutShort();
        if (next != '"') throw Wrong("a key in quotes is missing");
        kept = at;
        SkipString(LongestKey);
        string key = Encoding.UTF8.GetString(buffer, kept + 1, at - kept - 2);
        kept = -1;
        if (wanted.Contains(key) && seen.Contains(key)) throw Wrong($"the key \"{key}\" is there twice");
        if (seen.Count < 1000) seen.Add(key);
        if (Space() != ':') throw at == end ? CutShort() : Wrong($"after the key \"{key}\" a colon is missing");
        at++;
        List = key;
        Index = -1;
        if (!wanted.Contains(key))
        {
            SkipValue();
            return false;
        }
        if (Space() == '[')
        {
            at++;
            inList = true;
            return false;
        }
        TakeValue();
        return true;
    }

    /// <summary>False where the file ends.</summary>
    private bool AtEnd() => Space() >= 0 ? throw Wrong("there is more after the end") : false;

    private void TakeValue()
    {
        kept = at;
        SkipValue();
        (elementStart, elementEnd, kept) = (kept, at, -1);
    }

    private bool NextElement()
    {
        int next = AfterComma(Index >= 0, ']');
        if (next == ']')
        {
            at++;
            return false;
        }
        if (next < 0) throw CutShort();
        Index++;
        TakeValue();
        return true;
    }

    /// <summary>The first byte of the next entry, or the closing bracket: between two entries there is one comma.</summary>
    private int AfterComma(bool isLater, char close)
    {
        int next = Space();
        if (!isLater || next == close || next < 0) return next;
        if (next != ',') throw Wrong("a comma is missing");
        at++;
        next = Space();
        return next == close ? throw Wrong("a comma stands before the end") : next;
    }

    private void SkipValue()
    {
        int first = Space();
        if (first < 0) throw CutShort();
        if (first == '"')
        {
            SkipString(LongestElement);
            return;
        }
        if (first is not ('{' or '['))
        {
            if (first is ',' or ']' or '}' or ':') throw Wrong("a value is missing");
            while (true)
            {
                int length = buffer.AsSpan(at, end - at).IndexOfAny(AfterScalar);
                at = length < 0 ? end : at + length;
                if (length >= 0) return;
                if (!Fill()) throw CutShort();
            }
        }
        int depth = 0;
        do
        {
            int step = buffer.AsSpan(at, end - at).IndexOfAny(Structure);
            if (step < 0)
            {
                at = end;
                if (!Fill()) throw CutShort();
                continue;
            }
            at += step;
            byte mark = buffer[at];
            if (mark == '"')
            {
                SkipString(LongestElement);
                continue;
            }
            at++;
            depth += mark is (byte)'{' or (byte)'[' ? 1 : -1;
            if (depth > DeepestNesting) throw Wrong($"brackets are nested more than {DeepestNesting} deep");
        }
        while (depth > 0);
    }

    private void SkipString(int longest)
    {
        long from = bufferStart + at++;
        while (true)
        {
            int step = buffer.AsSpan(at, end - at).IndexOfAny(StringMarks);
            if (step < 0) at = end;
            else if (buffer[at + step] == '"')
            {
                at += step + 1;
                return;
            }
            else at += step + 2; // the character after a backslash is no mark
            if (bufferStart + at - from > longest) throw Wrong($"a text is longer than {longest} bytes");
            while (at >= end)
            {
                if (!Fill()) throw CutShort();
            }
        }
    }

    /// <summary>Passes over white space; the byte that follows, or −1 at the end of the file.</summary>
    private int Space()
    {
        while (true)
        {
            int next = Peek();
            if (next is not (' ' or '\t' or '\r' or '\n')) return next;
            at++;
        }
    }

    private int Peek() => at < end || Fill() ? buffer[at] : -1;

    /// <summary>Reads on, keeping what is not done with; false at the end of the file.</summary>
    private bool Fill()
    {
        int from = kept >= 0 ? kept : Math.Min(at, end), over = Math.Max(0, at - end); // a backslash may be the last byte read
        if (from > 0)
        {
            buffer.AsSpan(from, end - from).CopyTo(buffer);
            bufferStart += from;
            (at, end) = (at - from, end - from);
            if (kept >= 0) kept = 0;
        }
        if (end == buffer.Length)
        {
            if (buffer.Length >= LongestElement) throw Wrong($"element {Index + 1} of \"{List}\" is longer than {LongestElement >> 20} MB");
            Array.Resize(ref buffer, buffer.Length * 2);
        }
        int read = stream.Read(buffer, end, buffer.Length - end);
        end += read;
        return read > 0 && (over == 0 || at < end || Fill());
    }

    private DatasetException CutShort()
    {
        string place = inList ? InElement : List.Length > 0 ? $" after the key \"{List}\"" : "";
        return new DatasetException(path, $"the JSON is cut short: the file ends{place}, at byte {bufferStart + end}", "copy or download it again");
    }

    private string InElement => $" in element {Math.Max(Index, 0) + 1} of \"{List}\"";

    private DatasetException Wrong(string problem) => new(path, $"this is not valid JSON: {problem}{(inList ? InElement : "")}, at byte {bufferStart + at}", null);
}

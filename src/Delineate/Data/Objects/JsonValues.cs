using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Delineate.Data.Objects;

/// <summary>Reads values leniently where tools differ (numbers in quotes, ids of either kind), and says what it could not read.</summary>
internal static class JsonValues
{
    private const int LongestId = 256;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    /// <summary>
    /// A document of its own for some bytes. Python writes <c>NaN</c> and <c>Infinity</c>, which are not JSON: they are read as texts, which no number
    /// is, so that what else the element holds can still be told.
    /// </summary>
    /// <exception cref="JsonException">This is not JSON.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonDocument.Parse(json, Options);
        }
        catch (JsonException) when (WithoutNaN(json.Span) is { } mended)
        {
            return JsonDocument.Parse(mended, Options);
        }
    }

    public static JsonElement? Find(this JsonElement value, string key) =>
        value.TryGetProperty(key, out JsonElement found) && found.ValueKind != JsonValueKind.Null ? found : null;

    /// <summary>An id as text, alike for 12, 12.0 and "12"; null where the value is no id.</summary>
    public static string? Id(this JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String) return Plain(value.GetString()!);
        if (value.ValueKind != JsonValueKind.Number) return null;
        if (value.TryGetInt64(out long whole)) return whole.ToString(CultureInfo.InvariantCulture);
        return value.TryGetDouble(out double number) && number == Math.Floor(number) && Math.Abs(number) < 1e15
            ? ((long)number).ToString(CultureInfo.InvariantCulture)
            : value.GetRawText() is { Length: <= LongestId } text ? text : null;

        static string? Plain(string text) => text.Length > LongestId ? null
            : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long id) ? id.ToString(CultureInfo.InvariantCulture) : text;
    }

    /// <summary>A number, in quotes or not; NaN where it is none.</summary>
    public static double Number(this JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number when value.TryGetDouble(out double number) => number,
        JsonValueKind.String when double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => number,
        _ => double.NaN,
    };

    /// <summary>A list of numbers, NaN for what is none; null where the value is no list.</summary>
    public static double[]? Numbers(this JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array) return null;
        double[] numbers = new double[value.GetArrayLength()];
        int i = 0;
        foreach (JsonElement element in value.EnumerateArray()) numbers[i++] = element.Number();
        return numbers;
    }

    /// <summary>A whole number of 1 to 2²⁰, the side of an image; 0 where it is none.</summary>
    public static int Side(this JsonElement? value) =>
        value?.Number() is { } side && side >= 1 && side <= 1 << 20 && side == Math.Floor(side) ? (int)side : 0;

    public static string? Text(this JsonElement? value) => value is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    /// <summary>A copy in which NaN and the infinities outside of texts are texts of the same length; null where there are none.</summary>
    private static byte[]? WithoutNaN(ReadOnlySpan<byte> json)
    {
        byte[]? copy = null;
        bool quoted = false;
        for (int i = 0; i < json.Length; i++)
        {
            byte b = json[i];
            if (quoted && b == '\\') i++;
            else if (b == '"') quoted = !quoted;
            if (quoted || b is not ((byte)'N' or (byte)'I')) continue;
            int length = json[i..].StartsWith("NaN"u8) ? 3 : json[i..].StartsWith("Infinity"u8) ? 8 : 0;
            if (length == 0) continue;
            copy ??= json.ToArray();
            int from = i > 0 && json[i - 1] == '-' ? i - 1 : i;
            copy[from] = copy[i + length - 1] = (byte)'"';
            i += length - 1;
        }
        return copy;
    }

    /// <summary>Why a parser refused some bytes, in plain words.</summary>
    public static string Explain(JsonException e) => e.Message.Split(" LineNumber:")[0].Split(" Path:")[0].TrimEnd('.');

    /// <summary>A short text of some bytes, for messages.</summary>
    public static string Shown(ReadOnlySpan<byte> json) => Encoding.UTF8.GetString(json[..Math.Min(json.Length, 40)]).ReplaceLineEndings(" ") + (json.Length > 40 ? "…" : "");
}

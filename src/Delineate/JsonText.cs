using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Delineate.Data;

namespace Delineate;

/// <summary>JSON that people write: what it leaves out keeps its default, what is wrong with it is said in plain words.</summary>
internal static class JsonText
{
    private const int LongestShown = 40;

    /// <summary>
    /// Reads a record; keys that the text lacks, at any depth, have the values of <paramref name="defaults"/>. (Generated readers set
    /// init-only properties that a text lacks to zero or null, whatever their initialisers say.) Null where the text is.
    /// </summary>
    /// <exception cref="JsonException">The text is not such a record: <see cref="Describe"/> says why.</exception>
    public static T? Read<T>(string json, JsonTypeInfo<T> type, T defaults)
        where T : class
    {
        if (JsonSerializer.Deserialize(json, type) is null) return null; // complains about places in the text that was given
        JsonObject merged = JsonSerializer.SerializeToNode(defaults, type)!.AsObject();
        Overlay(merged, JsonNode.Parse(json, documentOptions: Lenient)!.AsObject());
        return merged.Deserialize(type);
    }

    /// <summary>"line 3: epochs must be a whole number, not "ten"", for the exception that reading <paramref name="json"/> as <paramref name="type"/> threw.</summary>
    public static string Describe(JsonException problem, string json, JsonTypeInfo type) => $"line {(problem.LineNumber ?? 0) + 1}: {Explain(problem, json, type)}";

    /// <summary>The same without the line, for a text that nobody wrote as it is.</summary>
    public static string Explain(JsonException problem, string json, JsonTypeInfo type) =>
        Reason(problem, json, type, (problem.Path ?? "$").Split('.').Skip(1).Select(part => part.Split('[')[0]).ToArray());

    private static JsonDocumentOptions Lenient => new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private static void Overlay(JsonObject onto, JsonObject over)
    {
        foreach ((string key, JsonNode? value) in over)
        {
            if (value is JsonObject inner && onto[key] is JsonObject below) Overlay(below, inner);
            else onto[key] = value?.DeepClone();
        }
    }

    private static string Reason(JsonException problem, string json, JsonTypeInfo type, string[] path)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json, Lenient);
        }
        catch (JsonException)
        {
            return $"this is not valid JSON, at character {(problem.BytePositionInLine ?? 0) + 1}: look for a missing comma, quote or bracket";
        }
        using (document)
        {
            JsonElement value = document.RootElement;
            if (value.ValueKind != JsonValueKind.Object) return $"the text must be an object in braces, not {Shown(value)}";
            string name = "";
            foreach (string key in path)
            {
                name = name.Length == 0 ? key : $"{name}.{key}";
                if (type.Kind != JsonTypeInfoKind.Object) break;
                JsonPropertyInfo? property = type.Properties.FirstOrDefault(p => p.Name == key);
                if (property is null) return $"there is no key '{name}': {NearNames.Suggest(key, [.. type.Properties.Select(p => p.Name)])}";
                if (value.EnumerateObject().Count(p => p.Name == key) > 1) return $"the key '{name}' is there twice";
                value = value.TryGetProperty(key, out JsonElement inner) ? inner : default;
                type = type.Options.GetTypeInfo(property.PropertyType);
                if (value.ValueKind is not JsonValueKind.Object) break;
            }
            if (name.Length == 0) return MissingKeys(value, type);
            return $"{name} must be {Wanted(type)}{(value.ValueKind == JsonValueKind.Undefined ? "" : $", not {Shown(value)}")}";
        }
    }

    private static string MissingKeys(JsonElement value, JsonTypeInfo type)
    {
        string[] missing = [.. type.Properties.Where(p => p.IsRequired && !value.TryGetProperty(p.Name, out _)).Select(p => $"'{p.Name}'")];
        return missing.Length > 0 ? $"the key {string.Join(", ", missing)} is missing" : "its values do not fit together";
    }

    private static string Wanted(JsonTypeInfo type)
    {
        Type kind = Nullable.GetUnderlyingType(type.Type) ?? type.Type;
        string orNull = Nullable.GetUnderlyingType(type.Type) is null ? "" : " or null";
        if (kind.IsEnum) return $"one of {string.Join(", ", Enum.GetNames(kind).Select(JsonNamingPolicy.CamelCase.ConvertName))}";
        string plain = Type.GetTypeCode(kind) switch
        {
            TypeCode.Boolean => "true or false",
            TypeCode.String => "a text in quotes",
            TypeCode.Byte => "a whole number of 0 to 255",
            TypeCode.UInt64 => "a whole number, 0 or more",
            TypeCode.Int32 or TypeCode.Int64 => "a whole number",
            TypeCode.Single or TypeCode.Double => "a number",
            _ when type.Kind == JsonTypeInfoKind.Enumerable => $"a list in brackets, each {Wanted(type.Options.GetTypeInfo(type.ElementType!))}",
            _ => "an object in braces",
        };
        return plain + orNull;
    }

    private static string Shown(JsonElement value)
    {
        string text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length <= LongestShown ? text : text[..LongestShown] + "…";
    }
}

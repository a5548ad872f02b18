using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Models;

/// <summary>What a model file says of itself beside its weights, so that every command takes that file alone.</summary>
public sealed record ModelCard
{
    /// <summary>The name in the catalog.</summary>
    public required string Model { get; init; }

    public ModelOptions Options { get; init; } = new();

    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>Colours as <c>#rrggbb</c>, one for each class.</summary>
    public IReadOnlyList<string> Palette { get; init; } = [];

    public byte IgnoreIndex { get; init; } = 255;

    /// <summary>The label that overlays leave clear, or null.</summary>
    public int? Background { get; init; }

    public Preprocessing Preprocessing { get; init; } = new();

    /// <summary>The recipe it was trained by, where it was trained here.</summary>
    public JsonElement? Recipe { get; init; }

    /// <summary>The validation figures of these weights, in 0…1, by name.</summary>
    public IReadOnlyDictionary<string, double>? Metrics { get; init; }

    /// <summary>The licence of the weights, where it is known.</summary>
    public string? License { get; init; }

    /// <summary>The class table that the card describes.</summary>
    internal ClassTable ClassTable(string fileName)
    {
        try
        {
            var table = new ClassTable(Classes) { IgnoreIndex = IgnoreIndex, Background = Background };
            return Palette.Count == 0 ? table : table with { Palette = new Palette([.. Palette.Select(Color)]) };
        }
        catch (ArgumentException e)
        {
            throw new DatasetException($"{fileName}: {e.Message}", e);
        }
    }

    private static Rgb Color(string text) =>
        text.Length == 7 && text[0] == '#' && int.TryParse(text.AsSpan(1), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out int rgb)
            ? new Rgb((byte)(rgb >> 16), (byte)(rgb >> 8), (byte)rgb)
            : throw new ArgumentException($"'{text}' is not a colour of the form #rrggbb");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ModelCard))]
internal sealed partial class ModelCardJson : JsonSerializerContext;

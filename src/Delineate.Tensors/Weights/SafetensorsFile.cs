using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Delineate.Tensors.Weights;

/// <summary>
/// A <c>.safetensors</c> file: named tensors and a map of strings (https://huggingface.co/docs/safetensors). Tensors lie in it in PyTorch's
/// order of axes, so that Python reads what is saved here. Reading trusts nothing: the header is bounded and the tensors must tile the data exactly.
/// </summary>
public static class SafetensorsFile
{
    private const int MostHeaderBytes = 64 << 20;
    private const string MetadataKey = "__metadata__";

    /// <summary>Opens a file; its tensors are in the order of their bytes.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged or not of this format.</exception>
    public static WeightFile Open(string path) => WeightFile.Open(new FileBytes(path), Read);

    /// <summary>The same from a stream: see <see cref="WeightFile.Open(Stream, string)"/>.</summary>
    /// <exception cref="WeightsFormatException">As above.</exception>
    public static WeightFile Open(Stream stream, string name) => WeightFile.Open(new FileBytes(stream, name), Read);

    /// <summary>Reads the map of strings alone.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged or not of this format.</exception>
    public static IReadOnlyDictionary<string, string> LoadMetadata(string path)
    {
        using var file = new FileBytes(path);
        return ReadHeader(file).Metadata;
    }

    /// <summary>
    /// Saves tensors, as float32 in PyTorch's order of axes, and strings about them. The file is there whole or not at all.
    /// </summary>
    public static void Save(string path, IEnumerable<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        (string Name, Tensor Tensor)[] all = [.. tensors];
        byte[] header = WriteHeader(all, metadata);
        AtomicFile.Write(path, file =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            file.Write(length);
            file.Write(header);
            foreach ((_, Tensor tensor) in all) TensorBytes.Write(file, tensor);
        });
    }

    internal static WeightFile.Contents Read(FileBytes file)
    {
        Header header = ReadHeader(file);
        var tensors = new Dictionary<string, RawTensor>(header.Entries.Count);
        foreach (Entry entry in header.Entries)
            tensors.Add(entry.Name, new RawTensor(StridedView.RowMajor(entry.Shape), new FileValues(file, entry.Type, header.DataAt + entry.Begin, $"tensor '{entry.Name}'")));
        return new WeightFile.Contents(tensors, header.Metadata);
    }

    private static byte[] WriteHeader((string Name, Tensor Tensor)[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(MetadataKey);
                foreach ((string key, string value) in metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            var names = new HashSet<string>();
            long offset = 0;
            foreach ((string name, Tensor tensor) in tensors)
            {
                if (name == MetadataKey || !names.Add(name))
                    throw new ArgumentException($"two tensors of one file are named '{name}'", nameof(tensors));
                json.WriteStartObject(name);
                json.WriteString("dtype", "F32");
                json.WriteStartArray("shape");
                foreach (int size in ChannelOrder.ToSecond(tensor.Shape)) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += (long)tensor.Length * sizeof(float));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (bytes.Length % 8 != 0) bytes.WriteByte((byte)' '); // the data begins on a multiple of eight bytes
        return bytes.ToArray();
    }

    /// <summary>Reads and checks the header: its entries tile the data in their order.</summary>
    private static Header ReadHeader(FileBytes file)
    {
        const int LengthBytes = 8;
        string path = file.Name;
        if (file.Length < 10)
            throw new WeightsFormatException(path, "byte 0", $"a safetensors file has at least 10 bytes, this one {file.Length}");
        Span<byte> length = stackalloc byte[LengthBytes];
        file.Read(0, length, "byte 0");
        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(length);
        if (headerBytes < 2 || headerBytes > (ulong)(file.Length - LengthBytes))
            throw new WeightsFormatException(path, "byte 0", $"not a safetensors file, or cut short: its header claims {headerBytes:N0} of the file's {file.Length:N0} bytes");
        if (headerBytes > MostHeaderBytes)
            throw new WeightsFormatException(path, "byte 0", $"a header of {headerBytes:N0} bytes is more than the {MostHeaderBytes:N0} that are read");
        byte[] header = new byte[headerBytes];
        file.Read(LengthBytes, header, "header");
        if (header[0] != '{') throw new WeightsFormatException(path, "byte 8", "not a safetensors file: its header is no JSON object");
        try
        {
            using var json = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 4 });
            return ParseHeader(json.RootElement, LengthBytes + header.Length, file.Length, path);
        }
        catch (JsonException e)
        {
            throw new WeightsFormatException(path, $"byte {8 + (e.BytePositionInLine ?? 0)}", "the header is not valid JSON", e);
        }
        catch (InvalidOperationException e)
        {
            // JSON strings are decoded when they are asked for: a broken escape or bad UTF-8 shows then.
            throw new WeightsFormatException(path, "header", "the header has text that is not valid UTF-8", e);
        }
    }

    private static Header ParseHeader(JsonElement root, long dataAt, long fileBytes, string path)
    {
        long dataBytes = fileBytes - dataAt;
        var metadata = new Dictionary<string, string>();
        var entries = new List<Entry>();
        var names = new HashSet<string>();
        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (!names.Add(property.Name))
                throw new WeightsFormatException(path, $"header, '{property.Name}'", "the header has this name twice");
            if (property.Name != MetadataKey)
            {
                entries.Add(ParseEntry(property, dataBytes, path));
                continue;
            }
            if (property.Value.ValueKind != JsonValueKind.Object)
                throw new WeightsFormatException(path, $"header, '{MetadataKey}'", "not a map of strings");
            foreach (JsonProperty item in property.Value.EnumerateObject())
            {
                if (item.Value.ValueKind != JsonValueKind.String)
                    throw new WeightsFormatException(path, $"header, '{MetadataKey}.{item.Name}'", "not a string");
                metadata[item.Name] = item.Value.GetString()!;
            }
        }
        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long reached = 0;
        foreach (Entry entry in entries)
        {
            if (entry.Begin != reached)
                throw new WeightsFormatException(path, $"tensor '{entry.Name}'", $"its bytes begin at {entry.Begin:N0} of the data where {reached:N0} is due: tensors overlap or leave a gap");
            reached = entry.End;
        }
        if (reached != dataBytes)
            throw new WeightsFormatException(path, "end of the data", $"{dataBytes - reached:N0} bytes belong to no tensor");
        return new Header(metadata, entries, dataAt);
    }

    private static Entry ParseEntry(JsonProperty property, long dataBytes, string path)
    {
        WeightsFormatException Bad(string reason) => new(path, $"tensor '{property.Name}'", reason);
        if (property.Value.ValueKind != JsonValueKind.Object
            || !property.Value.TryGetProperty("dtype", out JsonElement dtype) || dtype.ValueKind != JsonValueKind.String
            || !property.Value.TryGetProperty("shape", out JsonElement shape) || shape.ValueKind != JsonValueKind.Array
            || !property.Value.TryGetProperty("data_offsets", out JsonElement offsets)
            || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
            throw Bad("its entry in the header lacks dtype, shape or data_offsets");
        ElementType type = dtype.GetString() switch
        {
            "F64" => ElementType.F64,
            "F32" => ElementType.F32,
            "F16" => ElementType.F16,
            "BF16" => ElementType.BF16,
            "I64" => ElementType.I64,
            "I32" => ElementType.I32,
            "I16" => ElementType.I16,
            "I8" => ElementType.I8,
            "U64" => ElementType.U64,
            "U32" => ElementType.U32,
            "U16" => ElementType.U16,
            "U8" => ElementType.U8,
            "BOOL" => ElementType.Bool,
            string other => throw Bad($"element type {other} is not read"),
            null => throw Bad("its element type is null"),
        };
        var sizes = new List<int>();
        long length = 1;
        foreach (JsonElement item in shape.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int size)
                || size < 0 || sizes.Count == RawTensor.MostAxes) throw Bad("its shape is not one of a tensor");
            sizes.Add(size);
            length = Math.BigMul(size, (int)Math.Min(length, int.MaxValue));
            if (length > RawTensor.MostElements)
                throw Bad($"its shape [{string.Join(", ", sizes)}, …] has more elements than a tensor can hold");
        }
        if (offsets[0].ValueKind != JsonValueKind.Number || !offsets[0].TryGetInt64(out long begin)
            || offsets[1].ValueKind != JsonValueKind.Number || !offsets[1].TryGetInt64(out long end)
            || begin < 0 || begin > end || end > dataBytes)
            throw Bad($"its bytes {offsets[0]} … {offsets[1]} lie outside the {dataBytes:N0} bytes of data: is the file cut short?");
        if (end - begin != length * type.Size())
            throw Bad($"[{string.Join(", ", sizes)}] of {type} takes {length * type.Size():N0} bytes, but {end - begin:N0} are given");
        return new Entry(property.Name, type, Shape.Of(CollectionsMarshal.AsSpan(sizes)), begin, end);
    }

    private sealed record Header(IReadOnlyDictionary<string, string> Metadata, IReadOnlyList<Entry> Entries, long DataAt);

    private sealed record Entry(string Name, ElementType Type, Shape Shape, long Begin, long End);
}

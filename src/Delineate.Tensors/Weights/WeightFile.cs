namespace Delineate.Tensors.Weights;

/// <summary>Weights from a file of any format that is read: the first bytes decide, not the suffix.</summary>
public static class WeightFile
{
    /// <summary>The named tensors of a <c>.safetensors</c> file or of a PyTorch checkpoint.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged or of a format that is not read.</exception>
    public static IReadOnlyDictionary<string, RawTensor> Load(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Load(file, path);
    }

    /// <summary>The same from a stream that can seek; <paramref name="name"/> stands for the path in messages.</summary>
    public static IReadOnlyDictionary<string, RawTensor> Load(Stream stream, string name)
    {
        int first = stream.ReadByte();
        stream.Position = 0;
        // A safetensors file begins with the length of its header, 'P' or 0x80 with a zip archive or a bare pickle. All three can agree in this
        // byte, so the ninth decides: the header's brace.
        return first is 'P' or 0x80 && !HasBrace(stream) ? PyTorchFile.Load(stream, name) : SafetensorsFile.Load(stream, name).Tensors;
    }

    private static bool HasBrace(Stream stream)
    {
        stream.Position = 8;
        int ninth = stream.ReadByte();
        stream.Position = 0;
        return ninth == '{';
    }
}

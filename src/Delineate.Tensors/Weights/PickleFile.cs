namespace Delineate.Tensors.Weights;

/// <summary>
/// A bare pickle of NumPy arrays by name, as detectron2 publishes its weights (<c>.pkl</c>). It is read, never run: whatever it names beyond arrays and
/// plain containers is refused. The arrays stay in the file until they are asked for, save where Python 3 wrote them for Python 2 as text.
/// </summary>
public static class PickleFile
{
    /// <summary>Opens the arrays at the pickle's top, or those under <c>model</c>, <c>state_dict</c> or <c>model_state_dict</c>; a prefix <c>module.</c> is taken off.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged, of another format, or asks for more than arrays and containers.</exception>
    public static WeightFile Open(string path) => WeightFile.Open(new FileBytes(path), Read);

    /// <summary>The same from a stream: see <see cref="WeightFile.Open(Stream, string)"/>.</summary>
    /// <exception cref="WeightsFormatException">As above.</exception>
    public static WeightFile Open(Stream stream, string name) => WeightFile.Open(new FileBytes(stream, name), Read);

    internal static WeightFile.Contents Read(FileBytes file)
    {
        Span<byte> head = stackalloc byte[(int)Math.Min(1, file.Length)];
        file.Read(0, head, "byte 0");
        if (head is not [0x80]) throw new WeightsFormatException(file.Name, "byte 0", "not a pickle of protocol 2 or later");
        object? root = new Unpickler(new PickleBytes(file, 0, file.Length, "")).Load();
        return new WeightFile.Contents(PickledState.Tensors(root, file, "the pickled object", (_, name) =>
            throw new WeightsFormatException(file.Name, $"tensor '{name}'", "a tensor of PyTorch in a bare pickle, which has no place for its values: save it with torch.save")));
    }
}

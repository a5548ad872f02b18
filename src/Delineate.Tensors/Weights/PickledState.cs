namespace Delineate.Tensors.Weights;

/// <summary>Finds the tensors by name in what a checkpoint's pickle holds.</summary>
internal static class PickledState
{
    private static readonly string[] Wrappers = ["model", "state_dict", "model_state_dict"];

    /// <summary>
    /// The tensors and arrays at the top of the pickled object or, before them, in one of the usual wrappers. <paramref name="view"/> gives tensors their
    /// values; arrays have theirs in the pickle.
    /// </summary>
    public static Dictionary<string, RawTensor> Tensors(object? root, FileBytes file, string place, Func<PickledTensor, string, RawTensor> view)
    {
        if (root is not PickledMap map) throw new WeightsFormatException(file.Name, place, "the checkpoint holds no dictionary of tensors");
        List<(string Name, object Value)> named = Named(map, place, file.Name);
        long bytesLeft = file.Length;
        var tensors = new Dictionary<string, RawTensor>(named.Count);
        var arrays = new Dictionary<PickledArray, RawTensor>(ReferenceEqualityComparer.Instance);
        foreach ((string name, object value) in named)
        {
            RawTensor tensor = value is PickledTensor pickled ? view(pickled, name) : Array((PickledArray)value, name);
            if (!tensors.TryAdd(name, tensor)) throw new WeightsFormatException(file.Name, $"tensor '{name}'", "the checkpoint has this name twice");
        }
        return tensors;

        RawTensor Array(PickledArray array, string name)
        {
            WeightsFormatException Bad(string reason) => new(file.Name, $"tensor '{name}'", reason);
            if (arrays.TryGetValue(array, out RawTensor? known)) return known;
            if (array.Type is not { } dtype) throw Bad("a NumPy array without its state");
            NumpyType type = NumpyValues.TypeOf(dtype.Order, dtype.Code, Bad);
            PickledBytes data = array.Data ?? throw Bad("a NumPy array without bytes");
            if ((bytesLeft -= data.Length) < 0) throw Bad("its arrays claim more bytes than the file has");
            RawTensor tensor = NumpyValues.View(data.Source, data.At, data.Length, type, array.Sizes, array.IsFortran, $"tensor '{name}'", Bad);
            arrays.Add(array, tensor);
            return tensor;
        }
    }

    private static List<(string Name, object Value)> Named(PickledMap map, string place, string path)
    {
        foreach (string wrapper in Wrappers)
        {
            if (map.Items.LastOrDefault(i => i.Key is string key && key == wrapper).Value is PickledMap inner && Named(inner) is { Count: > 0 } wrapped) return wrapped;
        }
        return Named(map) is { Count: > 0 } tensors
            ? tensors
            : throw new WeightsFormatException(path, place, "the checkpoint holds no tensors by name, neither at its top nor under model, state_dict or model_state_dict");
    }

    private static List<(string Name, object Value)> Named(PickledMap map) =>
        [.. map.Items.Where(i => i is { Key: string, Value: PickledTensor or PickledArray }).Select(i => ((string)i.Key!, i.Value!))];
}

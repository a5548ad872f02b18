using System.Buffers.Binary;

namespace Delineate.Tensors.Weights;

/// <summary>The storages of a checkpoint in PyTorch's old stream format: one after the other behind the pickles, each a count of elements and the elements.</summary>
internal sealed class StreamStorages
{
    private readonly Dictionary<string, long> places = [];
    private readonly FileBytes file;

    /// <param name="file">The checkpoint.</param>
    /// <param name="at">Where the first storage begins.</param>
    /// <param name="keys">The storages in their order.</param>
    /// <param name="known">What the pickle says of them.</param>
    public StreamStorages(FileBytes file, long at, List<object?> keys, IReadOnlyDictionary<string, PickledStorage> known)
    {
        this.file = file;
        Span<byte> head = stackalloc byte[sizeof(long)];
        foreach (object? item in keys)
        {
            if (item is not string key || !known.TryGetValue(key, out PickledStorage? storage))
                throw new WeightsFormatException(file.Name, "storage keys", "a storage that belongs to no tensor");
            if (at > file.Length - head.Length) throw new WeightsFormatException(file.Name, $"storage {key}", "the file ends before it: is it cut short?");
            file.Read(at, head, $"storage {key}");
            long length = BinaryPrimitives.ReadInt64LittleEndian(head);
            at += head.Length;
            if (length != storage.Length) throw new WeightsFormatException(file.Name, $"storage {key}", $"it has {length:N0} elements, where the pickle says {storage.Length:N0}");
            if (length > (file.Length - at) / storage.Type.Size())
                throw new WeightsFormatException(file.Name, $"storage {key}", $"{length:N0} elements of {storage.Type} are claimed where {file.Length - at:N0} bytes are left: is the file cut short?");
            if (!places.TryAdd(key, at)) throw new WeightsFormatException(file.Name, $"storage {key}", "the file has this storage twice");
            at += length * storage.Type.Size();
        }
    }

    /// <summary>Where the storage begins in the file.</summary>
    public long PlaceOf(PickledStorage storage, string name) => places.TryGetValue(storage.Key, out long at)
        ? at
        : throw new WeightsFormatException(file.Name, $"tensor '{name}'", $"the file lacks its storage {storage.Key}");
}

using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>The storages of a zip checkpoint, an entry each. They claim no more than the file has bytes.</summary>
internal sealed class ZipStorages
{
    private readonly Dictionary<string, ZipEntry> entries = [];
    private readonly Dictionary<string, long> places = [];
    private readonly FileBytes file;
    private readonly ZipDirectory zip;
    private readonly string folder;
    private long bytesLeft;

    public ZipStorages(FileBytes file, ZipDirectory zip, string folder)
    {
        (this.file, this.zip, this.folder, bytesLeft) = (file, zip, folder, file.Length);
        foreach (ZipEntry entry in zip.Entries)
        {
            if (!entries.TryAdd(entry.Name, entry))
                throw new WeightsFormatException(file.Name, entry.Name, "the archive has this entry twice");
        }
    }

    /// <summary>True where the archive says that its numbers are in big-endian order.</summary>
    public bool IsBigEndian
    {
        get
        {
            const int LongestOrder = 16; // "little" or "big"
            if (!entries.TryGetValue(folder + "byteorder", out ZipEntry? entry)) return false;
            byte[] order = new byte[Math.Min(LongestOrder, entry.Length)];
            file.Read(Take(entry), order, entry.Name);
            return Encoding.ASCII.GetString(order).Trim() == "big";
        }
    }

    /// <summary>Where the bytes of an entry begin. Counts them against the file's length: entries that are packed, or that share bytes, could claim without end.</summary>
    public long Take(ZipEntry entry)
    {
        if (!entry.IsStored)
            throw new WeightsFormatException(file.Name, entry.Name, "the entry is compressed or encrypted; torch.save stores entries as they are");
        bytesLeft -= entry.Length;
        if (bytesLeft < 0)
            throw new WeightsFormatException(file.Name, entry.Name, "the entries claim more bytes than the file has");
        return zip.DataAt(entry);
    }

    /// <summary>Where the storage begins in the file.</summary>
    public long PlaceOf(PickledStorage storage, string name)
    {
        if (places.TryGetValue(storage.Key, out long known)) return known;
        if (!entries.TryGetValue($"{folder}data/{storage.Key}", out ZipEntry? entry))
            throw new WeightsFormatException(file.Name, $"tensor '{name}'", $"the archive lacks its storage data/{storage.Key}");
        long at = Take(entry);
        // A storage may be longer in the archive than the pickle says (older versions padded), never shorter.
        if (entry.Length / storage.Type.Size() < storage.Length)
            throw new WeightsFormatException(file.Name, entry.Name, $"{storage.Length:N0} elements of {storage.Type} are claimed, but it has {entry.Length:N0} bytes");
        places.Add(storage.Key, at);
        return at;
    }
}

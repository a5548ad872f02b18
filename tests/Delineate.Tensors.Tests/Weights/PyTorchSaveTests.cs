using System.IO.Compression;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class PyTorchSaveTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("delineate-").FullName;

    private string FilePath => Path.Combine(folder, "w.pth");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_is_saved_is_read_back()
    {
        (string Name, Tensor Tensor)[] tensors =
        [
            ("conv.weight", GradCheck.Input([300, 3, 5, 260])), ("conv.bias", GradCheck.Input([300], 2)), ("scalar", Tensor.Scalar(7)), ("ä", Tensor.Zeros([0, 4])),
        ];
        PyTorchFile.Save(FilePath, tensors);
        using WeightFile file = WeightFile.Open(FilePath);
        Assert.Equal(tensors.Select(t => t.Name), file.Tensors.Keys);
        foreach ((string name, Tensor tensor) in tensors)
        {
            Assert.Equal(tensor.Shape, file.Tensors[name].ToTensor().Shape);
            TensorAssert.SameBits(tensor.Span, file.Tensors[name].ToTensor().Span, name);
        }
        Assert.Equal([300, 260, 3, 5], file.Tensors["conv.weight"].Shape);
        Assert.Equal([FilePath], Directory.GetFiles(folder));
    }

    [Fact]
    public void Entries_begin_on_multiples_of_64_and_have_their_checksums()
    {
        PyTorchFile.Save(FilePath, [("a", GradCheck.Input([7])), ("b", GradCheck.Input([3, 1, 2, 5]))]);
        var zip = new ZipDirectory(new FileBytes(FilePath));
        Assert.Equal(["archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/data/1", "archive/version"], zip.Entries.Select(e => e.Name));
        Assert.All(zip.Entries, e => Assert.Equal(0, zip.DataAt(e) % 64));
        using ZipArchive archive = ZipFile.OpenRead(FilePath);
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            using Stream stream = entry.Open();
            var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            Assert.Equal(Crc(bytes.ToArray()), entry.Crc32);
        }
    }

    [Fact]
    public void The_same_tensors_give_the_same_file()
    {
        (string, Tensor)[] tensors = [("a", GradCheck.Input([7]))];
        PyTorchFile.Save(FilePath, tensors);
        byte[] first = File.ReadAllBytes(FilePath);
        PyTorchFile.Save(FilePath, tensors);
        Assert.Equal(first, File.ReadAllBytes(FilePath));
    }

    [Fact]
    public void A_file_without_tensors_is_a_checkpoint_all_the_same()
    {
        PyTorchFile.Save(FilePath, []);
        Assert.Contains("no tensors by name", Assert.Throws<WeightsFormatException>(() => PyTorchFile.Open(FilePath)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_tensors_of_one_name_are_refused() =>
        Assert.Throws<ArgumentException>(() => PyTorchFile.Save(FilePath, [("w", Tensor.Scalar(1)), ("w", Tensor.Scalar(2))]));

    [Fact]
    public void Saving_takes_little_memory()
    {
        const int Allowed = 4 << 20;
        Tensor conv = Tensor.Zeros([512, 3, 3, 2048]); // 36 MB
        TensorMemory.Trim();
        long start = GC.GetTotalAllocatedBytes(precise: true);
        PyTorchFile.Save(FilePath, [("conv", conv)]);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - start, 1, Allowed);
    }

    /// <summary>Bit by bit, from the definition.</summary>
    private static uint Crc(byte[] bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        return ~crc;
    }
}

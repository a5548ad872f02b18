using System.IO.Compression;
using System.Runtime.InteropServices;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class NpzFileTests
{
    [Theory]
    [InlineData(CompressionLevel.NoCompression)]
    [InlineData(CompressionLevel.SmallestSize)]
    public void An_archive_has_an_array_by_each_name(CompressionLevel level)
    {
        IReadOnlyDictionary<string, RawTensor> state = Read(Sample(level));
        Assert.Equal(["a.weight", "b"], state.Keys);
        Assert.Equal([1f, 2, 3], state["a.weight"].ToArray());
        Assert.All(state["b"].ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void A_bomb_is_refused_before_it_is_unpacked()
    {
        byte[] file = Npz(CompressionLevel.SmallestSize, ("b.npy", NpyFileTests.Npy("<f4", false, "(8000000,)", new byte[32_000_000])));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("beyond measure", Refusal(file), StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void A_length_that_is_a_lie_is_refused()
    {
        byte[] file = Sample(CompressionLevel.SmallestSize);
        int directory = file.AsSpan().IndexOf("PK\x01\x02"u8);
        file[directory + 24]++;
        Assert.Contains("does not unpack to", Refusal(file), StringComparison.Ordinal);
        file[directory + 24] -= 2;
        Assert.Contains("does not unpack to", Refusal(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_entries_are_refused() =>
        Assert.Contains("end in .npy", Refusal(Npz(CompressionLevel.NoCompression, ("a.npy", NpyFileTests.Npy("<f4", false, "()", new byte[4])), ("notes.txt", [1]))), StringComparison.Ordinal);

    [Fact]
    public void Truncation_at_any_byte_is_refused()
    {
        foreach (byte[] file in new[] { Sample(CompressionLevel.SmallestSize), Sample(CompressionLevel.NoCompression) })
        {
            for (int length = 0; length < file.Length; length++) Assert.Throws<WeightsFormatException>(() => Read(file[..length]));
        }
    }

    [Fact]
    public void Mutated_archives_are_read_or_refused()
    {
        byte[][] corpus = [Sample(CompressionLevel.SmallestSize), Sample(CompressionLevel.NoCompression), .. WeightFixture.Seeds(".npz")];
        FuzzReport report = Fuzzer.Run<WeightsFormatException>(corpus, Fuzzer.InputCount, 19,
            file => ReadAll(NpzFile.Open(new MemoryStream(file), "x.npz")), file => (256L * file.Length) + (2 << 20), damage: WeightFileDamage.Npz);
        Assert.True(report.Refused > 500 && report.Accepted > 10, report.ToString());
    }

    private static byte[] Sample(CompressionLevel level) => Npz(level,
        ("module.a.weight.npy", NpyFileTests.Npy("<f4", false, "(3,)", MemoryMarshal.AsBytes<float>([1, 2, 3]).ToArray())), ("module.b.npy", NpyFileTests.Npy("<f2", false, "(10, 50)", new byte[1000])));

    private static byte[] Npz(CompressionLevel level, params (string Name, byte[] Bytes)[] entries)
    {
        var archive = new MemoryStream();
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] bytes) in entries)
            {
                using Stream entry = zip.CreateEntry(name, level).Open();
                entry.Write(bytes);
            }
        }
        return archive.ToArray();
    }

    private static string Refusal(byte[] file) => Assert.Throws<WeightsFormatException>(() => Read(file)).Message;

    private static IReadOnlyDictionary<string, RawTensor> Read(byte[] file) => WeightFile.Open(new MemoryStream(file), "x.npz").Tensors;

    private static void ReadAll(WeightFile file)
    {
        foreach (RawTensor tensor in file.Tensors.Values) tensor.ToArray();
    }
}

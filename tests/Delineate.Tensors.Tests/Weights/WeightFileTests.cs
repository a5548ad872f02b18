using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

public sealed class WeightFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("delineate-").FullName;

    private string FilePath => Path.Combine(folder, "w.safetensors");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Opening_reads_no_values()
    {
        Tensor weights = Tensor.Zeros([64, 3, 3, 4096]);
        SafetensorsFile.Save(FilePath, [("w", weights)]);
        byte[] file = File.ReadAllBytes(FilePath);
        var stream = new CountingStream(file);
        using WeightFile open = WeightFile.Open(stream, "x");
        Assert.InRange(stream.BytesRead, 1, 1000);
        open.Tensors["w"].CopyTo(weights);
        Assert.Equal(file.Length, stream.BytesRead, tolerance: 1000.0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Loading_takes_little_memory_beside_the_network(int threads)
    {
        const int Allowed = 8 << 20;
        Tensor conv = GradCheck.Input([512, 3, 3, 2048]), linear = GradCheck.Input([1024, 2048]); // 36 and 8 MB
        SafetensorsFile.Save(FilePath, [("conv", conv), ("linear", linear)]);
        Tensor[] loaded = [Tensor.Zeros(conv.Shape), Tensor.Zeros(linear.Shape)];
        int before = ThreadTeam.Threads;
        try
        {
            ThreadTeam.Threads = threads;
            TensorMemory.Trim(); // what is needed is then allocated, and counted
            long start = GC.GetTotalAllocatedBytes(precise: true);
            using (WeightFile file = WeightFile.Open(FilePath))
            {
                file.Tensors["conv"].CopyTo(loaded[0]);
                file.Tensors["linear"].CopyTo(loaded[1]);
            }
            Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - start, 1, Allowed);
        }
        finally
        {
            ThreadTeam.Threads = before;
        }
        TensorAssert.SameBits(conv.Span, loaded[0].Span, "conv");
        TensorAssert.SameBits(linear.Span, loaded[1].Span, "linear");
    }

    [Fact]
    public void Saving_takes_little_memory()
    {
        const int Allowed = 4 << 20;
        Tensor conv = Tensor.Zeros([512, 3, 3, 2048]); // 36 MB
        TensorMemory.Trim();
        long start = GC.GetTotalAllocatedBytes(precise: true);
        SafetensorsFile.Save(FilePath, [("conv", conv)]);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - start, 1, Allowed);
    }

    [Fact]
    public void Saving_does_not_count_as_a_change_of_the_weights()
    {
        var conv = new Conv2d(new Philox(1), 3, 4, 3);
        long version = conv.Weight.Block.Version;
        SafetensorsFile.Save(FilePath, conv.StateDict());
        Assert.Equal(version, conv.Weight.Block.Version);
    }

    [Theory]
    [InlineData(new[] { 70_000, 2, 3, 1 })] // several pieces along the first axis
    [InlineData(new[] { 1, 300, 50, 30 })] // along the second
    [InlineData(new[] { 2, 3, 700, 500 })] // one place is longer than a piece
    [InlineData(new[] { 3, 17, 1, 40_001 })]
    [InlineData(new[] { 1, 1, 1, 1 })]
    [InlineData(new[] { 600_000 })]
    [InlineData(new[] { 601, 1009 })]
    [InlineData(new[] { 7, 1, 60_000, 2, 1 })]
    public void Values_read_in_pieces_are_those_of_the_file(int[] sizes)
    {
        var shape = Shape.Of(sizes);
        float[] values = [.. Enumerable.Range(0, shape.Length).Select(i => (float)i)];
        byte[] file = new CheckpointBuilder().Op('}').Text("w").Tensor("FloatStorage", "0", values.Length, 0, [.. sizes.Select(s => (long)s)], StridedView.RowMajor(shape).Strides).Op('s')
            .Data("0", values).Build();
        using WeightFile open = WeightFile.Open(new MemoryStream(file), "x");
        Assert.Equal(values, open.Tensors["w"].ToArray());
        Tensor expected = new RawTensor(shape, values).ToTensor(), actual = open.Tensors["w"].ToTensor();
        Assert.Equal(expected.Shape, actual.Shape);
        TensorAssert.SameBits(expected.Span, actual.Span, "w");
    }

    [Theory]
    [InlineData(5, new long[] { 300, 40, 30, 7 }, new long[] { 8400, 1, 280, 40 })] // channels last in the file
    [InlineData(0, new long[] { 1500, 700 }, new long[] { 1, 1500 })] // a transposed matrix
    [InlineData(9, new long[] { 1000, 10 }, new long[] { 1234, 1 })] // columns of a wider one
    [InlineData(1, new long[] { 400_000 }, new long[] { 3 })] // every third
    [InlineData(0, new long[] { 500, 600, 3 }, new long[] { 1, 2, 1 })] // places that overlap
    [InlineData(3, new long[] { 30, 20, 2, 1 }, new long[] { 80_000, 100, 40, 3 })] // few elements, far apart
    [InlineData(0, new long[] { 2, 2, 2, 2, 2, 2 }, new long[] { 400_000, 400_001, 400_000, 400_000, 400_001, 400_000 })] // and overlapping
    [InlineData(2, new long[] { 900, 1, 2 }, new long[] { 0, 77, 5 })] // one place again and again
    public void Strided_views_are_gathered_from_the_file(long offset, long[] sizes, long[] strides)
    {
        const int Stored = 2_600_000;
        float[] values = [.. Enumerable.Range(0, Stored).Select(i => (float)i)];
        byte[] file = new CheckpointBuilder().Op('}').Text("w").Tensor("FloatStorage", "0", Stored, offset, sizes, strides).Op('s').Data("0", values).Build();
        var stream = new CountingStream(file);
        using WeightFile open = WeightFile.Open(stream, "x");
        long before = stream.BytesRead;
        float[] read = open.Tensors["w"].ToArray();
        Assert.InRange(stream.BytesRead - before, 1, 16L * read.Length * sizeof(float));
        for (int i = 0; i < read.Length; i++)
        {
            long at = offset, rest = i;
            for (int axis = sizes.Length - 1; axis >= 0; rest /= sizes[axis--]) at += rest % sizes[axis] * strides[axis];
            if (read[i] != at) Assert.Fail($"element {i} is {read[i]}, but {at} in the file");
        }
        Tensor expected = new RawTensor(open.Tensors["w"].Shape, read).ToTensor();
        TensorAssert.SameBits(expected.Span, open.Tensors["w"].ToTensor().Span, "w");
    }

    [Fact]
    public void Several_threads_read_one_stream()
    {
        float[] values = [.. Enumerable.Range(0, 300_000).Select(i => (float)i)];
        SafetensorsFile.Save(FilePath, [("a", Tensor.From(values, [300_000])), ("b", Tensor.From(values, [3, 100_000]))]);
        using WeightFile file = WeightFile.Open(new MemoryStream(File.ReadAllBytes(FilePath)), "x");
        Parallel.For(0, 40, i => Assert.Equal(values, file.Tensors[i % 2 == 0 ? "a" : "b"].ToArray()));
    }

    [Fact]
    public void A_closed_file_says_so()
    {
        Save(1);
        WeightFile file = WeightFile.Open(FilePath);
        file.Dispose();
        file.Dispose();
        Assert.Contains("is closed", Assert.Throws<ObjectDisposedException>(() => file.Tensors["0.weight"].ToArray()).Message, StringComparison.Ordinal);
        File.Delete(FilePath);
    }

    [Fact]
    public void A_file_that_was_replaced_or_deleted_is_read_as_it_was()
    {
        Sequential saved = Save(1), network = Network(3);
        using WeightFile file = WeightFile.Open(FilePath);
        Save(2);
        WeightLoading.Load(network, file);
        Same(saved, network);
        File.Delete(FilePath);
        network = Network(3);
        WeightLoading.Load(network, file);
        Same(saved, network);
    }

    [Fact]
    public void A_file_cut_short_after_opening_is_refused_before_anything_changes()
    {
        Save(1);
        Sequential network = Network(2);
        using WeightFile file = WeightFile.Open(FilePath);
        using (var cut = new FileStream(FilePath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) cut.SetLength(cut.Length - 4);
        AssertUntouched(file, network);
    }

    [Fact]
    public void A_file_written_over_after_opening_is_refused_before_anything_changes()
    {
        Save(1);
        Sequential network = Network(2);
        File.SetLastWriteTimeUtc(FilePath, DateTime.UtcNow.AddMinutes(-1));
        using WeightFile file = WeightFile.Open(FilePath);
        using (var over = new FileStream(FilePath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            over.Seek(-4, SeekOrigin.End);
            over.Write(new byte[4]);
        }
        AssertUntouched(file, network);
    }

    [Fact]
    public void A_file_that_fails_midway_says_that_the_network_is_half_loaded()
    {
        Save(1);
        byte[] bytes = File.ReadAllBytes(FilePath);
        using WeightFile file = WeightFile.Open(new CountingStream(bytes) { EndsAt = bytes.Length - 4 }, "x.safetensors");
        var e = Assert.Throws<WeightsFormatException>(() => WeightLoading.Load(Network(2), file));
        Assert.StartsWith("x.safetensors: the file ends at byte ", e.Message, StringComparison.Ordinal);
        Assert.Contains("cut short meanwhile; Sequential is left with 6 of its 7 tensors overwritten", e.Message, StringComparison.Ordinal);
        Assert.Contains("(tensor '2.bias')", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_fails_is_named_with_the_tensor()
    {
        Save(1);
        var stream = new CountingStream(File.ReadAllBytes(FilePath));
        using WeightFile file = WeightFile.Open(stream, "x.safetensors");
        stream.Fails = true;
        Assert.Equal("x.safetensors: the file cannot be read: bad sector (tensor '1.weight')", Assert.Throws<WeightsFormatException>(() => file.Tensors["1.weight"].ToTensor()).Message);
    }

    [Fact]
    public void A_stream_stays_the_callers()
    {
        Save(1);
        var stream = new MemoryStream(File.ReadAllBytes(FilePath));
        WeightFile.Open(stream, "x").Dispose();
        Assert.True(stream.CanRead);
    }

    [Fact]
    public void A_refused_file_is_closed()
    {
        File.WriteAllBytes(FilePath, new byte[100]);
        Assert.Throws<WeightsFormatException>(() => WeightFile.Open(FilePath));
        using var alone = new FileStream(FilePath, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    private static Sequential Network(ulong seed)
    {
        var random = new Philox(seed);
        return new Sequential(new Conv2d(random, 3, 4, (3, 2), bias: false), new BatchNorm2d(4), new Conv2d(random, 4, 2, 1));
    }

    private static void Same(Sequential expected, Sequential actual)
    {
        foreach (((string name, Tensor saved), (_, Tensor loaded)) in expected.StateDict().Zip(actual.StateDict())) TensorAssert.SameBits(saved.Span, loaded.Span, name);
    }

    private static void AssertUntouched(WeightFile file, Sequential network)
    {
        float[][] before = [.. network.StateDict().Select(s => s.Tensor.ToArray())];
        var e = Assert.Throws<WeightsFormatException>(() => WeightLoading.Load(network, file));
        Assert.Contains($"{file.Name}: the file was changed after it was opened", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, network.StateDict().Select(s => s.Tensor.ToArray()));
        Assert.Throws<WeightsFormatException>(() => file.Tensors.First().Value.ToArray());
    }

    private Sequential Save(ulong seed)
    {
        Sequential network = Network(seed);
        SafetensorsFile.Save(FilePath, network.StateDict());
        return network;
    }

    /// <summary>A file in memory that counts what is read of it, and ends or fails when told to.</summary>
    private sealed class CountingStream(byte[] file) : MemoryStream(file)
    {
        private long read;

        public long BytesRead => read;

        public long EndsAt { get; init; } = long.MaxValue;

        public bool Fails { get; set; }

        public override int Read(Span<byte> buffer)
        {
            if (Fails) throw new IOException("bad sector");
            int count = (int)Math.Clamp(EndsAt - Position, 0, buffer.Length);
            count = base.Read(buffer[..count]);
            Interlocked.Add(ref read, count);
            return count;
        }
    }
}

using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>Predictions by way of a plan against the network run op by op.</summary>
[Collection(nameof(SemanticModelTests))]
public sealed class PlannedPredictionTests
{
    private static readonly ClassTable Five = new(["a", "b", "c", "d", "e"]);

    [Theory]
    [InlineData("fcn_resnet18", 65, 50, Rounding.Fast)]
    [InlineData("fcn_resnet50", 33, 64, Rounding.Fast)]
    [InlineData("fcn_resnet50", 64, 48, Rounding.Strict)]
    [InlineData("unet", 40, 53, Rounding.Fast)]
    [InlineData("unet_bilinear", 53, 40, Rounding.Fast)]
    public void The_scores_are_those_of_eager_mode(string name, int height, int width, Rounding rounding)
    {
        Module network = Network(name);
        RandomStatistics(network);
        Tensor x = Tensor.Empty([2, height, width, 3]);
        Init.Uniform(x, new Philox(4), 2);
        network.Train(false);
        Func<Tensor, Tensor> forward = network is Fcn fcn ? x => fcn.Forward(x).Out : ((UNet)network).Forward;
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor expected = forward(x), actual = new PlanCache(network, forward, new PlanOptions { Rounding = rounding }).Run(x);
        Assert.Equal(expected.Shape, actual.Shape);
        float largest = 0, error = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(expected.Span[i]));
            error = Math.Max(error, Math.Abs(expected.Span[i] - actual.Span[i]));
        }
        Assert.True(error <= 1e-4f * largest, $"off by {error} of {largest}");
        Assert.True(largest > 1e-3f);
    }

    [Theory]
    [InlineData("fcn_resnet18", 41, 30, null)]
    [InlineData("fcn_resnet18", 41, 30, 24)]
    [InlineData("fcn_resnet18", 23, 40, 48)]
    [InlineData("unet", 9, 37, null)]
    [InlineData("unet", 7, 60, 20)]
    [InlineData("unet", 1, 1, null)]
    public void The_labels_are_those_of_eager_mode_save_where_scores_tie(string name, int height, int width, int? shortSide)
    {
        Module network = Network(name);
        RandomStatistics(network);
        int least = name == "unet" ? 16 : 1;
        var model = new SemanticModel(name, network, network is Fcn fcn ? x => fcn.Forward(x) : x => new SemanticLogits(((UNet)network).Forward(x)), least)
        {
            Classes = Five,
            Preprocessing = new Preprocessing { ShortSide = shortSide },
            Rounding = Rounding.Direct,
        };
        var photo = new Image(height, width);
        new Random(4).NextBytes(photo.Pixels);
        byte[] labels = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        Assert.Null(model.PlanFailure);
        Assert.True(network.IsTraining);

        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Image resized = model.Preprocessing.Resize(photo);
        Tensor x = model.Preprocessing.ToTensor([resized], least);
        Tensor scores = network is Fcn f ? f.Forward(x).Out : ((UNet)network).Forward(x);
        scores = scores.Slice(1, 0, resized.Height).Slice(2, 0, resized.Width);
        if ((resized.Height, resized.Width) != (height, width)) scores = scores.ResizeBilinear(height, width);
        byte[] expected = scores.ArgMaxLabels();
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] == expected[i]) continue;
            Span<float> pixel = scores.Span.Slice(5 * i, 5);
            Assert.True(pixel[expected[i]] - pixel[labels[i]] <= 1e-4f * Math.Abs(pixel[expected[i]]), $"pixel {i}: {labels[i]} for {expected[i]} without a tie");
        }
        Assert.True(expected.Distinct().Count() > 1 || labels.Length == 1);
    }

    [Fact]
    public void Threads_predict_at_once_while_the_network_is_set_to_train()
    {
        Model model = TinyRun.Fcn();
        Image[] photos = [.. Enumerable.Range(0, 6).Select(i => new Squares(6, side: 20 + (7 * (i % 3))).Load(i).Image)];
        byte[][] expected = [.. photos.Select(p => model.Predict(new ImageBatch([p]))[0].Semantic!.Labels)];
        Model fresh = TinyRun.Fcn();
        fresh.Network.Train();
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 6 }, i =>
            Assert.Equal(expected[i % 6], fresh.Predict(new ImageBatch([photos[i % 6]]))[0].Semantic!.Labels));
        Assert.True(fresh.Network.IsTraining);
        Assert.Null(fresh.PlanFailure);
    }

    [Fact]
    public void A_network_that_looks_at_its_values_is_run_op_by_op()
    {
        var network = new Conv2d(new Philox(5), 3, 2, 1);
        var model = new SemanticModel("curious", network, x => new SemanticLogits(x.Max().Item() > 1e9f ? x : network.Forward(x)), minimumSize: 1) { Classes = new ClassTable(["a", "b"]) };
        Image photo = new Squares(1).Load(0).Image;
        byte[] labels = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        Assert.Contains("values are not known", model.PlanFailure, StringComparison.Ordinal);
        var plain = new SemanticModel("plain", network, x => new SemanticLogits(network.Forward(x)), minimumSize: 1) { Classes = new ClassTable(["a", "b"]) };
        Assert.Equal(plain.Predict(new ImageBatch([photo]))[0].Semantic!.Labels, labels);
        Assert.Null(plain.PlanFailure);
    }

    [Fact]
    public void Two_hundred_predictions_on_images_of_changing_sizes_keep_their_memory_bounded()
    {
        Model model = ModelCatalog.Create("unet", new ModelOptions { Channels = 4, Depth = 2 }, Five);
        Image photo = new Squares(1, side: 96).Load(0).Image;
        var random = new Random(1);
        long after50 = 0;
        for (int i = 0; i < 200; i++)
        {
            model.Predict(new ImageBatch([photo.Crop(0, 0, random.Next(16, 96), random.Next(16, 96))]));
            if (i == 50) after50 = Held();
        }
        Assert.InRange(Held(), 0, after50 + (1 << 20)); // one arena and one copy of the weights, whatever the sizes
        static long Held() => TensorMemory.BytesInUse + TensorMemory.BytesPooled + TensorMemory.BytesPlanned;
    }

    [Fact]
    public void A_prediction_makes_little_on_the_heap_beyond_its_result()
    {
        Model model = ModelCatalog.Create("unet", new ModelOptions { Channels = 4, Depth = 2 }, Five);
        var batch = new ImageBatch([new Squares(1, side: 64).Load(0).Image]);
        for (int i = 0; i < 3; i++) model.Predict(batch);
        long before = GC.GetAllocatedBytesForCurrentThread();
        model.Predict(batch);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Fact]
    public void The_summary_counts_what_the_papers_count()
    {
        // fvcore and ptflops give 9.40 G (at 320×320, with the same heads 53.9 G) for torchvision's networks; here the sums are taken by hand below.
        Model fcn = ModelCatalog.Create("fcn_resnet50", new ModelOptions(), new ClassTable(Enumerable.Range(0, 21).Select(i => $"{i}")));
        Summary summary = fcn.Summarize(64);
        Assert.Equal(35322218, summary.Parameters);
        Assert.Equal(32 * 32 * 64 * 147L, summary.Rows.Single(r => r is { Path: "backbone.conv1", Op: "Conv2d" }).MultiplyAdds);
        Assert.Equal(ByHand(64), summary.MultiplyAdds);
        Assert.Equal(ByHand(480), fcn.Summarize(480).MultiplyAdds);
        Assert.InRange(ByHand(480), 121_000_000_000, 122_500_000_000);
        Assert.True(fcn.Network.IsTraining);
    }

    /// <summary>FCN-ResNet50 at stride 8 without its auxiliary head: the sum over its convolutions of pixels × taps × channels in × channels out.</summary>
    private static long ByHand(int side)
    {
        long p2 = side / 2 * (side / 2), p4 = side / 4 * (side / 4), p8 = side / 8 * (side / 8);
        long total = p2 * 147 * 64;
        long channels = 64;
        foreach ((int width, int blocks, long first, long rest) in new[] { (64, 3, p4, p4), (128, 4, p4, p8), (256, 6, p8, p8), (512, 3, p8, p8) })
        {
            for (int block = 0; block < blocks; block++)
            {
                // Only the first 1×1 convolution of the second stage still sees the larger map; its 3×3 strides.
                total += (block == 0 ? first : rest) * channels * width;
                total += rest * 9 * width * width;
                total += rest * width * 4 * width;
                if (block == 0) total += rest * channels * 4 * width;
                channels = 4 * width;
            }
        }
        return total + (p8 * 9 * 2048 * 512) + (p8 * 512 * 21);
    }

    private static Module Network(string name)
    {
        var random = new Philox(3);
        return name switch
        {
            "fcn_resnet18" => new Fcn(random, new FcnOptions { Depth = 18, NumClasses = 5, WidthDivisor = 4 }),
            "fcn_resnet50" => new Fcn(random, new FcnOptions { Depth = 50, NumClasses = 5, WidthDivisor = 2 }),
            "unet" => new UNet(random, new UNetOptions { NumClasses = 5, Channels = 8 }),
            _ => new UNet(random, new UNetOptions { NumClasses = 5, Channels = 8, Decoder = UNetDecoder.Bilinear }),
        };
    }

    /// <summary>Fresh statistics would leave batch norm next to nothing to fold.</summary>
    private static void RandomStatistics(Module network)
    {
        var random = new Random(2);
        foreach ((string name, Tensor tensor) in network.StateDict())
        {
            if (name.EndsWith("running_mean", StringComparison.Ordinal) || (name.EndsWith("bias", StringComparison.Ordinal)))
            {
                for (int i = 0; i < tensor.Length; i++) tensor.Span[i] = (random.NextSingle() - 0.5f) / 2;
            }
            if (name.EndsWith("running_var", StringComparison.Ordinal))
            {
                for (int i = 0; i < tensor.Length; i++) tensor.Span[i] = 0.5f + random.NextSingle();
            }
        }
    }
}

using Delineate.Data;
using Delineate.Imaging;
using Delineate.Losses;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>The memory counters are the process's, so these tests run while no other does.</summary>
[CollectionDefinition(nameof(SemanticModelTests), DisableParallelization = true)]
[Collection(nameof(SemanticModelTests))]
public sealed class SemanticModelTests
{
    private static readonly ClassTable Two = new(["a", "b"]);

    [Fact]
    public void Padding_counts_neither_in_the_loss_nor_in_the_gradient()
    {
        // Two pictures of different sizes in one batch: with a 1×1 network the loss is the mean over the pixels of both.
        Sample small = new Squares(5, side: 10).Load(4), large = new Squares(5, side: 16).Load(4);
        (SemanticModel model, Conv2d network) = Pointwise(Two);
        Delineate.Models.Losses both = model.Loss(new Batch([small, large]));
        float first = model.Loss(new Batch([small])).Total.Item(), second = model.Loss(new Batch([large])).Total.Item();
        Assert.Equal(((first * 100) + (second * 256)) / 356, both.Total.Item(), 1e-5f);
        Assert.Equal([("cross_entropy", both.Total.Item())], both.Terms);
        both.Total.Backward();
        Assert.NotNull(network.Weight.Gradient);
    }

    [Fact]
    public void Padding_takes_the_tables_own_ignore_index()
    {
        Sample small = new Squares(5, side: 10).Load(4), large = new Squares(5, side: 16).Load(4);
        float with255 = Pointwise(Two).Model.Loss(new Batch([small, large])).Total.Item();
        Assert.Equal(with255, Pointwise(Two with { IgnoreIndex = 9 }).Model.Loss(new Batch([small, large])).Total.Item());
    }

    [Fact]
    public void The_terms_add_up_to_the_total_at_their_weights()
    {
        SemanticModel source = TinyRun.Fcn(dropout: 0);
        var network = (Fcn)source.Network;
        var model = new SemanticModel("fcn", network, x => network.Forward(x), 1) { Classes = Two, LossOptions = new SemanticLossOptions { AuxWeight = 0.25f, DiceWeight = 2, ClassWeights = [1, 3], LabelSmoothing = 0.1f } };
        Delineate.Models.Losses losses = model.Loss(new Batch([new Squares(2).Load(0), new Squares(2).Load(1)]));
        Dictionary<string, float> terms = losses.Terms.ToDictionary(t => t.Name, t => t.Value);
        Assert.Equal(["cross_entropy", "dice", "aux_cross_entropy", "aux_dice"], losses.Terms.Select(t => t.Name));
        Assert.Equal(terms["cross_entropy"] + (2 * terms["dice"]) + (0.25f * (terms["aux_cross_entropy"] + (2 * terms["aux_dice"]))), losses.Total.Item(), 1e-5f);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_summed_loss_and_its_gradient_are_the_averaged_ones_times_what_is_counted(bool weighted)
    {
        // Two pictures of different sizes, one with an ignored border: padding and border count in neither.
        Batch batch = new([new Squares(5, side: 10).Load(4), new Squares(5, side: 16).Load(3)]);
        float[]? weights = weighted ? [1, 3] : null;
        double counted = batch.Samples.SelectMany(s => s.Annotation.Semantic!.Labels).Where(l => l != 255).Sum(l => weights?[l] ?? 1);
        Assert.True(weighted || counted == 100 + 256 - 31);
        (float mean, float[] meanGradient) = Of(summed: false);
        (float sum, float[] sumGradient) = Of(summed: true);
        Assert.Equal(counted, sum / mean, 1e-3);
        Testing.TensorAssert.Close([.. meanGradient.Select(g => g * counted)], sumGradient);

        (float Loss, float[] Gradient) Of(bool summed)
        {
            Conv2d network = Pointwise(Two).Network;
            var model = new SemanticModel("pointwise", network, x => new SemanticLogits(network.Forward(x)), 1) { Classes = Two, LossOptions = new SemanticLossOptions { Summed = summed, ClassWeights = weights } };
            Delineate.Models.Losses losses = model.Loss(batch);
            losses.Total.Backward();
            return (losses.Total.Item(), [.. network.Weight.Gradient!.ToArray(), .. network.Bias!.Gradient!.ToArray()]);
        }
    }

    [Fact]
    public void A_sample_without_a_fitting_label_map_is_named()
    {
        Sample sample = new Squares(1).Load(0);
        SemanticModel model = Pointwise(Two).Model;
        Assert.Contains("square0 has no label map", Assert.Throws<DatasetException>(() => model.Loss(new Batch([sample with { Annotation = new Annotation() }]))).Message, StringComparison.Ordinal);
        Assert.Contains("square0 is 20×20, its label map 3×4",
            Assert.Throws<DatasetException>(() => model.Loss(new Batch([sample with { Annotation = new Annotation { Semantic = new LabelMap(3, 4) } }]))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(20, 20, null)]
    [InlineData(9, 31, null)]
    [InlineData(1, 1, null)] // smaller than a U-Net of depth 3 can halve
    [InlineData(3, 50, null)]
    [InlineData(40, 21, 16)]
    [InlineData(11, 40, 24)]
    public void A_prediction_is_the_likeliest_class_of_the_networks_scores_at_the_images_size(int height, int width, int? shortSide)
    {
        Model model = ModelCatalog.Create("unet", new ModelOptions { Channels = 2, Depth = 3 }, new ClassTable(["a", "b", "c"]), new Preprocessing { ShortSide = shortSide });
        Image photo = new Squares(1, side: 50).Load(0).Image.Crop(0, 0, height, width);
        LabelMap labels = model.Predict(new ImageBatch([photo]))[0].Semantic!;
        Assert.Equal((height, width), (labels.Height, labels.Width));

        var network = (UNet)model.Network;
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        (int h, int w) = model.Preprocessing.NetworkSize(height, width);
        Image resized = (h, w) == (height, width) ? photo : photo.Resize(h, w);
        Tensor x = Tensor.Zeros([1, Math.Max(8, h), Math.Max(8, w), 3]);
        for (int y = 0; y < h; y++)
        {
            for (int c = 0; c < 3 * w; c++)
                x.Span[(y * x.Shape[2] * 3) + c] = ((resized.Pixels[(y * w * 3) + c] / 255f) - model.Preprocessing.Mean[c % 3]) / model.Preprocessing.Deviation[c % 3];
        }
        Tensor scores = network.Forward(x).Slice(1, 0, h).Slice(2, 0, w).ResizeBilinear(height, width);
        for (int i = 0; i < labels.Labels.Length; i++)
        {
            Span<float> pixel = scores.Span.Slice(3 * i, 3);
            float largest = Math.Max(pixel[0], Math.Max(pixel[1], pixel[2]));
            Assert.True(pixel[labels.Labels[i]] >= largest - (1e-4f * Math.Abs(largest)) - 1e-5f);
        }
    }

    [Fact]
    public void A_prediction_uses_the_running_statistics_leaves_them_alone_and_gives_training_back()
    {
        Model model = TinyRun.Fcn();
        model.Network.Train();
        Dictionary<string, float[]> before = model.Network.StateDict().ToDictionary(s => s.Name, s => s.Tensor.ToArray());
        Image first = new Squares(2).Load(0).Image, second = new Squares(2, side: 33).Load(1).Image;
        IReadOnlyList<Prediction> together = model.Predict(new ImageBatch([first, second]));
        Assert.True(model.Network.IsTraining);
        foreach ((string name, Tensor tensor) in model.Network.StateDict()) Assert.Equal(before[name], tensor.ToArray());
        Assert.Equal(model.Predict(new ImageBatch([second]))[0].Semantic!.Labels, together[1].Semantic!.Labels); // no image sees another
        model.Network.Train(false);
        model.Predict(new ImageBatch([first]));
        Assert.False(model.Network.IsTraining);
        Assert.Empty(model.Predict(new ImageBatch([])));
    }

    [Fact]
    public void A_prediction_returns_all_memory()
    {
        Model model = TinyRun.Fcn();
        Image photo = new Squares(1, side: 40).Load(0).Image;
        long before = TensorMemory.BytesInUse;
        model.Predict(new ImageBatch([photo, photo]));
        Assert.InRange(TensorMemory.BytesInUse, 0, before); // falls only when the collector takes what other tests left
    }

    [Theory]
    [InlineData("aux_classifier.4.weight", true, true)]
    [InlineData("classifier.4.weight", false, true)]
    [InlineData("outc.conv.bias", false, true)]
    [InlineData("backbone.layer4.0.conv1.weight", false, false)]
    public void Names_tell_auxiliary_and_score_layers(string name, bool auxiliary, bool score)
    {
        SemanticModel model = Pointwise(Two).Model;
        Assert.Equal((auxiliary, score), (model.IsAuxiliary(name), model.IsScoreLayer(name)));
    }

    private static (SemanticModel Model, Conv2d Network) Pointwise(ClassTable classes)
    {
        var network = new Conv2d(new Philox(5), 3, 2, 1);
        return (new SemanticModel("pointwise", network, x => new SemanticLogits(network.Forward(x)), minimumSize: 1) { Classes = classes }, network);
    }
}

using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Inference;

public sealed class PredictorTests
{
    private static readonly ClassTable Three = new(["a", "b", "c"]);

    /// <summary>A network that looks at one pixel at a time, so that neither windows nor mirrors change what it says.</summary>
    private static SemanticModel Pointwise(int minimumSize = 1, Preprocessing? preprocessing = null)
    {
        var network = new Conv2d(new Philox(5), 3, 3, 1);
        return new SemanticModel("pointwise", network, x => new SemanticLogits(network.Forward(x)), minimumSize) { Classes = Three, Preprocessing = preprocessing ?? new() };
    }

    private static Image Noise(int height, int width)
    {
        var image = new Image(height, width);
        var random = new Philox(11);
        for (int i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)random.NextInt(256);
        return image;
    }

    [Theory]
    [InlineData(100, 133, 0.25, 0, 1)]
    [InlineData(100, 133, 0, 0, 1)]
    [InlineData(97, 65, 0.5, 20, 3)]
    [InlineData(200, 31, 0.9, 0, 2)]
    [InlineData(20, 300, 0.4, 40, 4)]
    [InlineData(300, 400, 0.25, 96, 3)]
    [InlineData(1, 1, 0.25, 96, 1)]
    public void Windows_put_every_label_in_its_place(int height, int width, double overlap, int context, int batch)
    {
        SemanticModel model = Pointwise();
        Image photo = Noise(height, width);
        byte[] whole = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        var seen = new List<(int, int)>();
        var predictor = new Predictor(model, new PredictorOptions { Window = (48, 64), Overlap = overlap, Context = context, BatchSize = batch });
        LabelMap labels = predictor.Predict(photo, (done, all) => seen.Add((done, all))).Semantic!;
        Assert.Equal((height, width), (labels.Height, labels.Width));
        Assert.Equal(whole, labels.Labels);
        Assert.Equal(Enumerable.Range(1, seen.Count).Select(i => (i, seen.Count)), seen);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(64)]
    public void A_mirrored_view_is_mirrored_back(int? window)
    {
        SemanticModel model = Pointwise(minimumSize: 80); // padding is cut off before
        Image photo = Noise(70, 91);
        byte[] whole = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        var options = new PredictorOptions { Flip = true, Window = window is { } side ? (Size2d)side : null };
        Assert.Equal(whole, new Predictor(model, options).Predict(photo).Semantic!.Labels);
    }

    [Fact]
    public void Windows_of_a_standardised_image_take_the_figures_of_the_whole()
    {
        SemanticModel model = Pointwise(preprocessing: new Preprocessing { Standardize = true });
        Image photo = new(90, 120);
        for (int i = 0; i < photo.Pixels.Length; i++) photo.Pixels[i] = (byte)((i % 360 / 2) + (i % 3 * 20)); // dark on the left, bright on the right
        byte[] whole = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        Assert.True(whole.Distinct().Count() > 1);
        Assert.Equal(whole, new Predictor(model, new PredictorOptions { Window = 32 }).Predict(photo).Semantic!.Labels);
    }

    [Theory]
    [InlineData(60)]
    [InlineData(170)]
    public void Windows_lie_on_the_image_as_the_preprocessing_resizes_it(int shortSide)
    {
        SemanticModel model = Pointwise(preprocessing: new Preprocessing { ShortSide = shortSide });
        Image photo = Noise(100, 133);
        byte[] whole = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        Assert.Equal(whole, new Predictor(model, new PredictorOptions { Window = (32, 48), Context = 9 }).Predict(photo).Semantic!.Labels);
        Assert.Equal(whole, new Predictor(model, new PredictorOptions { Window = 500 }).Predict(photo).Semantic!.Labels);
        Assert.Equal(shortSide, new Predictor(model).SeenSize(100, 133).Height);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(48)]
    [InlineData(500)]
    public void Images_are_seen_at_their_own_size_where_that_is_asked_for(int? window)
    {
        Image photo = Noise(100, 133);
        byte[] own = Pointwise().Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        var predictor = new Predictor(Pointwise(preprocessing: new Preprocessing { ShortSide = 60 }), new PredictorOptions { OwnSize = true, Window = window is { } side ? (Size2d)side : null });
        Assert.Equal(own, predictor.Predict(photo).Semantic!.Labels);
        Assert.Equal(new Size2d(100, 133), predictor.SeenSize(100, 133));
    }

    [Fact]
    public void A_networks_strides_fall_on_a_window_as_on_the_whole_image()
    {
        // The mean of each field of 32 pixels decides, so that a window that began elsewhere would say something else everywhere.
        var score = new Conv2d(new Philox(5), 3, 3, 1);
        var model = new SemanticModel("fields", score, x => new SemanticLogits(score.Forward(Fields(x))), 32) { Classes = Three };
        Image photo = Noise(224, 320);
        for (int i = 0; i < photo.Pixels.Length; i++)
        {
            (int y, int x) = Math.DivRem(i / 3, 320);
            photo.Pixels[i] = (byte)((photo.Pixels[i] / 8) + (((y / 32 * 5) + (x / 32 * 3) + (i % 3 * 2)) % 7 * 32));
        }
        byte[] whole = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        Assert.InRange(whole.Distinct().Count(), 2, 3);
        foreach (int window in (int[])[100, 128, 132])
            Assert.Equal(whole, new Predictor(model, new PredictorOptions { Window = window, Context = 0 }).Predict(photo).Semantic!.Labels);

        static Tensor Fields(Tensor x)
        {
            Tensor means = x.AvgPool2d(32).ResizeNearest(32f);
            return means.Pad(0, x.Shape[1] - means.Shape[1], 0, x.Shape[2] - means.Shape[2]);
        }
    }

    [Fact]
    public void Views_average_probabilities()
    {
        SemanticModel model = TinyRun.Fcn(dropout: 0);
        Image photo = new Squares(1, side: 60).Load(0).Image;
        LabelMap labels = new Predictor(model, new PredictorOptions { Scales = [1, 0.5], Flip = true }).Predict(photo).Semantic!;
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        var mean = new double[60 * 60 * 2];
        foreach (int side in (int[])[60, 30])
        {
            foreach (bool mirrored in (bool[])[false, true])
            {
                Image view = mirrored ? photo.Resize(side, side).FlipHorizontal() : photo.Resize(side, side);
                float[] shares = model.Scores(model.Preprocessing.ToTensor([view])).Out.ResizeBilinear(60, 60).Softmax().ToArray();
                for (int y = 0; y < 60; y++)
                {
                    for (int x = 0; x < 60; x++)
                    {
                        int from = (y * 60) + (mirrored ? 59 - x : x);
                        for (int c = 0; c < 2; c++) mean[(2 * ((y * 60) + x)) + c] += shares[(2 * from) + c] / 4;
                    }
                }
            }
        }
        for (int i = 0; i < labels.Labels.Length; i++) Assert.True(mean[(2 * i) + labels.Labels[i]] >= 0.5 - 1e-5);
    }

    [Fact]
    public void A_trained_network_says_the_same_through_windows_as_of_the_whole_picture()
    {
        Model model = Trained();
        Image photo = Mosaic(300, 420);
        byte[] whole = model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels;
        byte[] windows = new Predictor(model, new PredictorOptions { Window = 128 }).Predict(photo).Semantic!.Labels;
        Assert.InRange(whole.Count(l => l == 1), whole.Length / 50, whole.Length / 2); // it found squares
        Assert.True(whole.Zip(windows).Count(p => p.First == p.Second) >= 0.995 * whole.Length);
    }

    [Fact]
    public void Several_threads_get_what_one_gets()
    {
        Model model = Trained();
        var predictor = new Predictor(model, new PredictorOptions { Window = 64, Context = 32, Flip = true });
        Image[] photos = [.. Enumerable.Range(0, 6).Select(i => Mosaic(90 + (10 * i), 100))];
        byte[][] alone = [.. predictor.Predict(new ImageBatch(photos)).Select(p => p.Semantic!.Labels)];
        var together = new byte[photos.Length][];
        Parallel.For(0, photos.Length, i => together[i] = predictor.Predict(photos[i]).Semantic!.Labels);
        Assert.Equal(alone, together);
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData(64, 1)]
    [InlineData(64, 4)]
    public void Several_images_and_windows_at_once_give_what_each_gives_alone(int? window, int batch)
    {
        Model model = Trained();
        var options = new PredictorOptions { Window = window is { } side ? (Size2d)side : null, Context = 16 };
        Image[] photos = [Mosaic(90, 100), Mosaic(20, 20), Mosaic(200, 170), Mosaic(64, 300)];
        byte[][] alone = [.. photos.Select(photo => new Predictor(model, options).Predict(photo).Semantic!.Labels)];
        IReadOnlyList<Prediction> together = new Predictor(model, options with { BatchSize = batch }).Predict(new ImageBatch(photos));
        Assert.Equal(alone, together.Select(p => p.Semantic!.Labels));
        Assert.True(alone[2].Distinct().Count() > 1);
    }

    [Fact]
    public void A_prediction_can_be_cancelled_between_windows()
    {
        using var cancel = new CancellationTokenSource();
        var predictor = new Predictor(Pointwise(), new PredictorOptions { Window = 32 });
        int windows = 0;
        Assert.Throws<OperationCanceledException>(() => predictor.Predict(Noise(100, 100), (done, _) =>
        {
            windows = done;
            if (done == 3) cancel.Cancel();
        }, cancel.Token));
        Assert.Equal(3, windows);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        SemanticModel model = Pointwise();
        foreach (PredictorOptions options in (PredictorOptions[])
            [new() { Window = 8 }, new() { Overlap = 1 }, new() { Overlap = double.NaN }, new() { Context = -1 }, new() { Scales = [] }, new() { Scales = [1, 0] }, new() { BatchSize = 0 }])
            Assert.Throws<ArgumentOutOfRangeException>(() => new Predictor(model, options));
    }

    private static Model Trained()
    {
        using var run = new TinyRun();
        Model model = TinyRun.UNetRecipe.NewModel(new Squares(1).Classes);
        TinyRun.Train(model, TinyRun.UNetRecipe with { Epochs = 6 }, run.Folder, new Squares(24));
        model.Network.Train(false);
        return model;
    }

    /// <summary>Many of the pictures that it learnt from, side by side.</summary>
    private static Image Mosaic(int height, int width)
    {
        var data = new Squares(64);
        var image = new Image(height, width);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x += 20)
            {
                Image tile = data.Load(((y / 20) + (x / 20 * 7)) % 64).Image;
                for (int i = x; i < Math.Min(x + 20, width); i++) image[y, i] = tile[y % 20, i % 20];
            }
        }
        return image;
    }
}

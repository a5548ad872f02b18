using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;
using Delineate.Tests.Training;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class SlidingWindowTests
{
    private const int Patch = 15;
    private static readonly ClassTable Three = new(["a", "b", "c"]);

    [Fact]
    public void Every_pixel_gets_the_scores_of_the_patch_around_it()
    {
        SlidingWindowModel model = NewModel(stride: 1);
        Tensor x = GradCheck.Input([2, 19, 23, 3]);
        double[] expected = [.. Cells(2, 19, 23).SelectMany(p => Naive(model, x, p.Image, p.Row, p.Column))];
        Tensor scores = model.Scores(x).Out;
        Assert.Equal([2, 19, 23, 3], scores.Shape);
        TensorAssert.Close(expected, scores, 1e-5, "scores");
        Assert.Null(model.PlanFailure);
    }

    [Theory]
    [InlineData(20, 25)]
    [InlineData(24, 21)]
    [InlineData(22, 23)]
    public void Scores_between_classified_pixels_are_interpolated(int height, int width)
    {
        const int Stride = 5;
        SlidingWindowModel model = NewModel(Stride);
        Tensor x = GradCheck.Input([1, height, width, 3]);
        float[] scores = model.Scores(x).Out.ToArray();
        Assert.Equal(height * width * 3, scores.Length);
        (int rows, int columns) = ((height + 4) / Stride, (width + 4) / Stride);
        double[][] cells = [.. Enumerable.Range(0, rows * columns).Select(i => Naive(model, x, 0, (i / columns * Stride) + 2, (i % columns * Stride) + 2))];
        double largest = scores.Max(Math.Abs);
        for (int row = 0; row < height; row++)
        {
            for (int column = 0; column < width; column++)
            {
                // The classified pixels are the middles of squares of 5×5; beyond the outermost ones scores stay.
                double v = Math.Clamp((row - 2) / 5.0, 0, rows - 1), h = Math.Clamp((column - 2) / 5.0, 0, columns - 1);
                for (int c = 0; c < 3; c++)
                {
                    double expected = Between(v, r => Between(h, q => cells[(Math.Min(r, rows - 1) * columns) + Math.Min(q, columns - 1)][c]));
                    Assert.Equal(expected, scores[(((row * width) + column) * 3) + c], 1e-4 * largest);
                }
            }
        }

        static double Between(double place, Func<int, double> at)
        {
            int low = (int)Math.Floor(place);
            return ((1 - (place - low)) * at(low)) + ((place - low) * at(low + 1));
        }
    }

    [Theory]
    [InlineData(1, 30, 41)]
    [InlineData(3, 30, 41)]
    [InlineData(5, 3, 1)]
    public void Labels_have_the_photos_size_and_are_the_likeliest_classes(int stride, int height, int width)
    {
        SlidingWindowModel model = NewModel(stride);
        Image photo = Noise(height, width);
        LabelMap labels = model.Predict(new ImageBatch([photo]))[0].Semantic!;
        Assert.Equal((height, width), (labels.Height, labels.Width));
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor scores = model.Scores(model.Preprocessing.ToTensor([photo], atLeast: model.MinimumSize)).Out;
        Assert.Equal(scores.Slice(1, 0, height).Slice(2, 0, width).ArgMaxLabels(), labels.Labels);
        Assert.Equal(labels.Labels, new Predictor(model).Predict(photo).Semantic!.Labels);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public void What_is_exported_computes_the_same_scores(int stride)
    {
        // The graph that a file is written from, run here: fully convolutional, with the border mirrored and the scores enlarged.
        SlidingWindowModel model = NewModel(stride);
        Tensor x = GradCheck.Input([1, 33, 29, 3]);
        Summary graph = Summary.Of(model.TraceForAnySize(1, (33, 29)));
        Assert.Equal([1, 33, 29, 3], graph.Rows[^1].Output);
        (int before, int after) = ((Patch - stride) / 2, Patch - 1 - ((Patch - stride) / 2));
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor dense = ((PatchClassifier)model.Network).Dense(x.Pad(before, after, before, after, mode: PadMode.Reflect), stride);
        if (stride > 1) dense = dense.ResizeBilinear((float)stride).Slice(1, 0, 33).Slice(2, 0, 29);
        TensorAssert.Close(Array.ConvertAll(dense.ToArray(), v => (double)v), model.Scores(x).Out, 1e-4, "scores");
    }

    [Fact]
    public void Progress_is_told_and_a_prediction_can_be_cancelled_between_patches()
    {
        SlidingWindowModel model = NewModel(stride: 1);
        Image photo = Noise(20, 20);
        var seen = new List<(int Done, int All)>();
        new Predictor(model).Predict(photo, (done, all) => seen.Add((done, all)));
        int batches = (400 + SlidingWindowModel.PatchesAtOnce - 1) / SlidingWindowModel.PatchesAtOnce;
        Assert.Equal(Enumerable.Range(1, batches).Select(i => (Math.Min(400, i * SlidingWindowModel.PatchesAtOnce), 400)), seen);

        seen.Clear();
        model.Predict(new ImageBatch([photo, photo]), (done, all) => seen.Add((done, all)));
        Assert.Equal(2 * batches, seen.Count);
        Assert.Equal((800, 800), seen[^1]);
        Assert.True(seen.Zip(seen.Skip(1)).All(p => p.First.Done < p.Second.Done));

        using var cancel = new CancellationTokenSource();
        int told = 0;
        Assert.Throws<OperationCanceledException>(() => new Predictor(model).Predict(photo, (_, _) =>
        {
            if (++told == 3) cancel.Cancel();
        }, cancel.Token));
        Assert.Equal(3, told);
    }

    [Fact]
    public void Windows_and_mirrored_views_work_as_for_any_semantic_model()
    {
        SlidingWindowModel model = NewModel(stride: 3);
        Image photo = Noise(40, 52);
        LabelMap labels = new Predictor(model, new PredictorOptions { Window = 32, Flip = true }).Predict(photo).Semantic!;
        Assert.Equal((40, 52), (labels.Height, labels.Width));
        byte[] whole = new Predictor(model, new PredictorOptions { Window = (40, 52) }).Predict(photo).Semantic!.Labels;
        Assert.True(whole.Zip(model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels).Count(p => p.First != p.Second) <= whole.Length / 100);
    }

    [Fact]
    public void Training_looks_at_labelled_pixels_only()
    {
        SlidingWindowModel model = NewModel(stride: 5, patches: 40);
        Sample sample = Picture();
        LabelMap truth = sample.Annotation.Semantic!;
        Array.Fill(truth.Labels, (byte)255);
        Assert.Equal(0, Loss(model, sample));

        // One labelled pixel: every patch is the one around it, and the loss that of its scores.
        truth[3, 17] = 2;
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        double[] scores = Naive(model, model.Preprocessing.ToTensor([sample.Image]), 0, 3, 17);
        double expected = Math.Log(scores.Sum(Math.Exp)) - scores[2];
        Assert.Equal(expected, Loss(model, sample), 1e-4);
        truth[3, 17] = 0;
        Assert.NotEqual(expected, Loss(model, sample), 1e-2);
    }

    [Fact]
    public void The_same_step_draws_the_same_patches_and_another_step_others()
    {
        SlidingWindowModel model = NewModel(stride: 5, patches: 8);
        Sample sample = Picture();
        float first = Loss(model, sample, step: 1);
        Assert.Equal(first, Loss(model, sample, step: 1));
        Assert.NotEqual(first, Loss(model, sample, step: 2));
    }

    [Fact]
    public void Draws_are_uniform_over_pixels_or_over_classes()
    {
        byte[] labels = [.. Enumerable.Repeat((byte)0, 900), .. Enumerable.Repeat((byte)255, 5000), .. Enumerable.Repeat((byte)7, 100)];
        const int Count = 20_000;
        int[] uniform = PixelSampler.Draw(new Philox(1), labels, Count, 255, balanced: false), balanced = PixelSampler.Draw(new Philox(1), labels, Count, 255, balanced: true);
        Assert.All(uniform.Concat(balanced), place => Assert.NotEqual(255, labels[place]));
        Assert.Equal(0.1, Rare(uniform), 0.01);
        Assert.Equal(0.5, Rare(balanced), 0.015);
        Assert.Equal(1000, uniform.Distinct().Count()); // none is left out
        Assert.Equal(1000, balanced.Distinct().Count());
        Assert.Equal(300, PixelSampler.Draw(new Philox(1), new byte[300], 5000, 0, balanced: true).Distinct().Count()); // nothing labelled: any pixel

        double Rare(int[] drawn) => drawn.Count(place => labels[place] == 7) / (double)Count;
    }

    [Fact]
    public void It_learns_and_a_saved_model_says_the_same()
    {
        using var run = new TinyRun();
        Recipe recipe = Recipe with { Epochs = 12, EvalEvery = 12 };
        Model model = recipe.NewModel(new Squares(1).Classes);
        TrainingState state = TinyRun.Train(model, recipe, run.Folder, new Squares(16), new Squares(3));
        Assert.True(state.History[^1].Score > 0.6, $"mean IoU {state.History[^1].Score}");
        Assert.True(state.History[^1].TrainLoss < 0.7 * state.History[0].TrainLoss, $"{state.History[0].TrainLoss} → {state.History[^1].TrainLoss}");

        Model loaded = ModelFile.Load(run.Folder.Last, out ModelCard card);
        Assert.Equal(("sliding_window", recipe.Options), (card.Model, loaded.Options));
        Image photo = new Squares(2).Load(1).Image;
        model.Network.Train(false);
        Assert.Equal(model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels, loaded.Predict(new ImageBatch([photo]))[0].Semantic!.Labels);
    }

    [Fact]
    public void A_run_that_was_stopped_ends_in_the_same_bits()
    {
        using TinyRun undisturbed = new(), resumed = new();
        Recipe recipe = Recipe with { Options = Recipe.Options with { BalancedPatches = true } };
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, undisturbed.Folder);
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder, steps: 2);
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder, steps: 2);
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder);
        SortedDictionary<string, float[]> expected = TinyRun.Tensors(undisturbed.Folder.Last), actual = TinyRun.Tensors(resumed.Folder.Last);
        Assert.Equal(expected.Keys, actual.Keys);
        foreach ((string name, float[] values) in expected) TensorAssert.SameBits(values, actual[name], name);
    }

    [Fact]
    public void The_summary_counts_every_patch_of_the_image()
    {
        SlidingWindowModel model = NewModel(stride: 5, patches: 7);
        Summary image = model.Summarize((52, 40)), patch = Summary.Of(Graph.Trace((PatchClassifier)model.Network, [1, Patch, Patch, 3]));
        Assert.Equal([1, 52, 40, 3], image.Input);
        Assert.Equal(11 * 8 * patch.MultiplyAdds, image.MultiplyAdds);
        Assert.Equal(7 * patch.MultiplyAdds, image.TrainingMultiplyAdds);
        Assert.Equal(7 * patch.ActivationBytes, image.ActivationBytes);
        Assert.Equal(patch.Parameters, image.Parameters);
        Assert.Equal([1, 10, 10, 3], model.Summarize((4, 4)).Input); // what is smaller is padded
    }

    private static Recipe Recipe => TinyRun.UNetRecipe with
    {
        Model = "sliding_window",
        Options = new ModelOptions { PatchSize = Patch, PatchStride = 3, PatchesPerImage = 24 },
        Optimizer = OptimizerKind.AdamW,
        LearningRate = 0.002,
    };

    private static SlidingWindowModel NewModel(int stride, int patches = 16)
    {
        var options = new ModelOptions { PatchSize = Patch, PatchStride = stride, PatchesPerImage = patches };
        var network = new PatchClassifier(new Philox(2), new PatchClassifierOptions { NumClasses = 3, PatchSize = Patch, Channels = 6, Hidden = 8 });
        network.Train(false);
        return new SlidingWindowModel("sliding_window", network, options) { Classes = Three };
    }

    private static float Loss(SlidingWindowModel model, Sample sample, ulong step = 1)
    {
        using RandomScope random = RandomScope.Begin(1, 2, step);
        return model.Loss(new Batch([sample])).Total.Item();
    }

    private static Sample Picture()
    {
        Image image = Noise(20, 24);
        var labels = new LabelMap(20, 24);
        for (int i = 0; i < labels.Labels.Length; i++) labels.Labels[i] = (byte)(i % 3);
        return new Sample("noise", image, new Annotation { Semantic = labels });
    }

    private static Image Noise(int height, int width)
    {
        var image = new Image(height, width);
        new Random(5).NextBytes(image.Pixels);
        return image;
    }

    private static IEnumerable<(int Image, int Row, int Column)> Cells(int images, int height, int width) =>
        Enumerable.Range(0, images * height * width).Select(i => (i / (height * width), i / width % height, i % width));

    /// <summary>The scores of the patch around one pixel, gathered value by value, what lies outside mirrored at the border.</summary>
    private static double[] Naive(SlidingWindowModel model, Tensor x, int image, int row, int column)
    {
        (int height, int width) = (x.Shape[1], x.Shape[2]);
        float[] values = x.ToArray();
        var patch = new List<float>();
        for (int y = row - (Patch / 2); y <= row + (Patch / 2); y++)
        {
            for (int z = column - (Patch / 2); z <= column + (Patch / 2); z++)
            {
                for (int c = 0; c < 3; c++) patch.Add(values[(((((image * height) + Mirror(y, height)) * width) + Mirror(z, width)) * 3) + c]);
            }
        }
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        return [.. ((PatchClassifier)model.Network).Forward(Tensor.From([.. patch], [1, Patch, Patch, 3])).ToArray().Select(v => (double)v)];

        static int Mirror(int at, int size) => at < 0 ? -at : at >= size ? (2 * (size - 1)) - at : at;
    }
}

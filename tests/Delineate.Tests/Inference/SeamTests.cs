using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Models;
using Delineate.Tests.Data;
using Delineate.Tests.Training;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Inference;

/// <summary>What windows change of what a trained network says of photographs, here of cells: a picture of several of them, taller than one window.</summary>
public sealed class SeamTests
{
    private static readonly Recipe Recipe = new()
    {
        Model = "unet",
        Options = new ModelOptions { Channels = 8, Depth = 3 },
        Epochs = 8,
        BatchSize = 4,
        Optimizer = OptimizerKind.AdamW,
        LearningRate = 4e-3,
        WarmupEpochs = 0.5,
        BaseSize = null,
        CropSize = [128, 128],
        Standardize = true,
        EvalShortSide = null,
    };

    [Fact]
    public void Labels_through_windows_are_those_of_the_whole_picture()
    {
        using var run = new TinyRun();
        Dataset train = DatasetCatalog.Open(DemoDataTests.Folder, "train");
        Model model = Recipe.NewModel(train.Classes);
        TinyRun.Train(model, Recipe, run.Folder, train);
        model.Network.Train(false);

        Image picture = Mosaic(DatasetCatalog.Open(DemoDataTests.Folder, "val"), 700, 740);
        byte[] whole = model.Predict(new ImageBatch([picture]))[0].Semantic!.Labels;
        Assert.InRange((double)whole.Count(l => l == 1) / whole.Length, 0.05, 0.5); // it learnt to tell nuclei
        double usual = Agreement(new PredictorOptions { Window = 256 });
        Assert.InRange(usual, 0.995, 1);
        Assert.InRange(Agreement(new PredictorOptions { Window = 256, Overlap = 0, Context = 0 }), 0.5, Math.BitDecrement(usual)); // windows that see nothing else do worse

        double Agreement(PredictorOptions options)
        {
            byte[] windows = new Predictor(model, options).Predict(picture).Semantic!.Labels;
            return (double)whole.Zip(windows).Count(p => p.First == p.Second) / whole.Length;
        }
    }

    /// <summary>Images side by side and below each other.</summary>
    private static Image Mosaic(Dataset data, int height, int width)
    {
        var canvas = new Canvas(new Image(height, width));
        for (int top = 0, i = 0; top < height; top += 256)
        {
            for (int left = 0; left < width; left += 256) canvas.Paste(data.Load(i++ % data.Count).Image.Crop(0, 0, 256, 256), top, left);
        }
        return canvas.Image;
    }
}

using Delineate.Data;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tensors.Weights;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

public sealed class RunFolderTests : IDisposable
{
    private readonly TinyRun run = new();

    public void Dispose() => run.Dispose();

    [Fact]
    public void What_a_run_is_trained_on_is_recalled()
    {
        var data = new RunData("/data", "train", "none", "start.pth");
        run.Folder.Remember(data, TinyRun.UNetRecipe);
        (RunData recalled, Recipe recipe) = run.Folder.Recall();
        Assert.Equal(data, recalled);
        Assert.Equal(TinyRun.UNetRecipe.ToJson(), recipe.ToJson());
    }

    [Theory]
    [InlineData(null, "holds no run")]
    [InlineData("{ \"folder\": 3 }", "run.json, line 1: folder must be a text in quotes, not 3")]
    [InlineData("{ \"folder\": \"a\", ", "run.json, line 1: this is not valid JSON")]
    public void A_folder_without_a_run_or_with_a_damaged_one_is_refused(string? json, string expected)
    {
        if (json is not null)
        {
            run.Folder.Remember(new RunData("/data", "train", "val"), TinyRun.UNetRecipe);
            File.WriteAllText(Path.Combine(run.Path, "run.json"), json);
        }
        Assert.Contains(expected, Assert.Throws<TrainingException>(() => run.Folder.Recall()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_without_a_place_in_a_run_are_not_resumed()
    {
        Model model = TinyRun.UNetRecipe.NewModel(new Squares(1).Classes);
        ModelFile.Save(run.Folder.Last, model);
        TrainingException e = Assert.Throws<TrainingException>(() => run.Folder.Restore(model, TinyRun.UNetRecipe.MakeOptimizer(model)));
        Assert.Contains("last.safetensors holds weights but no place", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_or_foreign_checkpoint_names_the_file()
    {
        TinyRun.Train(TinyRun.UNetRecipe.NewModel(new Squares(1).Classes), TinyRun.UNetRecipe, run.Folder, steps: 1);
        Recipe other = TinyRun.UNetRecipe with { Options = new ModelOptions { Channels = 6, Depth = 1 } };
        Assert.Contains("last.safetensors", Assert.Throws<WeightsMismatchException>(() => TinyRun.Train(other.NewModel(new Squares(1).Classes), other, run.Folder)).Message, StringComparison.Ordinal);
        using (FileStream file = File.OpenWrite(run.Folder.Last)) file.SetLength(file.Length / 2);
        Assert.Contains("last.safetensors", Assert.Throws<WeightsFormatException>(() => TinyRun.Train(TinyRun.UNetRecipe.NewModel(new Squares(1).Classes), TinyRun.UNetRecipe, run.Folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_save_leaves_the_checkpoint_before_it()
    {
        Model model = TinyRun.UNetRecipe.NewModel(new Squares(1).Classes);
        ModelFile.Save(run.Folder.Best, model);
        byte[] before = File.ReadAllBytes(run.Folder.Best);
        Assert.Throws<IOException>(() => AtomicFile.Write(run.Folder.Best, file =>
        {
            file.Write(before.AsSpan(0, before.Length / 2));
            throw new IOException("the disk is full");
        }));
        Assert.Equal(before, File.ReadAllBytes(run.Folder.Best));
        Directory.CreateDirectory(AtomicFile.PartialOf(run.Folder.Best)); // the file aside cannot be made
        Assert.ThrowsAny<Exception>(() => ModelFile.Save(run.Folder.Best, TinyRun.UNetRecipe.NewModel(new ClassTable(["x"]))));
        Assert.Equal(before, File.ReadAllBytes(run.Folder.Best));
        Directory.Delete(AtomicFile.PartialOf(run.Folder.Best));
    }

    [Fact]
    public void The_table_quotes_class_names_and_leaves_absent_figures_empty()
    {
        var classes = new ClassTable(["a, b", "the \"thing\"", "absent"]);
        Model model = TinyRun.UNetRecipe.NewModel(classes);
        var scores = new Scores(
            [new("mean_iou", "mean IoU", 0.5), new("pixel_accuracy", "pixel accuracy", 0.75), new("mean_accuracy", "mean accuracy", 0.625)],
            [new("iou a, b", "", 0.25), new("iou the \"thing\"", "", 0.75), new("iou absent", "", null)]);
        run.Folder.Begin(model, new TrainingState
        {
            History = [new EpochRecord { Epoch = 1, Step = 4, LearningRate = 0.5, TrainLoss = 1.25, Terms = new Dictionary<string, double> { ["dice"] = 0.75 }, TrainSeconds = 2, ImagesPerSecond = 8, Scores = scores }],
        });
        Assert.Equal(
        [
            "epoch,step,rate,train_loss,dice,train_seconds,images_per_second,mean_iou,pixel_accuracy,mean_accuracy,\"iou a, b\",\"iou the \"\"thing\"\"\",iou absent",
            "1,4,0.5,1.25,0.75,2,8,0.5,0.75,0.625,0.25,0.75,",
        ], File.ReadAllLines(Path.Combine(run.Path, "metrics.csv")));
    }
}

using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class EvalCommandTests
{
    /// <summary>Three pictures of noise and their labels, of sizes that windows of 32 pixels do not fit.</summary>
    private static string Data(TempFolder folder)
    {
        folder.Text("data/dataset.json", """{ "classes": ["dark", "bright"], "masks": { "coding": "labels" } }""");
        folder.Text("data/val.txt", "a\nb\nc\n");
        Directory.CreateDirectory(folder.At("data/images"));
        Directory.CreateDirectory(folder.At("data/masks"));
        var random = new Philox(8);
        foreach ((string name, int height, int width) in (ReadOnlySpan<(string, int, int)>)[("a", 70, 91), ("b", 45, 100), ("c", 33, 37)])
        {
            var image = new Image(height, width);
            var labels = new LabelMap(height, width);
            for (int i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)random.NextInt(256);
            for (int i = 0; i < labels.Labels.Length; i++) labels.Labels[i] = (byte)(i % 17 == 0 ? 255 : random.NextInt(2));
            ImageFile.Save(image, folder.At($"data/images/{name}.png"));
            ImageFile.SaveLabels(labels, Palette.Voc, folder.At($"data/masks/{name}.png"));
        }
        return folder.At("data");
    }

    /// <summary>A model file with random weights that finds each of two classes in about half of the noise.</summary>
    private static string Weights(TempFolder folder, int? shortSide = null)
    {
        var preprocessing = new Preprocessing { ShortSide = shortSide };
        var model = (SemanticModel)ModelCatalog.Create("unet", new ModelOptions { Channels = 6, Depth = 3 }, new ClassTable(["dark", "bright"]), preprocessing, seed: 3);
        float[] scores = model.Scores(preprocessing.ToTensor([ImageFile.Load(folder.At("data/images/a.png"))])).Out.ToArray();
        float[] leads = [.. scores.Chunk(2).Select(pair => pair[0] - pair[1]).Order()];
        model.Network.StateDict().Single(s => s.Name == "outc.conv.bias").Tensor.Span[1] += leads[leads.Length / 2];
        ModelFile.Save(folder.At("model.safetensors"), model);
        return folder.At("model.safetensors");
    }

    private static int[][] Matrix(JsonObject eval) => [.. eval["confusion_matrix"]!.AsArray().Select(row => row!.AsArray().Select(n => (int)n!).ToArray())];

    /// <summary>The pixels of each (truth, prediction), counted from the masks that 'predict' writes with the same options.</summary>
    private static int[][] Counted(TempFolder folder, string data, string[] options)
    {
        string results = folder.At(Path.GetRandomFileName());
        Assert.Equal(0, CliRun.Of(["predict", Path.Combine(data, "images"), "-o", results, .. options]).Code);
        int[][] counts = [[0, 0], [0, 0]];
        foreach (string name in (string[])["a", "b", "c"])
        {
            LabelMap truth = ImageFile.LoadLabels(Path.Combine(data, "masks", name + ".png")), mask = ImageFile.LoadLabels(Path.Combine(results, name + ".png"));
            foreach ((byte t, byte p) in truth.Labels.Zip(mask.Labels).Where(pair => pair.First != 255)) counts[t][p]++;
        }
        return counts;
    }

    [Theory]
    [InlineData("--window 32x32 --overlap 0 --context 0", "")]
    [InlineData("--window 32x48 --overlap 0.5 --context 0", "--window 32x48 --overlap 0 --context 0")]
    [InlineData("--window 32x32", "--window 32x32 --overlap 0 --context 0")]
    [InlineData("--scales 0.5,1,2", "")]
    [InlineData("--flip", "")]
    [InlineData("--window 40x32 --context 8 --scales 1,1.5 --flip --strict", "--flip")]
    public void Options_of_predict_give_the_figures_of_its_masks(string words, string otherWords)
    {
        using var folder = new TempFolder();
        string data = Data(folder), weights = Weights(folder);
        string[] options = words.Split(' '), others = otherWords.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        CliRun eval = CliRun.Of(["eval", "--weights", weights, "--data", data, "--json", .. options]);
        Assert.Equal((0, ""), (eval.Code, eval.Errors));
        int[][] counts = Counted(folder, data, ["--weights", weights, .. options]);
        Assert.Equal(counts, Matrix(eval.Json));
        Assert.NotEqual(Matrix(CliRun.Of(["eval", "--weights", weights, "--data", data, "--json", .. others]).Json), counts); // the options mean something here
        double[] ious = [.. Enumerable.Range(0, 2).Select(c => (double)counts[c][c] / (counts[c].Sum() + counts[0][c] + counts[1][c] - counts[c][c]))];
        Assert.Equal(ious.Average(), (double)eval.Json["mean_iou"]!, 1e-12);
        Assert.Equal((double)(counts[0][0] + counts[1][1]) / counts.Sum(row => row.Sum()), (double)eval.Json["pixel_accuracy"]!, 1e-12);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(40)]
    [InlineData(120)]
    public void A_window_that_covers_the_image_changes_nothing(int? shortSide)
    {
        using var folder = new TempFolder();
        string data = Data(folder), weights = Weights(folder, shortSide);
        JsonObject plain = CliRun.Of("eval", "--weights", weights, "--data", data, "--json").Json;
        JsonObject covered = CliRun.Of("eval", "--weights", weights, "--data", data, "--json", "--window", "400x400").Json;
        Assert.Equal(plain.ToJsonString(), covered.ToJsonString());
        Assert.All(Matrix(plain), row => Assert.All(row, count => Assert.InRange(count, 500, 5000)));
        JsonObject own = CliRun.Of("eval", "--weights", weights, "--data", data, "--json", "--own-size").Json;
        Assert.Equal(shortSide is null, Matrix(plain).SelectMany(row => row).SequenceEqual(Matrix(own).SelectMany(row => row)));
    }

    [Fact]
    public void Weights_alone_take_the_models_name_and_the_data_sets_classes()
    {
        using var folder = new TempFolder();
        string data = Data(folder), weights = Weights(folder), bare = folder.At("bare.safetensors");
        SafetensorsFile.Save(bare, ModelFile.Load(weights).Network.StateDict());
        CliRun eval = CliRun.Of("eval", "--model", "unet", "--weights", bare, "--data", data, "--json", "--window", "32x32");
        Assert.Equal((0, ""), (eval.Code, eval.Errors));
        Assert.Equal(["dark", "bright"], eval.Json["classes"]!.AsArray().Select(c => (string?)c!["name"]));
        Assert.Equal(Matrix(CliRun.Of("eval", "--weights", weights, "--data", data, "--json", "--window", "32x32").Json), Matrix(eval.Json));
    }

    [Theory]
    [InlineData("a window has at least 32×32 pixels, not 8×8", "--window", "8x8")]
    [InlineData("--window takes a height and a width of 1 to 16384, such as 480x640, not '64'. See 'delineate eval --help'", "--window", "64")]
    [InlineData("the overlap is a share of a window from 0 to 0.9, not 0.95", "--window", "64x64", "--overlap", "0.95")]
    [InlineData("--overlap takes a number from 0 to 1, not 'half'. See 'delineate eval --help'", "--window", "64x64", "--overlap", "half")]
    [InlineData("--overlap is about windows: give --window as well", "--overlap", "0.5")]
    [InlineData("--context is about windows: give --window as well", "--context", "0")]
    [InlineData("--context takes a whole number from 0 to 4096, not '-1'. See 'delineate eval --help'", "--window", "64x64", "--context", "-1")]
    [InlineData("--scales takes numbers from 0.1 to 8 with commas between, such as 0.75,1,1.25, not '1,,2'. See 'delineate eval --help'", "--scales", "1,,2")]
    [InlineData("--scales takes numbers from 0.1 to 8 with commas between, such as 0.75,1,1.25, not '0'. See 'delineate eval --help'", "--scales", "0")]
    [InlineData("'yes' is one argument too many. See 'delineate eval --help'", "--flip", "yes")]
    public void A_wrong_option_is_told_in_one_line(string message, params string[] options)
    {
        using var folder = new TempFolder();
        CliRun run = CliRun.Of(["eval", "--weights", folder.Weights(), "--data", folder.Data(), .. options]);
        Assert.Equal((CommandRunner.UserMistake, "", $"error: {message}"), (run.Code, run.Output, run.Errors.TrimEnd()));
    }

    [Fact]
    public void Weights_that_do_not_fit_what_is_said_of_them_are_told_in_one_line()
    {
        using var folder = new TempFolder();
        (string data, string weights, string bare) = (folder.Data(), folder.Weights(), folder.At("bare.safetensors"));
        SafetensorsFile.Save(bare, ModelFile.Load(weights).Network.StateDict());
        Refuses("its model must be named", "--weights", bare);
        Refuses("there is no model 'unett'", "--weights", bare, "--model", "unett");
        Refuses("the weights do not fit", "--weights", bare, "--model", "fcn_resnet18");
        Refuses("this file holds unet, not fcn_resnet18", "--weights", weights, "--model", "fcn_resnet18");
        Refuses("tells 2 classes apart, not 3", "--weights", weights, "--classes", "3");

        void Refuses(string message, params string[] args)
        {
            CliRun run = CliRun.Of(["eval", "--data", data, .. args]);
            Assert.Equal((CommandRunner.UserMistake, ""), (run.Code, run.Output));
            Assert.Contains(message, run.Error, StringComparison.Ordinal);
            Assert.Single(run.Errors.TrimEnd().Split('\n'));
        }
    }
}

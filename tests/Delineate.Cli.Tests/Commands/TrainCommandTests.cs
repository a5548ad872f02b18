using System.Diagnostics;
using System.Text.Json.Nodes;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class TrainCommandTests
{
    [Fact]
    public void A_run_prints_one_object_leaves_its_files_and_can_be_evaluated()
    {
        using var folder = new TempFolder();
        string data = folder.Data(), run = folder.At("run");
        CliRun train = CliRun.Of(["train", "--data", data, "--output", run, "--json", .. TempFolder.TinyRecipe]);
        Assert.True(train.Code == 0, train.Errors);
        Assert.Equal("unet", (string)train.Json["model"]!);
        Assert.Equal(1, (int)train.Json["epochs"]!);
        Assert.Contains("epoch 1/1  loss", train.Errors);
        foreach (string file in (string[])["best.safetensors", "last.safetensors", "recipe.json", "metrics.csv", "log.jsonl", "metrics.json", "report.html"])
            Assert.True(File.Exists(Path.Combine(run, file)), file);
        Assert.Equal(2, (int)JsonNode.Parse(File.ReadAllText(Path.Combine(run, "recipe.json")))!["options"]!["channels"]!);

        CliRun again = CliRun.Of(["train", "--data", data, "--output", run, .. TempFolder.TinyRecipe]);
        Assert.Equal(CommandRunner.UserMistake, again.Code);
        Assert.Contains("holds a run already: go on with 'delineate train --resume", again.Error);
        CliRun changed = CliRun.Of("train", "--resume", run, "--epochs", "5");
        Assert.Equal(CommandRunner.UserMistake, changed.Code);
        Assert.Contains("--epochs cannot be changed", changed.Error);

        string best = Path.Combine(run, "best.safetensors");
        CliRun eval = CliRun.Of("eval", "--weights", best, "--data", data, "--output", folder.At("eval"));
        Assert.Equal(0, eval.Code);
        foreach (string line in (string[])["global correct: ", "average row correct: [", "IoU: [", "mean IoU: "]) Assert.Contains("\n" + line, eval.Output);
        Assert.True(File.Exists(folder.At("eval/metrics.json")) && File.Exists(folder.At("eval/report.html")));
        CliRun json = CliRun.Of("eval", "--weights", best, "--data", data, "--size", "network", "--json");
        Assert.Equal(("network", 2), ((string)json.Json["size"]!, (int)json.Json["images"]!));

        CliRun otherClasses = CliRun.Of("eval", "--weights", best, "--data", folder.Data("other", "\"sky\", \"road\""));
        Assert.Equal(CommandRunner.UserMistake, otherClasses.Code);
        Assert.Contains("knows the classes [dark, bright], the data set has [sky, road]", otherClasses.Error);
        CliRun noSplit = CliRun.Of("eval", "--weights", best, "--data", data, "--split", "tset");
        Assert.Equal(CommandRunner.UserMistake, noSplit.Code);
        Assert.Contains("there is no split 'tset'", noSplit.Error);
    }

    [Fact]
    public void A_recipe_with_stages_trains_them_in_turn_and_reports_once()
    {
        using var folder = new TempFolder();
        string data = folder.Data(), run = folder.At("run");
        string recipe = folder.Text("staged.json", """
            { "model": "unet", "epochs": 1, "cropSize": [16, 16], "baseSize": null, "evalShortSide": null, "options": { "channels": 2, "depth": 1 },
              "stages": [{}, { "cropSize": null, "learningRate": 0.001, "epochs": 2 }] }
            """);
        CliRun train = CliRun.Of("train", "--data", data, "--recipe", recipe, "--output", run, "--json");
        Assert.True(train.Code == 0, train.Errors);
        foreach (string line in (string[])["stage 1/2, unet: ", "stage 1/2, unet, epoch 1/1  loss ", "weights from stage 1, unet: all taken over", "stage 2/2, unet, epoch 2/2  loss "])
            Assert.Contains("\n" + line, "\n" + train.Errors);
        Assert.Equal((3, 3), ((int)train.Json["epochs"]!, (int)train.Json["steps"]!));
        JsonNode metrics = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "metrics.json")))!;
        Assert.Equal([(1, "unet", 1), (2, "unet", 2)], metrics["stages"]!.AsArray().Select(s => ((int)s!["stage"]!, (string)s["model"]!, (int)s["epochs"]!)));
        Assert.All(metrics["stages"]!.AsArray(), s => Assert.InRange((double)s!["mean_iou"]!, 0, 1));
        Assert.Equal((double)metrics["mean_iou"]!, (double)metrics["stages"]![1]!["mean_iou"]!);
        string report = File.ReadAllText(Path.Combine(run, "report.html"));
        Assert.Contains("<dt>stage 1</dt><dd>unet, best epoch 1 of 1, mean IoU ", report);
        Assert.Contains("<dt>stage 2</dt><dd>unet, best epoch ", report);
        Assert.Equal(File.ReadAllBytes(Path.Combine(run, "stage2", "best.safetensors")), File.ReadAllBytes(Path.Combine(run, "best.safetensors")));
        Assert.Equal(0, CliRun.Of("eval", "--weights", Path.Combine(run, "best.safetensors"), "--data", data).Code);

        CliRun resumed = CliRun.Of("train", "--resume", run, "--json");
        Assert.True(resumed.Code == 0, resumed.Errors);
        Assert.Contains("resumed at step 2 in epoch 2 of stage 2", resumed.Errors);
        Assert.Equal(train.Json["validation"]!.ToJsonString(), resumed.Json["validation"]!.ToJsonString());
        Assert.DoesNotContain("\"stages\"", CliRun.Of(["train", "--data", data, "--output", folder.At("plain"), "--json", .. TempFolder.TinyRecipe]).Output);
    }

    [Fact]
    public void Weights_of_a_classifier_become_the_backbone_and_it_is_said()
    {
        using var folder = new TempFolder();
        string file = folder.At("resnet18.pth");
        PyTorchFile.Save(file, new ResNetClassifier(new Philox(2), 10, new ResNetOptions { Depth = 18 }).StateDict());
        string[] args = ["train", "--data", folder.Data(), "--weights", file, "--epochs", "1", "--crop", "32", "--base-size", "none", "--val-split", "none"];
        CliRun train = CliRun.Of([.. args, "--model", "fcn_resnet18", "--output", folder.At("run")]);
        Assert.True(train.Code == 0, train.Errors);
        Assert.Contains($"weights from {file}: backbone taken over; anew: classifier, aux_classifier; not used: fc\n", train.Errors);
        CliRun other = CliRun.Of([.. args, "--model", "fcn_resnet50", "--output", folder.At("other")]);
        Assert.Equal(CommandRunner.UserMistake, other.Code);
        Assert.StartsWith($"error: {file}: the weights do not fit Fcn: ", other.Error);
        Assert.False(Directory.Exists(folder.At("other")));
    }

    [Fact]
    public void The_sliding_window_is_trained_evaluated_run_and_exported_as_any_model()
    {
        using var folder = new TempFolder();
        (string data, string run) = (folder.Data(), folder.At("run"));
        string[] options = ["--model", "sliding_window", "--patch-size", "15", "--patch-stride", "3", "--patches-per-image", "24", "--epochs", "6", "--batch-size", "2", "--optimizer", "adamW", "--lr", "0.003", "--crop", "16", "--base-size", "none", "--eval-short-side", "none"];
        CliRun train = CliRun.Of(["train", "--data", data, "--output", run, "--json", .. options]);
        Assert.True(train.Code == 0, train.Errors);
        string best = Path.Combine(run, "best.safetensors");
        CliRun eval = CliRun.Of("eval", "--weights", best, "--data", data, "--json");
        Assert.True((double)eval.Json["mean_iou"]! > 0.8, eval.Output); // the halves of the pictures are dark and bright
        CliRun predict = CliRun.Of("predict", "--weights", best, Path.Combine(data, "images"), "--output", folder.At("out"), "--flip");
        Assert.Equal((0, true), (predict.Code, File.Exists(folder.At("out/s0.png"))));
        CliRun export = CliRun.Of("export", "--weights", best, "--output", folder.At("model.onnx"), "--json");
        Assert.Equal((0, 9), (export.Code, (int)export.Json["minimum_size"]!));
    }

    [Theory]
    [InlineData("patchSize must be one of 15, 19", "--model", "sliding_window", "--patch-size", "65")]
    [InlineData("did you mean 'unet'?", "--model", "unett")]
    [InlineData("frozen: no parameter of unet begins with 'backbone'", "--model", "unet", "--channels", "2", "--frozen", "backbone")]
    [InlineData("99", "--model", "unet", "--depth", "99")]
    [InlineData("outputStride", "--model", "fcn_resnet18", "--output-stride", "7")]
    [InlineData("3 figures for 2 classes", "--model", "unet", "--class-weights", "1,2,3")]
    [InlineData("there is no file no.pth", "--model", "unet", "--channels", "2", "--weights", "no.pth")]
    [InlineData("there is no split 'vall'", "--model", "unet", "--val-split", "vall")]
    public void A_mistake_leaves_no_folder_behind(string message, params string[] more)
    {
        using var folder = new TempFolder();
        CliRun run = CliRun.Of(["train", "--data", folder.Data(), "--output", folder.At("run"), .. more]);
        Assert.Equal((CommandRunner.UserMistake, ""), (run.Code, run.Output));
        Assert.StartsWith("error: ", run.Error);
        Assert.Contains(message, run.Error);
        Assert.False(Directory.Exists(folder.At("run")));
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void Interrupted_it_writes_a_checkpoint_and_says_how_to_go_on(string signal)
    {
        const int MostLines = 5000;
        if (OperatingSystem.IsWindows()) return; // no such signals to send
        using var folder = new TempFolder();
        string run = folder.At("run");
        string[] args = ["train", "--data", folder.Data(), "--output", run, .. TempFolder.TinyRecipe, "--epochs", "100000", "--val-split", "none"];
        args = [.. args.Where((a, i) => !(a == "--epochs" && args[i + 1] == "1") && !(a == "1" && args[i - 1] == "--epochs"))];
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(CommandRunner).Assembly.Location, .. args]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var errors = new List<string>();
        while (process.StandardError.ReadLine() is { } line)
        {
            errors.Add(line);
            if (line.StartsWith("epoch 1/", StringComparison.Ordinal)) Process.Start("kill", [$"-{signal}", $"{process.Id}"])!.WaitForExit();
            if (errors.Count < MostLines) continue;
            process.Kill();
            Assert.Fail($"{signal} did not stop it: the tests may have been started where that signal is ignored, as by 'nohup … &' in a script");
        }
        process.WaitForExit();
        Assert.Equal(CommandRunner.Interrupted, process.ExitCode);
        Assert.Contains(errors, e => e.StartsWith("interrupted at step ", StringComparison.Ordinal) && e.EndsWith($"delineate train --resume {run}", StringComparison.Ordinal));
        Assert.True(File.Exists(Path.Combine(run, "last.safetensors")));
        Assert.Empty(process.StandardOutput.ReadToEnd());
    }
}

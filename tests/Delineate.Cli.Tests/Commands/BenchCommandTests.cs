using System.Text.Json.Nodes;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class BenchCommandTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_tiny_run_prints_one_object_with_its_figures(bool train)
    {
        using var folder = new TempFolder();
        string[] args = ["bench", "unet", "--size", "24x32", "--weights", folder.Weights(), "--batch", "2", "--runs", "3", "--threads", "1", "--json"];
        CliRun run = CliRun.Of(train ? [.. args, "--train"] : args);
        Assert.Equal((0, ""), (run.Code, run.Errors));
        JsonObject json = run.Json;
        Assert.Equal(
            ["model", "size", "batch", "threads", "train", "runs", "median_ms", "p95_ms", "gflops", "peak_gflops", "peak_memory_mb"],
            json.Select(p => p.Key));
        Assert.Equal(("unet", "24x32", 2, 1, train, 3), ((string)json["model"]!, (string)json["size"]!, (int)json["batch"]!, (int)json["threads"]!, (bool)json["train"]!, (int)json["runs"]!));
        double median = (double)json["median_ms"]!, p95 = (double)json["p95_ms"]!;
        Assert.InRange(median, 1e-3, p95);
        Assert.InRange((double)json["peak_gflops"]!, 0.1, 1e6);
        Assert.InRange((int)json["peak_memory_mb"]!, 10, 100_000);

        // The U-Net of the folder, 2 channels and depth 2, two classes: products of its convolutions on 24×32, counted by hand.
        long level1 = 24 * 32 * ((9 * ((3 * 2) + (2 * 2))) + (9 * ((4 * 2) + (2 * 2))) + (2 * 2));
        long level2 = 12 * 16 * ((9 * ((2 * 4) + (4 * 4))) + (9 * ((8 * 4) + (4 * 4))) + (4 * 4 * 2));
        long level3 = 6 * 8 * ((9 * ((4 * 8) + (8 * 8))) + (8 * 4 * 4));
        double flops = 2.0 * (level1 + level2 + level3) * 2 * (train ? 3 : 1);
        Assert.Equal(flops / median / 1e6, (double)json["gflops"]!, flops / median / 1e6 * 0.02 + 0.01); // both are rounded
    }

    [Fact]
    public void Without_json_the_figures_are_lines_with_units()
    {
        using var folder = new TempFolder();
        CliRun run = CliRun.Of("bench", "unet", "--size", "16x16", "--weights", folder.Weights(), "--runs", "1", "--threads", "1");
        Assert.Equal((0, ""), (run.Code, run.Errors));
        Assert.StartsWith("unet, 1 image of 16x16, 1 thread, prediction\ntime     median ", run.Output);
        foreach (string unit in (string[])[" ms (1 run)", " a second", " GFLOP/s (", " MB at most"]) Assert.Contains(unit, run.Output);
    }

    [Theory]
    [InlineData("480")]
    [InlineData("480x")]
    [InlineData("0x480")]
    [InlineData("480x-1")]
    [InlineData("99999x99999")]
    [InlineData("480x480x3")]
    public void A_size_is_a_height_and_a_width(string size)
    {
        CliRun run = CliRun.Of("bench", "unet", "--size", size);
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.StartsWith($"error: --size takes a height and a width of 1 to 16384, such as 480x640, not '{size}'", run.Error);
    }

    [Fact]
    public void An_unknown_network_and_weights_of_another_are_told()
    {
        using var folder = new TempFolder();
        CliRun unknown = CliRun.Of("bench", "unets", "--size", "16x16");
        Assert.Equal((CommandRunner.UserMistake, "error: there is no model 'unets': did you mean 'unet'?"), (unknown.Code, unknown.Error));
        string weights = folder.Weights();
        CliRun other = CliRun.Of("bench", "fcn_resnet18", "--size", "16x16", "--weights", weights);
        Assert.Equal((CommandRunner.UserMistake, $"error: {weights} is a unet, not a fcn_resnet18"), (other.Code, other.Error));
        CliRun noWeights = CliRun.Of("bench", "fcn_resnet18", "--size", "16x16", "--weights", folder.Text("x.pth", "no weights at all"));
        Assert.Equal(CommandRunner.UserMistake, noWeights.Code);
    }
}

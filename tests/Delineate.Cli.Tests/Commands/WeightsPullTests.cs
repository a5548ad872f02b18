using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Delineate.Cli.Commands;
using Delineate.Models;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public sealed class WeightsPullTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly byte[] content;
    private readonly PublishedWeights weights;

    /// <summary>A checkpoint of a small U-Net stands for the published files, which are too large for a test.</summary>
    public WeightsPullTests()
    {
        PyTorchFile.Save(folder.At("unet.pth"), ModelFile.Load(folder.Weights()).Network.StateDict());
        content = File.ReadAllBytes(folder.At("unet.pth"));
        weights = new PublishedWeights("unet", "unet-published.pth", content.Length, Convert.ToHexStringLower(SHA256.HashData(content)), 60.5);
    }

    private string Cached => folder.At("cache/weights/unet-published.pth");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Pulled_weights_predict_by_the_command_that_is_printed()
    {
        using var server = new FileServer(r => FileReply.Of(r, content));
        CliRun run = Pull(server.Address, "unet");
        Assert.Equal(0, run.Code);
        Assert.Equal(content, File.ReadAllBytes(Cached));
        Assert.Contains($"{Cached}: 0.", run.Output, StringComparison.Ordinal);
        Assert.Contains($"licence: {weights.License}", run.Output, StringComparison.Ordinal);
        string[] use = run.Output.TrimEnd().Split('\n')[^1].Split(' ');
        Assert.Equal(["delineate", "predict", "--model", "unet", "--weights", Cached, "photo.jpg", "--output", "out"], use);
        CliRun predicted = CliRun.Of([.. use[1..6], folder.Picture("photo.png"), "--output", folder.At("out")]);
        Assert.Equal((0, true), (predicted.Code, File.Exists(folder.At("out/photo.png"))));
    }

    [Fact]
    public void A_second_pull_fetches_nothing_and_says_so()
    {
        using var server = new FileServer(r => FileReply.Of(r, content));
        JsonObject first = Pull(server.Address, "unet", "--json").Json, second = Pull(server.Address, "unet", "--json").Json;
        Assert.Equal((true, false), ((bool)first["fetched"]!, (bool)second["fetched"]!));
        Assert.Equal((Cached, weights.Sha256, content.Length), ((string)first["file"]!, (string)first["sha256"]!, (int)first["bytes"]!));
        Assert.Equal($"{server.Address}/unet-published.pth", (string)first["url"]!);
        Assert.Equal((weights.License, weights.TrainedOn), ((string)first["licence"]!, (string)first["trained_on"]!));
        Assert.Contains("in the cache already, the hash is right; nothing was fetched", Pull(server.Address, "unet").Output, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public void A_copy_goes_where_it_is_asked_for_and_over_nothing_else()
    {
        using var server = new FileServer(r => FileReply.Of(r, content));
        string copy = folder.At("new folder/w.pth");
        CliRun run = Pull(server.Address, "unet", "--output", copy);
        Assert.Equal(content, File.ReadAllBytes(copy));
        Assert.Equal($"delineate predict --model unet --weights \"{copy}\" photo.jpg --output out", run.Output.TrimEnd().Split('\n')[^1]);
        Assert.Equal(copy, (string)Pull(server.Address, "unet", "--output", copy, "--json").Json["file"]!);
        Assert.Single(server.Requests);

        string mine = folder.Text("mine.pth", "mine");
        CliRun refused = Pull(server.Address, "unet", "--output", mine);
        Assert.Equal((CommandRunner.UserMistake, $"error: {mine} is there and is another file: give --output another name"), (refused.Code, refused.Error));
        Assert.Equal("mine", File.ReadAllText(mine));
        Assert.Contains("is a folder: --output takes the name of a file", Pull(server.Address, "unet", "--output", folder.Root).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData]
    [InlineData("--list")]
    [InlineData("unet", "--list")]
    public void The_list_tells_names_sizes_models_and_licences(params string[] args)
    {
        string none = FileServer.Nobody(); // nothing is asked of a server
        CliRun run = Pull(none, args);
        Assert.Equal((0, ""), (run.Code, run.Errors));
        foreach (string expected in (string[])["unet ", " MB", "60.5", "Ronneberger 2015", weights.License, weights.TrainedOn, folder.At("cache/weights")]) Assert.Contains(expected, run.Output, StringComparison.Ordinal);
        JsonNode only = Assert.Single(Pull(none, [.. args, "--json"]).Json["weights"]!.AsArray())!;
        Assert.Equal(("unet", content.Length, false), ((string)only["name"]!, (int)only["bytes"]!, (bool)only["cached"]!));
        Directory.CreateDirectory(folder.At("cache/weights"));
        File.WriteAllBytes(Cached, content);
        Assert.True((bool)Pull(none, [.. args, "--json"]).Json["weights"]![0]!["cached"]!);
    }

    [Fact]
    public void Every_published_file_is_in_the_programs_own_list()
    {
        JsonObject listed = CliRun.Of("weights", "pull", "--json").Json;
        Assert.Equal(PublishedWeights.All.Select(w => w.Name), listed["weights"]!.AsArray().Select(w => (string)w!["name"]!));
        Assert.All(listed["weights"]!.AsArray(), w => Assert.Contains((string)w!["model"]!, ModelCatalog.Names));
    }

    [Fact]
    public void What_is_tried_again_is_told_beside_the_result()
    {
        using var server = new FileServer(r => FileReply.Of(r, content) with { CutAfter = r.Number == 0 ? 1000 : null });
        CliRun run = Pull(server.Address, "unet", "--json");
        Assert.True((bool)run.Json["fetched"]!);
        Assert.Contains("trying again", run.Errors, StringComparison.Ordinal);
        Assert.Equal(1000, server.Requests[1].From);
    }

    [Fact]
    public void The_programs_own_command_goes_by_the_environment_and_fails_in_one_line()
    {
        using var server = new FileServer(_ => new FileReply(404, []));
        using var cache = new Variable(WeightsCache.FolderVariable, folder.At("cache"));
        using var mirror = new Variable(WeightsCache.AddressVariable, server.Address);
        CliRun run = CliRun.Of("weights", "pull", "lraspp_mobilenet_v3_large");
        string file = folder.At("cache/weights/lraspp_mobilenet_v3_large-d234d4ea.pth");
        Assert.Equal((CommandRunner.UserMistake, ""), (run.Code, run.Output));
        Assert.Equal(
            $"error: {server.Address}/lraspp_mobilenet_v3_large-d234d4ea.pth cannot be fetched: there is no such file (404). "
            + $"Fetch https://download.pytorch.org/models/lraspp_mobilenet_v3_large-d234d4ea.pth by hand and put it at {file} "
            + $"(sha256 d234d4eae9d55d5f76de18b77cf0dc62c66fe5c5482758209d00f950c92bb280), or look at DELINEATE_WEIGHTS_URL, which names this server",
            run.Errors.TrimEnd());
    }

    [Theory]
    [InlineData("there are no published weights 'fcn_resnet5': did you mean 'fcn_resnet50'?", "fcn_resnet5")]
    [InlineData("--output takes the name of the weights to fetch, and no --list", "--output", "w.pth")]
    public void Mistakes_are_told_in_one_line(string message, params string[] args)
    {
        CliRun run = CliRun.Of(["weights", "pull", .. args]);
        Assert.Equal((CommandRunner.UserMistake, $"error: {message}"), (run.Code, run.Errors.TrimEnd()));
    }

    [Theory]
    [InlineData("fcn_resnet50")]
    [InlineData("fcn_resnet50_coco-1167a1af.pth")]
    public void A_missing_file_with_the_name_of_published_weights_is_told_how_to_come_by_it(string name)
    {
        string[][] commands =
        [
            ["predict", folder.Picture("photo.png"), "--model", "fcn_resnet50", "--output", folder.At("out")], ["eval", "--model", "fcn_resnet50", "--data", folder.Data()],
            ["export", "--output", folder.At("model.onnx")], ["train", "--data", folder.Data(), "--output", folder.At("run"), .. TempFolder.TinyRecipe],
        ];
        foreach (string[] command in commands)
            Assert.Equal($"error: there is no file {name}: 'delineate weights pull fcn_resnet50' fetches these weights", CliRun.Of([.. command, "--weights", name]).Error);
    }

    /// <summary>The command for the one file and a cache of the test's own.</summary>
    private CliRun Pull(string address, params string[] args)
    {
        WeightsCache Open() => new(name => name == WeightsCache.FolderVariable ? folder.At("cache") : name == WeightsCache.AddressVariable ? address : null)
        {
            Pace = new DownloadPace { Pause = TimeSpan.FromMilliseconds(1) },
        };
        return CliRun.Of(new RootCommand { WeightsPull.Create([weights], Open) }, ["pull", .. args]);
    }

    /// <summary>A variable of this process's environment, as long as a test needs it.</summary>
    private sealed class Variable : IDisposable
    {
        private readonly string name;
        private readonly string? before;

        public Variable(string name, string value)
        {
            (this.name, before) = (name, Environment.GetEnvironmentVariable(name));
            Environment.SetEnvironmentVariable(name, value);
        }

        public void Dispose() => Environment.SetEnvironmentVariable(name, before);
    }
}

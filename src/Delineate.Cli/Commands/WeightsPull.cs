using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Models;
using Delineate.Tensors.Weights;
using Spectre.Console;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate weights pull</c>: weights that others published, into the user's cache.</summary>
internal static class WeightsPull
{
    public static Command Create() => Create(PublishedWeights.All, () => new WeightsCache());

    /// <summary>The command for a list of weights and a cache of a test's own.</summary>
    internal static Command Create(IReadOnlyList<PublishedWeights> all, Func<WeightsCache> open)
    {
        var name = new Argument<string?>("name") { Description = "The weights to fetch; without it they are listed", Arity = ArgumentArity.ZeroOrOne, HelpName = "NAME" };
        var list = new Option<bool>("--list") { Description = "List the names, with sizes, models and licences" };
        var output = new Option<string?>("--output", "-o") { Description = "Put a copy there as well", HelpName = "FILE" };
        Option<bool> json = SharedOptions.Json();
        var command = new Command("pull", "Fetch weights that the authors of the networks published") { name, list, output, json };
        command.SetAction((parsed, cancel) =>
        {
            var terminal = new Terminal(parsed.GetValue(json));
            string? copy = parsed.GetValue(output);
            if (parsed.GetValue(name) is not { } wanted || parsed.GetValue(list))
            {
                if (copy is not null) throw new UserException("--output takes the name of the weights to fetch, and no --list");
                List(terminal, all, open());
            }
            else
            {
                Pull(terminal, PublishedWeights.Among(all, wanted), open(), copy, cancel);
            }
            return Task.FromResult(0);
        });
        return command.WithHelp(new HelpPage
        {
            Usage = ["[--list]", "NAME [--output FILE]"],
            Notes =
            [
                $"The files lie in the user's cache, or in the folder that the environment variable {WeightsCache.FolderVariable} names. A transfer that broke or was interrupted goes on where it ended.",
                $"{WeightsCache.AddressVariable} names a mirror, such as https://mirror.example/models; HTTPS_PROXY and NO_PROXY count. A file that you fetched by hand and put in the cache is taken.",
            ],
            Examples =
            [
                "delineate weights pull",
                "delineate weights pull fcn_resnet50",
                "delineate weights pull lraspp_mobilenet_v3_large --output lraspp.pth",
            ],
        });
    }

    private static void List(Terminal terminal, IReadOnlyList<PublishedWeights> all, WeightsCache cache)
    {
        Table shown = new Table().Border(TableBorder.Simple).AddColumn("name").AddColumn(new TableColumn("size").RightAligned()).AddColumn(new TableColumn("mean IoU").RightAligned())
            .AddColumn("model").AddColumn("in the cache");
        var list = new JsonArray();
        foreach (PublishedWeights weights in all)
        {
            bool isThere = new FileInfo(cache.PathOf(weights)) is { Exists: true } file && file.Length == weights.Bytes;
            shown.AddRow(
                Markup.Escape(weights.Name), Megabytes(weights.Bytes), weights.MeanIou.ToString("F1", CultureInfo.InvariantCulture), Markup.Escape(ModelCatalog.Describe(weights.Name)), isThere ? "yes" : "");
            JsonObject entry = About(weights, cache);
            entry["cached"] = isThere;
            list.Add(entry);
        }
        terminal.Write(shown);
        terminal.Line($"cache: {cache.Folder}");
        terminal.Line("mean IoU: as their publisher measured it, on COCO val2017 with the classes of PASCAL VOC");
        foreach (IGrouping<(string License, string TrainedOn), PublishedWeights> terms in all.GroupBy(w => (w.License, w.TrainedOn)))
        {
            string whose = terms.Count() == all.Count ? "" : $" of {string.Join(", ", terms.Select(w => w.Name))}";
            terminal.Line($"licence{whose}: {terms.Key.License}");
            terminal.Line($"trained on: {terms.Key.TrainedOn}");
        }
        terminal.Json(new JsonObject { ["folder"] = cache.Folder, ["weights"] = list });
    }

    private static void Pull(Terminal terminal, PublishedWeights weights, WeightsCache cache, string? output, CancellationToken cancel)
    {
        if (output is not null) CheckCopy(output, weights, cancel);
        PulledWeights pulled = Fetch(terminal, weights, cache, cancel);
        string file = pulled.Path;
        if (output is not null && !File.Exists(output))
        {
            AtomicFile.Write(output, to =>
            {
                using FileStream from = File.OpenRead(pulled.Path);
                from.CopyTo(to);
            });
        }
        if (output is not null) file = output;
        terminal.Line(pulled.IsNew
            ? $"{pulled.Path}: {Megabytes(weights.Bytes)}, the hash is right"
            : $"{pulled.Path}: in the cache already, the hash is right; nothing was fetched");
        if (output is not null) terminal.Line($"{output}: a copy");
        terminal.Line($"licence: {weights.License}");
        terminal.Line($"trained on: {weights.TrainedOn}");
        string use = $"delineate predict --model {weights.Name} --weights {Quoted(file)} photo.jpg --output out";
        terminal.Line(use);
        JsonObject result = About(weights, cache);
        result["file"] = file;
        result["fetched"] = pulled.IsNew;
        result["use"] = use;
        terminal.Json(result);
    }

    /// <summary>What stands in the way of a copy is said before anything is fetched.</summary>
    private static void CheckCopy(string output, PublishedWeights weights, CancellationToken cancel)
    {
        if (Directory.Exists(output)) throw new UserException($"{output} is a folder: --output takes the name of a file, such as {Path.Combine(output, weights.FileName)}");
        if (File.Exists(output) && !weights.IsAt(output, cancel).GetAwaiter().GetResult()) throw new UserException($"{output} is there and is another file: give --output another name");
        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder) SharedOptions.OutputFolder(folder);
    }

    private static PulledWeights Fetch(Terminal terminal, PublishedWeights weights, WeightsCache cache, CancellationToken cancel)
    {
        try
        {
            return terminal.Progress(weights.FileName, tell => cache.Pull(
                weights,
                have => tell((int)(have >> 10), (int)(weights.Bytes >> 10), $"{weights.FileName}  {Megabytes(have)} of {Megabytes(weights.Bytes)}"),
                terminal.Note, cancel).GetAwaiter().GetResult());
        }
        catch (OperationCanceledException)
        {
            terminal.Note("what was fetched stays in the cache: the next pull goes on from there");
            throw;
        }
    }

    private static JsonObject About(PublishedWeights weights, WeightsCache cache) => new()
    {
        ["name"] = weights.Name,
        ["model"] = weights.Name,
        ["file"] = cache.PathOf(weights),
        ["bytes"] = weights.Bytes,
        ["sha256"] = weights.Sha256,
        ["url"] = cache.AddressOf(weights).ToString(),
        ["mean_iou"] = weights.MeanIou,
        ["licence"] = weights.License,
        ["trained_on"] = weights.TrainedOn,
    };

    private static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;

    private static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:F1} MB");
}

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Cli.Commands;

/// <summary>Options that several commands have, so that they are named and explained alike everywhere, and the kinds of values that options take.</summary>
internal static class SharedOptions
{
    private const int MostPixels = 1 << 14; // a side of an image

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object on standard output and nothing else" };

    public static Option<int?> Threads() => new("--threads")
    {
        Description = "Threads to compute with; any number gives the same result [one for each core]",
        HelpName = "N",
        CustomParser = result => int.TryParse(Single(result), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is >= 1 and <= 256
            ? count : Refuse<int?>(result, "a whole number from 1 to 256"),
    };

    public static Option<bool> Strict() => new("--strict") { Description = "Round no more than direct sums do: a little slower, a few bits closer to the exact result" };

    public static Option<string> Data() => new("--data") { Description = "The data set's folder: VOC layout, images/ + masks/, images/ + instances/, COCO, YOLO, labelme or CVAT", Required = true, HelpName = "DIR" };

    public static Option<string> Weights(bool isNeeded = true) => new("--weights") { Description = "A model file that 'delineate train' wrote, or with --model the weights of a network alone (.pth, .safetensors)", Required = isNeeded, HelpName = "FILE" };

    /// <summary>Names the network of weights that do not say themselves what they are of.</summary>
    public static Option<string?> Model() => new("--model") { Description = "The network, where --weights is no model file but its weights alone ('delineate models' lists the names)", HelpName = "NAME" };

    /// <summary>The number of classes, for the same case.</summary>
    public static Option<int?> Classes() => new("--classes")
    {
        Description = "The number of classes, where the weights do not tell",
        HelpName = "N",
        CustomParser = result => int.TryParse(Single(result), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is >= 1 and <= 255
            ? count : Refuse<int?>(result, "a whole number from 1 to 255"),
    };

    /// <summary>An option that takes a height and a width; required where there is no value to fall back to.</summary>
    public static Option<Size2d> Size(string name, string description, Size2d? value = null) => new(name)
    {
        Description = description,
        Required = value is null,
        HelpName = "HxW",
        DefaultValueFactory = value is { } size ? _ => size : null,
        CustomParser = result => ReadSize(Single(result)) ?? Refuse<Size2d>(result, $"a height and a width of 1 to {MostPixels}, such as 480x640"),
    };

    /// <summary>The same where nothing stands for a size that is not given.</summary>
    public static Option<Size2d?> OptionalSize(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "HxW",
        CustomParser = result => ReadSize(Single(result)) ?? Refuse<Size2d?>(result, $"a height and a width of 1 to {MostPixels}, such as 480x640"),
    };

    /// <summary>An option that takes a whole number between two bounds, or is not given.</summary>
    public static Option<int?> OptionalWhole(string name, string description, int least, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result => int.TryParse(Single(result), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number : Refuse<int?>(result, $"a whole number from {least} to {most}"),
    };

    /// <summary>An option that takes a whole number between two bounds.</summary>
    public static Option<int> Whole(string name, string description, int least, int most, int value) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => value,
        CustomParser = result => int.TryParse(Single(result), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number : Refuse<int>(result, $"a whole number from {least} to {most}"),
    };

    /// <summary>An option that takes a number in 0…1.</summary>
    public static Option<double> Share(string name, string description, double value) => new(name)
    {
        Description = description,
        HelpName = "SHARE",
        DefaultValueFactory = _ => value,
        CustomParser = result => double.TryParse(Single(result), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number is >= 0 and <= 1
            ? number : Refuse<double>(result, "a number from 0 to 1"),
    };

    /// <summary>The same where nothing stands for a number that is not given.</summary>
    public static Option<double?> OptionalShare(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "SHARE",
        CustomParser = result => double.TryParse(Single(result), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number is >= 0 and <= 1
            ? number : Refuse<double?>(result, "a number from 0 to 1"),
    };

    /// <summary>An option that takes one of an enumeration's names.</summary>
    public static Option<TEnum> Choice<TEnum>(string name, string description, TEnum value)
        where TEnum : struct, Enum
    {
        string[] names = [.. Enum.GetNames<TEnum>().Select(n => n.ToLowerInvariant())];
        return new Option<TEnum>(name)
        {
            Description = description,
            HelpName = string.Join('|', names),
            DefaultValueFactory = _ => value,
            CustomParser = result => Array.IndexOf(names, Single(result).ToLowerInvariant()) is >= 0 and var i
                ? Enum.GetValues<TEnum>()[i] : Refuse<TEnum>(result, string.Join(" or ", names)),
        };
    }

    public static void Use(this ParseResult parsed, Option<int?> threads)
    {
        if (parsed.GetValue(threads) is { } count) ThreadTeam.Threads = count;
    }

    /// <summary>The path itself where it is a file.</summary>
    /// <exception cref="UserException">It is not.</exception>
    public static string ExistingFile(string path) =>
        File.Exists(path) ? path
        : Directory.Exists(path) ? throw new UserException($"{path} is a folder, not a file")
        : throw new UserException($"there is no file {path}{Published(path) ?? NearFile(path)}");

    /// <summary>Makes a folder for results where it is missing.</summary>
    /// <exception cref="UserException">A file stands in its way, or it may not be made.</exception>
    public static string OutputFolder(string path)
    {
        if (File.Exists(path)) throw new UserException($"{path} is a file: results need a folder");
        try
        {
            return Directory.CreateDirectory(path).FullName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserException($"the folder {path} cannot be made: {e.Message}");
        }
    }

    /// <summary>For the name of published weights, or of their file, the command that fetches them.</summary>
    private static string? Published(string path) =>
        PublishedWeights.All.FirstOrDefault(w => w.Name == path || w.FileName == Path.GetFileName(path)) is { } weights ? $": 'delineate weights pull {weights.Name}' fetches these weights" : null;

    private static string NearFile(string path)
    {
        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is null || !Directory.Exists(folder)) return "";
        string hint = NearNames.Suggest(Path.GetFileName(path), [.. Directory.EnumerateFiles(folder).Take(1000).Select(f => Path.GetFileName(f))]);
        return hint.StartsWith("did", StringComparison.Ordinal) ? $": {hint}" : "";
    }

    private static Size2d? ReadSize(string text) =>
        text.Split('x') is [var height, var width] && Side(height) is { } h && Side(width) is { } w ? new Size2d(h, w) : null;

    private static int? Side(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int side) && side is >= 1 and <= MostPixels ? side : null;

    private static string Single(ArgumentResult result) => result.Tokens.Count == 1 ? result.Tokens[0].Value : "";

    private static T Refuse<T>(ArgumentResult result, string wanted)
    {
        string name = (result.Parent as OptionResult)?.Option.Name ?? result.Argument.Name;
        result.AddError($"{name} takes {wanted}, not '{Single(result)}'");
        return default!;
    }
}

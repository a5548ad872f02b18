using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Explain.Topics;

/// <summary>The network to draw.</summary>
public sealed record NetworkOptions
{
    /// <summary>The image's height and width; null: one that suits the network.</summary>
    public Size2d? Input { get; init; }

    /// <summary>Classes, the background among them.</summary>
    public int Classes { get; init; } = 21;

    /// <summary>For <c>maskrcnn</c>: a trained network, whose own sizes and classes are drawn.</summary>
    public DetectionModel? Model { get; init; }

    /// <summary>For <c>maskrcnn</c> with a trained network: a photo to follow through it; its size is the input's.</summary>
    public Image? Photo { get; init; }
}

/// <summary><c>fcn</c>, <c>unet</c>, <c>maskrcnn</c>: a network drawn from its trace, stage by stage, with sizes and costs at an input size of one's own.</summary>
public static class NetworkTopic
{
    private const int MostSide = 4096;

    /// <summary>The names of the topics.</summary>
    public static IReadOnlyList<string> Names { get; } = ["fcn", "unet", "maskrcnn"];

    /// <exception cref="ExplainException">There is no such topic, or an option makes no sense.</exception>
    public static Explanation Explain(string topic, NetworkOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Need(Names.Contains(topic), $"the networks that are drawn are {string.Join(", ", Names)}, not {topic}");
        Need(options.Classes is >= 1 and <= 255, $"classes must be 1 to 255; it is {options.Classes}");
        if (options.Input is { } given) Need(Math.Min(given.Height, given.Width) >= 1 && Math.Max(given.Height, given.Width) <= MostSide, $"the input has 1 to {MostSide} pixels a side; it is {given}");
        Need(topic == "maskrcnn" || (options.Model is null && options.Photo is null), $"a trained network and a photo belong to maskrcnn: {topic} is drawn without");
        try
        {
            return topic switch
            {
                "fcn" => FcnNetworks.Explain(options),
                "unet" => UNetNetwork.Explain(options),
                _ => MaskRcnnNetwork.Explain(options),
            };
        }
        catch (ShapeException e)
        {
            throw new ExplainException($"{topic} cannot take an image of {options.Input}: {e.Message}", e);
        }
    }

    /// <summary>Refuses an option.</summary>
    /// <exception cref="ExplainException">The rule does not hold.</exception>
    internal static void Need(bool holds, string rule)
    {
        if (!holds) throw new ExplainException(rule);
    }

    /// <summary>The network of a model that labels pixels, with values that nobody asks for.</summary>
    internal static Layer Semantic(string name, int classes)
    {
        using Init.SkipScope quick = Init.Skip();
        return (Layer)ModelCatalog.Create(name, new ModelOptions(), new ClassTable(Enumerable.Range(0, classes).Select(i => $"class {i}"))).Network;
    }

    /// <summary>Its trace for one image.</summary>
    internal static Graph Trace(Layer network, Size2d size) => network.InEvaluation(() => Graph.Trace(network, [1, size.Height, size.Width, 3]));
}

using Delineate.Explain;
using Delineate.Explain.Topics;
using Xunit;

namespace Delineate.Tests.Explain;

/// <summary>Every topic by its name with an explanation of it. The browser's tests have this file too.</summary>
public static class Examples
{
    public static TheoryData<string> Topics => ["conv", "conv-transpose", "dilated-conv", "roi-align", "confusion-matrix", "fcn", "unet", "maskrcnn", "receptive-field", "sliding-window"];

    internal static Explanation Of(string topic) => topic switch
    {
        "conv" => ConvTopic.Explain(ConvTopic.Default with { Padding = 1 }),
        "conv-transpose" => ConvTransposeTopic.Explain(ConvTransposeTopic.Default),
        "dilated-conv" => DilatedConvTopic.Explain(DilatedConvTopic.Default),
        "roi-align" => RoiAlignTopic.Explain(new RoiOptions()),
        "fcn" or "unet" or "maskrcnn" => NetworkTopic.Explain(topic, new NetworkOptions()),
        "receptive-field" => ReceptiveFieldTopic.Explain(new ReceptiveFieldOptions { Model = "fcn_resnet18", Input = 65, Seeds = 1 }),
        "sliding-window" => SlidingWindowTopic.Explain(new SlidingWindowOptions()),
        _ => ConfusionMatrixTopic.Explain(new ConfusionOptions()),
    };
}

using Delineate.Data;
using Delineate.Tensors;
using Delineate.Tensors.Weights;

namespace Delineate.Models;

/// <summary>The detectors among the models of the <see cref="ModelCatalog"/>.</summary>
internal static class DetectorCatalog
{
    private static readonly IReadOnlyList<Entry> Entries =
    [
        new("fasterrcnn_resnet50_fpn", "Faster R-CNN on ResNet-50 with a feature pyramid, as torchvision's: boxes (Ren 2015, Lin 2017)", (random, o) => new FasterRcnn(random, o)),
        new("maskrcnn_resnet18_fpn", "Mask R-CNN on ResNet-18: instances, small and quick (He 2017)", (random, o) => new MaskRcnn(random, o with { Depth = 18 })),
        new("maskrcnn_resnet50_fpn", "Mask R-CNN on ResNet-50, as torchvision's: instances (He 2017)", (random, o) => new MaskRcnn(random, o)),
        new("maskrcnn_resnet50_fpn_v2", "Mask R-CNN, torchvision's second version: instances (Li 2021)", (random, o) => new MaskRcnn(random, o with { IsSecondVersion = true })),
        new("keypointrcnn_resnet50_fpn", "Keypoint R-CNN on ResNet-50, as torchvision's: joints of bodies (He 2017)", (random, o) => new KeypointRcnn(random, o), IsOfBodies: true),
    ];

    /// <summary>The end of the names under which torchvision publishes the weights that it runs with an epsilon of 0: their SHA-256 begins so.</summary>
    private static readonly string[] WithoutEpsilon = ["-258fb6c6", "-bf2d0c1e", "-fc266e95"];

    /// <summary>How weights of the residual network that a detector is built on fit into it.</summary>
    private static readonly BackboneNames Backbone = new("fc.", [("", "backbone.body.")]);

    public static IEnumerable<string> Names => Entries.Select(e => e.Name);

    public static bool Has(string name) => Find(name) is not null;

    /// <summary>One line about a detector, or null where there is none of this name.</summary>
    public static string? Describe(string name) => Find(name)?.About;

    /// <summary>The annotations that a detector learns from; null where there is none of this name.</summary>
    public static DatasetVariant? AnnotationsOf(string name) => Find(name) is { } entry ? entry.IsOfBodies ? DatasetVariant.Keypoints : DatasetVariant.Instances : null;

    /// <summary>A new detector, or null where there is none of this name.</summary>
    /// <exception cref="ModelOptionsException">There are fewer than two classes: the background is one.</exception>
    public static DetectionModel? Create(string name, ModelOptions options, ClassTable classes, Preprocessing preprocessing, ulong seed)
    {
        if (Find(name) is not { } entry) return null;
        if (classes.Count < 2) throw new ModelOptionsException($"{name} tells a background from at least one class of things: a class table of {classes.Count} is too short");
        FasterRcnn network = entry.Make(new Philox(seed), new RcnnOptions
        {
            NumClasses = classes.Count,
            IsNormFrozen = options.FrozenNorm,
            NormEpsilon = options.NormEpsilon,
            Keypoints = options.Keypoints,
            WidthDivisor = options.WidthDivisor,
        });
        return new DetectionModel(name, network) { Classes = classes, Options = options, Preprocessing = preprocessing, BackboneNames = Backbone };
    }

    /// <summary>The classes of published weights: COCO's where their number is COCO's, else numbered ones after the background.</summary>
    public static ClassTable PublishedClasses(string name, int count)
    {
        IEnumerable<string> names = NamesPublishedClasses(name, count) ? Published(name) : Enumerable.Range(0, count).Select(i => i == 0 ? CocoLabels.Background : $"class {i}");
        return new ClassTable(names) { Background = 0 };
    }

    /// <summary>True where the classes of published weights are known by name.</summary>
    public static bool NamesPublishedClasses(string name, int count) => count == Published(name).Count;

    private static IReadOnlyList<string> Published(string name) => Find(name) is { IsOfBodies: true } ? [CocoLabels.Background, "person"] : CocoLabels.Names;

    /// <summary>What the tensors of a file, tell of the network that they belong to.</summary>
    public static ModelOptions Options(WeightFile file)
    {
        const int FirstChannels = 64, Unknown = 1;
        var options = new ModelOptions { FrozenNorm = !file.Tensors.ContainsKey("backbone.body.bn1.num_batches_tracked") };
        if (WithoutEpsilon.Any(end => Path.GetFileNameWithoutExtension(file.Name).EndsWith(end, StringComparison.Ordinal))) options = options with { NormEpsilon = 0 };
        if (file.Tensors.TryGetValue("backbone.body.conv1.weight", out RawTensor? first) && first.Shape is { Rank: 4 } shape)
            options = options with { WidthDivisor = shape[0] > 0 && FirstChannels % shape[0] == 0 ? FirstChannels / shape[0] : Unknown };
        if (file.Tensors.TryGetValue("roi_heads.keypoint_predictor.kps_score_lowres.bias", out RawTensor? joints) && joints.Shape.Rank == 1) options = options with { Keypoints = joints.Shape[0] };
        return options;
    }

    private static Entry? Find(string name) => Entries.FirstOrDefault(e => e.Name == name);

    private sealed record Entry(string Name, string About, Func<Philox, RcnnOptions, FasterRcnn> Make, bool IsOfBodies = false);
}

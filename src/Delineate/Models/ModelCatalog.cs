using Delineate.Data;
using Delineate.Data.Sets;
using Delineate.Losses;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>The models by the names under which the field knows them.</summary>
public static class ModelCatalog
{
    private static readonly IReadOnlyList<Entry> Entries =
    [
        new("fcn_resnet18", "FCN on a dilated ResNet-18: small and quick (Long 2015, He 2016)", (random, o, classes) => OnResNet(random, 18, o, classes)),
        new("fcn_resnet50", "FCN on a dilated ResNet-50, as torchvision's (Long 2015, He 2016)", (random, o, classes) => OnResNet(random, 50, o, classes), IsTorchvision: true),
        new("fcn_resnet101", "FCN on a dilated ResNet-101, as torchvision's (Long 2015, He 2016)", (random, o, classes) => OnResNet(random, 101, o, classes), IsTorchvision: true),
        new("fcn_resnet18_tconv", "FCN on ResNet-18 with one learned transposed convolution, as textbooks teach it (Zhang 2023)", (random, _, classes) => Plain(new FcnTransposed(random, classes), ResNetClassifier.Names)),
        new("fcn32s_vgg16", "the first FCN: VGG-16, scores at 1/32 (Long 2015)", (random, _, classes) => OnVgg(random, classes, 32)),
        new("fcn16s_vgg16", "FCN-32s with the fourth pooling's scores (Long 2015)", (random, _, classes) => OnVgg(random, classes, 16)),
        new("fcn8s_vgg16", "FCN-16s with the third pooling's scores (Long 2015)", (random, _, classes) => OnVgg(random, classes, 8)),
        new("fcn8s_atonce_vgg16", "FCN-8s trained in one go, with scaled poolings (Shelhamer 2017)", (random, _, classes) => OnVgg(random, classes, 8, atOnce: true)),
        new("fcn32s_alexnet", "the first FCN on AlexNet, as torchvision has that: scores at 1/32 (Long 2015)", (random, _, classes) => Plain(new FcnAlexNet(random, new FcnAlexNetOptions { NumClasses = classes }), FcnAlexNet.Names)),
        new("deeplabv3_resnet50", "DeepLabV3 on a dilated ResNet-50, as torchvision's (Chen 2017)", (random, o, classes) => DeepLab(random, 50, o, classes), IsTorchvision: true),
        new("deeplabv3_resnet101", "DeepLabV3 on a dilated ResNet-101, as torchvision's (Chen 2017)", (random, o, classes) => DeepLab(random, 101, o, classes), IsTorchvision: true),
        new("deeplabv3_mobilenet_v3_large", "DeepLabV3 on MobileNetV3, as torchvision's: quick (Chen 2017, Howard 2019)", (random, o, classes) => OnMobileNet(random, o, classes), IsTorchvision: true),
        new("lraspp_mobilenet_v3_large", "LR-ASPP on MobileNetV3, as torchvision's: the quickest (Howard 2019)", (random, _, classes) => Plain(new Lraspp(random, classes), MobileNetV3.Names), IsTorchvision: true),
        new("unet", "U-Net: few images, fine outlines, microscopy (Ronneberger 2015)", UNet),
        new("sliding_window", "a classifier of the patch around each pixel, which FCNs replaced: to compare with, slow (Ciresan 2012)", SlidingWindow),
    ];

    /// <summary>Every name that <see cref="Create"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Entries.Select(e => e.Name), .. DetectorCatalog.Names];

    /// <summary>One line about a model of the catalog: what it is, and the paper.</summary>
    /// <exception cref="UnknownModelException">There is no model of this name; the message has the near ones.</exception>
    public static string Describe(string name) => DetectorCatalog.Describe(name) ?? Find(name).About;

    /// <summary>True for a network that finds objects instead of labelling pixels: its first class is the background.</summary>
    public static bool IsDetector(string name) => DetectorCatalog.Has(name);

    /// <summary>The annotations that a detector learns from and is compared with; null for networks that label pixels, which take what a data set has.</summary>
    public static DatasetVariant? AnnotationsOf(string name) => DetectorCatalog.AnnotationsOf(name);

    /// <summary>A new model whose starting values <paramref name="seed"/> decides.</summary>
    /// <exception cref="UnknownModelException">There is no model of this name; the message has the near ones.</exception>
    /// <exception cref="ModelOptionsException">An option is out of its range.</exception>
    public static Model Create(
        string name, ModelOptions options, ClassTable classes, Preprocessing? preprocessing = null, ulong seed = 1, SemanticLossOptions? loss = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(classes);
        if (DetectorCatalog.Create(name, options.Checked(), classes, preprocessing ?? new(), seed) is { } detector) return detector;
        Network made = Find(name).Make(new Philox(seed), options.Checked(), classes.Count);
        return made.InUse(new Use(name, options, classes, preprocessing ?? new(), loss ?? new()));
    }

    /// <summary>How weights of this name that others published expect images: torchvision's preset for evaluation, a short side of 520, for its networks; detectors resize images themselves.</summary>
    /// <exception cref="UnknownModelException">There is no model of this name; the message has the near ones.</exception>
    public static Preprocessing PublishedPreprocessing(string name) => new() { ShortSide = !DetectorCatalog.Has(name) && Find(name).IsTorchvision ? 520 : null };

    /// <summary>The classes of published weights: PASCAL VOC's where they are torchvision's 21, for detectors COCO's where they are its 91, else numbered ones.</summary>
    /// <exception cref="UnknownModelException">There is no model of this name; the message has the near ones.</exception>
    public static ClassTable PublishedClasses(string name, int count) =>
        DetectorCatalog.Has(name) ? DetectorCatalog.PublishedClasses(name, count)
        : NamesPublishedClasses(name, count) ? new ClassTable(Voc.ClassNames) { Background = 0 }
        : new ClassTable(Enumerable.Range(0, count).Select(i => $"class {i}"));

    /// <summary>True where the classes of published weights are known by name.</summary>
    internal static bool NamesPublishedClasses(string name, int count) =>
        DetectorCatalog.Has(name) ? DetectorCatalog.NamesPublishedClasses(name, count) : Find(name).IsTorchvision && count == Voc.ClassNames.Count;

    private static Network OnResNet(Philox random, int depth, ModelOptions options, int classes)
    {
        var fcn = new Fcn(random, new FcnOptions { Depth = depth, NumClasses = classes, OutputStride = options.OutputStride, HybridDilation = options.HybridDilation, AuxiliaryHead = options.AuxiliaryHead });
        return new Network(fcn, x => fcn.Forward(x), ResNetClassifier.Names, EveryHead: options.AuxiliaryHead ? x => fcn.Forward(x, auxiliary: true) : null);
    }

    private static Network OnVgg(Philox random, int classes, int stride, bool atOnce = false) =>
        Plain(new FcnVgg(random, new FcnVggOptions { NumClasses = classes, Stride = stride, AtOnce = atOnce }), FcnVgg.Names);

    private static Network DeepLab(Philox random, int depth, ModelOptions options, int classes)
    {
        var network = new DeepLabV3(random, new DeepLabV3Options
        {
            NumClasses = classes,
            Backbone = new ResNetOptions { Depth = depth, OutputStride = options.OutputStride, HybridDilation = options.HybridDilation },
            Rates = [.. new[] { 96, 192, 288 }.Select(field => field / options.OutputStride)],
            AuxiliaryHead = options.AuxiliaryHead,
        });
        return new Network(network, x => network.Forward(x), ResNetClassifier.Names, EveryHead: options.AuxiliaryHead ? x => network.Forward(x, auxiliary: true) : null);
    }

    private static Network OnMobileNet(Philox random, ModelOptions options, int classes)
    {
        DeepLabV3 network = DeepLabV3.OnMobileNetV3(random, classes, options.AuxiliaryHead);
        return new Network(network, x => network.Forward(x), MobileNetV3.Names, EveryHead: options.AuxiliaryHead ? x => network.Forward(x, auxiliary: true) : null);
    }

    private static Network UNet(Philox random, ModelOptions options, int classes)
    {
        var network = new UNet(random, new UNetOptions
        {
            NumClasses = classes,
            Channels = options.Channels,
            Depth = options.Depth,
            Decoder = options.Bilinear ? UNetDecoder.Bilinear : UNetDecoder.TransposedConvolution,
        });
        return new Network(network, x => new SemanticLogits(network.Forward(x)), MinimumSize: 1 << options.Depth);
    }

    private static PatchNetwork SlidingWindow(Philox random, ModelOptions options, int classes) =>
        new(new PatchClassifier(random, new PatchClassifierOptions { NumClasses = classes, PatchSize = options.PatchSize }));

    private static Network Plain(Layer layer, BackboneNames names) => new(layer, x => new SemanticLogits(layer.Forward(x)), names);

    private static Entry Find(string name) =>
        Entries.FirstOrDefault(e => e.Name == name) ?? throw new UnknownModelException($"there is no model '{name}': {NearNames.Suggest(name, Names)}");

    /// <summary>What a network is made into a model with.</summary>
    private sealed record Use(string Name, ModelOptions Options, ClassTable Classes, Preprocessing Preprocessing, SemanticLossOptions Loss);

    /// <summary>A network that scores all pixels of an image.</summary>
    private record Network(
        Module Module, Func<Tensor, SemanticLogits> Forward, BackboneNames? Names = null, int MinimumSize = 1, Func<Tensor, SemanticLogits>? EveryHead = null)
    {
        public virtual Model InUse(Use use) => new SemanticModel(use.Name, Module, Forward, MinimumSize)
        {
            Classes = use.Classes,
            Options = use.Options,
            Preprocessing = use.Preprocessing,
            LossOptions = use.Loss,
            EveryHead = EveryHead,
            BackboneNames = Names,
        };
    }

    /// <summary>A network that scores the middle of a patch.</summary>
    private sealed record PatchNetwork(PatchClassifier Classifier) : Network(Classifier, x => new SemanticLogits(Classifier.Forward(x)))
    {
        public override Model InUse(Use use) =>
            new SlidingWindowModel(use.Name, Classifier, use.Options) { Classes = use.Classes, Preprocessing = use.Preprocessing, LossOptions = use.Loss };
    }

    private sealed record Entry(string Name, string About, Func<Philox, ModelOptions, int, Network> Make, bool IsTorchvision = false);
}

/// <summary>A model name that the catalog does not have.</summary>
public sealed class UnknownModelException(string message) : Exception(message);

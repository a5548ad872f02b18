using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>
/// A two-stage detector in use: boxes, and masks or joints where its network has a branch for them. Trained as torchvision trains them, on
/// <see cref="Annotation.Instances"/>; in evaluation its dense parts run through plans, the lists of boxes between them do not.
/// </summary>
public sealed class DetectionModel : Model
{
    private readonly string name;
    private readonly FasterRcnn network;
    private readonly DenseParts parts;
    private readonly DensePart maps, boxes;
    private readonly DensePart? masks, keypoints;
    private readonly RoiHeads heads;

    /// <param name="name">The model's name in the catalog.</param>
    /// <param name="network">The network that holds the weights: with <see cref="MaskRcnn"/> it draws masks, with <see cref="KeypointRcnn"/> it finds joints.</param>
    public DetectionModel(string name, FasterRcnn network)
    {
        ArgumentNullException.ThrowIfNull(network);
        (this.name, this.network) = (name, network);
        parts = new DenseParts(network);
        maps = parts.Add(x => FasterRcnn.Listed(network.Maps(x)));
        boxes = parts.Add(x => network.Boxes(x) is var (logits, deltas) ? [logits, deltas] : []);
        if (network is MaskRcnn mask) masks = parts.Add(x => [mask.Masks(x)]);
        if (network is KeypointRcnn keypoint) keypoints = parts.Add(x => [keypoint.Heatmaps(x)]);
        heads = new RoiHeads(boxes, masks, keypoints);
    }

    public override string Name => name;

    public override Module Network => network;

    /// <summary>How it finds objects and what it learns from: at first as <see cref="ModelOptions.Detection"/> says; thresholds and sizes may change from one prediction to the next.</summary>
    public DetectionOptions Detection
    {
        get => field ?? Options.Detection;
        set => field = value.Fault() is { } fault ? throw new ModelOptionsException($"the model's option {fault}") : value;
    }

    public override string? PlanFailure => maps.PlanFailure ?? boxes.PlanFailure ?? masks?.PlanFailure ?? keypoints?.PlanFailure;

    public override bool IsScoreLayer(string parameterName)
    {
        ArgumentNullException.ThrowIfNull(parameterName);
        return parameterName.StartsWith("roi_heads.box_predictor.", StringComparison.Ordinal)
            || parameterName.StartsWith("roi_heads.mask_predictor.mask_fcn_logits.", StringComparison.Ordinal);
    }

    /// <summary>
    /// What the dense parts cost for one image: maps of the image as it is resized and padded, and the heads for as many proposals and detections as
    /// <see cref="Detection"/> allows. An image with fewer costs less.
    /// </summary>
    public override Summary Summarize(Size2d size)
    {
        Size2d input = DetectorInput.Padded([DetectorInput.Resized(size, Detection.MinSize, Detection.MaxSize)]);
        int pooled = network is KeypointRcnn ? KeypointRcnn.PooledSize : MaskRcnn.PooledSize;
        Shape image = [1, input.Height, input.Width, 3];
        Shape proposals = [Detection.ProposalsAfterNms, FasterRcnn.BoxSize, FasterRcnn.BoxSize, network.Channels], found = [Detection.Detections, pooled, pooled, network.Channels];
        return parts.InEvaluation(() => Summary.Of((masks ?? keypoints) is { } branch
            ? Graph.Trace(network, x => [.. maps.Forward(x[0]), .. boxes.Forward(x[1]), .. branch.Forward(x[2])], image, proposals, found)
            : Graph.Trace(network, x => [.. maps.Forward(x[0]), .. boxes.Forward(x[1])], image, proposals)));
    }

    /// <summary>Always refuses: between a detector's dense parts lie lists of boxes, which depend on values, and a graph holds none. (<see cref="OnnxFile"/> writes both.)</summary>
    /// <exception cref="GraphException">Always.</exception>
    public override Graph TraceForAnySize(int batch, Size2d size) =>
        throw new GraphException($"{name} is not one graph: the boxes that its heads look at are chosen by their values");

    /// <summary>
    /// The objects in images of values in 0…1, [H, W, 3] each. The images are prepared as one batch: they are padded to a common size, on which each one's
    /// result depends a little, as in torchvision. Records nothing; several threads may call it at once.
    /// </summary>
    /// <exception cref="ShapeException">An image has another shape.</exception>
    public IReadOnlyList<Detections> Detect(IReadOnlyList<Tensor> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        DetectionOptions options = Detection;
        return DetectIn(images, options, RegionProposals.InEvaluation(options).Choose);
    }

    /// <summary>Objects in the regions that <paramref name="choose"/> names of each image, left, top, right and bottom one after the other, in pixels of the resized image.</summary>
    internal IReadOnlyList<Detections> DetectIn(IReadOnlyList<Tensor> images, DetectionOptions options, Func<RcnnMaps, DetectorInput, float[][]> choose)
    {
        if (images.Count == 0) return [];
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        using MemoryScope scope = TensorMemory.Scope();
        DetectorInput input = DetectorInput.Of(images, Preprocessing, options.MinSize, options.MaxSize);
        RcnnMaps seen = FasterRcnn.OfList(maps.Evaluate(input.Images, Rounding));
        Detections[] found = heads.Detect(seen, choose(seen, input), input.Sizes, options, Rounding);
        return [.. found.Zip(input.Originals, (objects, size) => objects.At(size))];
    }

    /// <summary>The whole detector, lists and all, on its way into an ONNX file; the parameters are those of <see cref="OnnxDetector.Build"/>.</summary>
    internal OnnxBuilder ToOnnx(OnnxExportOptions options, bool second, bool stages = false) =>
        new OnnxDetector(network, maps, boxes, masks, keypoints).Build(Preprocessing, Detection, options, second, stages);

    public override IReadOnlyList<Prediction> Predict(ImageBatch images, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        return [.. images.Images.Select(Predict)];
    }

    /// <summary>
    /// The terms that torchvision's detectors are trained with, under their names there: <c>loss_classifier</c>, <c>loss_box_reg</c>, <c>loss_mask</c>,
    /// <c>loss_keypoint</c>, <c>loss_objectness</c>, <c>loss_rpn_box_reg</c>; the total is their sum. What anchors and boxes are learnt from is drawn from the
    /// thread's <see cref="RandomScope"/>.
    /// </summary>
    /// <exception cref="DatasetException">A sample has no list of objects, or an object lacks what the network learns from it.</exception>
    public override Losses Loss(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentOutOfRangeException.ThrowIfZero(batch.Samples.Count, nameof(batch));
        return Loss([.. batch.Samples.Select(s => DetectorInput.Values(s.Image))], [.. batch.Samples.Select(s => (s.Name, s.Annotation))]);
    }

    /// <summary>The same for images of values in 0…1, [H, W, 3] each.</summary>
    internal Losses Loss(IReadOnlyList<Tensor> images, IReadOnlyList<(string Name, Annotation Annotation)> annotations)
    {
        DetectionOptions options = Detection;
        DetectorInput input = DetectorInput.Of(images, Preprocessing, DrawnSides(images.Count, options), options.MaxSize);
        DetectorTruth[] truths = [.. annotations.Select((a, n) => DetectorTruth.Of(a.Name, a.Annotation, input.Originals[n], input.Sizes[n], network.Options.NumClasses))];
        RcnnMaps seen = network.Maps(input.Images);
        float[][] proposals = RegionProposals.InTraining(options).Choose(seen, input);
        (Tensor objectness, Tensor anchorDeltas) = new RpnLoss(options.AnchorSamples, options.AnchorPositiveShare).Of(seen, Anchors.For(input.Images, seen.Pyramid), truths);

        RoiSamples[] samples = [.. truths.Select((truth, n) => RoiSamples.Draw(proposals[n], truth, options.BoxSamples, options.BoxPositiveShare))];
        Tensor pooled = PyramidPooling.Pool(seen.Pyramid, [.. samples.Select(s => s.Boxes)], FasterRcnn.BoxSize);
        (Tensor logits, Tensor deltas) = network.Boxes(pooled);
        pooled.GiveBack();
        (Tensor classes, Tensor boxDeltas) = RoiLoss.OfBoxes(logits, deltas, samples);
        List<(string Name, Tensor Value)> terms = [("loss_classifier", classes), ("loss_box_reg", boxDeltas)];
        float[][] objects = [.. samples.Select(s => s.PositiveBoxes())];
        if (network is MaskRcnn mask) terms.Add(("loss_mask", RoiLoss.OfMasks(mask.Masks(PyramidPooling.Pool(seen.Pyramid, objects, MaskRcnn.PooledSize)), samples)));
        if (network is KeypointRcnn keypoint) terms.Add(("loss_keypoint", RoiLoss.OfKeypoints(keypoint.Heatmaps(PyramidPooling.Pool(seen.Pyramid, objects, KeypointRcnn.PooledSize)), samples)));
        terms.AddRange([("loss_objectness", objectness), ("loss_rpn_box_reg", anchorDeltas)]);
        return new Losses(terms.Select(t => t.Value).Aggregate((a, b) => a + b), [.. terms.Select(t => (t.Name, t.Value.Item()))]);
    }

    /// <summary>What the network learns from and an image's truth does not tell; null where nothing is missing.</summary>
    internal string? Lacks(Annotation truth)
    {
        if (truth.Instances is not { } objects) return $"it has no list of objects, which {name} learns from";
        foreach (Instance thing in objects)
        {
            if (thing.IsCrowd) continue;
            string which = thing.Id is { } id ? $"an object ({id})" : "an object";
            if (network is MaskRcnn && thing.Mask is null) return $"{which} has a box and no mask, which {name} learns from: fasterrcnn_resnet50_fpn learns from boxes alone";
            if (network is KeypointRcnn && thing.Keypoints is { } joints && joints.Count != network.Options.Keypoints)
                return $"{which} has {joints.Count} joints, the network finds {network.Options.Keypoints}: set the model's option keypoints";
        }
        return null;
    }

    private Prediction Predict(Image image)
    {
        using MemoryScope scope = TensorMemory.Scope();
        return new Prediction { Instances = Detect([DetectorInput.Values(image)])[0].ToInstances() };
    }

    /// <summary>The short side that training resizes each image to.</summary>
    internal static int[] DrawnSides(int count, DetectionOptions options)
    {
        const int Step = 32;
        var sides = new int[count];
        Array.Fill(sides, options.MinSize);
        if (options.TrainingMinSize is not { } least) return sides;
        Philox random = RandomScope.Next();
        for (int n = 0; n < count; n++) sides[n] = least + (Step * random.NextInt(((options.MinSize - least) / Step) + 1));
        return sides;
    }
}

using Delineate.Data;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;

namespace Delineate.Tests.Models;

/// <summary>A golden folder of one of torchvision's detectors: its inputs, outputs and stages, and the model with its weights, in evaluation.</summary>
internal sealed class DetectorGolden
{
    private const int Everything = 100_000; // the goldens were made without sampling: all anchors and proposals were taken

    private readonly Dictionary<string, int> counts;

    public DetectorGolden(string name)
    {
        Golden = Golden.Reference(name);
        counts = Golden.Meta.EnumerateObject().Where(p => p.Value.ValueKind == System.Text.Json.JsonValueKind.Number && p.Value.TryGetInt32(out _)).ToDictionary(p => p.Name, p => p.Value.GetInt32());
        Model = (DetectionModel)ModelFile.LoadAs(Golden.FilePath("model.pth"), name);
        // Sizes of 0 stand for those of the first image, which then keeps its own.
        (int height, int width) = (counts["height"], counts["width"]);
        Model.Detection = new DetectionOptions
        {
            MinSize = counts["min_size"] is > 0 and var least ? least : Math.Min(height, width),
            MaxSize = counts["max_size"] is > 0 and var most ? most : Math.Max(height, width),
            ScoreThreshold = (float)Golden.Meta.GetProperty("score_thresh").GetDouble(),
            Detections = counts["dets"],
            ProposalsBeforeNms = counts["pre_nms"],
            ProposalsAfterNms = counts["post_nms"],
            TrainingProposalsBeforeNms = counts["pre_nms"],
            TrainingProposalsAfterNms = counts["post_nms"],
            AnchorSamples = Everything,
            BoxSamples = Everything,
        };
        Images = [.. Enumerable.Range(0, Count).Select(n => Golden.Tensor($"in.{n}").Permute(1, 2, 0))];
    }

    public Golden Golden { get; }

    public DetectionModel Model { get; }

    public FasterRcnn Network => (FasterRcnn)Model.Network;

    /// <summary>The number of images.</summary>
    public int Count => counts["batch"];

    /// <summary>The images, [H, W, 3] each.</summary>
    public Tensor[] Images { get; }

    public DetectorInput Input() => DetectorInput.Of(Images, Model.Preprocessing, Model.Detection.MinSize, Model.Detection.MaxSize);

    /// <summary>Torchvision's maps.</summary>
    public RcnnMaps Maps()
    {
        return new RcnnMaps(
            [.. Enumerable.Range(0, 4).Select(i => $"feat.{i}").Append("feat.pool").Select(Golden.ChannelsLast)],
            [.. Enumerable.Range(0, 5).Select(i => Golden.ChannelsLast($"rpn.objectness.{i}"))],
            [.. Enumerable.Range(0, 5).Select(i => Golden.ChannelsLast($"rpn.deltas.{i}"))]);
    }

    /// <summary>Torchvision's region proposals.</summary>
    public float[][] Proposals() => [.. Enumerable.Range(0, Count).Select(n => Golden.Array($"proposals.{n}").Floats)];

    /// <summary>Torchvision's detections without masks and joints.</summary>
    public IReadOnlyList<Detections> Found() =>
    [
        .. Enumerable.Range(0, Count).Select(n => new Detections
        {
            Size = Input().Originals[n],
            Boxes = Golden.Array($"out.{n}.boxes").Floats,
            Labels = Golden.Array($"out.{n}.labels").Ints,
            Scores = Golden.Array($"out.{n}.scores").Floats,
        }),
    ];

    /// <summary>What the golden was trained on.</summary>
    public IReadOnlyList<(string Name, Annotation Annotation)> Annotations() =>
        [.. Enumerable.Range(0, Count).Select(n => ($"image {n}", new Annotation { Instances = [.. Enumerable.Range(0, Golden.Array($"in.target.{n}.labels").Ints.Length).Select(i => Object(n, i))] }))];

    private Instance Object(int image, int i)
    {
        string target = $"in.target.{image}";
        float[] box = Golden.Array($"{target}.boxes").Floats[(4 * i)..((4 * i) + 4)];
        NpyArray masks = Golden.Array($"{target}.masks");
        int pixels = masks.Shape[1] * masks.Shape[2];
        float[]? joints = Golden.Has($"{target}.keypoints") ? Golden.Array($"{target}.keypoints").Floats : null;
        return new Instance
        {
            Label = Golden.Array($"{target}.labels").Ints[i],
            Box = new Box(box[0], box[1], box[2], box[3]),
            Mask = Rle.Encode(masks.Bytes.AsSpan(i * pixels, pixels), masks.Shape[1], masks.Shape[2]),
            Keypoints = joints is null ? null : [.. Enumerable.Range(i * Model.Options.Keypoints, Model.Options.Keypoints).Select(k => new Keypoint(joints[3 * k], joints[(3 * k) + 1], joints[(3 * k) + 2]))],
        };
    }
}

using Delineate.Models.Parts;
using Delineate.Tensors;

namespace Delineate.Models;

/// <summary>
/// A detector as an ONNX file: what <see cref="DetectionModel.Detect"/> does with one image, its dense parts as they are traced, the lists of boxes between them in the
/// forms that stand beside each part's own code.
/// </summary>
/// <param name="network">The network.</param>
/// <param name="maps">[1, H, W, 3] → maps.</param>
/// <param name="boxes">[K, 7, 7, C] → class logits and deltas.</param>
/// <param name="masks">[K, 14, 14, C] → mask logits, or null.</param>
/// <param name="keypoints">[K, 14, 14, C] → heatmaps, or null.</param>
internal sealed class OnnxDetector(FasterRcnn network, DensePart maps, DensePart boxes, DensePart? masks, DensePart? keypoints)
{
    private const string Objects = "objects"; // the axis of what is found

    /// <summary>
    /// Puts the file together. A <paramref name="second"/> time the parts are traced at other sizes, which must make no difference. With <paramref name="stages"/> it also gives
    /// what the objects follow from, to find out where another runtime parts: <c>objectness0</c> … and <c>deltas0</c> … of each map, and <c>proposals</c>.
    /// </summary>
    /// <exception cref="GraphException">An op has no form in ONNX; the message names it.</exception>
    public OnnxBuilder Build(Preprocessing preprocessing, DetectionOptions detection, OnnxExportOptions options, bool second, bool stages = false)
    {
        var onnx = new OnnxBuilder { Path = "preprocessing" };
        (OnnxSize height, OnnxSize width) = options.Size is { } only ? (only.Height, only.Width) : ((OnnxSize)"height", (OnnxSize)"width");
        OnnxValue image = options.WithPreprocessing
            ? onnx.Input("image", OnnxType.UInt8, 1, height, width, 3).Cast(OnnxType.Float).Transpose(0, 3, 1, 2) / 255f
            : onnx.Input("image", OnnxType.Float, 1, 3, height, width);
        (OnnxValue images, OnnxValue size, OnnxValue original) = DetectorInput.ToOnnx(onnx, image, preprocessing, detection.MinSize, detection.MaxSize);
        Shape traced = second ? [1, 320, 224, 3] : [1, 128, 192, 3];
        OnnxValue[] seen = onnx.Embed(maps.TraceForAnySize(traced), new OnnxOptions { Batch = 1, KeepBatchNorm = options.KeepBatchNorm }, images);
        int levels = seen.Length / 3;
        OnnxValue[] pyramid = seen[..levels];

        onnx.Path = "rpn";
        OnnxValue proposals = RegionProposals.InEvaluation(detection).ToOnnx(onnx, seen[levels..^levels], seen[^levels..], images.Sizes(2, 4), size);
        OnnxValue[] told = Head(boxes, proposals, FasterRcnn.BoxSize, "roi_heads");
        onnx.Path = "roi_heads";
        int classes = network.Options.NumClasses;
        (OnnxValue found, OnnxValue labels, OnnxValue scores) = RoiHeads.ChooseToOnnx(onnx, told[0], told[1], classes, proposals, size, detection);

        OnnxValue growth = (original.Cast(OnnxType.Float) / size.Cast(OnnxType.Float)).Gather(onnx.Wholes(1, 0, 1, 0)); // x, y, x, y
        OnnxValue own = found * growth;
        if (masks is not null)
        {
            OnnxValue logits = Head(masks, found, MaskRcnn.PooledSize, "roi_heads.mask")[0];
            onnx.Path = "roi_heads.mask";
            OnnxValue probabilities = RoiHeads.ProbabilitiesToOnnx(onnx, logits, classes, labels);
            OnnxValue pasted = MaskPasting.ToOnnx(onnx, probabilities, MaskRcnn.MaskSize, own, original);
            Outputs();
            onnx.Output("masks", OnnxType.Float, pasted, Objects, height, width);
        }
        else if (keypoints is not null)
        {
            OnnxValue heatmaps = Head(keypoints, found, KeypointRcnn.PooledSize, "roi_heads.keypoint")[0];
            onnx.Path = "roi_heads.keypoint";
            int joints = network.Options.Keypoints;
            (OnnxValue places, OnnxValue sure) = KeypointDecoding.ToOnnx(onnx, heatmaps, joints, KeypointRcnn.HeatmapSize, found);
            OnnxValue ones = onnx.Add("Expand", [onnx.Number(1), sure.Unsqueeze(2).Sizes(0, 3)]);
            OnnxValue all = onnx.Concat(2, places * growth.Slice(0, 0, 2), ones);
            Outputs();
            onnx.Output("keypoints", OnnxType.Float, all, Objects, joints, 3);
            onnx.Output("keypoint_scores", OnnxType.Float, sure, Objects, joints);
        }
        else
        {
            Outputs();
        }
        if (stages)
        {
            for (int level = 0; level < levels; level++)
            {
                onnx.Output($"objectness{level}", OnnxType.Float, seen[levels + level], 1, $"anchors{level}", $"height{level}", $"width{level}");
                onnx.Output($"deltas{level}", OnnxType.Float, seen[(2 * levels) + level], 1, $"moves{level}", $"height{level}", $"width{level}");
            }
            onnx.Output("proposals", OnnxType.Float, proposals, "regions", 4);
        }
        return onnx;

        void Outputs()
        {
            onnx.Output("boxes", OnnxType.Float, own, Objects, 4);
            onnx.Output("labels", OnnxType.Int64, labels, Objects);
            onnx.Output("scores", OnnxType.Float, scores, Objects);
        }

        OnnxValue[] Head(DensePart head, OnnxValue regions, int pooledSize, string path)
        {
            onnx.Path = path;
            OnnxValue pooled = PyramidPooling.ToOnnx(onnx, pyramid, regions, pooledSize);
            Graph graph = head.TraceForAnySize([second ? 5 : 2, pooledSize, pooledSize, network.Channels]);
            return onnx.Embed(graph, new OnnxOptions { Size = (pooledSize, pooledSize), KeepBatchNorm = options.KeepBatchNorm }, pooled);
        }
    }
}

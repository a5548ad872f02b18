using Delineate.Data;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>Detectors against torchvision's, stage by stage: each stage is given what torchvision's stage before made.</summary>
public sealed class RcnnGoldenTests
{
    /// <summary>How far corners, scores and masks may be apart where a stage is given what torchvision's stage before made.</summary>
    private static readonly (double Pixels, double Scores, double Masks) Exact = (2e-4, 1e-6, 2e-6);

    /// <summary>
    /// The same from image to result. These narrow random networks magnify rounding: whether convolutions are summed directly or by Winograd's algorithm,
    /// those of 50 layers end a hundredth of a pixel and a thousandth of a score from torchvision's own float32 result, that of 18 layers a tenth of that.
    /// </summary>
    private static readonly (double Pixels, double Scores, double Masks) Whole = (0.05, 2e-3, 0.02);

    [ReferenceTheory]
    [InlineData("fasterrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("maskrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet50_fpn_v2")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Images_are_prepared_as_torchvision_prepares_them(string name)
    {
        var golden = new DetectorGolden(name);
        DetectorInput input = golden.Input();
        Assert.Equal(golden.Golden.Array("transformed.sizes").Ints, input.Sizes.SelectMany(s => (int[])[s.Height, s.Width]));
        GoldenChecks.Close(golden.Golden, "transformed.tensors", input.Images, 2e-6);
    }

    [ReferenceTheory]
    [InlineData("fasterrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("maskrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet50_fpn_v2")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Pyramid_and_region_proposals_equal_torchvisions(string name)
    {
        var golden = new DetectorGolden(name);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        RcnnMaps maps = golden.Network.Maps(golden.Golden.ChannelsLast("transformed.tensors"));
        for (int level = 0; level < 5; level++)
        {
            double noise = name == "maskrcnn_resnet50_fpn_v2" ? GoldenChecks.IllConditioned : GoldenChecks.Outputs;
            GoldenChecks.Close(golden.Golden, level == 4 ? "feat.pool" : $"feat.{level}", maps.Pyramid[level], noise);
            GoldenChecks.Close(golden.Golden, $"rpn.objectness.{level}", maps.Objectness[level], noise);
            GoldenChecks.Close(golden.Golden, $"rpn.deltas.{level}", maps.Deltas[level], noise);
        }
        Anchors anchors = Anchors.For(golden.Input().Images, golden.Maps().Pyramid);
        for (int n = 0; n < golden.Count; n++) Assert.Equal(golden.Golden.Array($"anchors.{n}").Floats, anchors.Boxes);

        float[][] proposals = RegionProposals.InEvaluation(golden.Model.Detection).Choose(golden.Maps(), golden.Input());
        for (int n = 0; n < golden.Count; n++) TensorAssert.Close(golden.Golden.Array($"proposals.{n}").Values, proposals[n], 1e-5, $"proposals of image {n}");
    }

    [ReferenceTheory]
    [InlineData("fasterrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("maskrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet50_fpn_v2")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Pooled_regions_and_heads_equal_torchvisions(string name)
    {
        var golden = new DetectorGolden(name);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        RcnnMaps maps = golden.Maps();
        GoldenChecks.Close(golden.Golden, "box.pooled", PyramidPooling.Pool(maps.Pyramid, golden.Proposals(), FasterRcnn.BoxSize), 1e-5);
        (Tensor logits, Tensor deltas) = golden.Network.Boxes(golden.Golden.ChannelsLast("box.pooled"));
        GoldenChecks.Close(golden.Golden, "box.logits", logits);
        GoldenChecks.Close(golden.Golden, "box.deltas", deltas);
        if (golden.Network is MaskRcnn mask) GoldenChecks.Close(golden.Golden, "mask.logits", mask.Masks(golden.Golden.ChannelsLast("mask.pooled")));
        if (golden.Network is not MaskRcnn and not KeypointRcnn) return;

        // The boxes that the branches look at lie in the resized image; the golden has them in the image itself.
        IReadOnlyList<Detections> found = golden.Found();
        Tensor pooled = PyramidPooling.Pool(maps.Pyramid, [.. found.Select((f, n) => f.At(golden.Input().Sizes[n]).Boxes)], MaskRcnn.PooledSize);
        if (golden.Network is MaskRcnn) GoldenChecks.Close(golden.Golden, "mask.pooled", pooled, 1e-5);
        if (golden.Network is KeypointRcnn keypoint) GoldenChecks.Close(golden.Golden, "kp.logits", keypoint.Heatmaps(pooled));
    }

    [ReferenceTheory]
    [InlineData("fasterrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("maskrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet50_fpn_v2")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Detections_equal_torchvisions(string name)
    {
        var golden = new DetectorGolden(name);
        IReadOnlyList<Detections> found = golden.Model.Detect(golden.Images);
        Assert.Null(golden.Model.PlanFailure);
        Assert.True(golden.Network.Train(true).IsTraining);
        for (int n = 0; n < golden.Count; n++) Same(golden.Golden, n, found[n], Whole);
    }

    [ReferenceTheory]
    [InlineData("fasterrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("maskrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet50_fpn_v2")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Boxes_and_joints_are_chosen_as_torchvision_chooses_them(string name)
    {
        var golden = new DetectorGolden(name);
        DetectorInput input = golden.Input();
        Tensor scores = golden.Golden.Tensor("box.logits").Softmax(), deltas = golden.Golden.Tensor("box.deltas");
        Tensor? heatmaps = golden.Golden.Has("kp.logits") ? golden.Golden.ChannelsLast("kp.logits") : null;
        float[][] proposals = golden.Proposals();
        for (int n = 0, row = 0, joints = 0; n < golden.Count; row += proposals[n++].Length / 4)
        {
            Detections found = RoiHeads.Choose(scores, deltas, row, proposals[n], input.Sizes[n], golden.Model.Detection);
            if (heatmaps is not null)
            {
                (float[] keypoints, float[] keypointScores) = KeypointDecoding.Decode(heatmaps.Slice(0, joints, found.Count), found.Boxes);
                found = found with { Keypoints = keypoints, KeypointScores = keypointScores };
                joints += found.Count;
            }
            Assert.Equal(golden.Golden.Array($"out.{n}.labels").Ints, found.Labels); // in the same order
            Same(golden.Golden, n, found.At(input.Originals[n]), Exact);
        }
    }

    /// <summary>Torchvision's masks, pasted from its own boxes and logits, at the image's own size.</summary>
    [ReferenceTheory]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("maskrcnn_resnet50_fpn")]
    [InlineData("maskrcnn_resnet50_fpn_v2")]
    public void Masks_are_pasted_as_torchvision_pastes_them(string name)
    {
        var golden = new DetectorGolden(name);
        IReadOnlyList<Detections> found = golden.Found();
        Tensor logits = golden.Golden.ChannelsLast("mask.logits");
        float[] probabilities = RoiHeads.OfClasses(logits, [.. found.SelectMany(f => f.Labels)]).Sigmoid().ToArray();
        const int Each = MaskRcnn.MaskSize * MaskRcnn.MaskSize;
        for (int n = 0, at = 0; n < golden.Count; at += found[n++].Count * Each)
        {
            Detections own = found[n] with { MaskProbabilities = probabilities[at..(at + (found[n].Count * Each))] };
            NpyArray expected = golden.Golden.Array($"out.{n}.masks");
            TensorAssert.Close(expected.Values, own.PastedMasks()!, Exact.Masks, "masks");
            int pixels = own.Size.Height * own.Size.Width;
            foreach ((Instance instance, int i) in own.ToInstances().Select((instance, i) => (instance, i)))
            {
                byte[] wanted = [.. expected.Values.Skip(i * pixels).Take(pixels).Select(v => v > Detections.MaskThreshold ? (byte)1 : (byte)0)], mask = instance.Mask!.Decode();
                for (int k = 0; k < pixels; k++) Assert.True(mask[k] == wanted[k] || Math.Abs(expected.Values[(i * pixels) + k] - Detections.MaskThreshold) < 1e-6);
            }
        }
    }

    [ReferenceTheory]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Losses_and_gradients_equal_torchvisions(string name)
    {
        var golden = new DetectorGolden(name);
        golden.Network.Train();
        Delineate.Models.Losses losses = golden.Model.Loss(golden.Images, golden.Annotations());
        Assert.Equal(golden.Golden.Names.Where(n => n.StartsWith("out.loss.", StringComparison.Ordinal)).Order(), losses.Terms.Select(t => $"out.loss.{t.Name}").Order());
        foreach ((string term, float value) in losses.Terms) Assert.Equal(golden.Golden.Array($"out.loss.{term}").Values[0], value, GoldenChecks.Losses * Math.Max(1, value));
        losses.Total.Backward();
        // A heatmap's softmax does not change where all of it is shifted.
        GoldenChecks.SameGradients(golden.Golden, golden.Network, nothing: "roi_heads.keypoint_predictor.kps_score_lowres.bias");
    }

    /// <summary>Every one of torchvision's detections has one of ours, and there are no more.</summary>
    private static void Same(Golden golden, int image, Detections found, (double Pixels, double Scores, double Masks) within)
    {
        (double[] boxes, int[] labels, double[] scores) = (golden.Array($"out.{image}.boxes").Values, golden.Array($"out.{image}.labels").Ints, golden.Array($"out.{image}.scores").Values);
        Assert.Equal(labels.Length, found.Count);
        double[]? masks = found.MaskProbabilities is null ? null : golden.Array($"out.{image}.masks").Values;
        double[]? keypoints = found.Keypoints is null ? null : golden.Array($"out.{image}.keypoints").Values, keypointScores = found.Keypoints is null ? null : golden.Array($"out.{image}.keypoints_scores").Values;
        Tensor? pasted = found.PastedMasks();
        var free = new HashSet<int>(Enumerable.Range(0, found.Count));
        for (int i = 0; i < labels.Length; i++)
        {
            int match = free.FirstOrDefault(k => found.Labels[k] == labels[i] && Math.Abs(found.Scores[k] - scores[i]) <= within.Scores
                && Enumerable.Range(0, 4).All(c => Math.Abs(found.Boxes[(4 * k) + c] - boxes[(4 * i) + c]) <= within.Pixels), -1);
            Assert.True(match >= 0, $"image {image}: nothing found of class {labels[i]} with score {scores[i]:F5} at {string.Join(", ", boxes[(4 * i)..((4 * i) + 4)])}");
            free.Remove(match);
            int pixels = found.Size.Height * found.Size.Width;
            if (masks is not null) TensorAssert.Close(masks.AsSpan(i * pixels, pixels), pasted!.Span.Slice(match * pixels, pixels), within.Masks, $"mask {i}");
            if (keypoints is null) continue;
            int joints = keypointScores!.Length / labels.Length;
            for (int k = 0; k < 3 * joints; k++) Assert.Equal(keypoints[(3 * joints * i) + k], found.Keypoints![(3 * joints * match) + k], within.Pixels);
            for (int k = 0; k < joints; k++) Assert.Equal(keypointScores[(joints * i) + k], found.KeypointScores![(joints * match) + k], 10 * within.Scores);
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Bench;

/// <summary>
/// Compares every detector with ONNX Runtime on the file that is exported from it: <c>onnx-detectors FOLDER PHOTO... [--only MODEL]</c>. Random weights whose
/// scores are spread as training spreads them, each photo at three sizes; then small, with so few anchors that every one is a proposal, from bytes, with the batch norms
/// kept, and twice so that nothing is found: no detection, and no proposal either.
/// </summary>
/// <remarks>
/// Detections of one class are partners where corners lie within 0.1 pixels and scores within 1e-4; whose score lies so near the threshold or the last one of a full
/// list may have none, nor those of two that overlap by just the threshold, of which rounding decides which one stays. Region proposals stand in rows, each of which decides
/// whether the next one stays, so rounding can exchange some. Where an object lacks a partner, the same file with its stages as outputs tells, and all three must be
/// right: the maps are alike, the other runtime chose its regions from its maps by the rule but for rounding, and in its regions the same objects are found.
/// Of their masks fewer than 0.1 % of the pixels may differ by more than 1e-3, pasted into the other's box where that ends at another whole pixel, joints by more than 0.1 pixels where their logits differ by less than 1e-3: of two places whose values are equal but for rounding either is right.
/// </remarks>
internal static class OnnxDetectorCheck
{
    private const float Corner = 0.1f, Score = 1e-4f, Pixel = 1e-3f, Joint = 0.1f;
    private const double Share = 1e-3; // of an image's pixels
    private const double Even = 1e-4; // of an intersection over union
    private const float Maps = 1e-4f; // of objectness and deltas, in their largest value
    private const float Region = 1e-2f; // pixels
    private const float EqualScores = 1e-6f;
    private const double EqualOverlaps = 1e-5;
    private static readonly Size2d[] Sizes = [(427, 640), (333, 517), (149, 97)];

    public static int Run(string[] args)
    {
        int only = Array.IndexOf(args, "--only");
        string[] names = only < 0 ? [.. ModelCatalog.Names.Where(ModelCatalog.IsDetector)] : args[(only + 1)..];
        string[] files = only < 0 ? args : args[..only];
        if (files.Length < 2)
        {
            Console.Error.WriteLine("usage: Delineate.Bench onnx-detectors FOLDER PHOTO... [--only MODEL...]");
            return 2;
        }
        Directory.CreateDirectory(files[0]);
        using Process peer = Process.Start(new ProcessStartInfo("node", [Path.Combine(Networks.Peer.PeersFolder, "onnx_check.mjs"), files[0]]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        Image[] photos = [.. files[1..].Select(file => ImageFile.Load(file))];
        bool isRight = true;
        foreach (string name in names) isRight &= new Case(peer, files[0], name).Check(photos);
        peer.StandardInput.Close();
        Console.WriteLine(isRight ? "all alike" : "NOT ALIKE");
        return isRight ? 0 : 1;
    }

    private sealed class Case(Process peer, string folder, string name)
    {
        private readonly DetectionModel model = NewModel(name);
        private const string Staged = "stages.onnx";
        private bool isRight = true;

        public bool Check(Image[] photos)
        {
            Spread(model, photos[0].Resize(Sizes[0].Height, Sizes[0].Width));
            Save("whole.onnx", new OnnxExportOptions());
            OnnxWriter.Save(Path.Combine(folder, Staged), second => model.ToOnnx(new OnnxExportOptions(), second, stages: true), name, new OnnxOptions());
            foreach (Image photo in photos)
            {
                foreach (Size2d size in Sizes) Compare("whole.onnx", photo.Resize(size.Height, size.Width), "");
            }
            DetectionOptions whole = model.Detection;
            model.Detection = whole with { MinSize = 65, MaxSize = 127, ProposalsAfterNms = 300, Detections = 40, ScoreThreshold = 0.1f };
            Save("small.onnx", new OnnxExportOptions());
            Save("bytes.onnx", new OnnxExportOptions { WithPreprocessing = true });
            Save("kept.onnx", new OnnxExportOptions { KeepBatchNorm = true, Batch = 1, Size = (101, 77) });
            Image small = photos[0].Resize(101, 77);
            Compare("small.onnx", small, "few anchors");
            Compare("bytes.onnx", small, "from bytes");
            Compare("kept.onnx", small, "norms kept, one size");
            model.Detection = model.Detection with { ScoreThreshold = 1 };
            Save("none.onnx", new OnnxExportOptions());
            Compare("none.onnx", small, "no detection");
            model.Network.StateDict().Single(s => s.Name == "rpn.head.bbox_pred.bias").Tensor.Span.Fill(-1000);
            model.Detection = model.Detection with { ScoreThreshold = 0 };
            Save("nothing.onnx", new OnnxExportOptions());
            Compare("nothing.onnx", small, "no proposal");
            return isRight;
        }

        private void Save(string file, OnnxExportOptions options)
        {
            OnnxInterface written = OnnxFile.Save(Path.Combine(folder, file), model, options);
            if (file == "whole.onnx") Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {written.Nodes} ops, {new FileInfo(Path.Combine(folder, file)).Length / 1e6:N1} MB"));
        }

        private void Compare(string file, Image image, string what)
        {
            Tensor values = Values(image);
            bool isOfBytes = file == "bytes.onnx";
            File.WriteAllBytes(Path.Combine(folder, "input.bin"), isOfBytes ? image.Pixels : MemoryMarshal.AsBytes(values.Permute(2, 0, 1).Span).ToArray());
            int[] shape = isOfBytes ? [1, image.Height, image.Width, 3] : [1, 3, image.Height, image.Width];
            Detections mine = model.Detect([values])[0];
            var running = Stopwatch.StartNew();
            string fault = Ask(file, isOfBytes ? "uint8" : "float32", shape, out JsonArray shapes);
            (string told, int alone, bool isAlike) = fault.Length > 0 ? (fault, 0, false) : Against(mine, shapes);
            if (alone > 0 && isAlike && file == "whole.onnx")
            {
                (string more, isAlike) = InStages(values, shape);
                told += more;
            }
            else
            {
                isAlike &= alone == 0;
            }
            isRight &= isAlike;
            if (!isAlike) told = $"! {told}";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {image.Height,4}×{image.Width,-4} {what,-21} {told}  ({running.Elapsed.TotalSeconds:F1} s)"));
        }

        private string Ask(string file, string type, int[] shape, out JsonArray shapes)
        {
            var question = new JsonObject { ["model"] = file, ["input"] = "input.bin", ["type"] = type, ["shape"] = new JsonArray([.. shape.Select(s => (JsonNode)s)]), ["output"] = "output" };
            peer.StandardInput.WriteLine(question.ToJsonString());
            peer.StandardInput.Flush();
            JsonNode answer = JsonNode.Parse(peer.StandardOutput.ReadLine() ?? throw new InvalidOperationException("onnx_check.mjs ended"))!;
            shapes = answer["shapes"]?.AsArray() ?? [];
            return answer["error"] is { } error ? $"{error}" : "";
        }

        /// <summary>
        /// Each stage on the other runtime's result of the one before: its maps against ours, whether it chose its regions from its maps by the rule, and the objects found here in
        /// its regions against its own.
        /// </summary>
        private (string Told, bool IsAlike) InStages(Tensor values, int[] shape)
        {
            string fault = Ask(Staged, "float32", shape, out JsonArray shapes);
            if (fault.Length > 0) return (fault, false);
            float[] regions = Floats("output.proposals");
            (float apart, int other) = (0, 0);
            DetectionOptions options = model.Detection;
            Detections mine = model.DetectIn([values], options, (seen, input) =>
            {
                Tensor[] Theirs(string stage, IReadOnlyList<Tensor> own) => [.. own.Select((map, level) =>
                {
                    Tensor theirs = Tensor.From(Floats($"output.{stage}{level}"), [1, map.Shape[3], map.Shape[1], map.Shape[2]]).Permute(0, 2, 3, 1);
                    float largest = 0, most = 0;
                    for (int i = 0; i < map.Span.Length; i++) (largest, most) = (MathF.Max(largest, MathF.Abs(map.Span[i])), MathF.Max(most, MathF.Abs(map.Span[i] - theirs.Span[i])));
                    apart = MathF.Max(apart, most / largest);
                    return theirs;
                })];
                var maps = new RcnnMaps(seen.Pyramid, Theirs("objectness", seen.Objectness), Theirs("deltas", seen.Deltas));
                (float[] boxes, float[] scores, int[] levels) = RegionProposals.InEvaluation(options).Candidates(maps, Anchors.For(input.Images, maps.Pyramid), 0, input.Sizes[0]);
                other = AgainstTheRule(boxes, scores, levels, regions, options);
                return [regions];
            })[0];
            (_, int alone, bool isAlike) = Against(mine, shapes);
            string told = string.Create(CultureInfo.InvariantCulture, $"; in stages: maps within {apart:E1}, {other} of its {regions.Length / 4} regions against the rule, {alone} objects without a partner in its regions");
            return (told, isAlike && apart <= Maps && other == 0 && alone == 0);
        }

        /// <summary>
        /// How many of some regions, or of the candidates that are not among them, break the rule by which one chooses: of two candidates of a map that overlap by more than the
        /// threshold the likelier one stays. Overlaps that are the threshold but for rounding, and scores that are equal but for rounding, may be taken either way.
        /// </summary>
        private static int AgainstTheRule(float[] boxes, float[] scores, int[] levels, float[] regions, DetectionOptions options)
        {
            var isChosen = new bool[scores.Length];
            int against = 0;
            float least = 1;
            for (int r = 0; r < regions.Length; r += 4)
            {
                (int nearest, float apart) = (-1, Region);
                for (int i = 0; i < scores.Length; i++)
                {
                    float far = 0;
                    for (int k = 0; k < 4; k++) far = MathF.Max(far, MathF.Abs(boxes[(4 * i) + k] - regions[r + k]));
                    if (!isChosen[i] && far < apart) (nearest, apart) = (i, far);
                }
                if (nearest < 0) against++; // it is no candidate at all
                else (isChosen[nearest], least) = (true, MathF.Min(least, scores[nearest]));
            }
            bool isFull = regions.Length == 4 * options.ProposalsAfterNms;
            for (int i = 0; i < scores.Length; i++)
            {
                if (isFull && scores[i] < least + EqualScores) continue; // left out because the list is full
                (bool mustGo, bool mayGo) = (false, false);
                for (int k = 0; k < scores.Length && !mustGo; k++)
                {
                    if (!isChosen[k] || k == i || levels[k] != levels[i] || scores[k] < scores[i] - EqualScores) continue;
                    double overlap = At(boxes, i).Iou(At(boxes, k));
                    mustGo = scores[k] > scores[i] + EqualScores && overlap > options.ProposalNmsThreshold + EqualOverlaps;
                    mayGo |= overlap > options.ProposalNmsThreshold - EqualOverlaps;
                }
                if (isChosen[i] ? mustGo : !mustGo && !mayGo) against++;
            }
            return against;
        }

        /// <summary>What differs, in one line, how many objects have no partner, and whether the others are alike.</summary>
        private (string Told, int Alone, bool IsAlike) Against(Detections mine, JsonArray shapes)
        {
            float[] boxes = Floats("output"), scores = Floats("output.scores");
            long[] labels = MemoryMarshal.Cast<byte, long>(File.ReadAllBytes(Path.Combine(folder, "output.labels"))).ToArray();
            int[] wanted = [scores.Length, .. mine.MaskProbabilities is not null ? [mine.Size.Height, mine.Size.Width] : mine.Keypoints is not null ? new[] { model.Options.Keypoints, 3 } : []];
            if (shapes.Count > 3 && !shapes[3]!.AsArray().Select(s => (int)s!).SequenceEqual(wanted)) return ($"the fourth output is {shapes[3]!.ToJsonString()}", 0, false);
            var partners = new int[mine.Count];
            var taken = new bool[scores.Length];
            (float corner, float score) = (0, 0);
            for (int i = 0; i < mine.Count; i++)
            {
                partners[i] = -1;
                float nearest = Corner;
                for (int k = 0; k < scores.Length; k++)
                {
                    if (taken[k] || labels[k] != mine.Labels[i] || MathF.Abs(scores[k] - mine.Scores[i]) > 10 * Score) continue; // more than Score is told below
                    float apart = 0;
                    for (int c = 0; c < 4; c++) apart = MathF.Max(apart, MathF.Abs(boxes[(4 * k) + c] - mine.Boxes[(4 * i) + c]));
                    if (apart <= nearest) (partners[i], nearest) = (k, apart);
                }
                if (partners[i] < 0) continue;
                taken[partners[i]] = true;
                (corner, score) = (MathF.Max(corner, nearest), MathF.Max(score, MathF.Abs(scores[partners[i]] - mine.Scores[i])));
            }
            float least = MathF.Max(model.Detection.ScoreThreshold, mine.Count == model.Detection.Detections ? mine.Scores[^1] : 0) + Score;
            int[] theirs = Array.ConvertAll(labels, l => (int)l);
            int[] own = [.. Enumerable.Range(0, mine.Count).Where(i => partners[i] < 0 && mine.Scores[i] > least)], other = [.. Enumerable.Range(0, scores.Length).Where(k => !taken[k] && scores[k] > least)];
            int even = own.Count(i => IsEven(mine.Boxes, mine.Labels, i, boxes, theirs)) + other.Count(k => IsEven(boxes, theirs, k, mine.Boxes, mine.Labels)), alone = own.Length + other.Length - even;
            (string more, bool isMoreRight) = mine.MaskProbabilities is not null ? Masks(mine, partners, boxes) : mine.Keypoints is not null ? Joints(mine, partners) : ("", true);
            string told = string.Create(CultureInfo.InvariantCulture, $"{mine.Count,3} and {scores.Length,3} objects of {mine.Labels.Distinct().Count(),2} classes, scores {mine.Scores.LastOrDefault():F3}…{mine.Scores.FirstOrDefault():F3}, {alone} without a partner{(even > 0 ? $" and {even} at the threshold" : "")}, corners {corner:F4} px, scores {score:E1}{more}");
            if (alone > 0) told += string.Concat(own.Take(3).Select(i => Told("here", mine.Boxes, mine.Scores, i)).Concat(other.Take(3).Select(k => Told("there", boxes, scores, k))));
            return (told, alone, score <= Score && isMoreRight);
        }

        private static string Told(string where, float[] boxes, float[] scores, int i) =>
            string.Create(CultureInfo.InvariantCulture, $"; {where} alone ({string.Join(", ", boxes[(4 * i)..((4 * i) + 4)].Select(v => v.ToString("F2", CultureInfo.InvariantCulture)))}) {scores[i]:F5}");

        /// <summary>Whether an object overlaps one of the other list by just the threshold, so that rounding decides which of the two stays.</summary>
        private bool IsEven(float[] boxes, int[] labels, int i, float[] others, int[] otherLabels)
        {
            Box box = At(boxes, i);
            return Enumerable.Range(0, otherLabels.Length).Any(k => otherLabels[k] == labels[i] && Math.Abs(box.Iou(At(others, k)) - model.Detection.NmsThreshold) < Even);
        }

        private static Box At(float[] list, int i) => new(list[4 * i], list[(4 * i) + 1], list[(4 * i) + 2], list[(4 * i) + 3]);

        private (string, bool) Masks(Detections mine, int[] partners, float[] boxes)
        {
            float[] theirs = Floats("output.masks");
            float[] own = mine.PastedMasks()!.ToArray();
            int each = mine.Size.Height * mine.Size.Width, whole = 0;
            (double worst, float largest) = (0, 0);
            for (int i = 0; i < partners.Length; i++)
            {
                if (partners[i] < 0) continue;
                ReadOnlySpan<float> other = theirs.AsSpan(partners[i] * each, each);
                (int beyond, float most) = Apart(own.AsSpan(i * each, each), other);
                if (beyond >= Share * each)
                {
                    // Masks are pasted into whole pixels: where a corner is one but for rounding, the same probabilities are stretched over a pixel more or less.
                    float[] probabilities = mine.MaskProbabilities!.AsSpan(i * MaskRcnn.MaskSize * MaskRcnn.MaskSize, MaskRcnn.MaskSize * MaskRcnn.MaskSize).ToArray();
                    Detections moved = new() { Size = mine.Size, Boxes = boxes[(4 * partners[i])..((4 * partners[i]) + 4)], Labels = [mine.Labels[i]], Scores = [mine.Scores[i]], MaskProbabilities = probabilities };
                    (beyond, most) = Apart(moved.PastedMasks()!.ToArray(), other);
                    whole++;
                }
                (worst, largest) = (Math.Max(worst, (double)beyond / each), MathF.Max(largest, most));
            }
            string told = whole > 0 ? string.Create(CultureInfo.InvariantCulture, $", {whole} pasted into the other's box, which ends at another pixel") : "";
            return (string.Create(CultureInfo.InvariantCulture, $", masks {largest:E1}, {100 * worst:F3} % beyond {Pixel:E0}{told}"), worst < Share);

            static (int Beyond, float Most) Apart(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
            {
                (int beyond, float most) = (0, 0);
                for (int p = 0; p < a.Length; p++)
                {
                    float apart = MathF.Abs(a[p] - b[p]);
                    most = MathF.Max(most, apart);
                    if (!(apart <= Pixel)) beyond++;
                }
                return (beyond, most);
            }
        }

        private (string, bool) Joints(Detections mine, int[] partners)
        {
            (float[] places, float[] sure) = (Floats("output.keypoints"), Floats("output.keypoint_scores"));
            int joints = model.Options.Keypoints, elsewhere = 0, wrong = 0;
            float farthest = 0;
            for (int i = 0; i < partners.Length; i++)
            {
                for (int k = 0; k < joints && partners[i] >= 0; k++)
                {
                    (int a, int b) = ((i * joints) + k, (partners[i] * joints) + k);
                    float apart = MathF.Max(MathF.Abs(mine.Keypoints![3 * a] - places[3 * b]), MathF.Abs(mine.Keypoints[(3 * a) + 1] - places[(3 * b) + 1]));
                    bool isAsSure = MathF.Abs(mine.KeypointScores![a] - sure[b]) <= Pixel;
                    if (apart <= Joint) farthest = MathF.Max(farthest, apart);
                    else elsewhere++;
                    if (!isAsSure || places[(3 * b) + 2] != 1) wrong++;
                }
            }
            int all = joints * partners.Count(p => p >= 0);
            return ($", joints {farthest:F4} px, {elsewhere} of {all} elsewhere with the same value, {wrong} with another", wrong == 0 && elsewhere <= all / 100);
        }

        private float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(folder, file))).ToArray();
    }

    private static Tensor Values(Image image) => Tensor.From([.. image.Pixels.Select(p => p / 255f)], [image.Height, image.Width, 3]);

    /// <summary>With statistics as training leaves them; the last norm of a block is small, as in trained networks.</summary>
    private static DetectionModel NewModel(string name)
    {
        bool isOfBodies = name.StartsWith("keypoint", StringComparison.Ordinal);
        var model = (DetectionModel)ModelCatalog.Create(name, new ModelOptions(), ModelCatalog.PublishedClasses(name, isOfBodies ? 2 : 91));
        var random = new Random(7);
        foreach ((string key, Tensor tensor) in model.Network.StateDict())
        {
            string norm = key[..(key.LastIndexOf('.') + 1)];
            if (!model.Network.StateDict().Any(s => s.Name == norm + "running_var")) continue;
            bool isLast = key.Contains("layer", StringComparison.Ordinal) && key.Contains(name.Contains("resnet18", StringComparison.Ordinal) ? "bn2" : "bn3", StringComparison.Ordinal);
            foreach (ref float value in tensor.Span)
            {
                float noise = (random.NextSingle() * 2) - 1;
                value = key.EndsWith("running_var", StringComparison.Ordinal) ? 1 + (0.5f * noise)
                    : key.EndsWith("weight", StringComparison.Ordinal) ? (1 + (0.5f * noise)) * (isLast ? 0.3f : 1)
                    : 0.1f * noise;
            }
        }
        model.Network.Train(false);
        model.Rounding = Rounding.Direct; // as the other runtime: random deep networks are ill-conditioned
        return model;
    }

    /// <summary>Scales the score layers by what they give for an image, so that objectness, classes, deltas and masks are of the sizes that training gives them.</summary>
    private static void Spread(DetectionModel model, Image image)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        var network = (FasterRcnn)model.Network;
        Tensor input = (model.Preprocessing with { ShortSide = null }).ToTensor([image.Resize(800, 1216)]);
        RcnnMaps seen = network.Maps(input);
        Scale("rpn.head.cls_logits", 2, seen.Objectness);
        Scale("rpn.head.bbox_pred", 0.3f, seen.Deltas);
        model.Detection = model.Detection with { ScoreThreshold = 0, Detections = 200 };
        Detections found = model.Detect([Values(image)])[0];
        model.Detection = model.Options.Detection;
        Tensor[] rois = [.. Enumerable.Range(0, 4).Select(Regions)];
        (Tensor logits, Tensor deltas) = network.Boxes(Pooled(7));
        Scale("roi_heads.box_predictor.cls_score", 1.6f, [logits]);
        Scale("roi_heads.box_predictor.bbox_pred", 0.7f, [deltas]);
        Tensor pooled = Pooled(14);
        if (network is MaskRcnn masks) Scale("roi_heads.mask_predictor.mask_fcn_logits", 3, [masks.Masks(pooled)]);
        if (network is KeypointRcnn bodies) Scale("roi_heads.keypoint_predictor.kps_score_lowres", 3, [bodies.Heatmaps(pooled)]);

        Tensor Pooled(int size) => Tensor.Concat([.. rois.Select((r, level) => seen.Pyramid[level].RoiAlign(r, size, 1f / (4 << level), 2))], 0);

        // What it finds now, on the map of the pyramid that is for boxes of their size.
        Tensor Regions(int level)
        {
            (float across, float down) = (1216f / image.Width, 800f / image.Height);
            var boxes = new List<float>();
            for (int i = 0; i < found.Count; i++)
            {
                float[] box = [found.Boxes[4 * i] * across, found.Boxes[(4 * i) + 1] * down, found.Boxes[(4 * i) + 2] * across, found.Boxes[(4 * i) + 3] * down];
                float side = MathF.Sqrt((box[2] - box[0]) * (box[3] - box[1]));
                if (Math.Clamp((int)MathF.Floor(4 + MathF.Log2(side / 224)), 2, 5) - 2 == level) boxes.AddRange([0, .. box]);
            }
            return Tensor.From(boxes.ToArray(), [boxes.Count / 5, 5]);
        }

        void Scale(string layer, float wanted, IReadOnlyList<Tensor> given)
        {
            Dictionary<string, Tensor> states = network.StateDict().ToDictionary(s => s.Name, s => s.Tensor);
            (Tensor weight, Tensor bias) = (states[layer + ".weight"], states[layer + ".bias"]);
            int channels = bias.Length;
            (double[] sum, double[] squares, long count) = (new double[channels], new double[channels], 0);
            foreach (Tensor values in given)
            {
                ReadOnlySpan<float> span = values.Span;
                for (int i = 0; i < span.Length; i++) (sum[i % channels], squares[i % channels]) = (sum[i % channels] + span[i], squares[i % channels] + ((double)span[i] * span[i]));
                count += span.Length / channels;
            }
            double deviation = Enumerable.Range(0, channels).Average(c => Math.Sqrt(Math.Max(0, (squares[c] / count) - (sum[c] / count * (sum[c] / count)))));
            float scale = (float)(wanted / deviation);
            foreach (ref float value in weight.Span) value *= scale;
            for (int c = 0; c < channels; c++) bias.Span[c] = (float)((bias.Span[c] - (sum[c] / count)) * scale);
        }
    }
}

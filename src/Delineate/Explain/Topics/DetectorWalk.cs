using System.Globalization;
using Delineate.Data;
using Delineate.Drawing;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary>A photo on its way through a trained Mask R-CNN, with what its own parts make of it.</summary>
internal static class DetectorWalk
{
    private const int ShownProposals = 50, ShownObjects = 4, LongSide = 640;
    private const float Sure = 0.5f;

    public static IReadOnlyList<Step> Steps(DetectionModel model, Image photo)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        using MemoryScope scope = TensorMemory.Scope();
        var network = (MaskRcnn)model.Network;
        DetectionOptions options = model.Detection;
        var parts = new DenseParts(network);
        DensePart maps = parts.Add(x => FasterRcnn.Listed(network.Maps(x)));
        DensePart boxes = parts.Add(x => network.Boxes(x) is var (logits, deltas) ? [logits, deltas] : []);
        DensePart masks = parts.Add(x => [network.Masks(x)]);

        Tensor values = DetectorInput.Values(photo);
        DetectorInput input = DetectorInput.Of([values], model.Preprocessing, options.MinSize, options.MaxSize);
        RcnnMaps seen = FasterRcnn.OfList(maps.Evaluate(input.Images, model.Rounding));
        Anchors anchors = Anchors.For(input.Images, seen.Pyramid);
        float[] proposals = RegionProposals.InEvaluation(options).Choose(seen, input)[0];
        Detections found = new RoiHeads(boxes, masks, null).Detect(seen, [proposals], input.Sizes, options, model.Rounding)[0];
        Detections whole = found.At(input.Originals[0]);
        Agree(whole, model.Detect([values])[0]);

        var view = new View(photo, input);
        return
        [
            Input(view, model, photo, input),
            Pyramid(seen),
            Anchored(view, seen, anchors, input),
            Proposed(view, proposals),
            Aligned(view, model, seen, found),
            Result(model, photo, whole),
        ];
    }

    /// <summary>Step by step, the model must come to what it says in one go.</summary>
    private static void Agree(Detections own, Detections library)
    {
        if (!own.Labels.SequenceEqual(library.Labels) || !own.Boxes.SequenceEqual(library.Boxes) || !own.Scores.SequenceEqual(library.Scores))
            throw new InvalidOperationException($"step by step the model finds {own.Count} objects, in one go {library.Count} or others");
    }

    private static Step Input(View view, DetectionModel model, Image photo, DetectorInput input)
    {
        (Size2d resized, Shape padded) = (input.Sizes[0], input.Images.Shape);
        return new Step(
            new Words("The photo, resized", "缩放后的照片"),
            new Words(
                $"{photo.Height}×{photo.Width} becomes {resized}: the shorter side {model.Detection.MinSize} pixels, the longer at most {model.Detection.MaxSize}. Zeros on the right and at the bottom make it {padded[1]}×{padded[2]}, which 32 divides.",
                $"{photo.Height}×{photo.Width} 缩放为 {resized}：短边 {model.Detection.MinSize} 像素，长边不超过 {model.Detection.MaxSize}。右侧和下方补零到 {padded[1]}×{padded[2]}，可被 32 整除。"),
            [new Exhibit.Picture(view.Photo, new Words($"the network sees it at {resized}", $"网络看到的尺寸为 {resized}"))]);
    }

    private static Step Pyramid(RcnnMaps seen) => new(
        new Words("The pyramid", "特征金字塔"),
        new Words(
            "How active each map is: the mean of its channels' absolute values. Fine maps follow outlines, coarse ones light up where whole objects are.",
            "各层特征图的活跃程度：所有通道绝对值的平均。细的图勾勒轮廓，粗的图在整个物体处发亮。"),
        [.. seen.Pyramid.Select((map, i) =>
        {
            Matrix heat = MeanAbsolute(map, 0);
            string text = $"P{i + 2}  {Figures.Map(map.Shape)}";
            return new Exhibit.Picture(HeatMap.Of(heat), text, HeatMap.Scale(heat.Height, heat.Width));
        })]);

    private static Step Anchored(View view, RcnnMaps seen, Anchors anchors, DetectorInput input)
    {
        Canvas canvas = view.Draw();
        var rows = new List<IReadOnlyList<Words>>();
        for (int level = 0; level < seen.Pyramid.Count; level++)
        {
            (int height, int width) = (seen.Pyramid[level].Shape[1], seen.Pyramid[level].Shape[2]);
            int count = anchors.Starts[level + 1] - anchors.Starts[level], stride = 4 << level, side = 32 << level;
            // A place at every stride of the padded image, three anchors at each.
            int own = (input.Images.Shape[1] + stride - 1) / stride * ((input.Images.Shape[2] + stride - 1) / stride) * Anchors.PerPlace;
            if (own != count) throw new InvalidOperationException($"P{level + 2} has {count} anchors, its size says {own}");
            int middle = anchors.Starts[level] + (((input.Sizes[0].Height / stride / 2 * width) + (input.Sizes[0].Width / stride / 2)) * Anchors.PerPlace);
            for (int shape = 0; shape < Anchors.PerPlace; shape++) view.Box(canvas, anchors.Boxes.AsSpan(4 * (middle + shape), 4), MaskDrawing.InstanceColor(level + 1));
            rows.Add([$"P{level + 2}", $"{stride}", $"{height}×{width}", $"{side}", Figures.Whole(count)]);
        }
        rows.Add([new Words("all", "合计"), "", "", "", Figures.Whole(anchors.Count)]);
        return new Step(
            new Words("Anchors", "锚框"),
            new Words(
                $"{Figures.Whole(anchors.Count)} boxes to start from: at each place of each map three, half as high as wide, square, twice as high as wide, twice as large on each coarser map. Drawn are those of one place in the middle.",
                $"共 {Figures.Whole(anchors.Count)} 个起始框：每张图的每个位置三个，高宽比为 1/2、1、2，每粗一级边长加倍。图中画出中间一个位置的锚框。"),
            [
                new Exhibit.Picture(canvas.Image, new Words("the anchors of one place of each map", "每张图一个位置的锚框")),
                new Exhibit.Table([new("map", "图"), new("stride", "步幅"), new("places", "位置"), new("side", "边长"), new("anchors", "锚框数")], rows),
            ]);
    }

    private static Step Proposed(View view, float[] proposals)
    {
        Canvas canvas = view.Draw();
        int count = proposals.Length / 4, shown = Math.Min(ShownProposals, count);
        for (int i = shown - 1; i >= 0; i--) view.Box(canvas, proposals.AsSpan(4 * i, 4), MaskDrawing.InstanceColor(i + 1), thickness: 1);
        return new Step(
            new Words("Proposals", "候选框"),
            new Words(
                $"The RPN scores and moves every anchor; of those that overlap, the likeliest stays. {count} proposals are left. Drawn are the {shown} likeliest: boxes around things, whatever they are.",
                $"RPN 给每个锚框打分并修正位置；相互重叠的只留最可能的一个。剩下 {count} 个候选框，图中画出最可能的 {shown} 个：框住各种东西，还不管是什么。"),
            [new Exhibit.Picture(canvas.Image, new Words($"the {shown} likeliest proposals", $"最可能的 {shown} 个候选框"))]);
    }

    /// <summary>What the mask head is given of the surest objects, and what it makes of it.</summary>
    private static Step Aligned(View view, DetectionModel model, RcnnMaps seen, Detections found)
    {
        int shown = Math.Min(ShownObjects, found.Count);
        var exhibits = new List<Exhibit>();
        if (shown > 0)
        {
            Tensor regions = PyramidPooling.Pool(seen.Pyramid, [found.Boxes[..(4 * shown)]], MaskRcnn.PooledSize);
            const int Mask = MaskRcnn.MaskSize * MaskRcnn.MaskSize;
            for (int i = 0; i < shown; i++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"{NameOf(model, found.Labels[i])} {found.Scores[i]:0.00}");
                exhibits.Add(new Exhibit.Picture(view.Crop(found.Boxes.AsSpan(4 * i, 4)), name));
                exhibits.Add(new Exhibit.Picture(HeatMap.Of(MeanAbsolute(regions, i)), new Words($"its region, {MaskRcnn.PooledSize}×{MaskRcnn.PooledSize}", $"对齐的区域，{MaskRcnn.PooledSize}×{MaskRcnn.PooledSize}"), 10));
                double[] mask = [.. found.MaskProbabilities!.AsSpan(i * Mask, Mask).ToArray().Select(p => (double)p)];
                exhibits.Add(new Exhibit.Picture(HeatMap.Of(new Matrix(MaskRcnn.MaskSize, MaskRcnn.MaskSize, mask)), new Words($"its mask, {MaskRcnn.MaskSize}×{MaskRcnn.MaskSize}", $"它的掩码，{MaskRcnn.MaskSize}×{MaskRcnn.MaskSize}"), 5));
            }
        }
        return new Step(
            new Words("Aligned regions and their masks", "对齐的区域及其掩码"),
            shown == 0
                ? new Words("The box head found no object in this photo: there is nothing to draw a mask of.", "边框头在这张照片里没有找到物体，没有掩码可画。")
                : new Words(
                    $"The {shown} surest of {found.Count} objects: RoIAlign samples the box to {MaskRcnn.PooledSize}×{MaskRcnn.PooledSize} without rounding (mean activity of the channels), and the mask head tells for {MaskRcnn.MaskSize}×{MaskRcnn.MaskSize} places how likely each is inside the object.",
                    $"{found.Count} 个物体中最有把握的 {shown} 个：RoIAlign 不取整地把框采样成 {MaskRcnn.PooledSize}×{MaskRcnn.PooledSize}（各通道的平均活跃度），掩码头给出 {MaskRcnn.MaskSize}×{MaskRcnn.MaskSize} 个位置各自属于物体的可能性。"),
            exhibits);
    }

    private static Step Result(DetectionModel model, Image photo, Detections found)
    {
        Instance[] sure = [.. found.ToInstances().Where(o => o.Score >= Sure)];
        return new Step(
            new Words("The result", "结果"),
            new Words(
                $"Masks are brought to the size of their boxes and pasted into the photo; pixels likelier inside than {Detections.MaskThreshold} belong to the object. Drawn are the {sure.Length} of {found.Count} objects with a score of at least {Sure}.",
                $"掩码缩放到各自的框并贴回照片，可能性大于 {Detections.MaskThreshold} 的像素属于物体。图中画出得分不低于 {Sure} 的 {sure.Length} 个物体（共 {found.Count} 个）。"),
            [new Exhibit.Picture(Fitted(InstanceOverlay.Draw(photo, sure, model.Classes)), new Words($"{sure.Length} objects", $"{sure.Length} 个物体"))]);
    }

    private static string NameOf(DetectionModel model, int label) => label < model.Classes.Count ? model.Classes.Names[label] : $"class {label}";

    /// <summary>The mean of the absolute values of all channels of one map of a batch.</summary>
    private static Matrix MeanAbsolute(Tensor maps, int n)
    {
        (int height, int width, int channels) = (maps.Shape[1], maps.Shape[2], maps.Shape[3]);
        float[] map = maps.Span.Slice(n * height * width * channels, height * width * channels).ToArray();
        return new Matrix(height, width, [.. Enumerable.Range(0, height * width).Select(i => map.AsSpan(i * channels, channels).ToArray().Average(v => Math.Abs((double)v)))]);
    }

    /// <summary>A picture no larger than a page has room for.</summary>
    private static Image Fitted(Image image)
    {
        double scale = Math.Min(1, (double)LongSide / Math.Max(image.Height, image.Width));
        return scale == 1 ? image : image.Resize(Math.Max(1, (int)(image.Height * scale)), Math.Max(1, (int)(image.Width * scale)));
    }

    /// <summary>The photo at the size in which it is shown, for boxes in pixels of the network's input.</summary>
    private sealed class View(Image photo, DetectorInput input)
    {
        private readonly Image original = photo;

        public Image Photo { get; } = Fitted(photo);

        public Canvas Draw() => new(Photo.Clone());

        public void Box(Canvas canvas, ReadOnlySpan<float> box, Rgb color, int thickness = 2)
        {
            (double down, double right) = ((double)Photo.Height / input.Sizes[0].Height, (double)Photo.Width / input.Sizes[0].Width);
            canvas.Box(box[0] * right, box[1] * down, box[2] * right, box[3] * down, color, thickness: thickness);
        }

        /// <summary>A box of the photo, as high as the heat pictures beside it.</summary>
        public Image Crop(ReadOnlySpan<float> box)
        {
            const int High = 140, Wide = 300;
            (double down, double right) = ((double)original.Height / input.Sizes[0].Height, (double)original.Width / input.Sizes[0].Width);
            (int top, int left) = (Math.Clamp((int)(box[1] * down), 0, original.Height - 1), Math.Clamp((int)(box[0] * right), 0, original.Width - 1));
            (int height, int width) = (Math.Clamp((int)Math.Ceiling(box[3] * down) - top, 1, original.Height - top), Math.Clamp((int)Math.Ceiling(box[2] * right) - left, 1, original.Width - left));
            double scale = Math.Min((double)High / height, (double)Wide / width);
            return original.Crop(top, left, height, width).Resize(Math.Max(1, (int)(height * scale)), Math.Max(1, (int)(width * scale)));
        }
    }
}

using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;

namespace Delineate.Bench.Networks;

/// <summary>A detector of the bench. From an image of values in 0…1 it gives boxes, scores and masks pasted at the image's size, as torchvision's does.</summary>
internal sealed record OwnDetector : OwnNetwork
{
    private const int Most = 100; // detections of an image
    private readonly DetectionModel model;
    private Batch? batch;

    public OwnDetector(string name, int classes, int minSize, int maxSize)
        : this((DetectionModel)ModelCatalog.Create(
            name,
            new ModelOptions { FrozenNorm = false, Detection = new DetectionOptions { MinSize = minSize, MaxSize = maxSize } },
            new ClassTable(Enumerable.Range(0, classes).Select(i => $"class {i}")) { Background = 0 }))
    {
    }

    private OwnDetector(DetectionModel model)
        : base(model.Network, _ => throw new ArgumentException("a detector runs in the mode 'plan' alone")) => this.model = model;

    public override Func<Tensor, Tensor[]> Planned => input =>
    {
        Detections found = model.Detect([ImageOf(input, 0)])[0];
        return [new RawTensor([found.Count, 4], found.Boxes).ToTensor(), new RawTensor([found.Count], found.Scores).ToTensor(), found.PastedMasks()!];
    };

    /// <summary>The sorted scores, and the sorted sums of the masks: places in lists of boxes may swap by rounding.</summary>
    public override Tensor[] Compared(Tensor[] outputs)
    {
        int count = outputs[1].Shape[0], pixels = count == 0 ? 0 : outputs[2].Span.Length / count;
        return [Sorted(i => outputs[1].Span[i]), Sorted(i => outputs[2].Span.Slice(i * pixels, pixels).ToArray().Sum(v => (double)v))];

        Tensor Sorted(Func<int, double> value)
        {
            Tensor sorted = Tensor.Zeros([Most]);
            double[] values = [.. Enumerable.Range(0, count).Select(value).OrderDescending()];
            for (int i = 0; i < count; i++) sorted.Span[i] = (float)values[i];
            return sorted;
        }
    }

    public override Tensor Loss(Tensor input, byte[] labels)
    {
        batch ??= new Batch([.. Enumerable.Range(0, input.Shape[0]).Select(n => SampleOf(input, labels, n))]);
        return model.Loss(batch).Total;
    }

    public override Tensor[] Watched() => []; // every engine draws other anchors and boxes

    private static Tensor ImageOf(Tensor input, int n)
    {
        Tensor image = Tensor.Empty([input.Shape[1], input.Shape[2], 3]);
        input.Span.Slice(n * image.Span.Length, image.Span.Length).CopyTo(image.Span);
        return image;
    }

    private static Sample SampleOf(Tensor input, byte[] labels, int n)
    {
        int height = input.Shape[1], width = input.Shape[2];
        var image = new Image(height, width, Array.ConvertAll(ImageOf(input, n).Span.ToArray(), v => (byte)MathF.Round(v * 255)));
        byte[] ids = labels.AsSpan(n * height * width, height * width).ToArray();
        Instance[] objects = [.. Enumerable.Range(1, ids.Max()).Select(id => Rle.Encode(Array.ConvertAll(ids, i => (byte)(i == id ? 1 : 0)), height, width))
            .Select(mask => new Instance { Label = 1, Box = mask.Box, Mask = mask })];
        return new Sample($"{n}", image, new Annotation { Instances = objects });
    }
}

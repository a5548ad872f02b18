using Delineate.Data;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class RoiSamplesTests
{
    private static readonly Size2d Size = (60, 80);

    private static readonly Annotation Two = new()
    {
        Instances =
        [
            new Instance { Label = 3, Box = new Box(10, 10, 30, 40), Mask = Rle.FromBox(new Box(10, 10, 30, 40), 60, 80), Keypoints = [new Keypoint(12, 15, 2), new Keypoint(29, 39, 0), new Keypoint(50, 5, 1)] },
            new Instance { Label = 1, Box = new Box(40, 20, 70, 50), Mask = Rle.FromBox(new Box(40, 20, 55, 50), 60, 80) },
            new Instance { Label = 2, Box = new Box(0, 0, 80, 60), IsCrowd = true },
        ],
    };

    [Fact]
    public void Proposals_get_the_class_and_the_offsets_of_the_object_that_they_overlap_by_half()
    {
        float[] proposals = [10, 10, 30, 44, 0, 0, 5, 5, 40, 20, 70, 36, 41, 21, 69, 51];
        using RandomScope draws = RandomScope.Begin(1, 0, 0);
        RoiSamples samples = RoiSamples.Draw(proposals, Truth(), 512, 0.25);
        Assert.Equal([3, 0, 1, 1, 3, 1], samples.Labels); // the truth comes last and the crowd not at all
        Assert.Equal([0, 2, 3, 4, 5], samples.Positives);
        Assert.Equal([.. proposals, 10, 10, 30, 40, 40, 20, 70, 50], samples.Boxes);
        Assert.Equal([0f, 0, 0, 0], samples.Deltas[4..8]); // background
        Assert.Equal([0f, 0, 0, 0], samples.Deltas[16..20]); // the object itself
        Assert.Equal(10 * (25 - 27) / 34f, samples.Deltas[1], 1e-5f); // centre up by two of 34 pixels
        Assert.Equal(5 * MathF.Log(30 / 34f), samples.Deltas[3], 1e-5f);
    }

    [Fact]
    public void No_more_are_drawn_than_were_asked_for_and_the_same_seed_draws_the_same()
    {
        var random = new Random(3);
        float[] proposals = [.. Enumerable.Range(0, 200).SelectMany(i => i % 2 == 0 ? (float[])[10 + random.Next(3), 10 + random.Next(3), 30, 40] : [random.Next(5), random.Next(5), 8, 9])];
        RoiSamples[] drawn = [.. new ulong[] { 7, 7, 8 }.Select(seed =>
        {
            using RandomScope draws = RandomScope.Begin(seed, 2, 5);
            return RoiSamples.Draw(proposals, Truth(), 40, 0.25);
        })];
        Assert.Equal((40, 10), (drawn[0].Labels.Length, drawn[0].Positives.Length));
        Assert.Equal(drawn[0].Boxes, drawn[1].Boxes);
        Assert.NotEqual(drawn[0].Boxes, drawn[2].Boxes);
    }

    [Fact]
    public void An_image_without_objects_is_all_background()
    {
        using RandomScope draws = RandomScope.Begin(1, 0, 0);
        var empty = DetectorTruth.Of("empty", new Annotation { Instances = [] }, Size, Size, 5);
        RoiSamples samples = RoiSamples.Draw([1, 2, 3, 4, 5, 6, 7, 8], empty, 512, 0.25);
        Assert.Equal([0, 0], samples.Labels);
        Assert.Empty(samples.Positives);
        Assert.Equal([0, 28, 28], samples.MaskTargets(28).Shape);
        Assert.Empty(RoiSamples.Draw([], empty, 512, 0.25).Labels);
    }

    [Fact]
    public void Masks_are_what_lies_in_the_box_and_joints_the_cell_that_they_lie_in()
    {
        using RandomScope draws = RandomScope.Begin(1, 0, 0);
        RoiSamples samples = RoiSamples.Draw([], Truth(), 512, 0.25);
        Tensor masks = samples.MaskTargets(28);
        Assert.Equal([2, 28, 28], masks.Shape);
        // The rasterised boxes reach a pixel less far right and down than the boxes; a bin averages what it covers.
        Assert.All(Enumerable.Range(0, 28 * 28).Where(i => i / 28 is > 0 and < 26 && i % 28 is > 0 and < 26), i => Assert.Equal(1, masks.Span[i]));
        Assert.All(Enumerable.Range(0, 27), row => Assert.Equal((1f, 0f), (masks.Span[(28 * 28) + (row * 28) + 10], masks.Span[(28 * 28) + (row * 28) + 16])));
        Assert.Equal([(28 * 5 / 30 * 28) + (28 * 2 / 20), -1, -1, -1, -1, -1], samples.KeypointTargets(3, 28));
    }

    [Fact]
    public void Truth_is_resized_with_its_image()
    {
        DetectorTruth truth = DetectorTruth.Of("x", Two, Size, (90, 160), 5);
        Assert.Equal([20, 15, 60, 60, 80, 30, 140, 75], truth.Boxes);
        Assert.Equal(new Keypoint(24, 22.5f, 2), truth.Joint(0, 0));
        Assert.Equal(default, truth.Joint(1, 0));
        Tensor mask = truth.Mask(0);
        Assert.Equal([1, 90, 160, 1], mask.Shape);
        Assert.Equal(Two.Instances![0].Mask!.Area * 3.0, mask.ToArray().Sum(), 60.0);
    }

    [Theory]
    [InlineData(5, 10, 10, 20, 20, "has class 5: a detector of 5 classes, the background first, tells 1 to 4 apart")]
    [InlineData(0, 10, 10, 20, 20, "has class 0")]
    [InlineData(1, 20, 10, 20, 20, "a box without extent, (20, 10) to (20, 20)")]
    [InlineData(1, 10, 30, 20, 20, "a box without extent")]
    [InlineData(1, double.NaN, 10, 20, 20, "a box without extent")]
    public void What_cannot_be_learnt_is_told_with_the_samples_name(int label, double x1, double y1, double x2, double y2, string message)
    {
        var annotation = new Annotation { Instances = [new Instance { Label = label, Box = new Box(x1, y1, x2, y2) }] };
        string told = Assert.Throws<DatasetException>(() => DetectorTruth.Of("street 7", annotation, Size, Size, 5)).Message;
        Assert.Contains("street 7", told, StringComparison.Ordinal);
        Assert.Contains(message, told, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_list_or_mask_is_told()
    {
        Assert.Contains("no list of objects", Assert.Throws<DatasetException>(() => DetectorTruth.Of("x", new Annotation(), Size, Size, 5)).Message, StringComparison.Ordinal);
        var without = new Annotation { Instances = [new Instance { Label = 1, Box = new Box(1, 1, 5, 5) }] };
        Assert.Contains("has no mask", Assert.Throws<DatasetException>(() => DetectorTruth.Of("x", without, Size, Size, 5).Mask(0)).Message, StringComparison.Ordinal);
        var other = new Annotation { Instances = [new Instance { Label = 1, Box = new Box(1, 1, 5, 5), Mask = Rle.Empty(9, 9) }] };
        Assert.Contains("the mask of an object 9×9", Assert.Throws<DatasetException>(() => DetectorTruth.Of("x", other, Size, Size, 5).Mask(0)).Message, StringComparison.Ordinal);
    }

    private static DetectorTruth Truth() => DetectorTruth.Of("two", Two, Size, Size, 5);
}

using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Data;

public class CopyPasteTests
{
    private static Instance Block(Box box, int label, int height = 10, int width = 12) =>
        new() { Label = label, Box = box, Mask = Rle.FromBox(box, height, width), AnnotatedArea = box.Area };

    private static Sample Flat(string name, byte shade, int height, int width, params Instance[] objects)
    {
        var image = new Image(height, width);
        image.Pixels.AsSpan().Fill(shade);
        return new Sample(name, image, new Annotation { Instances = objects, Semantic = objects.ToLabels(height, width) });
    }

    [Fact]
    public void Pixels_labels_and_masks_are_laid_over_and_what_is_below_is_cut()
    {
        Sample onto = Flat("a", 10, 10, 12, Block(new Box(0, 0, 6, 6), 1), Block(new Box(7, 7, 9, 9), 2), Block(new Box(0, 8, 3, 10), 1));
        Instance pasted = Block(new Box(4, 4, 10, 10), 3);
        Sample joined = CopyPaste.Paste(onto, Flat("b", 200, 10, 12, pasted), [pasted]);

        Assert.Equal((10, 200), (joined.Image[0, 0].R, joined.Image[5, 5].R));
        Assert.Equal(36, joined.Image.Pixels.Count(p => p == 200) / 3);
        Assert.Equal([1, 3, 0, 1], new[] { joined.Annotation.Semantic![0, 0], joined.Annotation.Semantic[4, 4], joined.Annotation.Semantic[0, 11], joined.Annotation.Semantic[9, 0] });
        IReadOnlyList<Instance> objects = joined.Annotation.Instances!;
        Assert.Equal([1, 1, 3], objects.Select(o => o.Label));
        Assert.Equal(1, joined.Annotation.DroppedObjects); // the one of class 2 is covered in full
        Assert.Equal((32L, new Box(0, 0, 6, 6), 32.0), (objects[0].Mask!.Area, objects[0].Box, objects[0].Area));
        Assert.Equal(6.0, objects[1].Area);
        Assert.Equal(joined.Annotation.Semantic.Labels, objects.ToLabels(10, 12).Labels);
        Assert.Equal(10, onto.Image[5, 5].R); // the given sample is not changed
    }

    [Fact]
    public void Joints_under_the_pasted_object_are_hidden()
    {
        Instance person = Block(new Box(0, 0, 6, 6), 1) with { Keypoints = [new Keypoint(1, 1, 2), new Keypoint(5, 5, 2), default] };
        Instance pasted = Block(new Box(4, 4, 10, 10), 3);
        Sample joined = CopyPaste.Paste(Flat("a", 10, 10, 12, person), Flat("b", 200, 10, 12, pasted), [pasted]);
        Assert.Equal([2, 1, 0], joined.Annotation.Instances![0].Keypoints!.Select(k => k.Score));
    }

    [Fact]
    public void Images_of_other_sizes_meet_at_the_top_left_corner()
    {
        Instance far = Block(new Box(4, 4, 10, 10), 3, 20, 20), outside = Block(new Box(15, 15, 19, 19), 3, 20, 20), small = Block(new Box(1, 1, 3, 3), 2, 4, 5);
        Sample larger = CopyPaste.Paste(Flat("a", 10, 8, 9), Flat("b", 200, 20, 20, far, outside), [far, outside]);
        Assert.Equal(new Box(4, 4, 9, 8), Assert.Single(larger.Annotation.Instances!).Box);
        Assert.Equal(20, larger.Image.Pixels.Count(p => p == 200) / 3);
        Sample smaller = CopyPaste.Paste(Flat("a", 10, 8, 9), Flat("b", 200, 4, 5, small), [small]);
        Assert.Equal((8, 9), (smaller.Annotation.Instances![0].Mask!.Height, smaller.Annotation.Instances[0].Mask!.Width));
    }

    [Fact]
    public void It_happens_as_often_as_its_probability_and_the_same_again_for_the_same_numbers()
    {
        Sample[] samples = [Flat("a", 10, 10, 12), Flat("b", 200, 10, 12, Block(new Box(4, 4, 10, 10), 3), Block(new Box(0, 0, 2, 2), 1))];
        var transform = new TrainTransform { BaseSize = null, FlipProbability = 0, CropSize = (10, 12) };
        var paste = new CopyPaste(new Held(samples), transform) { Probability = 0.4 };
        int[] counts = [.. Enumerable.Range(0, 1000).Select(i => paste.Apply(samples[0], new Philox(1, 0, (ulong)i)).Annotation.Instances!.Count)];
        Assert.InRange(counts.Count(c => c > 0), 140, 260); // 0.4, and every second time the other image is one without objects
        Assert.Contains(1, counts);
        Assert.Contains(2, counts);
        Assert.Equal(counts, Enumerable.Range(0, 1000).Select(i => paste.Apply(samples[0], new Philox(1, 0, (ulong)i)).Annotation.Instances!.Count));
    }

    [Fact]
    public void A_data_set_without_objects_is_refused()
    {
        Sample plain = Flat("a", 10, 10, 12) with { Annotation = new Annotation() };
        var paste = new CopyPaste(new Held([plain]), new TrainTransform { CropSize = (8, 8), BaseSize = null }) { Probability = 1 };
        Assert.Contains("does not tell objects apart ('a')", Assert.Throws<DatasetException>(() => paste.Apply(plain, new Philox(0))).Message);
    }

    private sealed class Held(Sample[] samples) : Dataset
    {
        public override ClassTable Classes { get; } = new(["background", "a", "b", "c"]);

        public override IReadOnlyList<string> Names => [.. samples.Select(s => s.Name)];

        public override Sample Load(int index) => samples[index];
    }
}

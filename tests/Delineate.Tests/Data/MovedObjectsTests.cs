using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Data;

/// <summary>What <see cref="TrainTransform"/> does to objects: they stay on their pixels.</summary>
public class MovedObjectsTests
{
    private static readonly TrainTransform Nothing = new() { BaseSize = null, FlipProbability = 0, CropSize = null };

    /// <summary>Two objects, one with two parts, and the labels that they give: 1 and 2.</summary>
    private static Sample TwoObjects(int height = 40, int width = 50)
    {
        byte[] first = new byte[height * width], second = new byte[height * width];
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                if (y is >= 4 and < 14 && x is >= 3 and < 18 && (x + y) % 7 > 0) first[(y * width) + x] = 1;
                if ((y - 25) * (y - 25) + ((x - 30) * (x - 30)) < 60 || (y is 38 && x is > 40 and < 46)) second[(y * width) + x] = 1;
            }
        }
        Instance[] objects = [Of(first, 1), Of(second, 2)];
        return new Sample("two", new Image(height, width), new Annotation { Instances = objects, Semantic = objects.ToLabels(height, width) });

        Instance Of(byte[] pixels, int label)
        {
            var mask = Rle.Encode(pixels, height, width);
            return new Instance { Label = label, Box = mask.Box, Mask = mask, AnnotatedArea = mask.Area };
        }
    }

    private static Keypoint[] Joints(params (float X, float Y)[] places)
    {
        var joints = new Keypoint[17];
        for (int i = 0; i < places.Length; i++) joints[i] = new Keypoint(places[i].X, places[i].Y, 2);
        return joints;
    }

    private static Sample With(Instance thing, int height = 20, int width = 30) =>
        new("one", new Image(height, width), new Annotation { Instances = [thing] });

    [Fact]
    public void Masks_and_labels_stay_equal_pixel_for_pixel_and_boxes_around_them()
    {
        var transform = new TrainTransform { BaseSize = 44, CropSize = (36, 33), VerticalFlipProbability = 0.5 };
        Sample sample = TwoObjects();
        int dropped = 0;
        for (ulong i = 0; i < 200; i++)
        {
            Annotation moved = transform.Apply(sample, new Philox(4, 0, i)).Annotation;
            Assert.Equal(2, moved.Instances!.Count + moved.DroppedObjects);
            dropped += moved.DroppedObjects;
            foreach (Instance thing in moved.Instances)
            {
                Assert.True(thing.Mask!.Area > 0);
                Box around = thing.Mask.Box; // scaled down, thin parts may vanish from the mask
                Assert.True(thing.Box.X1 < around.X1 + 1 && thing.Box.Y1 < around.Y1 + 1 && thing.Box.X2 > around.X2 - 1 && thing.Box.Y2 > around.Y2 - 1, $"{thing.Box} {around}");
                Assert.True(thing.Box.Iou(around) > 0.4, $"{thing.Box} {around}");
                byte[] decoded = thing.Mask.Decode();
                Assert.Equal(decoded.Select(d => d == 1), moved.Semantic!.Labels.Select(l => l == thing.Label));
            }
        }
        Assert.InRange(dropped, 20, 200); // some crops leave an object out
    }

    [Fact]
    public void A_flip_moves_the_box_and_exchanges_left_and_right_joints_by_name()
    {
        Keypoint[] joints = Joints((10, 5), (9, 4), (11, 4)); // nose, left eye, right eye
        var thing = new Instance { Label = 1, Box = new Box(4, 2, 12, 18), Keypoints = joints };
        Instance flipped = (Nothing with { FlipProbability = 1 }).Apply(With(thing), new Philox(0)).Annotation.Instances![0];
        Assert.Equal(new Box(18, 2, 26, 18), flipped.Box);
        Assert.Equal([new Keypoint(20, 5, 2), new Keypoint(19, 4, 2), new Keypoint(21, 4, 2)], flipped.Keypoints!.Take(3)); // x → 30 − x, eyes exchanged
        Assert.All(flipped.Keypoints!.Skip(3), k => Assert.Equal(default, k));
        Instance upset = (Nothing with { VerticalFlipProbability = 1 }).Apply(With(thing), new Philox(0)).Annotation.Instances![0];
        Assert.Equal((new Box(4, 2, 12, 18), new Keypoint(11, 16, 2)), (upset.Box, upset.Keypoints![1]));
        Assert.Throws<ArgumentException>(() => (Nothing with { FlipProbability = 1, KeypointNames = ["a"] }).Apply(With(thing), new Philox(0)));
    }

    [Fact]
    public void Scaling_scales_boxes_joints_and_areas()
    {
        var thing = new Instance { Label = 1, Box = new Box(4, 2, 12, 18), Keypoints = Joints((10, 5)), AnnotatedArea = 100 };
        Instance scaled = (Nothing with { BaseSize = 40, MinScale = 1, MaxScale = 1 }).Apply(With(thing), new Philox(0)).Annotation.Instances![0];
        Assert.Equal((new Box(8, 4, 24, 36), new Keypoint(20, 10, 2), 400.0), (scaled.Box, scaled.Keypoints![0], scaled.Area));
    }

    [Fact]
    public void A_crop_cuts_boxes_drops_what_is_gone_and_unlabels_joints_outside()
    {
        var there = new Instance { Label = 1, Box = new Box(4, 2, 12, 18), Keypoints = Joints((5, 5), (11, 5)), AnnotatedArea = 70 };
        Instance cut = there.Crop(0, 8, 10, 10)!;
        Assert.Equal((new Box(0, 2, 4, 10), 32.0), (cut.Box, cut.Area));
        Assert.Equal([default, new Keypoint(3, 5, 2)], cut.Keypoints!.Take(2));
        Assert.Null(there.Crop(0, 12, 10, 10));
        Assert.Equal(70, there.Crop(0, 2, 20, 20)!.Area); // whole: as annotated
        Instance ring = TwoObjects().Annotation.Instances![0];
        Assert.Equal(ring.Mask!.Crop(0, 0, 8, 9).Box, ring.Crop(0, 0, 8, 9)!.Box);
        Assert.Null(ring.Crop(30, 0, 5, 5));
    }

    [Fact]
    public void Objects_that_become_too_small_are_dropped_and_counted_and_images_without_any_stay()
    {
        var thing = new Instance { Label = 1, Box = new Box(4, 2, 7, 18) };
        Annotation small = (Nothing with { BaseSize = 6, MinScale = 1, MaxScale = 1 }).Apply(With(thing), new Philox(0)).Annotation;
        Assert.Equal((0, 1), (small.Instances!.Count, small.DroppedObjects)); // 3 pixels of 20 are 0.9 of 6
        Annotation kept = (Nothing with { BaseSize = 6, MinScale = 1, MaxScale = 1, MinObjectSide = 0.5 }).Apply(With(thing), new Philox(0)).Annotation;
        Assert.Equal((1, 0), (kept.Instances!.Count, kept.DroppedObjects));
        Sample empty = With(thing) with { Annotation = new Annotation { Instances = [] } };
        Assert.Empty(new TrainTransform { CropSize = (16, 16), BaseSize = 20 }.Apply(empty, new Philox(1)).Annotation.Instances!);
        Assert.Null(Nothing.Apply(empty with { Annotation = new Annotation() }, new Philox(1)).Annotation.Instances);
    }

    [Fact]
    public void Evaluation_resizes_objects_too()
    {
        Sample half = new EvalTransform(20).Apply(TwoObjects());
        Assert.All(half.Annotation.Instances!, o => Assert.Equal((20, 25), (o.Mask!.Height, o.Mask.Width)));
        Assert.Equal(half.Annotation.Semantic!.Labels, half.Annotation.Instances!.ToLabels(20, 25).Labels);
    }

    [Fact]
    public void Names_of_joints_tell_their_mirror_image()
    {
        Assert.Equal([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15], KeypointNames.MirrorOrder(KeypointNames.Coco));
        Assert.Equal([1, 0, 2, 4, 3, 5], KeypointNames.MirrorOrder(["knee-left", "Knee-Right", "leftover", "R.hand", "L.hand", "left_tail"]));
    }
}

using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Data;

public class TrainTransformTests
{
    /// <summary>A sample whose pixel (y, x) has the colour (y, x, 7) and the label y·16 + x.</summary>
    private static Sample Numbered(int height, int width)
    {
        var image = new Image(height, width);
        var labels = new LabelMap(height, width);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) (image[y, x], labels[y, x]) = (new Rgb((byte)y, (byte)x, 7), (byte)((y * 16) + x));
        return new Sample("n", image, new Annotation { Semantic = labels });
    }

    private static readonly TrainTransform Nothing = new() { BaseSize = null, FlipProbability = 0, CropSize = null };

    [Fact]
    public void Defaults_are_the_reference_recipe()
    {
        var transform = new TrainTransform();
        Assert.Equal((260, 1040), transform.ShortSides());
        Assert.Equal((480, 480), transform.CropSize);
        Assert.Equal((0.5, 0.0, (byte)255), (transform.FlipProbability, transform.VerticalFlipProbability, transform.IgnoreIndex));
        Assert.Null(transform.Jitter);
    }

    [Theory]
    [InlineData(375, 500, 520, 520, 693)] // 520·500/375 = 693.33
    [InlineData(500, 375, 260, 346, 260)]
    [InlineData(256, 256, 1040, 1040, 1040)]
    [InlineData(1, 3, 2, 2, 6)]
    public void The_short_side_is_set_and_the_long_one_rounded_down(int height, int width, int side, int newHeight, int newWidth) =>
        Assert.Equal((newHeight, newWidth), EvalTransform.ShortSideSize(height, width, side));

    [Fact]
    public void Every_short_side_of_the_range_occurs_equally_often_with_both_ends()
    {
        var transform = Nothing with { BaseSize = 10, MinScale = 0.5, MaxScale = 1.25 }; // 5 … 12
        Sample sample = Numbered(8, 12);
        var counts = new int[20];
        for (ulong i = 0; i < 4000; i++)
        {
            Image image = transform.Apply(sample, new Philox(1, 0, i)).Image;
            Assert.Equal(image.Height * 12 / 8, image.Width);
            counts[image.Height]++;
        }
        Assert.All(Enumerable.Range(5, 8), side => Assert.InRange(counts[side], 400, 600));
        Assert.Equal(4000, counts[5..13].Sum());
    }

    [Fact]
    public void Image_is_smoothed_and_mask_takes_the_nearest_label_when_resized()
    {
        var transform = Nothing with { BaseSize = 2, MinScale = 1, MaxScale = 1 };
        Sample half = transform.Apply(Numbered(4, 4), new Philox(0));
        Assert.Equal((2, 2), (half.Image.Height, half.Image.Width));
        Assert.Equal([17, 19, 49, 51], half.Annotation.Semantic!.Labels); // the pixels (1, 1), (1, 3), (3, 1), (3, 3)
        Assert.Equal(Numbered(4, 4).Image.Resize(2, 2).Pixels, half.Image.Pixels);
        Assert.Equal(7, half.Image[1, 1].B);
    }

    [Fact]
    public void A_flip_mirrors_image_and_mask()
    {
        Sample flipped = (Nothing with { FlipProbability = 1 }).Apply(Numbered(2, 3), new Philox(0));
        Assert.Equal([2, 1, 0, 18, 17, 16], flipped.Annotation.Semantic!.Labels);
        Assert.Equal(new Rgb(1, 2, 7), flipped.Image[1, 0]);
        Sample upset = (Nothing with { VerticalFlipProbability = 1 }).Apply(Numbered(2, 3), new Philox(0));
        Assert.Equal([16, 17, 18, 0, 1, 2], upset.Annotation.Semantic!.Labels);
    }

    [Fact]
    public void Flips_happen_as_often_as_their_probability()
    {
        var transform = Nothing with { FlipProbability = 0.3 };
        Sample sample = Numbered(1, 2);
        int flips = Enumerable.Range(0, 5000).Count(i => transform.Apply(sample, new Philox(3, 0, (ulong)i)).Annotation.Semantic!.Labels[0] == 1);
        Assert.InRange(flips, 1350, 1650);
    }

    [Fact]
    public void Small_images_are_padded_right_and_below_with_black_and_ignored()
    {
        Sample padded = (Nothing with { CropSize = (3, 4), IgnoreIndex = 200 }).Apply(Numbered(2, 2), new Philox(0));
        Assert.Equal([0, 1, 200, 200, 16, 17, 200, 200, 200, 200, 200, 200], padded.Annotation.Semantic!.Labels);
        Assert.Equal(new Rgb(1, 1, 7), padded.Image[1, 1]);
        Assert.All(new[] { padded.Image[0, 2], padded.Image[2, 0], padded.Image[2, 3] }, color => Assert.Equal(default, color));
    }

    [Fact]
    public void Crops_have_the_same_place_in_image_and_mask_and_every_place_occurs()
    {
        var transform = Nothing with { CropSize = (2, 3) };
        var counts = new Dictionary<(int, int), int>();
        Sample sample = Numbered(4, 5);
        for (ulong i = 0; i < 3600; i++)
        {
            Sample crop = transform.Apply(sample, new Philox(5, 0, i));
            Rgb corner = crop.Image[0, 0];
            for (int y = 0; y < 2; y++)
                for (int x = 0; x < 3; x++)
                {
                    Assert.Equal(new Rgb((byte)(corner.R + y), (byte)(corner.G + x), 7), crop.Image[y, x]);
                    Assert.Equal(((corner.R + y) * 16) + corner.G + x, crop.Annotation.Semantic![y, x]);
                }
            counts[(corner.R, corner.G)] = counts.GetValueOrDefault((corner.R, corner.G)) + 1;
        }
        Assert.Equal(9, counts.Count);
        Assert.All(counts.Values, c => Assert.InRange(c, 300, 500));
    }

    [Fact]
    public void One_side_may_be_cropped_while_the_other_is_padded()
    {
        Sample both = (Nothing with { CropSize = (4, 2) }).Apply(Numbered(2, 5), new Philox(0));
        Assert.Equal((4, 2), (both.Image.Height, both.Image.Width));
        int left = both.Annotation.Semantic![0, 0];
        Assert.Equal([(byte)left, (byte)(left + 1), (byte)(left + 16), (byte)(left + 17), 255, 255, 255, 255], both.Annotation.Semantic!.Labels);
    }

    [Fact]
    public void The_given_sample_is_not_changed()
    {
        Sample sample = Numbered(6, 6);
        new TrainTransform { BaseSize = 6, CropSize = (5, 5), VerticalFlipProbability = 0.5, Jitter = new ColorJitter { Brightness = 0.5 } }.Apply(sample, new Philox(2));
        Assert.Equal(Numbered(6, 6).Image.Pixels, sample.Image.Pixels);
        Assert.Equal(Numbered(6, 6).Annotation.Semantic!.Labels, sample.Annotation.Semantic!.Labels);
    }

    [Fact]
    public void Senseless_scales_are_refused()
    {
        Assert.Throws<ArgumentException>(() => (Nothing with { BaseSize = 1, MinScale = 0.5 }).ShortSides());
        Assert.Throws<ArgumentException>(() => (Nothing with { BaseSize = 100, MinScale = 2, MaxScale = 1 }).ShortSides());
        Assert.Throws<ArgumentException>(() => (Nothing with { BaseSize = 100, MinScale = double.NaN }).ShortSides());
    }

    [Fact]
    public void Evaluation_resizes_both_or_nothing()
    {
        Sample sample = Numbered(4, 6);
        Assert.Same(sample, new EvalTransform().Apply(sample));
        Sample small = new EvalTransform(2).Apply(sample);
        Assert.Equal((2, 3, 2, 3), (small.Image.Height, small.Image.Width, small.Annotation.Semantic!.Height, small.Annotation.Semantic.Width));
        Assert.Null(new EvalTransform(2).Apply(sample with { Annotation = new Annotation() }).Annotation.Semantic);
    }
}

using Delineate.Data;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class MaskPastingTests
{
    private const int Side = 28;

    [Theory]
    [InlineData(3.2f, 4.7f, 30.9f, 22.1f)] // inside
    [InlineData(0, 0, 50, 40)] // the whole image
    [InlineData(-20.5f, -3.5f, 12.25f, 60.75f)] // over three edges
    [InlineData(10.1f, 10.2f, 10.4f, 10.3f)] // less than a pixel
    [InlineData(49.5f, 39.5f, 50, 40)] // the last pixel
    [InlineData(12, 7, 12, 7)] // nothing
    [InlineData(60, 50, 80, 70)] // outside
    public void A_mask_is_stretched_over_its_box_as_torchvisions_formula_says(float x1, float y1, float x2, float y2)
    {
        const int Height = 40, Width = 50;
        var random = new Random(1);
        float[] mask = [.. Enumerable.Range(0, Side * Side).Select(_ => random.NextSingle())], box = [x1, y1, x2, y2];
        var picture = new float[Height * Width];
        MaskPasting.Paste(mask, box, (Height, Width), picture);
        double[] expected = Reference(mask, box, Height, Width);
        for (int i = 0; i < picture.Length; i++) Assert.Equal(expected[i], picture[i], 1e-5);

        Rle rle = MaskPasting.ToRle(mask, box, (Height, Width), 0.5f);
        Assert.Equal((Height, Width), (rle.Height, rle.Width));
        Assert.Equal([.. picture.Select(v => v > 0.5f ? (byte)1 : (byte)0)], rle.Decode());
    }

    /// <summary>Border of zeros, box grown by 30/28 about its centre and cut to whole pixels, bilinear in double.</summary>
    private static double[] Reference(float[] mask, float[] box, int height, int width)
    {
        const int Bordered = Side + 2;
        float scale = (float)(Bordered / (double)Side);
        float halfWidth = (box[2] - box[0]) * 0.5f * scale, halfHeight = (box[3] - box[1]) * 0.5f * scale;
        (float centreX, float centreY) = ((box[2] + box[0]) * 0.5f, (box[3] + box[1]) * 0.5f);
        (int left, int top, int right, int bottom) = ((int)(centreX - halfWidth), (int)(centreY - halfHeight), (int)(centreX + halfWidth), (int)(centreY + halfHeight));
        (int columns, int rows) = (Math.Max(right - left + 1, 1), Math.Max(bottom - top + 1, 1));
        var picture = new double[height * width];
        for (int y = Math.Max(0, top); y < Math.Min(bottom + 1, height); y++)
        {
            for (int x = Math.Max(0, left); x < Math.Min(right + 1, width); x++)
            {
                (int low, int high, double share) = At(y - top, rows);
                picture[(y * width) + x] = ((1 - share) * Row(low, x - left)) + (share * Row(high, x - left));
            }
        }
        return picture;

        double Row(int row, int column)
        {
            (int low, int high, double share) = At(column, columns);
            return ((1 - share) * Value(row, low)) + (share * Value(row, high));
        }

        double Value(int row, int column) => row is 0 or Bordered - 1 || column is 0 or Bordered - 1 ? 0 : mask[((row - 1) * Side) + column - 1];

        static (int Low, int High, double Share) At(int output, int outputs)
        {
            double place = Math.Max(0, ((output + 0.5) * Bordered / outputs) - 0.5);
            int low = Math.Min((int)place, Bordered - 1);
            return (low, Math.Min(low + 1, Bordered - 1), place - low);
        }
    }
}

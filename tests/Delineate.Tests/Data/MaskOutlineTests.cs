using System.Globalization;
using Delineate.Data;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Data;

public class MaskOutlineTests
{
    private static Rle Random(int height, int width, int seed, int coarse)
    {
        var random = new Philox((ulong)seed);
        byte[] cells = new byte[height * width];
        for (int i = 0; i < cells.Length; i++) cells[i] = (byte)random.NextInt(2);
        byte[] pixels = new byte[height * width];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) pixels[(y * width) + x] = cells[(y / coarse * width) + (x / coarse)];
        return Rle.Encode(pixels, height, width);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 2, 1)]
    [InlineData(1, 9, 1)]
    [InlineData(7, 5, 1)]
    [InlineData(24, 31, 1)]
    [InlineData(24, 31, 3)]
    [InlineData(40, 40, 7)]
    public void Filled_the_outline_is_the_mask_again_pixel_for_pixel(int height, int width, int coarse)
    {
        for (int seed = 0; seed < 40; seed++)
        {
            Rle mask = Random(height, width, seed, coarse);
            IReadOnlyList<OutlinePart> parts = MaskOutline.Trace(mask);
            if (mask.Area == 0)
            {
                Assert.Empty(parts);
                continue;
            }
            Rle holes = parts.SelectMany(p => p.Holes).ToArray() is { Length: > 0 } all ? Rle.FromPolygons(all, height, width) : Rle.Empty(height, width);
            Assert.Equal(mask, Rle.FromPolygons([.. parts.Select(p => p.Outer)], height, width).Without(holes.Without(mask)));
            // Parts joined with their holes, and all as a single line.
            Assert.Equal(mask, Rle.FromPolygons([.. parts.Select(p => MaskOutline.Join(p.Holes.Prepend(p.Outer)))], height, width));
            double[] one = MaskOutline.Join(parts.SelectMany(p => p.Holes.Prepend(p.Outer)));
            Assert.Equal(mask, Rle.FromPolygons([one], height, width));
            double[] shares = [.. one.Select((v, i) => double.Parse((v / (i % 2 == 0 ? width : height)).ToString("0.#######", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture))];
            Assert.Equal(mask, Rle.FromPolygons([[.. shares.Select((v, i) => v * (i % 2 == 0 ? width : height))]], height, width));
        }
    }

    [Fact]
    public void Parts_meet_at_sides_only_and_holes_belong_to_theirs()
    {
        // A ring with a pixel inside it, one that touches it by a corner, and one apart.
        byte[] pixels =
        [
            1, 1, 1, 1, 1, 0, 0,
            1, 0, 0, 0, 1, 0, 1,
            1, 0, 1, 0, 1, 0, 0,
            1, 0, 0, 0, 1, 0, 0,
            1, 1, 1, 1, 1, 0, 0,
            0, 0, 0, 0, 0, 1, 0,
        ];
        IReadOnlyList<OutlinePart> parts = MaskOutline.Trace(Rle.Encode(pixels, 6, 7));
        Assert.Equal([1, 0, 0, 0], parts.Select(p => p.Holes.Count));
        Assert.Equal([0, 0, 5, 0, 5, 5, 0, 5], Rotated(parts[0].Outer));
        Assert.Equal([6, 1, 7, 1, 7, 2, 6, 2], Rotated(parts[1].Outer));

        static double[] Rotated(double[] line) => [.. line.TakeLast(2), .. line.SkipLast(2)]; // a line begins with its first turn
    }

    [Fact]
    public void A_tolerance_saves_corners_and_keeps_the_shape()
    {
        var disc = new byte[100 * 100];
        for (int i = 0; i < disc.Length; i++) disc[i] = (byte)((((i / 100) - 50) * ((i / 100) - 50)) + (((i % 100) - 50) * ((i % 100) - 50)) < 1600 ? 1 : 0);
        var mask = Rle.Encode(disc, 100, 100);
        double[] exact = MaskOutline.Trace(mask)[0].Outer, fewer = MaskOutline.Trace(mask, tolerance: 1)[0].Outer;
        Assert.True(fewer.Length * 5 < exact.Length, $"{fewer.Length} of {exact.Length}");
        Assert.InRange(Rle.Iou([Rle.FromPolygons([fewer], 100, 100)], [mask])[0, 0], 0.95, 1);
        Assert.Equal(8, MaskOutline.Trace(Rle.FromBox(new Box(3, 3, 4, 4), 10, 10), tolerance: 50)[0].Outer.Length);
    }
}

using Xunit;

namespace Delineate.Imaging.Tests;

public class PngFilterTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(6)]
    [InlineData(8)]
    public void Both_directions_agree_with_the_plain_form_for_every_length(int pixelBytes)
    {
        var random = new Random(pixelBytes);
        for (int pixels = 1; pixels <= 70; pixels++)
        {
            byte[] row = new byte[pixels * pixelBytes], above = new byte[row.Length];
            random.NextBytes(row);
            random.NextBytes(above);
            // Ties and equal neighbours are where a predictor goes wrong: make them common.
            if (pixels % 2 == 0)
                for (int i = 0; i < row.Length; i++) (row[i], above[i]) = ((byte)(row[i] % 3 * 127), (byte)(above[i] % 3 * 127));
            for (int filter = 0; filter < PngFilter.Count; filter++)
            {
                byte[] expected = PngForge.Filter(filter, row, above, pixelBytes), filtered = new byte[row.Length], undone = new byte[row.Length];
                long cost = PngFilter.Apply(filter, [.. new byte[PngFilter.Margin], .. row], [.. new byte[PngFilter.Margin], .. above], filtered, pixelBytes);
                Assert.Equal(expected, filtered);
                Assert.Equal(expected.Sum(d => (long)Math.Abs((int)(sbyte)d)), cost);
                PngFilter.Undo(filter, filtered, above, undone, pixelBytes);
                Assert.Equal(row, undone);
            }
        }
    }

    [Fact]
    public void Paeth_agrees_with_the_plain_form_for_all_triples()
    {
        // Two pixels: the first sets a and c, the second is predicted from (a, b, c). One row holds all b for one (a, c).
        byte[] row = new byte[2], above = new byte[2], undone = new byte[2];
        for (int a = 0; a < 256; a++)
            for (int c = 0; c < 256; c += a % 8 == 0 ? 1 : 15)
                for (int b = 0; b < 256; b += 5)
                {
                    (row[0], row[1], above[0], above[1]) = ((byte)a, (byte)77, (byte)c, (byte)b);
                    PngFilter.Undo(PngFilter.Paeth, PngForge.Filter(PngFilter.Paeth, row, above, 1), above, undone, 1);
                    if (undone[1] != row[1]) Assert.Fail($"a {a}, b {b}, c {c}: {undone[1]}");
                }
    }

    [Fact]
    public void The_cost_of_a_long_row_does_not_overflow()
    {
        byte[] row = new byte[PngFilter.Margin + 300_000], above = new byte[row.Length], filtered = new byte[300_000];
        row.AsSpan(PngFilter.Margin).Fill(128); // magnitude 128, the largest
        Assert.Equal(300_000L * 128, PngFilter.Apply(PngFilter.None, row, above, filtered, 3));
    }
}

using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class RegionProposalsTests
{
    [Theory]
    [InlineData(1000, 10)]
    [InlineData(1000, 1000)]
    [InlineData(7, 50)]
    [InlineData(0, 5)]
    [InlineData(300, 1)]
    public void The_largest_values_come_first_and_of_equal_ones_the_first(int length, int count)
    {
        var random = new Random(length);
        float[] values = [.. Enumerable.Range(0, length).Select(_ => (float)random.Next(40))]; // many ties
        int[] expected = [.. Enumerable.Range(0, length).OrderByDescending(i => values[i]).ThenBy(i => i).Take(count)];
        Assert.Equal(expected, RegionProposals.Largest(values, count));
    }

    [Fact]
    public void Values_that_are_no_numbers_do_no_harm() =>
        Assert.Equal([1], RegionProposals.Largest([float.NaN, 3, float.NaN, 2, float.NegativeInfinity], 3).Where(i => i == 1));

    [Fact]
    public void Boxes_are_clipped_small_and_overlapped_ones_go_and_no_more_remain_than_were_asked_for()
    {
        // One level whose anchors do not move: those of the first place lie half outside the image.
        var (objectness, deltas) = (new List<Tensor>(), new List<Tensor>());
        Tensor[] maps = [.. new[] { (8, 8), (4, 4), (2, 2), (1, 1), (1, 1) }.Select(s => Tensor.Zeros([1, s.Item1, s.Item2, 1]))];
        foreach (Tensor map in maps)
        {
            objectness.Add(Tensor.Full([1, map.Shape[1], map.Shape[2], 3], -5));
            deltas.Add(Tensor.Zeros([1, map.Shape[1], map.Shape[2], 12]));
        }
        objectness[0].Span[1] = 4; // the square at the first place: clipped to 16×16
        objectness[0].Span[4] = 3; // its neighbour, 4 pixels right: overlaps it by 16·16 / (16·20) = 0.8
        objectness[1].Span[1] = 2; // the same place of the next level is another group
        var input = new DetectorInput(Tensor.Zeros([1, 32, 32, 3]), [(30, 28)], [(30, 28)]);
        RcnnMaps all = new(maps, objectness, deltas);
        float[] boxes = new RegionProposals(2, 100, 0.7).Choose(all, input)[0];
        Assert.Equal([0, 0, 16, 16], boxes[..4]);
        Assert.Equal([0, 0, 28, 30], boxes[4..8]); // 64 pixels a side around the corner, clipped
        Assert.Equal([0, 0, 16, 16, 0, 0, 20, 16], new RegionProposals(2, 2, 0.9).Choose(all, input)[0]); // two at most
        Assert.All(boxes.Chunk(4), b => Assert.True(b[2] - b[0] >= 1e-3f && b[3] - b[1] >= 1e-3f && b[0] >= 0 && b[1] >= 0 && b[2] <= 28 && b[3] <= 30));
        foreach (Tensor moves in deltas) moves.Span.Fill(-100); // all of them shrink to nothing, outside
        Assert.Empty(new RegionProposals(100, 100, 0.7).Choose(all, input)[0]);
    }
}

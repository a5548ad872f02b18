using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class PyramidPoolingTests
{
    /// <summary>Boxes by side and the map that equation 1 of Lin et al. 2017 gives them: ⌊4 + log₂(side / 224)⌋, from 2 to 5.</summary>
    private static readonly (float Side, int Level)[] Cases = [(10, 0), (111, 0), (112, 1), (223.9f, 1), (224, 2), (447, 2), (448, 3), (900, 3), (0, 0), (150, 1)];

    [Fact]
    public void Each_region_is_pooled_from_the_map_of_its_size_and_stays_in_its_place()
    {
        Tensor[] pyramid = [.. Enumerable.Range(0, 4).Select(i => GradCheck.Input([2, 64 >> i, 64 >> i, 5], seed: i + 1))];
        float[][] boxes = [[.. Cases[..6].SelectMany((c, i) => (float[])[i, 2 * i, i + c.Side, (2 * i) + c.Side])], [.. Cases[6..].SelectMany(c => (float[])[1, 3, 1 + c.Side, 3 + c.Side])]];
        Tensor pooled = PyramidPooling.Pool(pyramid, boxes, 7);
        Assert.Equal([Cases.Length, 7, 7, 5], pooled.Shape);
        for (int k = 0; k < Cases.Length; k++)
        {
            (int image, int own) = k < 6 ? (0, k) : (1, k - 6);
            Tensor roi = Tensor.From([image, .. boxes[image].AsSpan(4 * own, 4)], [1, 5]);
            Tensor expected = pyramid[Cases[k].Level].RoiAlign(roi, 7, 1f / (4 << Cases[k].Level), 2);
            TensorAssert.SameBits(expected.Span, pooled.Span.Slice(k * 7 * 7 * 5, 7 * 7 * 5), $"region {k}");
        }
    }

    [Fact]
    public void No_regions_make_an_empty_map() =>
        Assert.Equal([0, 14, 14, 5], PyramidPooling.Pool([.. Enumerable.Range(0, 4).Select(_ => Tensor.Zeros([1, 8, 8, 5]))], [[]], 14).Shape);

    [Fact]
    public void Gradients_reach_the_maps_that_were_read_and_no_other()
    {
        Tensor[] pyramid = [.. Enumerable.Range(0, 4).Select(i => GradCheck.Input([1, 16, 16, 3], seed: i + 1))];
        foreach (Tensor map in pyramid) map.RequiresGrad = true;
        Tensor pooled = PyramidPooling.Pool(pyramid, [[0, 0, 230, 230, 1, 1, 30, 30, 2, 2, 20, 20]], 7);
        pooled.Sum().Backward();
        Assert.Equal([true, false, true, false], pyramid.Select(m => m.Gradient is not null));
        Assert.Equal(2 * 49 * 3, pyramid[0].Gradient!.ToArray().Sum(), 1e-2f); // bilinear shares add up to 1
        Assert.Equal(49 * 3, pyramid[2].Gradient!.ToArray().Sum(), 1e-2f);
    }
}

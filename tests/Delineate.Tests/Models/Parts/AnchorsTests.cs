using Delineate.Models.Parts;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class AnchorsTests
{
    [Fact]
    public void Three_shapes_stand_at_each_place_a_whole_number_of_pixels_apart()
    {
        // 224×160 at stride 64 is 4×3 places, which torchvision puts 224 / 4 and 160 / 3 pixels apart, rounded down.
        Tensor[] maps = [Tensor.Zeros([1, 56, 40, 1]), Tensor.Zeros([1, 4, 3, 1])];
        Anchors anchors = Anchors.For(Tensor.Zeros([2, 224, 160, 3]), maps);
        Assert.Equal((56 * 40 * 3) + (4 * 3 * 3), anchors.Count);
        Assert.Equal([0, 56 * 40 * 3, anchors.Count], anchors.Starts);
        Assert.Equal([-23, -11, 23, 11, -16, -16, 16, 16, -11, -23, 11, 23], anchors.Boxes[..12]);
        Assert.Equal([4 - 23, -11, 4 + 23, 11], anchors.Boxes[12..16]); // the next column
        int second = 4 * anchors.Starts[1];
        Assert.Equal([-45, -23, 45, 23], anchors.Boxes[second..(second + 4)]); // sides of 64
        Assert.Equal([106 - 23, 168 - 45, 106 + 23, 168 + 45], anchors.Boxes[^4..]); // the last row and column: 3 · 56 down, 2 · 53 right
    }
}

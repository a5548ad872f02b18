using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class BoxCoderTests
{
    [Fact]
    public void Offsets_are_the_way_of_the_centres_and_the_logarithms_of_the_ratios()
    {
        var coder = new BoxCoder(10, 10, 5, 5);
        float[] deltas = coder.Encode([10, 20, 30, 60], [0, 0, 10, 80]);
        Assert.Equal([10 * (20 - 5) / 10f, 10 * (40 - 40) / 80f, 5 * MathF.Log(2), 5 * MathF.Log(0.5f)], deltas);
        TensorAssert.Close([10, 20, 30, 60], coder.Decode(deltas, [0, 0, 10, 80]), 1e-6);
    }

    [Fact]
    public void A_box_has_offsets_for_each_class_and_its_growth_is_bounded()
    {
        float[] boxes = [0, 0, 16, 16, 100, 100, 116, 108];
        float[] decoded = new BoxCoder(1, 1, 1, 1).Decode([0, 0, 0, 0, 1, 0, 50, 0, 0, 0, 0, 0, 0, 1, 0, float.PositiveInfinity], boxes);
        TensorAssert.Close([0, 0, 16, 16, 24 - 500, 0, 24 + 500, 16, 100, 100, 116, 108, 100, 112 - 250, 116, 112 + 250], decoded, 1e-6);
    }

    [Fact]
    public void Boxes_that_are_no_number_stay_no_number()
    {
        Assert.All(new BoxCoder(1, 1, 1, 1).Decode([0, 0, float.NaN, float.NaN], [0, 0, 1, 1]), v => Assert.True(float.IsNaN(v)));
        Assert.Empty(new BoxCoder(1, 1, 1, 1).Decode([], []));
        Assert.Empty(new BoxCoder(1, 1, 1, 1).Encode([], []));
    }

    [Fact]
    public void Mistakes_are_named()
    {
        var coder = new BoxCoder(1, 1, 1, 1);
        Assert.Throws<ShapeException>(() => coder.Encode(new float[4], new float[8]));
        Assert.Throws<ShapeException>(() => coder.Encode(new float[3], new float[3]));
        Assert.Throws<ShapeException>(() => coder.Encode(new float[4], new float[4], new float[8]));
        Assert.Throws<ShapeException>(() => coder.Decode(new float[12], new float[8]));
        Assert.Throws<ShapeException>(() => coder.Decode(new float[4], []));
        Assert.Throws<ShapeException>(() => coder.Decode(new float[8], new float[8], new float[4]));
    }

    [ReferenceTheory]
    [InlineData("1", 1, 1)]
    [InlineData("10", 10, 5)]
    public void Torchvision_gives_the_same(string name, float centre, float size)
    {
        var golden = Golden.Reference("losses");
        var coder = new BoxCoder(centre, centre, size, size);
        float[] boxes = golden.Array("in.pair.b").Floats;
        float[] encoded = coder.Encode(boxes, golden.Array("in.box.a").Floats.AsSpan(0, boxes.Length));
        TensorAssert.Close(golden.Array($"coder.{name}.encode").Values, encoded, 1e-6);
        TensorAssert.Close(golden.Array($"coder.{name}.decode").Values, coder.Decode(golden.Array($"in.coder.{name}").Floats, boxes), 1e-6);
    }
}

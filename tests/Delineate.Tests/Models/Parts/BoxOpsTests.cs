using Delineate.Data;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class BoxOpsTests
{
    [Fact]
    public void Overlaps_of_boxes_that_can_be_done_in_the_head()
    {
        float[] a = [0, 0, 10, 10], b = [0, 0, 10, 10, 5, 0, 15, 10, 20, 0, 30, 10, 3, 3, 3, 3];
        Assert.Equal([1, 4], BoxOps.Iou(a, b).Shape);
        TensorAssert.Close([1, 50.0 / 150, 0, 0], BoxOps.Iou(a, b), 1e-6);
        TensorAssert.Close([1, 50.0 / 150, -100.0 / 300, 0], BoxOps.GeneralizedIou(a, b), 1e-6);
        TensorAssert.Close([1, (1.0 / 3) - (25 / 325.0), -400 / 1000.0, -8 / 200.0], BoxOps.DistanceIou(a, b), 1e-6);
        double v = 4 / (Math.PI * Math.PI) * Math.Pow(Math.Atan(2) - Math.Atan(1), 2);
        TensorAssert.Close([0.5 - (25 / 500.0) - (v * v / (0.5 + v))], BoxOps.CompleteIou(a, [0, 0, 20, 10]), 1e-6);
    }

    [Fact]
    public void Empty_boxes_overlap_nothing()
    {
        float[] point = [3, 3, 3, 3];
        foreach (Tensor iou in new[] { BoxOps.Iou(point, point), BoxOps.GeneralizedIou(point, point), BoxOps.DistanceIou(point, point), BoxOps.CompleteIou(point, point) })
            Assert.Equal([0f], iou.ToArray());
        Assert.Equal([0, 2], BoxOps.Iou([], new float[8]).Shape);
        Assert.Equal([2, 0], BoxOps.Iou(new float[8], []).Shape);
    }

    [Fact]
    public void Many_boxes_are_shared_out_among_threads()
    {
        var random = new Random(4);
        float[] a = Boxes(random, 7), b = Boxes(random, 9000);
        int before = ThreadTeam.Threads;
        try
        {
            ThreadTeam.Threads = 3;
            float[] iou = BoxOps.Iou(a, b).ToArray();
            for (int i = 0; i < iou.Length; i++)
                Assert.Equal(Of(a, i / 9000).Iou(Of(b, i % 9000)), iou[i], 1e-6);
        }
        finally
        {
            ThreadTeam.Threads = before;
        }

        static Box Of(float[] rows, int i) => new(rows[4 * i], rows[(4 * i) + 1], rows[(4 * i) + 2], rows[(4 * i) + 3]);
    }

    [Fact]
    public void Clips_filters_and_turns_boxes()
    {
        float[] boxes = [-3, 4, 50, 90, 2, 3, 6, 11, 700, -1, 800, 5];
        BoxOps.Clip(boxes, 60, 40);
        Assert.Equal([0, 4, 40, 60, 2, 3, 6, 11, 40, 0, 40, 5], boxes);
        Assert.Equal([0, 1], BoxOps.WithoutSmall(boxes, 4));
        Assert.Equal([0], BoxOps.WithoutSmall(boxes, 4.01f));
        Assert.Equal([1], BoxOps.WithoutSmall([0, 0, float.NaN, 5, 0, 0, 0, 0], 0));
        BoxOps.XyxyToCxcywh(boxes);
        Assert.Equal([20, 32, 40, 56, 4, 7, 4, 8, 40, 2.5f, 0, 5], boxes);
        BoxOps.CxcywhToXyxy(boxes);
        Assert.Equal([0, 4, 40, 60, 2, 3, 6, 11, 40, 0, 40, 5], boxes);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], BoxOps.Rows([new Box(1, 2, 3, 4), new Box(5, 6, 7, 8)]));
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Assert.Throws<ShapeException>(() => BoxOps.Iou(new float[4], new float[5]));
        Assert.Throws<ShapeException>(() => BoxOps.Clip(new float[5], 1, 1));
        Assert.Throws<ShapeException>(() => BoxOps.WithoutSmall(new float[3], 1));
        Assert.Throws<ShapeException>(() => BoxOps.XyxyToCxcywh(new float[2]));
        Assert.Throws<ShapeException>(() => BoxOps.CxcywhToXyxy(new float[2]));
    }

    [ReferenceFact]
    public void Torchvision_gives_the_same()
    {
        var golden = Golden.Reference("losses");
        float[] a = golden.Array("in.box.a").Floats, b = golden.Array("in.box.b").Floats;
        TensorAssert.SameBits(golden.Array("box.iou").Floats, BoxOps.Iou(a, b).Span);
        TensorAssert.Close(golden.Tensor("box.giou"), BoxOps.GeneralizedIou(a, b), 1e-6);
        TensorAssert.Close(golden.Tensor("box.diou"), BoxOps.DistanceIou(a, b), 1e-6);
        TensorAssert.Close(golden.Tensor("box.ciou"), BoxOps.CompleteIou(a, b), 1e-6);
        Assert.Equal(golden.Array("box.small").Ints, BoxOps.WithoutSmall(a, 25));
        float[] beyond = Array.ConvertAll(a, v => (v * 1.5f) - 20);
        BoxOps.Clip(beyond, 80, 90);
        TensorAssert.SameBits(golden.Array("box.clip").Floats, beyond);
    }

    private static float[] Boxes(Random random, int count)
    {
        var rows = new float[4 * count];
        for (int i = 0; i < rows.Length; i += 4)
        {
            (rows[i], rows[i + 1]) = (random.Next(100), random.Next(100));
            (rows[i + 2], rows[i + 3]) = (rows[i] + random.Next(40), rows[i + 1] + random.Next(40));
        }
        return rows;
    }
}

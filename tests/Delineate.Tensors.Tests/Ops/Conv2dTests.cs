using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class Conv2dTests
{
    public static TheoryData<string, Reference.Conv> Shapes => new()
    {
        { "one pixel, 1×1", new(1, (1, 1), 1, 1, (1, 1), (1, 1), (0, 0), (1, 1)) },
        { "one pixel, 3×3", new(2, (1, 1), 3, 5, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "1×1", new(2, (5, 7), 16, 33, (1, 1), (1, 1), (0, 0), (1, 1)) },
        { "1×1 with padding", new(1, (5, 7), 5, 3, (1, 1), (1, 1), (1, 1), (1, 1)) },
        { "1×1 stride 2", new(2, (7, 6), 17, 21, (1, 1), (2, 2), (0, 0), (1, 1)) },
        { "2×2 stride 2", new(2, (6, 8), 3, 16, (2, 2), (2, 2), (0, 0), (1, 1)) },
        { "3×3", new(2, (6, 9), 16, 17, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "3×3 of many channels", new(1, (8, 5), 33, 70, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "3×3 stride 2", new(1, (9, 8), 21, 33, (3, 3), (2, 2), (1, 1), (1, 1)) },
        { "3×3 dilation 2", new(1, (9, 7), 5, 21, (3, 3), (1, 1), (2, 2), (2, 2)) },
        { "3×3 dilation 4 on a small map", new(1, (5, 6), 16, 16, (3, 3), (1, 1), (4, 4), (4, 4)) },
        { "5×5", new(1, (7, 8), 17, 5, (5, 5), (1, 1), (2, 2), (1, 1)) },
        { "7×7 stride 2 on three channels", new(2, (15, 13), 3, 16, (7, 7), (2, 2), (3, 3), (1, 1)) },
        { "stride above the kernel", new(1, (11, 13), 3, 5, (2, 1), (3, 4), (0, 0), (1, 1)) },
        { "stride 2 dilation 3", new(1, (12, 11), 3, 5, (3, 2), (2, 2), (2, 1), (3, 3)) },
        { "all sizes unequal", new(1, (9, 14), 5, 3, (2, 5), (2, 3), (1, 4), (3, 1)) },
        { "padding beyond the map", new(1, (3, 2), 3, 5, (3, 3), (1, 1), (6, 7), (1, 1)) },
        { "two groups", new(2, (5, 6), 6, 10, (3, 3), (1, 1), (1, 1), (1, 1), 2) },
        { "three groups stride 2", new(1, (7, 6), 51, 6, (3, 3), (2, 2), (1, 1), (1, 1), 3) },
        { "depthwise", new(2, (6, 7), 21, 21, (3, 3), (1, 1), (1, 1), (1, 1), 21) },
        { "depthwise stride 2 dilation 2", new(1, (9, 8), 37, 37, (3, 3), (2, 2), (2, 2), (2, 2), 37) },
        { "depthwise with two filters each", new(1, (6, 7), 5, 10, (3, 3), (1, 1), (1, 1), (1, 1), 5) },
        { "several blocks of rows and of depth", new(2, (17, 18), 33, 21, (3, 3), (1, 1), (1, 1), (1, 1)) },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Matches_naive_loops_forward_and_backward(string what, Reference.Conv g)
    {
        Assert.NotEmpty(what);
        Tensor[] inputs =
        [
            GradCheck.Input([g.N, g.In.H, g.In.W, g.C]),
            GradCheck.Input([g.Out, g.Kernel.H, g.Kernel.W, g.C / g.Groups], 2),
            GradCheck.Input([g.Out], 3),
        ];
        GradCheck.Run(t => t[0].Conv2d(t[1], t[2], g.Stride, g.Padding, g.Dilation, g.Groups), v => Reference.Conv2d(g, v[0], v[1], v[2]), inputs, relative: 1e-5);
    }
}

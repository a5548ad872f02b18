using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ConvTranspose2dTests
{
    public static TheoryData<string, Reference.Conv> Shapes => new()
    {
        { "one pixel", new(1, (1, 1), 1, 1, (1, 1), (1, 1), (0, 0), (1, 1)) },
        { "2×2 stride 2", new(2, (4, 5), 17, 16, (2, 2), (2, 2), (0, 0), (1, 1)) },
        { "4×4 stride 2", new(1, (5, 4), 21, 33, (4, 4), (2, 2), (1, 1), (1, 1)) },
        { "3×3 stride 2 with output padding", new(1, (5, 4), 3, 5, (3, 3), (2, 2), (1, 1), (1, 1), 1, (1, 1)) },
        { "3×3 stride 1", new(2, (5, 6), 16, 5, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "16×16 stride 8", new(1, (3, 2), 3, 5, (16, 16), (8, 8), (4, 4), (1, 1)) },
        { "64×64 stride 32", new(1, (2, 2), 2, 3, (64, 64), (32, 32), (16, 16), (1, 1)) },
        { "stride above the kernel", new(1, (4, 3), 3, 5, (2, 1), (3, 4), (0, 0), (1, 1), 1, (2, 3)) },
        { "dilation 2 stride 3", new(1, (4, 5), 5, 3, (3, 2), (3, 2), (1, 1), (2, 3)) },
        { "two groups", new(1, (4, 5), 6, 10, (3, 3), (2, 2), (1, 1), (1, 1), 2) },
        { "depthwise", new(1, (4, 5), 21, 21, (4, 4), (2, 2), (1, 1), (1, 1), 21) },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Matches_naive_loops_forward_and_backward(string what, Reference.Conv g)
    {
        Assert.NotEmpty(what);
        Tensor[] inputs =
        [
            GradCheck.Input([g.N, g.In.H, g.In.W, g.C]),
            GradCheck.Input([g.C, g.Kernel.H, g.Kernel.W, g.Out / g.Groups], 2),
            GradCheck.Input([g.Out], 3),
        ];
        GradCheck.Run(t => t[0].ConvTranspose2d(t[1], t[2], g.Stride, g.Padding, g.OutputPadding, g.Dilation, g.Groups), v => Reference.ConvTranspose2d(g, v[0], v[1], v[2]), inputs, relative: 1e-5);
    }
}

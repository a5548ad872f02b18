using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class Window2dTests
{
    [Fact]
    public void Every_window_begins_on_the_input_or_the_padding_before_it()
    {
        for (int input = 1; input <= 12; input++)
        {
            for (int kernel = 1; kernel <= 5; kernel++)
            {
                for (int stride = 1; stride <= 4; stride++)
                {
                    for (int padding = 0; padding <= kernel / 2; padding++)
                    {
                        for (int dilation = 1; dilation <= 2; dilation++)
                        {
                            Check(input, kernel, stride, padding, dilation, ceilMode: false);
                            Check(input, kernel, stride, padding, dilation, ceilMode: true);
                        }
                    }
                }
            }
        }
    }

    /// <summary>The count of windows found by laying them one after the other.</summary>
    internal static int Outputs(int input, int kernel, int stride, int padding, int dilation, bool ceilMode)
    {
        int reach = dilation * (kernel - 1), count = 0;
        for (int start = -padding; ; start += stride)
        {
            bool fits = start + reach < input + padding;
            // Rounding up adds one window that reaches over the end, if it begins before the padding after the input.
            bool over = ceilMode && !fits && start < input && start + reach - stride < input + padding - 1;
            if (!fits && !over) return count;
            count++;
            if (over) return count;
        }
    }

    private static void Check(int input, int kernel, int stride, int padding, int dilation, bool ceilMode)
    {
        int expected = Outputs(input, kernel, stride, padding, dilation, ceilMode);
        Tensor x = Tensor.Empty([0, input, 40, 3]);
        if (expected == 0)
        {
            Assert.Throws<ShapeException>(() => Window2d.Of(x, (kernel, 1), stride, (padding, 0), (dilation, 1), ceilMode));
            return;
        }
        Window2d window = Window2d.Of(x, (kernel, 1), stride, (padding, 0), (dilation, 1), ceilMode);
        Assert.True(expected == window.Output.Height, $"input {input}, kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation}, ceil {ceilMode}: {expected} windows, got {window.Output.Height}");
    }
}

namespace Delineate.Testing;

/// <summary>Naive double loops, written from the definitions, that the engine's products are checked against. Arrays are flat, channels last.</summary>
public static class Reference
{
    /// <summary>The sizes of one convolution: (height, width) pairs, a map [N, H, W, C] and a weight [Out, Kernel, C / groups].</summary>
    public sealed record Conv(
        int N, (int H, int W) In, int C, int Out, (int H, int W) Kernel, (int H, int W) Stride, (int H, int W) Padding, (int H, int W) Dilation, int Groups = 1, (int H, int W) OutputPadding = default)
    {
        /// <summary>Output size of the convolution.</summary>
        public (int H, int W) OutSize => (
            ((In.H + (2 * Padding.H) - (Dilation.H * (Kernel.H - 1)) - 1) / Stride.H) + 1,
            ((In.W + (2 * Padding.W) - (Dilation.W * (Kernel.W - 1)) - 1) / Stride.W) + 1);

        /// <summary>Output size of the transposed convolution.</summary>
        public (int H, int W) TransposedSize => (
            ((In.H - 1) * Stride.H) - (2 * Padding.H) + (Dilation.H * (Kernel.H - 1)) + OutputPadding.H + 1,
            ((In.W - 1) * Stride.W) - (2 * Padding.W) + (Dilation.W * (Kernel.W - 1)) + OutputPadding.W + 1);
    }

    public static double[] Conv2d(Conv g, double[] x, double[] weight, double[]? bias = null)
    {
        (int oh, int ow) = g.OutSize;
        (int inGroup, int outGroup) = (g.C / g.Groups, g.Out / g.Groups);
        var y = new double[g.N * oh * ow * g.Out];
        for (int n = 0, at = 0; n < g.N; n++)
        {
            for (int oy = 0; oy < oh; oy++)
            {
                for (int ox = 0; ox < ow; ox++)
                {
                    for (int o = 0; o < g.Out; o++, at++)
                    {
                        double sum = bias?[o] ?? 0;
                        for (int ky = 0; ky < g.Kernel.H; ky++)
                        {
                            int iy = (oy * g.Stride.H) + (ky * g.Dilation.H) - g.Padding.H;
                            if (iy < 0 || iy >= g.In.H) continue;
                            for (int kx = 0; kx < g.Kernel.W; kx++)
                            {
                                int ix = (ox * g.Stride.W) + (kx * g.Dilation.W) - g.Padding.W;
                                if (ix < 0 || ix >= g.In.W) continue;
                                int from = ((((n * g.In.H) + iy) * g.In.W) + ix) * g.C;
                                int w = ((((o * g.Kernel.H) + ky) * g.Kernel.W) + kx) * inGroup;
                                for (int c = 0; c < inGroup; c++) sum += x[from + (o / outGroup * inGroup) + c] * weight[w + c];
                            }
                        }
                        y[at] = sum;
                    }
                }
            }
        }
        return y;
    }

    /// <summary>The weight is [C, Kernel, Out / groups].</summary>
    public static double[] ConvTranspose2d(Conv g, double[] x, double[] weight, double[]? bias = null)
    {
        (int oh, int ow) = g.TransposedSize;
        (int inGroup, int outGroup) = (g.C / g.Groups, g.Out / g.Groups);
        var y = new double[g.N * oh * ow * g.Out];
        if (bias is not null)
        {
            for (int i = 0; i < y.Length; i++) y[i] = bias[i % g.Out];
        }
        for (int n = 0; n < g.N; n++)
        {
            for (int iy = 0; iy < g.In.H; iy++)
            {
                for (int ix = 0; ix < g.In.W; ix++)
                {
                    for (int ky = 0; ky < g.Kernel.H; ky++)
                    {
                        int oy = (iy * g.Stride.H) + (ky * g.Dilation.H) - g.Padding.H;
                        if (oy < 0 || oy >= oh) continue;
                        for (int kx = 0; kx < g.Kernel.W; kx++)
                        {
                            int ox = (ix * g.Stride.W) + (kx * g.Dilation.W) - g.Padding.W;
                            if (ox < 0 || ox >= ow) continue;
                            for (int c = 0; c < g.C; c++)
                            {
                                double value = x[((((n * g.In.H) + iy) * g.In.W) + ix) * g.C + c];
                                int w = ((((c * g.Kernel.H) + ky) * g.Kernel.W) + kx) * outGroup;
                                int to = (((((n * oh) + oy) * ow) + ox) * g.Out) + (c / inGroup * outGroup);
                                for (int o = 0; o < outGroup; o++) y[to + o] += value * weight[w + o];
                            }
                        }
                    }
                }
            }
        }
        return y;
    }

    /// <summary>[rows, depth] · [depth, columns]; a transposed operand lies as [depth, rows] or [columns, depth].</summary>
    public static double[] MatMul(int rows, int columns, int depth, double[] a, double[] b, bool transposeA = false, bool transposeB = false)
    {
        var y = new double[rows * columns];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                double sum = 0;
                for (int k = 0; k < depth; k++) sum += a[transposeA ? (k * rows) + i : (i * depth) + k] * b[transposeB ? (j * depth) + k : (k * columns) + j];
                y[(i * columns) + j] = sum;
            }
        }
        return y;
    }
}

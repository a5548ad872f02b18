using System.Numerics;
using System.Numerics.Tensors;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// Convolution with a filter of its own for each channel: no product of matrices, but sums along pixels, a vector of channels at a time.
/// Filters are re-laid to [taps, C], so that everything runs along the channels.
/// </summary>
internal static unsafe class Depthwise
{
    private const int LinesInPiece = 4;
    private static readonly int W = Vector<float>.Count;

    public static bool Fits(ConvGeometry g) => g.Groups > 1 && g.InGroup == 1 && g.OutGroup == 1;

    public static void Forward(ConvGeometry g, float* x, float* weight, float* bias, float* y)
    {
        AxisPhase[] vertical = [Whole(g.Output.Height, g.Kernel.Height, g.Dilation.Height, g.Padding.Height)];
        AxisPhase[] horizontal = [Whole(g.Output.Width, g.Kernel.Width, g.Dilation.Width, g.Padding.Width)];
        Sum(g, vertical, horizontal, x, g.Input, g.Stride, weight, bias, y, g.Output, 1);

        static AxisPhase Whole(int output, int kernel, int dilation, int padding) =>
            new(0, output, [.. Enumerable.Range(0, kernel)], [.. Enumerable.Range(0, kernel).Select(k => (k * dilation) - padding)]);
    }

    public static void BackwardData(ConvGeometry g, float* dy, float* weight, float* bias, float* dx)
    {
        AxisPhase[] vertical = [.. AxisPhase.All(g.Input.Height, g.Kernel.Height, g.Stride.Height, g.Padding.Height, g.Dilation.Height)];
        AxisPhase[] horizontal = [.. AxisPhase.All(g.Input.Width, g.Kernel.Width, g.Stride.Width, g.Padding.Width, g.Dilation.Width)];
        Sum(g, vertical, horizontal, dy, g.Output, 1, weight, bias, dx, g.Input, g.Stride);
    }

    public static void BackwardWeights(ConvGeometry g, float* x, float* dy, float* dw)
    {
        int channels = g.InChannels;
        int length = g.Taps * channels;
        int lines = g.Batch * g.Output.Height;
        int pieces = (lines + LinesInPiece - 1) / LinesInPiece;
        using Scratch partial = Scratch.Floats(checked(pieces * length));
        partial.Span.Clear();
        float* sums = Pinned.Of(partial);
        ThreadTeam.Run(pieces, piece =>
        {
            for (int line = piece * LinesInPiece; line < Math.Min(lines, (piece + 1) * LinesInPiece); line++)
            {
                AddLine(g, x, dy + ((nint)line * g.Output.Width * channels), sums + ((nint)piece * length), line / g.Output.Height, line % g.Output.Height);
            }
        });
        for (int piece = 1; piece < pieces; piece++) TensorPrimitives.Add(partial.Span[..length], partial.Span.Slice(piece * length, length), partial.Span[..length]);
        for (int c = 0; c < channels; c++)
        {
            for (int tap = 0; tap < g.Taps; tap++) dw[(c * g.Taps) + tap] = sums[(tap * channels) + c];
        }
    }

    /// <summary>
    /// target[start + step·q] = bias + Σ over a phase's taps of filter · source[q·sourceStep + offset], for the phases of both axes.
    /// </summary>
    private static void Sum(
        ConvGeometry g, AxisPhase[] vertical, AxisPhase[] horizontal, float* source, Size2d sourceMap, Size2d sourceStep, float* weight, float* bias, float* target, Size2d targetMap, Size2d targetStep)
    {
        int channels = g.InChannels;
        using Scratch filters = Scratch.Floats((g.Taps + 1) * channels);
        float* byTap = Pinned.Of(filters);
        for (int c = 0; c < channels; c++)
        {
            for (int tap = 0; tap < g.Taps; tap++) byTap[(tap * channels) + c] = weight[(c * g.Taps) + tap];
        }
        float* first = byTap + (g.Taps * channels);
        for (int c = 0; c < channels; c++) first[c] = bias == null ? 0 : bias[c];

        ThreadTeam.Ranges(g.Batch * targetMap.Height, LinesInPiece, (from, to) =>
        {
            for (int line = from; line < to; line++)
            {
                (int image, int ty) = Math.DivRem(line, targetMap.Height);
                (int qy, int py) = Math.DivRem(ty, targetStep.Height);
                AxisPhase v = vertical[py];
                float* map = source + ((nint)image * sourceMap.Height * sourceMap.Width * channels);
                for (int tx = 0; tx < targetMap.Width; tx++)
                {
                    (int qx, int px) = Math.DivRem(tx, targetStep.Width);
                    float* pixel = target + ((((nint)line * targetMap.Width) + tx) * channels);
                    Pixel(g, v, horizontal[px], map, sourceMap, qy * sourceStep.Height, qx * sourceStep.Width, byTap, first, pixel, channels);
                }
            }
        });
    }

    private static void Pixel(ConvGeometry g, AxisPhase v, AxisPhase h, float* map, Size2d size, int y0, int x0, float* byTap, float* first, float* target, int channels)
    {
        // Four vectors of channels at a time, so that the taps are looked up once for all of them.
        int c = 0;
        for (; c <= channels - (4 * W); c += 4 * W)
        {
            Vector<float> s0 = Vector.Load(first + c), s1 = Vector.Load(first + c + W), s2 = Vector.Load(first + c + (2 * W)), s3 = Vector.Load(first + c + (3 * W));
            for (int i = 0; i < v.Offsets.Length; i++)
            {
                int y = y0 + v.Offsets[i];
                if ((uint)y >= (uint)size.Height) continue;
                for (int j = 0; j < h.Offsets.Length; j++)
                {
                    int x = x0 + h.Offsets[j];
                    if ((uint)x >= (uint)size.Width) continue;
                    float* from = map + ((((nint)y * size.Width) + x) * channels) + c;
                    float* filter = byTap + (((v.KernelTaps[i] * g.Kernel.Width) + h.KernelTaps[j]) * channels) + c;
                    s0 = Vector.MultiplyAddEstimate(Vector.Load(from), Vector.Load(filter), s0);
                    s1 = Vector.MultiplyAddEstimate(Vector.Load(from + W), Vector.Load(filter + W), s1);
                    s2 = Vector.MultiplyAddEstimate(Vector.Load(from + (2 * W)), Vector.Load(filter + (2 * W)), s2);
                    s3 = Vector.MultiplyAddEstimate(Vector.Load(from + (3 * W)), Vector.Load(filter + (3 * W)), s3);
                }
            }
            s0.Store(target + c);
            s1.Store(target + c + W);
            s2.Store(target + c + (2 * W));
            s3.Store(target + c + (3 * W));
        }
        for (; c < channels; c += W)
        {
            // What is left ends in a vector that reaches back over channels already done; fewer channels than a vector go one by one.
            bool single = channels < W;
            if (!single) c = Math.Min(c, channels - W);
            Vector<float> sum = single ? new Vector<float>(first[c]) : Vector.Load(first + c);
            for (int i = 0; i < v.Offsets.Length; i++)
            {
                int y = y0 + v.Offsets[i];
                if ((uint)y >= (uint)size.Height) continue;
                for (int j = 0; j < h.Offsets.Length; j++)
                {
                    int x = x0 + h.Offsets[j];
                    if ((uint)x >= (uint)size.Width) continue;
                    float* from = map + ((((nint)y * size.Width) + x) * channels) + c;
                    float* filter = byTap + (((v.KernelTaps[i] * g.Kernel.Width) + h.KernelTaps[j]) * channels) + c;
                    sum = single ? sum + new Vector<float>(*from * *filter) : Vector.MultiplyAddEstimate(Vector.Load(from), Vector.Load(filter), sum);
                }
            }
            if (!single)
            {
                sum.Store(target + c);
                continue;
            }
            target[c] = sum[0];
            c -= W - 1;
        }
    }

    /// <summary>Adds what one line of dy says about every filter to sums [taps, C].</summary>
    private static void AddLine(ConvGeometry g, float* x, float* dy, float* sums, int image, int oy)
    {
        int channels = g.InChannels;
        for (int tap = 0; tap < g.Taps; tap++)
        {
            int y = (oy * g.Stride.Height) + (tap / g.Kernel.Width * g.Dilation.Height) - g.Padding.Height;
            if ((uint)y >= (uint)g.Input.Height) continue;
            int shift = (tap % g.Kernel.Width * g.Dilation.Width) - g.Padding.Width;
            float* line = x + ((((nint)image * g.Input.Height) + y) * g.Input.Width * channels);
            float* sum = sums + (tap * channels);
            int first = shift >= 0 ? 0 : (-shift + g.Stride.Width - 1) / g.Stride.Width;
            int end = Math.Min(g.Output.Width, shift >= g.Input.Width ? 0 : ((g.Input.Width - 1 - shift) / g.Stride.Width) + 1);
            for (int ox = first; ox < end; ox++)
            {
                float* from = line + ((((nint)ox * g.Stride.Width) + shift) * channels);
                float* gradient = dy + ((nint)ox * channels);
                int c = 0;
                for (; c <= channels - W; c += W) Vector.MultiplyAddEstimate(Vector.Load(from + c), Vector.Load(gradient + c), Vector.Load(sum + c)).Store(sum + c);
                for (; c < channels; c++) sum[c] += from[c] * gradient[c];
            }
        }
    }
}

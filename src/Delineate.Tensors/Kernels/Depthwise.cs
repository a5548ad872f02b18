using System.Numerics;
using System.Numerics.Tensors;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// Convolution with a filter of its own for each channel: no product of matrices, but sums along pixels, a vector of channels at a time.
/// Filters are re-laid to [taps, C], so that everything runs along the channels.
/// </summary>
internal sealed unsafe class Depthwise : ConvKernel
{
    private const int LinesInPiece = 4;
    private static readonly int W = Vector<float>.Count;

    private readonly ConvGeometry g;
    private readonly PixelStrides strides;
    private readonly Size2d sourceMap, sourceStep, targetMap, targetStep;
    private readonly AxisPhase[] vertical, horizontal;
    private readonly Action<int> linePiece;

    // What one run works on.
    private Map source, residual, target;
    private float* byTap, first;
    private float floor;

    public Depthwise(ConvGeometry g, bool adjoint, PixelStrides strides)
    {
        (this.g, this.strides) = (g, strides);
        (sourceMap, sourceStep, targetMap, targetStep) = adjoint ? (g.Output, (Size2d)1, g.Input, g.Stride) : (g.Input, g.Stride, g.Output, (Size2d)1);
        vertical = adjoint
            ? [.. AxisPhase.All(g.Input.Height, g.Kernel.Height, g.Stride.Height, g.Padding.Height, g.Dilation.Height)]
            : [Whole(g.Output.Height, g.Kernel.Height, g.Dilation.Height, g.Padding.Height)];
        horizontal = adjoint
            ? [.. AxisPhase.All(g.Input.Width, g.Kernel.Width, g.Stride.Width, g.Padding.Width, g.Dilation.Width)]
            : [Whole(g.Output.Width, g.Kernel.Width, g.Dilation.Width, g.Padding.Width)];
        linePiece = RunLines;

        static AxisPhase Whole(int output, int kernel, int dilation, int padding) =>
            new(0, output, [.. Enumerable.Range(0, kernel)], [.. Enumerable.Range(0, kernel).Select(k => (k * dilation) - padding)]);
    }

    public override string Algorithm => "depthwise";

    public override int PackedLength => g.Taps * g.InChannels;

    protected override int OutChannels => g.InChannels;

    public static bool Fits(ConvGeometry g) => g.Groups > 1 && g.InGroup == 1 && g.OutGroup == 1;

    public override void Pack(float* weight, float* scale, float* packed)
    {
        for (int c = 0; c < g.InChannels; c++)
        {
            for (int tap = 0; tap < g.Taps; tap++) packed[(tap * g.InChannels) + c] = weight[(c * g.Taps) + tap] * (scale is null ? 1 : scale[c]);
        }
    }

    public override void Run(float* x, float* weight, float* bias, float* residual, Activation activation, float* y)
    {
        (source, this.residual, target, floor) = (new Map(x, strides.Input), new Map(residual, strides.Residual), new Map(y, strides.Output), Floor(activation));
        byTap = weight;
        first = bias;
        ThreadTeam.Run(((g.Batch * targetMap.Height) + LinesInPiece - 1) / LinesInPiece, linePiece);
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
    private void RunLines(int piece)
    {
        for (int line = piece * LinesInPiece; line < Math.Min(g.Batch * targetMap.Height, (piece + 1) * LinesInPiece); line++)
        {
            (int image, int ty) = Math.DivRem(line, targetMap.Height);
            (int qy, int py) = Math.DivRem(ty, targetStep.Height);
            float* map = source.Data + ((nint)image * sourceMap.Height * sourceMap.Width * source.PixelStride);
            for (int tx = 0; tx < targetMap.Width; tx++)
            {
                (int qx, int px) = Math.DivRem(tx, targetStep.Width);
                nint pixel = ((nint)line * targetMap.Width) + tx;
                float* added = residual.Data is null ? null : residual.Data + (pixel * residual.PixelStride);
                Pixel(vertical[py], horizontal[px], map, qy * sourceStep.Height, qx * sourceStep.Width, added, target.Data + (pixel * target.PixelStride));
            }
        }
    }

    private void Pixel(AxisPhase v, AxisPhase h, float* map, int y0, int x0, float* added, float* result)
    {
        int channels = g.InChannels;
        nint stride = source.PixelStride;
        // Four vectors of channels at a time, so that the taps are looked up once for all of them.
        int c = 0;
        for (; c <= channels - (4 * W); c += 4 * W)
        {
            Vector<float> s0 = Vector.Load(first + c), s1 = Vector.Load(first + c + W), s2 = Vector.Load(first + c + (2 * W)), s3 = Vector.Load(first + c + (3 * W));
            for (int i = 0; i < v.Offsets.Length; i++)
            {
                int y = y0 + v.Offsets[i];
                if ((uint)y >= (uint)sourceMap.Height) continue;
                for (int j = 0; j < h.Offsets.Length; j++)
                {
                    int x = x0 + h.Offsets[j];
                    if ((uint)x >= (uint)sourceMap.Width) continue;
                    float* from = map + ((((nint)y * sourceMap.Width) + x) * stride) + c;
                    float* filter = byTap + (((v.KernelTaps[i] * g.Kernel.Width) + h.KernelTaps[j]) * channels) + c;
                    s0 = Vector.MultiplyAddEstimate(Vector.Load(from), Vector.Load(filter), s0);
                    s1 = Vector.MultiplyAddEstimate(Vector.Load(from + W), Vector.Load(filter + W), s1);
                    s2 = Vector.MultiplyAddEstimate(Vector.Load(from + (2 * W)), Vector.Load(filter + (2 * W)), s2);
                    s3 = Vector.MultiplyAddEstimate(Vector.Load(from + (3 * W)), Vector.Load(filter + (3 * W)), s3);
                }
            }
            if (added is not null)
            {
                s0 += Vector.Load(added + c);
                s1 += Vector.Load(added + c + W);
                s2 += Vector.Load(added + c + (2 * W));
                s3 += Vector.Load(added + c + (3 * W));
            }
            var least = new Vector<float>(floor);
            Vector.MaxNative(least, s0).Store(result + c);
            Vector.MaxNative(least, s1).Store(result + c + W);
            Vector.MaxNative(least, s2).Store(result + c + (2 * W));
            Vector.MaxNative(least, s3).Store(result + c + (3 * W));
        }
        // What is left goes a vector at a time, then one by one.
        for (; c <= channels - W; c += W)
        {
            Vector<float> sum = Vector.Load(first + c);
            for (int i = 0; i < v.Offsets.Length; i++)
            {
                int y = y0 + v.Offsets[i];
                if ((uint)y >= (uint)sourceMap.Height) continue;
                for (int j = 0; j < h.Offsets.Length; j++)
                {
                    int x = x0 + h.Offsets[j];
                    if ((uint)x >= (uint)sourceMap.Width) continue;
                    float* filter = byTap + (((v.KernelTaps[i] * g.Kernel.Width) + h.KernelTaps[j]) * channels) + c;
                    sum = Vector.MultiplyAddEstimate(Vector.Load(map + ((((nint)y * sourceMap.Width) + x) * stride) + c), Vector.Load(filter), sum);
                }
            }
            if (added is not null) sum += Vector.Load(added + c);
            Vector.MaxNative(new Vector<float>(floor), sum).Store(result + c);
        }
        for (; c < channels; c++)
        {
            float sum = first[c];
            for (int i = 0; i < v.Offsets.Length; i++)
            {
                int y = y0 + v.Offsets[i];
                if ((uint)y >= (uint)sourceMap.Height) continue;
                for (int j = 0; j < h.Offsets.Length; j++)
                {
                    int x = x0 + h.Offsets[j];
                    if ((uint)x >= (uint)sourceMap.Width) continue;
                    sum += map[((((nint)y * sourceMap.Width) + x) * stride) + c] * byTap[(((v.KernelTaps[i] * g.Kernel.Width) + h.KernelTaps[j]) * channels) + c];
                }
            }
            if (added is not null) sum += added[c];
            result[c] = sum < floor ? floor : sum; // NaN stays NaN
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

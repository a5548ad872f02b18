using System.Numerics.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>What lies outside an image when it is padded.</summary>
public enum PadMode
{
    /// <summary>One value.</summary>
    Constant,

    /// <summary>The image mirrored at its border pixels, which are not repeated: c b | a b c | b a.</summary>
    Reflect,

    /// <summary>The border pixels: a a | a b c | c c.</summary>
    Replicate,
}

public static class Padding
{
    /// <summary>Rows and columns around an image. [N, H, W, C] → [N, top + H + bottom, left + W + right, C].</summary>
    /// <exception cref="ShapeException">x is not of rank 4, a width is negative, or the image is too small to reflect or replicate.</exception>
    public static Tensor Pad(this Tensor x, int top, int bottom, int left, int right, float value = 0, PadMode mode = PadMode.Constant)
    {
        Check.Rank(x, 4);
        return Pad(x, top, bottom, left, right, value, mode, null);
    }

    /// <summary>
    /// Zeros around an image up to another's height and width, the odd one of several at the bottom and right, whatever the sizes are: a graph remembers the
    /// other, not the numbers. [N, h, w, C] → [N, H, W, C]; x itself where it has that size.
    /// </summary>
    /// <exception cref="ShapeException">One is not of rank 4, or x is the larger.</exception>
    public static Tensor PadTo(this Tensor x, Tensor like)
    {
        ArgumentNullException.ThrowIfNull(like);
        Check.Rank(x, 4);
        Check.Rank(like, 4);
        (int rows, int columns) = (like.Shape[1] - x.Shape[1], like.Shape[2] - x.Shape[2]);
        if (rows < 0 || columns < 0) throw new ShapeException($"PadTo only adds: {x.Shape} is larger than {like.Shape}");
        if (rows == 0 && columns == 0 && Tracer.Current is not { IsForAnySize: true }) return x;
        return Pad(x, rows / 2, rows - (rows / 2), columns / 2, columns - (columns / 2), 0, PadMode.Constant, like);
    }

    private static Tensor Pad(Tensor x, int top, int bottom, int left, int right, float value, PadMode mode, Tensor? like)
    {
        (int height, int width) = (x.Shape[1], x.Shape[2]);
        int[] rows = Sources(height, top, bottom, mode, "rows");
        int[] columns = Sources(width, left, right, mode, "columns");
        if (Tracer.Current is { } tracer) return tracer.AddSized(new TracedPad(rows, columns, top, left, value, mode), [x.Shape[0], rows.Length, columns.Length, x.Shape[3]], like, x);
        Tensor y = Tensor.Empty([x.Shape[0], rows.Length, columns.Length, x.Shape[3]]);
        Forward(x, y, rows, columns, left, value).Run();
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = Tensor.Empty(shape);
            Backward(dy, dx, rows, columns, left);
            return dx;
        }, read: []);
    }

    /// <summary>For each place of the result along one axis, the place it is copied from, −1 for the constant.</summary>
    private static int[] Sources(int size, int before, int after, PadMode mode, string what)
    {
        if (before < 0 || after < 0) throw new ShapeException($"Pad adds {what}, got {before} and {after}: take some away with Slice");
        int most = mode switch { PadMode.Reflect => size - 1, PadMode.Replicate when size == 0 => 0, _ => int.MaxValue };
        if (Math.Max(before, after) > Math.Max(0, most)) throw new ShapeException($"Pad by {mode} of {size} {what} adds at most {Math.Max(0, most)} on a side, asked for {before} and {after}");
        var sources = new int[checked(before + size + after)];
        for (int i = 0; i < sources.Length; i++)
        {
            int at = i - before;
            sources[i] = (uint)at < (uint)size ? at : mode switch
            {
                PadMode.Constant => -1,
                PadMode.Replicate => Math.Clamp(at, 0, size - 1),
                _ => at < 0 ? -at : (2 * (size - 1)) - at,
            };
        }
        return sources;
    }

    internal static Work Forward(Tensor x, Tensor y, int[] rows, int[] columns, int left, float value)
    {
        (int height, int width, int channels) = (x.Shape[1], x.Shape[2], x.Shape[3]);
        int line = columns.Length * channels;
        return Work.Ranges(y.Shape[0] * rows.Length, Math.Max(1, Elementwise.Grain / Math.Max(1, line)), (from, to) =>
        {
            for (int i = from; i < to; i++)
            {
                (int n, int row) = Math.DivRem(i, rows.Length);
                Span<float> target = y.Span.Slice(i * line, line);
                if (rows[row] < 0)
                {
                    target.Fill(value);
                    continue;
                }
                ReadOnlySpan<float> source = x.Span.Slice(((n * height) + rows[row]) * width * channels, width * channels);
                source.CopyTo(target[(left * channels)..]);
                for (int column = 0; column < columns.Length; column++)
                {
                    if (column == left) column += width;
                    if (column == columns.Length) break;
                    Span<float> pixel = target.Slice(column * channels, channels);
                    if (columns[column] < 0) pixel.Fill(value);
                    else source.Slice(columns[column] * channels, channels).CopyTo(pixel);
                }
            }
        });
    }

    /// <summary>Each row of dx gathers the rows of dy that were copied from it, in order.</summary>
    private static void Backward(Tensor dy, Tensor dx, int[] rows, int[] columns, int left)
    {
        (int height, int width, int channels) = (dx.Shape[1], dx.Shape[2], dx.Shape[3]);
        int line = columns.Length * channels;
        ThreadTeam.Ranges(dx.Shape[0] * height, Math.Max(1, Elementwise.Grain / Math.Max(1, line)), (from, to) =>
        {
            for (int i = from; i < to; i++)
            {
                (int n, int row) = Math.DivRem(i, height);
                Span<float> target = dx.Span.Slice(i * width * channels, width * channels);
                target.Clear();
                for (int copy = 0; copy < rows.Length; copy++)
                {
                    if (rows[copy] != row) continue;
                    ReadOnlySpan<float> source = dy.Span.Slice(((n * rows.Length) + copy) * line, line);
                    TensorPrimitives.Add(target, source.Slice(left * channels, width * channels), target);
                    for (int column = 0; column < columns.Length; column++)
                    {
                        if ((column >= left && column < left + width) || columns[column] < 0) continue;
                        Span<float> pixel = target.Slice(columns[column] * channels, channels);
                        TensorPrimitives.Add(pixel, source.Slice(column * channels, channels), pixel);
                    }
                }
            }
        });
    }
}

/// <summary>For each row and column of the output the one it copies, −1 for the value. Reads x.</summary>
internal sealed record TracedPad(int[] Rows, int[] Columns, int Top, int Left, float Value, PadMode Mode) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Padding.Forward(inputs[0].Tensor, output.Tensor, Rows, Columns, Left, Value);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        GraphValue x = node.Inputs[0]!;
        string pads;
        if (node.Like is { } like)
        {
            string lack = onnx.Add(node, "Sub", [onnx.Sizes(node, like, 2, 4), onnx.Sizes(node, x, 2, 4)]);
            string before = onnx.Add(node, "Div", [lack, onnx.Whole(2)]), after = onnx.Add(node, "Sub", [lack, before]);
            pads = onnx.Add(node, "Concat", [onnx.Whole(0, 0), before, onnx.Whole(0, 0), after], new OnnxAttribute("axis", 0));
        }
        else
        {
            pads = onnx.Whole(0, 0, Top, Left, 0, 0, Rows.Length - x.Shape[1] - Top, Columns.Length - x.Shape[2] - Left);
        }
        string mode = Mode switch { PadMode.Constant => "constant", PadMode.Reflect => "reflect", _ => "edge" };
        string[] inputs = Mode == PadMode.Constant ? [onnx.Of(x), pads, onnx.Number(Value)] : [onnx.Of(x), pads];
        onnx.Result(node, "Pad", inputs, new OnnxAttribute("mode", mode));
    }
}

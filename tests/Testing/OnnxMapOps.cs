namespace Delineate.Testing;

/// <summary>Operators of ONNX on maps [N, C, H, W], products, and those of detectors.</summary>
internal static class OnnxMapOps
{
    public static OnnxArray[] Run(OnnxReadNode node, OnnxArray?[] inputs)
    {
        OnnxArray x = inputs[0]!;
        return node.Op switch
        {
            "Conv" => [Convolution(node, x, inputs[1]!, inputs.ElementAtOrDefault(2))],
            "ConvTranspose" => [Transposed(node, x, inputs[1]!, inputs.ElementAtOrDefault(2))],
            "BatchNormalization" => [Norm(node, x, inputs)],
            "MaxPool" => [MaxPool(node, x)],
            "Gemm" => [Product(x, inputs[1]!, inputs.ElementAtOrDefault(2))],
            "MatMul" => [MatMul(x, inputs[1]!)],
            "Softmax" => [Softmax(x)],
            "Resize" => [Resize(node, x, inputs.ElementAtOrDefault(2), inputs.ElementAtOrDefault(3))],
            "Pad" => [Pad(x, inputs[1]!.Ints, inputs[2]!.Values[0])],
            "NonMaxSuppression" => [Suppress(x, inputs[1]!, (long)inputs[2]!.Values[0], inputs[3]!.Values[0], inputs.ElementAtOrDefault(4)?.Values[0])],
            "RoiAlign" => [RoiAlign(node, x, inputs[1]!, inputs[2]!)],
            _ => throw new InvalidOperationException($"{node.Op} is not known here"),
        };
    }

    private static int[] Pair(OnnxReadNode node, string attribute) => Array.ConvertAll((long[])node.Attributes[attribute], v => (int)v);

    private static OnnxArray Map(int n, int c, int h, int w, Func<int, int, int, int, double> value) => OnnxArray.Of(OnnxArray.Float, [n, c, h, w], i =>
    {
        (int row, int column) = Math.DivRem(i, w);
        (int plane, row) = Math.DivRem(row, h);
        return value(plane / c, plane % c, row, column);
    });

    private static OnnxArray Convolution(OnnxReadNode node, OnnxArray x, OnnxArray weight, OnnxArray? bias)
    {
        (int[] stride, int[] pads, int[] dilation) = (Pair(node, "strides"), Pair(node, "pads"), Pair(node, "dilations"));
        (int channels, int kh, int kw) = (x.Sizes[1], weight.Sizes[2], weight.Sizes[3]);
        if (weight.Sizes[1] != channels) throw new InvalidOperationException("groups are not known here");
        int height = ((x.Sizes[2] + pads[0] + pads[2] - (dilation[0] * (kh - 1)) - 1) / stride[0]) + 1, width = ((x.Sizes[3] + pads[1] + pads[3] - (dilation[1] * (kw - 1)) - 1) / stride[1]) + 1;
        return Map(x.Sizes[0], weight.Sizes[0], height, width, (n, o, oh, ow) =>
        {
            double sum = bias?.Values[o] ?? 0;
            for (int c = 0; c < channels; c++)
            {
                for (int k = 0; k < kh; k++)
                {
                    int row = (oh * stride[0]) + (k * dilation[0]) - pads[0];
                    if (row < 0 || row >= x.Sizes[2]) continue;
                    for (int l = 0; l < kw; l++)
                    {
                        int column = (ow * stride[1]) + (l * dilation[1]) - pads[1];
                        if (column >= 0 && column < x.Sizes[3])
                            sum += x.Values[(((((n * channels) + c) * x.Sizes[2]) + row) * x.Sizes[3]) + column] * weight.Values[(((((o * channels) + c) * kh) + k) * kw) + l];
                    }
                }
            }
            return sum;
        });
    }

    private static OnnxArray Transposed(OnnxReadNode node, OnnxArray x, OnnxArray weight, OnnxArray? bias)
    {
        (int[] stride, int[] pads, int[] more) = (Pair(node, "strides"), Pair(node, "pads"), Pair(node, "output_padding"));
        (int channels, int kh, int kw) = (x.Sizes[1], weight.Sizes[2], weight.Sizes[3]);
        int height = ((x.Sizes[2] - 1) * stride[0]) + kh + more[0] - pads[0] - pads[2], width = ((x.Sizes[3] - 1) * stride[1]) + kw + more[1] - pads[1] - pads[3];
        return Map(x.Sizes[0], weight.Sizes[1], height, width, (n, o, oh, ow) =>
        {
            double sum = bias?.Values[o] ?? 0;
            for (int k = 0; k < kh; k++)
            {
                (int row, int rest) = Math.DivRem(oh + pads[0] - k, stride[0]);
                if (rest != 0 || row < 0 || row >= x.Sizes[2]) continue;
                for (int l = 0; l < kw; l++)
                {
                    (int column, int over) = Math.DivRem(ow + pads[1] - l, stride[1]);
                    if (over != 0 || column < 0 || column >= x.Sizes[3]) continue;
                    for (int c = 0; c < channels; c++) sum += x[n, c, row, column] * weight[c, o, k, l];
                }
            }
            return sum;
        });
    }

    private static OnnxArray Norm(OnnxReadNode node, OnnxArray x, OnnxArray?[] inputs)
    {
        float epsilon = (float)node.Attributes["epsilon"];
        return Map(x.Sizes[0], x.Sizes[1], x.Sizes[2], x.Sizes[3], (n, c, h, w) =>
            ((x[n, c, h, w] - inputs[3]!.Values[c]) / Math.Sqrt(inputs[4]!.Values[c] + epsilon) * inputs[1]!.Values[c]) + inputs[2]!.Values[c]);
    }

    private static OnnxArray MaxPool(OnnxReadNode node, OnnxArray x)
    {
        (int[] kernel, int[] stride, int[] pads) = (Pair(node, "kernel_shape"), Pair(node, "strides"), Pair(node, "pads"));
        int height = ((x.Sizes[2] + pads[0] + pads[2] - kernel[0]) / stride[0]) + 1, width = ((x.Sizes[3] + pads[1] + pads[3] - kernel[1]) / stride[1]) + 1;
        return Map(x.Sizes[0], x.Sizes[1], height, width, (n, c, oh, ow) =>
        {
            double largest = double.NegativeInfinity;
            for (int k = 0; k < kernel[0] * kernel[1]; k++)
            {
                (int row, int column) = ((oh * stride[0]) - pads[0] + (k / kernel[1]), (ow * stride[1]) - pads[1] + (k % kernel[1]));
                if (row >= 0 && column >= 0 && row < x.Sizes[2] && column < x.Sizes[3]) largest = Math.Max(largest, x[n, c, row, column]);
            }
            return largest;
        });
    }

    /// <summary>x · weightᵀ + bias.</summary>
    private static OnnxArray Product(OnnxArray x, OnnxArray weight, OnnxArray? bias)
    {
        (int inner, int outputs) = (x.Sizes[1], weight.Sizes[0]);
        return OnnxArray.Of(OnnxArray.Float, [x.Sizes[0], outputs], i =>
        {
            (int row, int o) = Math.DivRem(i, outputs);
            double sum = bias?.Values[o] ?? 0;
            for (int k = 0; k < inner; k++) sum += x.Values[(row * inner) + k] * weight.Values[(o * inner) + k];
            return sum;
        });
    }

    /// <summary>[..., M, K] and [..., K, N]; one of them may be a single matrix.</summary>
    private static OnnxArray MatMul(OnnxArray a, OnnxArray b)
    {
        (int rows, int inner, int columns) = (a.Sizes[^2], a.Sizes[^1], b.Sizes[^1]);
        if (b.Sizes[^2] != inner) throw new InvalidOperationException("inner sizes differ");
        int[] outer = a.Sizes.Length >= b.Sizes.Length ? a.Sizes[..^2] : b.Sizes[..^2];
        (int aStep, int bStep) = (a.Sizes.Length > 2 ? rows * inner : 0, b.Sizes.Length > 2 ? inner * columns : 0);
        return OnnxArray.Of(OnnxArray.Float, [.. outer, rows, columns], i =>
        {
            (int row, int column) = Math.DivRem(i, columns);
            (int matrix, row) = Math.DivRem(row, rows);
            double sum = 0;
            for (int k = 0; k < inner; k++) sum += a.Values[(matrix * aStep) + (row * inner) + k] * b.Values[(matrix * bStep) + (k * columns) + column];
            return sum;
        });
    }

    /// <summary>Over the last of two axes.</summary>
    private static OnnxArray Softmax(OnnxArray x) => OnnxArray.Of(OnnxArray.Float, x.Sizes, i =>
    {
        int columns = x.Sizes[1];
        Span<double> row = x.Values.AsSpan(i / columns * columns, columns);
        double sum = 0;
        foreach (double value in row) sum += Math.Exp(value - x.Values[i]);
        return 1 / sum;
    });

    private static OnnxArray Resize(OnnxReadNode node, OnnxArray x, OnnxArray? scales, OnnxArray? sizes)
    {
        int[] target = sizes?.Ints ?? [.. x.Sizes.Select((s, i) => (int)(s * scales!.Values[i]))];
        bool isNearest = (string)node.Attributes["mode"] == "nearest";
        if ((string)node.Attributes["coordinate_transformation_mode"] != (isNearest ? "asymmetric" : "half_pixel")) throw new InvalidOperationException("this transformation is not known here");
        return Map(target[0], target[1], target[2], target[3], (n, c, oh, ow) =>
        {
            (int top, int bottom, double down) = Place(2, oh);
            (int left, int right, double across) = Place(3, ow);
            return ((((1 - across) * x[n, c, top, left]) + (across * x[n, c, top, right])) * (1 - down)) + ((((1 - across) * x[n, c, bottom, left]) + (across * x[n, c, bottom, right])) * down);
        });

        (int Low, int High, double Share) Place(int axis, int output)
        {
            double scale = scales is { Values.Length: > 0 } ? scales.Values[axis] : (double)target[axis] / x.Sizes[axis];
            if (isNearest) return ((int)Math.Floor(output / scale), 0, 0);
            double place = Math.Clamp(((output + 0.5) / scale) - 0.5, 0, x.Sizes[axis] - 1);
            int low = (int)place;
            return (low, Math.Min(low + 1, x.Sizes[axis] - 1), place - low);
        }
    }

    private static OnnxArray Pad(OnnxArray x, int[] pads, double value)
    {
        int rank = x.Sizes.Length;
        int[] sizes = [.. x.Sizes.Select((s, i) => s + pads[i] + pads[rank + i])];
        return Map(sizes[0], sizes[1], sizes[2], sizes[3], (n, c, h, w) =>
        {
            int[] from = [n - pads[0], c - pads[1], h - pads[2], w - pads[3]];
            return from.Zip(x.Sizes).All(p => p.First >= 0 && p.First < p.Second) ? x[from] : value;
        });
    }

    private static OnnxArray Suppress(OnnxArray boxes, OnnxArray scores, long most, double iouThreshold, double? scoreThreshold)
    {
        (int batch, int classes, int count) = (scores.Sizes[0], scores.Sizes[1], scores.Sizes[2]);
        var chosen = new List<int>();
        for (int n = 0; n < batch; n++)
        {
            for (int c = 0; c < classes; c++)
            {
                var kept = new List<int>();
                foreach (int i in Enumerable.Range(0, count).Where(i => scoreThreshold is null || scores[n, c, i] > scoreThreshold).OrderByDescending(i => scores[n, c, i]))
                {
                    if (kept.Count < most && kept.TrueForAll(k => !(Iou(n, i, k) > iouThreshold))) kept.Add(i);
                }
                foreach (int i in kept) chosen.AddRange([n, c, i]);
            }
        }
        return OnnxArray.Wholes([.. chosen]).As(chosen.Count / 3, 3);

        float Iou(int n, int i, int k)
        {
            float[] a = [.. Enumerable.Range(0, 4).Select(c => (float)boxes[n, i, c])], b = [.. Enumerable.Range(0, 4).Select(c => (float)boxes[n, k, c])];
            float width = MathF.Max(0, MathF.Min(a[2], b[2]) - MathF.Max(a[0], b[0])), height = MathF.Max(0, MathF.Min(a[3], b[3]) - MathF.Max(a[1], b[1])), shared = width * height;
            return shared / (((b[2] - b[0]) * (b[3] - b[1])) + ((a[2] - a[0]) * (a[3] - a[1])) - shared);
        }
    }

    private static OnnxArray RoiAlign(OnnxReadNode node, OnnxArray x, OnnxArray rois, OnnxArray images)
    {
        int size = OnnxOps.Number(node, "output_height"), samples = OnnxOps.Number(node, "sampling_ratio"), count = rois.Sizes[0];
        if (images.Sizes is not [var listed] || listed != count || images.Type != OnnxArray.Whole) throw new InvalidOperationException("one image for each region");
        if ((string)node.Attributes["coordinate_transformation_mode"] != "output_half_pixel" || (string)node.Attributes["mode"] != "avg") throw new InvalidOperationException("this mode is not known here");
        float scale = (float)node.Attributes["spatial_scale"];
        return Map(count, x.Sizes[1], size, size, (k, c, oh, ow) =>
        {
            double sum = 0;
            for (int s = 0; s < samples * samples; s++) sum += Sample((int)images.Values[k], c, At(k, 1, oh, s / samples), At(k, 0, ow, s % samples));
            return sum / (samples * samples);
        });

        double At(int k, int axis, int bin, int sample)
        {
            float low = (float)rois[k, axis] * scale, length = MathF.Max(((float)rois[k, axis + 2] * scale) - low, 1), part = length / size;
            return low + (bin * part) + ((sample + 0.5f) * part / samples);
        }

        double Sample(int n, int c, double y, double across)
        {
            if (y < -1 || y > x.Sizes[2] || across < -1 || across > x.Sizes[3]) return 0;
            (y, across) = (Math.Clamp(y, 0, x.Sizes[2] - 1), Math.Clamp(across, 0, x.Sizes[3] - 1));
            (int top, int left) = ((int)y, (int)across);
            (int bottom, int right) = (Math.Min(top + 1, x.Sizes[2] - 1), Math.Min(left + 1, x.Sizes[3] - 1));
            (double down, double over) = (y - top, across - left);
            return ((1 - down) * (((1 - over) * x[n, c, top, left]) + (over * x[n, c, top, right]))) + (down * (((1 - over) * x[n, c, bottom, left]) + (over * x[n, c, bottom, right])));
        }
    }
}

using System.Numerics;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

public static class LabelOps
{
    /// <summary>The class with the largest score at each pixel, the first of several; NaN counts as largest. [..., C] → as many bytes as pixels. No gradient.</summary>
    /// <exception cref="ShapeException">There is no class, or more than the 256 that a byte can name.</exception>
    public static unsafe byte[] ArgMaxLabels(this Tensor logits)
    {
        if (logits.Shape.Rank == 0 || logits.Shape[-1] is 0 or > 256) throw new ShapeException($"ArgMaxLabels takes scores of [..., C] with 1 to 256 classes, got {logits.Shape}");
        int classes = logits.Shape[-1];
        var labels = new byte[logits.Length / classes];
        if (classes <= ClassRows.MostClasses)
        {
            Few(logits, classes, labels);
            return labels;
        }
        ThreadTeam.Ranges(labels.Length, Math.Max(1, Elementwise.Grain / classes), (from, to) =>
        {
            fixed (float* x = logits.Span)
            {
                var rows = new Rows(classes, x + logits.Length);
                for (int i = from; i < to; i++) labels[i] = (byte)Winner(rows, x + (i * classes));
            }
        });
        return labels;
    }

    private static unsafe void Few(Tensor logits, int classes, byte[] labels)
    {
        const int Block = ClassRows.Block;
        float* x = Pinned.Of(logits);
        ThreadTeam.Ranges(labels.Length, Block * Math.Max(1, Elementwise.Grain / (classes * Block)), (from, to) =>
        {
            float* max = stackalloc float[Block];
            byte* winners = stackalloc byte[Block];
            using Scratch scratch = Scratch.Floats(Block * classes);
            for (int first = from; first < to; first += Block)
            {
                int count = Math.Min(Block, to - first);
                ClassRows.Winners(x + (first * classes), count, classes, Pinned.Of(scratch), max, winners);
                for (int i = 0; i < count; i++)
                {
                    if (float.IsNaN(max[i])) winners[i] = (byte)FirstNaN(x + ((first + i) * classes), classes);
                }
                new ReadOnlySpan<byte>(winners, count).CopyTo(labels.AsSpan(first));
            }
        });
    }

    private static unsafe int Winner(in Rows rows, float* row)
    {
        float most = rows.Max(row);
        for (int c = 0; c < rows.Whole; c += Vector<float>.Count)
        {
            Vector<float> v = Vector.Load(row + c);
            if (!Vector.EqualsAll(v, v)) return FirstNaN(row, rows.Length);
        }
        if (rows.Whole < rows.Length)
        {
            Vector<float> v = rows.Tail(row, 0);
            if (!Vector.EqualsAll(v, v)) return FirstNaN(row, rows.Length);
        }
        int winner = 0;
        while (winner < rows.Length - 1 && row[winner] != most) winner++;
        return winner;
    }

    private static unsafe int FirstNaN(float* row, int length)
    {
        int i = 0;
        while (i < length - 1 && !float.IsNaN(row[i])) i++;
        return i;
    }
}

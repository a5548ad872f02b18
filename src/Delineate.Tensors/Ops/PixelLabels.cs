using System.Numerics;

namespace Delineate.Tensors;

/// <summary>Integer labels beside the scores they are the truth for.</summary>
internal static class PixelLabels
{
    /// <summary>One label for each row of <c>[..., C]</c>, each a class or the ignored one.</summary>
    public static void Check<TLabel>(Tensor logits, ReadOnlyMemory<TLabel> labels, int ignoreIndex, string op)
        where TLabel : unmanaged, IBinaryInteger<TLabel>
    {
        if (logits.Shape.Rank == 0 || logits.Shape[-1] == 0) throw new ShapeException($"{op} takes scores of [..., C] with at least one class, got {logits.Shape}");
        int classes = logits.Shape[-1];
        if (labels.Length != logits.Length / classes)
            throw new ShapeException($"{op} takes one label for each of the {logits.Length / classes} pixels of {logits.Shape}, got {labels.Length}");
        ReadOnlySpan<TLabel> span = labels.Span;
        for (int i = FirstSuspect(span, classes, ignoreIndex); i < span.Length; i++)
        {
            int label = int.CreateTruncating(span[i]);
            if ((uint)label >= (uint)classes && label != ignoreIndex) throw new ArgumentOutOfRangeException(nameof(labels), label, Outside(logits.Shape, i, label, ignoreIndex, op));
        }
    }

    /// <summary>All labels before this place are classes or ignored; a vector at a time, up to the first that is neither or to the tail.</summary>
    private static int FirstSuspect<TLabel>(ReadOnlySpan<TLabel> labels, int classes, int ignoreIndex)
        where TLabel : unmanaged, IBinaryInteger<TLabel>
    {
        // Bounds that the labels' type cannot hold cannot be met.
        var last = new Vector<TLabel>(TLabel.CreateSaturating(classes - 1));
        var ignored = new Vector<TLabel>(int.CreateSaturating(TLabel.CreateSaturating(ignoreIndex)) == ignoreIndex ? TLabel.CreateSaturating(ignoreIndex) : TLabel.Zero);
        int i = 0;
        for (; i <= labels.Length - Vector<TLabel>.Count; i += Vector<TLabel>.Count)
        {
            var lanes = new Vector<TLabel>(labels[i..]);
            Vector<TLabel> isClass = Vector.GreaterThanOrEqual(lanes, Vector<TLabel>.Zero) & Vector.LessThanOrEqual(lanes, last);
            if (!Vector.EqualsAll(isClass | Vector.Equals(lanes, ignored), Vector<TLabel>.AllBitsSet)) return i;
        }
        return i;
    }

    private static string Outside(Shape shape, int position, int label, int ignoreIndex, string op)
    {
        string where = $"{position}";
        if (shape.Rank == 4)
        {
            (int rest, int column) = Math.DivRem(position, shape[2]);
            (int image, int row) = Math.DivRem(rest, shape[1]);
            where = $"{position} (image {image}, row {row}, column {column})";
        }
        return $"{op}: the label at {where} is {label}; the classes are 0 … {shape[-1] - 1}, and {ignoreIndex} is ignored";
    }
}

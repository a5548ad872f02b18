using System.Numerics;
using System.Numerics.Tensors;
using Delineate.Imaging;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Tensor = Delineate.Tensors.Tensor;

namespace Delineate.Inference;

/// <summary>
/// Puts the scores of windows together, which come row by row, from left to right. What no later window touches becomes labels at once; what lies on the next
/// window of the row waits in <c>sums</c>, and what lies on the next row of windows in <c>carried</c>, so that the whole image's scores are never there. Only
/// where labels are wanted at another size than the scores', these are kept. Lives in the caller's memory scope.
/// </summary>
internal sealed class WindowBlend
{
    private const int PieceRows = 8;
    private readonly WindowAxis rows, columns;
    private readonly int width, classes;
    private readonly LabelMap labels;
    private readonly Tensor sums, carried, weights;
    private readonly Tensor? scores;

    /// <param name="rows">Windows down the image.</param>
    /// <param name="columns">Windows across it.</param>
    /// <param name="image">The size that the windows cover together.</param>
    /// <param name="result">The size of the labels.</param>
    /// <param name="classes">Scores of a pixel.</param>
    public WindowBlend(WindowAxis rows, WindowAxis columns, Size2d image, Size2d result, int classes)
    {
        (this.rows, this.columns, width, this.classes) = (rows, columns, image.Width, classes);
        labels = new LabelMap(result.Height, result.Width);
        int height = rows.Weights.Max(w => w.Length), across = columns.Weights.Max(w => w.Length);
        sums = Tensor.Empty([height, across, classes]);
        weights = Tensor.Empty([across, classes]);
        carried = Tensor.Empty([Enumerable.Range(0, rows.Count).Max(i => rows.Weights[i].Length - rows.Done(i)), width, classes]);
        if (image != result) scores = Tensor.Empty([1, image.Height, width, classes]);
    }

    /// <summary>Adds the next window: image <paramref name="n"/> of <paramref name="window"/>, [N, height, width, classes].</summary>
    public void Add(Tensor window, int n, int row, int column)
    {
        if (column == 0) sums.Span.Clear();
        float[] down = rows.Weights[row], across = columns.Weights[column];
        for (int x = 0; x < across.Length; x++) weights.Span.Slice(x * classes, classes).Fill(across[x]);
        int from = (((n * window.Shape[1]) + rows.First[row] - rows.Starts[row]) * window.Shape[2]) + columns.First[column] - columns.Starts[column];
        (int rowLength, int length) = (sums.Shape[1] * classes, across.Length * classes);
        (int done, int earlier) = (rows.Done(row), row == 0 ? 0 : rows.Weights[row - 1].Length - rows.Done(row - 1));
        (int doneLength, int left) = (columns.Done(column) * classes, columns.First[column]);
        // First the rows that are finished, with what the windows above left there; then those that wait take their place.
        ThreadTeam.Ranges(done, PieceRows, (first, end) =>
        {
            for (int y = first; y < end; y++) Finish(rows.First[row] + y, y < earlier ? y : null, Sum(y));
        });
        ThreadTeam.Ranges(down.Length - done, PieceRows, (first, end) =>
        {
            for (int y = first; y < end; y++) Sum(done + y)[..doneLength].CopyTo(carried.Span[(((y * width) + left) * classes)..]);
        });
        ThreadTeam.Ranges(down.Length, PieceRows, (first, end) =>
        {
            for (int y = first; y < end; y++)
            {
                Span<float> line = sums.Span.Slice(y * rowLength, rowLength);
                line[doneLength..].CopyTo(line);
                line[(rowLength - doneLength)..].Clear();
            }
        });

        Span<float> Sum(int y)
        {
            Span<float> line = sums.Span.Slice(y * rowLength, length);
            AddWeighted(window.Span.Slice((from + (y * window.Shape[2])) * classes, length), weights.Span, down[y], line);
            return line;
        }

        void Finish(int y, int? above, Span<float> line)
        {
            line = line[..doneLength];
            int place = (y * width) + left;
            if (above is { } waiting) TensorPrimitives.Add<float>(line, carried.Span.Slice(((waiting * width) + left) * classes, doneLength), line);
            if (scores is not null)
            {
                line.CopyTo(scores.Span[(place * classes)..]);
                return;
            }
            Span<byte> to = labels.Labels.AsSpan(place, doneLength / classes);
            for (int x = 0; x < to.Length; x++) to[x] = (byte)TensorPrimitives.IndexOfMax<float>(line.Slice(x * classes, classes));
        }
    }

    /// <summary>The labels, once every window was added.</summary>
    public LabelMap Labels() => scores is null ? labels : new LabelMap(labels.Height, labels.Width, scores.ArgMaxLabels(labels.Height, labels.Width));

    /// <summary>sums += window · weights · weight.</summary>
    private static void AddWeighted(ReadOnlySpan<float> window, ReadOnlySpan<float> weights, float weight, Span<float> sums)
    {
        int i = 0;
        var all = new Vector<float>(weight);
        for (; i <= sums.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(sums[i..]) + (new Vector<float>(window[i..]) * (new Vector<float>(weights[i..]) * all))).CopyTo(sums[i..]);
        for (; i < sums.Length; i++) sums[i] += window[i] * (weights[i] * weight);
    }
}

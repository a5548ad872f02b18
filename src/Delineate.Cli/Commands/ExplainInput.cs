using System.Globalization;
using System.Text;
using Delineate.Explain;
using Delineate.Tensors;
using Delineate.Tensors.Weights;

namespace Delineate.Cli.Commands;

/// <summary>Numbers that an explanation starts from: a size, which stands for counting up, or a file of them.</summary>
internal static class ExplainInput
{
    private const int MostSide = 4096;
    private const long MostBytes = 16 << 20;
    private static readonly char[] Separators = [',', ';', '\t', ' '];

    /// <summary><c>4x4</c> as first, first + 1, …; the numbers of a <c>.npy</c> file of two axes (axes of 1 beside them do not count); else those of a text file, a row a line.</summary>
    /// <exception cref="UserException">It is neither, or the file holds no rectangle of numbers.</exception>
    public static Matrix Read(string text, int first)
    {
        if (Sides(text) is (int height, int width)) return Matrix.Counting(height, width, first);
        string path = SharedOptions.ExistingFile(text);
        if (new FileInfo(path).Length > MostBytes) throw new UserException($"{path} is larger than {MostBytes >> 20} MB, more than can be explained");
        return path.EndsWith(".npy", StringComparison.OrdinalIgnoreCase) ? Array(path) : Lines(path);
    }

    /// <summary>A height and a width where the text is one.</summary>
    public static (int Height, int Width)? Sides(string text) =>
        text.Split('x') is [var h, var w] && int.TryParse(h, NumberStyles.None, CultureInfo.InvariantCulture, out int height) && int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out int width)
        && height is >= 1 and <= MostSide && width is >= 1 and <= MostSide ? (height, width) : null;

    /// <summary>Numbers between commas.</summary>
    public static double[]? Numbers(string text)
    {
        string[] parts = text.Split(Separators, StringSplitOptions.RemoveEmptyEntries);
        var numbers = new double[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!double.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i])) return null;
        }
        return numbers;
    }

    private static Matrix Array(string path)
    {
        (Shape shape, float[] values) = NpyFile.Load(path);
        int[] sides = [.. shape.Where(s => s != 1)];
        return sides.Length > 2 ? throw new UserException($"{path} is an array of {shape}: one map has a height and a width, and axes of 1 beside them")
            : values.Length == 0 ? throw new UserException($"{path} is an array of {shape}, without a number")
            : new Matrix(sides.Length == 2 ? sides[0] : 1, sides.Length == 0 ? 1 : sides[^1], [.. values.Select(v => (double)v)]);
    }

    private static Matrix Lines(string path)
    {
        var values = new List<double>();
        (int rows, int columns, int number) = (0, 0, 0);
        foreach (string line in File.ReadLines(path, Encoding.UTF8))
        {
            number++;
            if (line.Trim().Length == 0) continue;
            double[] row = Numbers(line.Trim('\uFEFF')) ?? throw new UserException($"{path}, line {number}: '{Short(line)}' is not numbers between commas");
            if (rows > 0 && row.Length != columns) throw new UserException($"{path}, line {number} has {row.Length} numbers, the lines before have {columns}");
            (rows, columns) = (rows + 1, row.Length);
            values.AddRange(row);
        }
        return rows == 0 ? throw new UserException($"{path} holds no numbers") : new Matrix(rows, columns, values);
    }

    private static string Short(string line) => line.Length <= 40 ? line : line[..40] + "…";
}

namespace Delineate.Data;

/// <summary>A data set that cannot be used as it is: the message names the file or folder and what would mend it.</summary>
public sealed class DatasetException : IOException
{
    public DatasetException(string message, Exception? inner = null)
        : base(message, inner)
    {
        Problem = message;
    }

    /// <summary>A fault of one file; the message reads "file: problem; remedy".</summary>
    public DatasetException(string file, string problem, string? remedy, Exception? inner = null)
        : base(remedy is null ? $"{file}: {problem}" : $"{file}: {problem}; {remedy}", inner)
    {
        (File, Problem, Remedy) = (file, problem, remedy);
    }

    /// <summary>The path of the file or folder at fault, where there is one.</summary>
    public string? File { get; }

    /// <summary>What is wrong, without the file.</summary>
    public string Problem { get; }

    /// <summary>What would mend it, where that can be told.</summary>
    public string? Remedy { get; }
}

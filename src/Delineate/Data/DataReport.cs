using System.Collections.Concurrent;
using Delineate.Data.Objects;
using Delineate.Data.Sets;

namespace Delineate.Data;

/// <summary>How bad a <see cref="Finding"/> is.</summary>
public enum Severity
{
    /// <summary>Worth knowing.</summary>
    Note,

    /// <summary>Training runs, but perhaps not on what was meant.</summary>
    Warning,

    /// <summary>Training or evaluation would fail or be wrong.</summary>
    Error,
}

/// <summary>Something found in a data set: the file or folder, what is the matter, and what would mend it.</summary>
public sealed record Finding(Severity Severity, string File, string Message, string? Remedy = null);

/// <summary>What a data check found, worst first, and how many pixels each class has in each split.</summary>
public sealed record DataReport(
    string Folder, ClassTable? Classes, IReadOnlyList<Finding> Findings, IReadOnlyList<SplitCensus> Splits, int ImagesChecked, int MasksDecoded)
{
    /// <summary>Objects of annotation files, and of masks that number them, that were looked at.</summary>
    public int ObjectsChecked { get; init; }

    /// <summary>Findings that must be mended.</summary>
    public int Errors => Findings.Count(f => f.Severity == Severity.Error);

    /// <summary>Findings that should be looked at.</summary>
    public int Warnings => Findings.Count(f => f.Severity == Severity.Warning);
}

/// <summary>Gathers findings from several threads.</summary>
internal sealed class Findings
{
    private readonly ConcurrentBag<Finding> found = [];

    /// <summary>Worst first, then by file, so that the order does not depend on the threads.</summary>
    public IReadOnlyList<Finding> Sorted =>
        [.. found.OrderByDescending(f => f.Severity).ThenBy(f => f.File, StringComparer.Ordinal).ThenBy(f => f.Message, StringComparer.Ordinal)];

    public void Error(string file, string message, string? remedy = null) => found.Add(new Finding(Severity.Error, file, message, remedy));

    public void Warning(string file, string message, string? remedy = null) => found.Add(new Finding(Severity.Warning, file, message, remedy));

    public void Note(string file, string message, string? remedy = null) => found.Add(new Finding(Severity.Note, file, message, remedy));

    public void Add(Finding finding) => found.Add(finding);

    public void Add(FileFault fault) => Add(new Finding(fault.Severity, fault.File, fault.Message, fault.Remedy));

    /// <summary>A file that could not be read.</summary>
    public void Unreadable(string path, string message, Exception e)
    {
        DatasetException fault = e as DatasetException ?? FileDataset.Unreadable(path, e);
        Error(path, $"{message}: {fault.Problem}", fault.Remedy);
    }
}

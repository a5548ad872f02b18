using Xunit;

namespace Delineate.Testing;

/// <summary>A test that reads the reference folder named by <c>DELINEATE_REFERENCE</c>; where that is unset the test is skipped and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ReferenceFactAttribute : FactAttribute
{
    public ReferenceFactAttribute() => Skip = ReferenceFolder.WhySkipped;
}

/// <summary>A theory that reads the reference folder named by <c>DELINEATE_REFERENCE</c>; where that is unset it is skipped and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ReferenceTheoryAttribute : TheoryAttribute
{
    public ReferenceTheoryAttribute() => Skip = ReferenceFolder.WhySkipped;
}

/// <summary>Where the outputs of the reference implementations and the real data sets lie.</summary>
public static class ReferenceFolder
{
    private static readonly string? Root = Environment.GetEnvironmentVariable("DELINEATE_REFERENCE") is { Length: > 0 } path ? System.IO.Path.GetFullPath(path) : null;

    /// <summary>Whether the reference folder is named: for tests that run without it and see more with it.</summary>
    public static bool IsNamed => Root is not null;

    internal static string? WhySkipped => Root is null ? "DELINEATE_REFERENCE is not set: the reference folder is needed" : null;

    /// <summary>A path below the reference folder: <c>Path("golden", "ops")</c>.</summary>
    public static string Path(params string[] parts)
    {
        if (Root is null) throw new InvalidOperationException(WhySkipped);
        string path = System.IO.Path.Combine([Root, .. parts]);
        if (!File.Exists(path) && !Directory.Exists(path)) throw new FileNotFoundException($"the reference folder lacks {path}");
        return path;
    }
}

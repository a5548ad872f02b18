using Xunit;

namespace Delineate.Tensors.Tests;

/// <summary>Tests of what the whole process shares (the pool's counters, the number of threads): they run when nothing else does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}

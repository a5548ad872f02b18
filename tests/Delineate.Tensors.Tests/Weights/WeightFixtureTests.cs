using System.Text.Json;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

/// <summary>A small weight file as PyTorch, NumPy or pickle wrote it, with the arrays that it holds; made by tools/golden/make_weights.py.</summary>
public sealed record WeightFixture(string Name, byte[] File, IReadOnlyList<(string Name, int[] Shape, float[] Values)> Tensors)
{
    public static IReadOnlyList<WeightFixture> All { get; } = Load();

    /// <summary>The files whose names end so: seeds for tests that damage files. Where the reference folder is named, its smaller checkpoints of the same kind as well.</summary>
    public static byte[][] Seeds(string suffix, params string[] references)
    {
        IEnumerable<byte[]> real = ReferenceFolder.IsNamed ? references.Select(path => System.IO.File.ReadAllBytes(ReferenceFolder.Path(["golden", .. path.Split('/')]))) : [];
        return [.. All.Where(f => f.Name.EndsWith(suffix, StringComparison.Ordinal)).Select(f => f.File), .. real];
    }

    private static List<WeightFixture> Load()
    {
        using JsonDocument json = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "weights.json")));
        return [.. json.RootElement.EnumerateArray().Select(f => new WeightFixture(f.GetProperty("name").GetString()!, f.GetProperty("base64").GetBytesFromBase64(),
        [
            .. f.GetProperty("tensors").EnumerateArray().Select(t => (t.GetProperty("name").GetString()!,
                t.GetProperty("shape").EnumerateArray().Select(s => s.GetInt32()).ToArray(),
                t.GetProperty("values").EnumerateArray().Select(v => v.GetSingle()).ToArray())),
        ]))];
    }
}

public sealed class WeightFixtureTests
{
    public static TheoryData<string> Names => [.. WeightFixture.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Files_of_PyTorch_and_NumPy_have_the_values_that_were_saved(string name)
    {
        WeightFixture fixture = WeightFixture.All.Single(f => f.Name == name);
        using WeightFile file = WeightFile.Open(new MemoryStream(fixture.File), name);
        Assert.Equal(fixture.Tensors.Select(t => t.Name), file.Tensors.Keys);
        foreach ((string tensor, int[] shape, float[] values) in fixture.Tensors)
        {
            Assert.Equal(shape, file.Tensors[tensor].Shape.ToArray());
            Assert.Equal(values, file.Tensors[tensor].ToArray());
        }
    }
}

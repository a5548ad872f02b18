using System.Text.Json;
using Delineate.Tensors;

namespace Delineate.Testing;

/// <summary>One folder of goldens: arrays by name, options from its manifest. PyTorch's NCHW arrays are re-laid to NHWC on request.</summary>
public sealed class Golden
{
    private readonly string folder;

    private Golden(string folder)
    {
        this.folder = folder;
        using var manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "manifest.json")));
        Meta = manifest.RootElement.GetProperty("meta").Clone();
        Names = [.. manifest.RootElement.GetProperty("tensors").EnumerateObject().Select(t => t.Name)];
    }

    /// <summary>The options the reference ran with.</summary>
    public JsonElement Meta { get; }

    /// <summary>Every array in the folder.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The folder <c>golden/NAME</c> of the reference folder.</summary>
    public static Golden Reference(string name) => new(ReferenceFolder.Path("golden", name));

    /// <summary>A golden folder that lies in the project.</summary>
    public static Golden Local(string path) => new(path);

    public string FilePath(string name) => Path.Combine(folder, name);

    public bool Has(string name) => File.Exists(Path.Combine(folder, $"{name}.npy"));

    public NpyArray Array(string name) => NpyArray.Load(Path.Combine(folder, $"{name}.npy"));

    /// <summary>The array as it lies in the file.</summary>
    public Tensor Tensor(string name)
    {
        NpyArray array = Array(name);
        return Tensors.Tensor.From(array.Floats, Shape.Of(array.Shape));
    }

    /// <summary>An array of four axes with its channels last: a map [N, C, H, W] → [N, H, W, C], a weight [Co, Ci, Kh, Kw] → [Co, Kh, Kw, Ci]. Other ranks as they are.</summary>
    public Tensor ChannelsLast(string name)
    {
        NpyArray array = Array(name);
        return array.Shape.Length == 4
            ? Tensors.Tensor.From(ToChannelsLast(array.Floats, array.Shape), [array.Shape[0], array.Shape[2], array.Shape[3], array.Shape[1]])
            : Tensor(name);
    }

    private static float[] ToChannelsLast(float[] values, int[] shape)
    {
        (int n, int c, int hw) = (shape[0], shape[1], shape[2] * shape[3]);
        var result = new float[values.Length];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < c; j++)
            {
                for (int k = 0; k < hw; k++) result[(((i * hw) + k) * c) + j] = values[(((i * c) + j) * hw) + k];
            }
        }
        return result;
    }
}

using System.Globalization;
using Delineate.Data;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;

namespace Delineate.Models;

/// <summary>Weights without a model card: what their names and shapes tell of a model whose name is known.</summary>
internal static class BareWeights
{
    private const string AuxiliaryPrefix = "aux_classifier.";

    /// <summary>
    /// A new model that the file's tensors fit where they are those of <paramref name="name"/> at all. Its classes are <paramref name="unnamed"/> where there are as
    /// many and nothing else is known of them.
    /// </summary>
    /// <exception cref="WeightsFormatException">The layers that score classes disagree on their number or have an impossible one.</exception>
    public static Model NewModel(string name, WeightFile file, int? classes, ClassTable? unnamed = null, Func<ModelOptions, ModelOptions>? adjust = null)
    {
        ModelOptions options = Options(name, file);
        if (adjust is not null) options = adjust(options);
        int count = classes ?? CountClasses(name, options, file);
        ClassTable table = unnamed?.Count == count && !ModelCatalog.NamesPublishedClasses(name, count) ? unnamed : ModelCatalog.PublishedClasses(name, count);
        return ModelCatalog.Create(name, options, table, ModelCatalog.PublishedPreprocessing(name));
    }

    private static ModelOptions Options(string name, WeightFile file)
    {
        if (DetectorCatalog.Has(name)) return DetectorCatalog.Options(file);
        var options = new ModelOptions { AuxiliaryHead = file.Tensors.Keys.Any(key => key.StartsWith(AuxiliaryPrefix, StringComparison.Ordinal)) };
        return name switch
        {
            "unet" => UNet(options, file),
            "sliding_window" => SlidingWindow(options, file),
            _ => options,
        };
    }

    private static ModelOptions UNet(ModelOptions options, WeightFile file)
    {
        if (!file.Tensors.TryGetValue("inc.double_conv.0.weight", out RawTensor? first) || first.Shape.Rank != 4) return options;
        int depth = CountWhile(file, i => $"down{i}.maxpool_conv.1.double_conv.0.weight");
        return options with { Channels = first.Shape[0], Depth = depth, Bilinear = !file.Tensors.ContainsKey("up1.up.weight") };
    }

    private static ModelOptions SlidingWindow(ModelOptions options, WeightFile file)
    {
        if (!file.Tensors.TryGetValue("fc.weight", out RawTensor? connected) || connected.Shape.Rank != 4) return options;
        int? size = PatchClassifier.PatchSizeOf(CountWhile(file, i => $"conv{i}.weight"), lastMap: connected.Shape[2]);
        return size is { } known ? options with { PatchSize = known } : options;
    }

    /// <summary>How many tensors of such names, numbered from 1, the file has.</summary>
    private static int CountWhile(WeightFile file, Func<int, FormattableString> name)
    {
        int count = 0;
        while (file.Tensors.ContainsKey(name(count + 1).ToString(CultureInfo.InvariantCulture))) count++;
        return count;
    }

    /// <summary>The number of classes for which the file's layers have their size: layers differ between two and three classes by one for each class, or by four for each class's box.</summary>
    private static int CountClasses(string name, ModelOptions options, WeightFile file)
    {
        Dictionary<string, Shape> two = Shapes(2), three = Shapes(3);
        (string Layer, int Count)? found = null;
        foreach ((string layer, Shape shape) in two)
        {
            if (!file.Tensors.TryGetValue(layer, out RawTensor? raw) || raw.Shape.Rank != shape.Rank) continue;
            for (int axis = 0; axis < shape.Rank; axis++)
            {
                int each = three[layer][axis] - shape[axis];
                if (each == 0) continue;
                if (raw.Shape[axis] % each != 0) throw new WeightsFormatException(file.Name, layer, $"this layer has {raw.Shape[axis]} outputs, which is no multiple of {each}");
                int count = raw.Shape[axis] / each;
                if (count is < 1 or > 255) throw new WeightsFormatException(file.Name, layer, $"this layer scores {count} classes; 1 to 255 can be told apart");
                if (found is { } other && other.Count != count)
                    throw new WeightsFormatException(file.Name, layer, $"this layer scores {count} classes, {other.Layer} {other.Count}");
                found = (layer, count);
            }
        }
        return found?.Count ?? 2; // no layer of the model is there: comparing names will tell all of it

        Dictionary<string, Shape> Shapes(int classes) => ModelCatalog.Create(name, options, ModelCatalog.PublishedClasses(name, classes)).Network
            .StateDict().ToDictionary(s => s.Name, s => RawTensor.ShapeOf(s.Tensor));
    }
}

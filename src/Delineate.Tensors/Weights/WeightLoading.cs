using Delineate.Tensors.Nn;

namespace Delineate.Tensors.Weights;

/// <summary>Puts the tensors of a weight file into a network.</summary>
public static class WeightLoading
{
    private const string BatchCount = ".num_batches_tracked"; // a counter that PyTorch's BatchNorm keeps and that nothing reads

    /// <summary>Whether a name is that of a counter of batches, which PyTorch keeps beside a normalisation and no network here has.</summary>
    public static bool IsBatchCount(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.EndsWith(BatchCount, StringComparison.Ordinal) || name == BatchCount[1..];
    }

    /// <summary>The tensors of an open file: see <see cref="Load(Module, IReadOnlyDictionary{string, RawTensor}, Func{string, bool}?, string?)"/>.</summary>
    public static IReadOnlyList<string> Load(Module module, WeightFile file, Func<string, bool>? skip = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Load(module, file.Tensors, skip, file.Name);
    }

    /// <summary>
    /// Overwrites every parameter and buffer of <paramref name="module"/> with the tensor of its name. Nothing is changed unless all of it fits: names and
    /// shapes are compared, and files looked at once more, before the first value is read.
    /// <paramref name="skip"/> names entries that are left alone on both sides (another number of classes: the last layer); batch counters always are.
    /// <paramref name="source"/> names the file in messages.
    /// </summary>
    /// <returns>The names that <paramref name="skip"/> chose, in the file or in the network.</returns>
    /// <exception cref="WeightsMismatchException">Names or shapes differ: the exception has every difference.</exception>
    /// <exception cref="WeightsFormatException">The file was changed since it was opened, or cannot be read; the message says so where values were overwritten before.</exception>
    public static IReadOnlyList<string> Load(Module module, IReadOnlyDictionary<string, RawTensor> state, Func<string, bool>? skip = null, string? source = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(state);
        var skipped = new SortedSet<string>(StringComparer.Ordinal);
        var unexpected = new HashSet<string>(state.Keys.Where(name => !IsBatchCount(name) && !Skips(name)));
        var missing = new List<(string, Shape)>();
        var mismatched = new List<ShapeMismatch>();
        var pairs = new List<(RawTensor From, Tensor To)>();
        foreach ((string name, Tensor tensor) in module.StateDict())
        {
            if (Skips(name)) continue;
            unexpected.Remove(name);
            Shape shape = ChannelOrder.ToSecond(tensor.Shape);
            if (!state.TryGetValue(name, out RawTensor? raw)) missing.Add((name, shape));
            else if (raw.Shape != shape) mismatched.Add(new ShapeMismatch(name, raw.Shape, shape));
            else pairs.Add((raw, tensor));
        }
        if (missing.Count + mismatched.Count + unexpected.Count > 0)
            throw new WeightsMismatchException(source, module.GetType().Name, missing, [.. state.Where(s => unexpected.Contains(s.Key)).Select(s => (s.Key, s.Value.Shape))], mismatched);
        foreach ((RawTensor from, _) in pairs) from.RefuseChanged();
        for (int i = 0; i < pairs.Count; i++)
        {
            try
            {
                pairs[i].From.CopyTo(pairs[i].To);
            }
            catch (WeightsFormatException e)
            {
                throw new WeightsFormatException(e.FilePath, e.Place,
                    $"{e.Reason}; {module.GetType().Name} is left with {i} of its {pairs.Count} tensors overwritten and one perhaps in part: load weights again before it is used", e);
            }
        }
        return [.. skipped];

        bool Skips(string name)
        {
            if (skip is null || !skip(name)) return false;
            skipped.Add(name);
            return true;
        }
    }
}

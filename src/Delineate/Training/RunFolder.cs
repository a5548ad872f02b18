using System.Globalization;
using System.Text;
using System.Text.Json;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Optim;
using Delineate.Tensors.Weights;

namespace Delineate.Training;

/// <summary>
/// The folder of one training run: <c>best.safetensors</c>, <c>last.safetensors</c> (weights, optimizer and place in the run),
/// <c>recipe.json</c>, <c>metrics.csv</c> and <c>log.jsonl</c>. Every file but the log is replaced whole, so that none is ever half written.
/// </summary>
public sealed class RunFolder
{
    private const string DataFile = "run.json";
    private const string StateKey = "delineate.training";

    /// <summary>A run in <paramref name="path"/>, which is made by the first that is written to it.</summary>
    public RunFolder(string path) => Path = path;

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The weights with the best validation figure.</summary>
    public string Best => In("best.safetensors");

    /// <summary>The latest weights, with what a resumed run needs.</summary>
    public string Last => In("last.safetensors");

    /// <summary>The effective recipe.</summary>
    public string RecipeFile => In("recipe.json");

    private string Log => In("log.jsonl");

    private string Table => In("metrics.csv");

    /// <summary>Notes what the run is trained on and by which recipe, before its first step.</summary>
    public void Remember(RunData data, Recipe recipe)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        Directory.CreateDirectory(Path);
        Replace(In(DataFile), JsonSerializer.Serialize(data, TrainingJson.Default.RunData) + "\n");
        Replace(RecipeFile, recipe.ToJson() + "\n");
    }

    /// <summary>What <see cref="Remember"/> noted.</summary>
    /// <exception cref="TrainingException">The folder holds no run, or its <c>run.json</c> is damaged.</exception>
    /// <exception cref="RecipeException">Its <c>recipe.json</c> is damaged.</exception>
    public (RunData Data, Recipe Recipe) Recall()
    {
        if (!File.Exists(In(DataFile)) || !File.Exists(RecipeFile))
            throw new TrainingException($"{Path} holds no run that could be resumed: {DataFile} or recipe.json is missing");
        string json = File.ReadAllText(In(DataFile));
        try
        {
            RunData data = JsonSerializer.Deserialize(json, TrainingJson.Default.RunData) ?? throw new TrainingException($"{In(DataFile)} is empty");
            return (data, Recipe.Parse(File.ReadAllText(RecipeFile), RecipeFile));
        }
        catch (JsonException e)
        {
            throw new TrainingException($"{In(DataFile)}, {JsonText.Describe(e, json, TrainingJson.Default.RunData)}");
        }
    }

    /// <summary>Puts the model and the optimizer where the last checkpoint stands; null where there is none.</summary>
    /// <exception cref="TrainingException">The file holds weights but no place in a run, or one of another optimizer.</exception>
    /// <exception cref="WeightsFormatException">The file is damaged.</exception>
    /// <exception cref="WeightsMismatchException">It holds another network.</exception>
    public TrainingState? Restore(Model model, Optimizer optimizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(optimizer);
        if (!File.Exists(Last)) return null;
        using MemoryScope scope = TensorMemory.Scope();
        using WeightFile file = SafetensorsFile.Open(Last);
        TrainingState state = StateIn(file.Metadata);
        ModelFile.LoadWeights(file, model);
        try
        {
            optimizer.LoadState(file.Tensors.Where(t => t.Key.StartsWith(ModelFile.TrainingPrefix, StringComparison.Ordinal))
                .ToDictionary(t => t.Key[ModelFile.TrainingPrefix.Length..], t => t.Value));
        }
        catch (InvalidDataException)
        {
            throw new TrainingException($"{Last} was written by another optimizer than the recipe's: resume with the recipe that the run began with");
        }
        return state;
    }

    /// <summary>Where the last checkpoint stands, without its weights; null where there is none.</summary>
    /// <exception cref="TrainingException">The file holds weights but no place in a run.</exception>
    /// <exception cref="WeightsFormatException">The file is damaged.</exception>
    public TrainingState? ReadState() => File.Exists(Last) ? StateIn(SafetensorsFile.LoadMetadata(Last)) : null;

    /// <summary>Brings the other files to the state that training goes on from, and clears away what a killed process left half written.</summary>
    internal void Begin(Model model, TrainingState state)
    {
        Directory.CreateDirectory(Path);
        foreach (string file in (string[])[Best, Last, RecipeFile, Table, Log, In(DataFile)]) File.Delete(AtomicFile.PartialOf(file));
        WriteTable(model, state);
        if (!File.Exists(Log)) return;
        string[] lines = File.ReadAllLines(Log), kept = [.. lines.Where(line => StepOf(line) <= state.Step)];
        if (kept.Length < lines.Length) Replace(Log, string.Concat(kept.Select(l => l + "\n")));
    }

    internal void LogStep(TrainingState state, double rate, IReadOnlyDictionary<string, double> sums, int batches, double seconds)
    {
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"{{\"step\":{state.Step},\"epoch\":{state.Epoch + 1},\"rate\":{rate:G6}");
        line.Append(CultureInfo.InvariantCulture, $",\"seconds\":{seconds:G4},\"peak_memory_mb\":{TensorMemory.PeakBytes >> 20}");
        foreach ((string name, double sum) in sums) line.Append(CultureInfo.InvariantCulture, $",\"{(name.Length == 0 ? "loss" : name)}\":{sum / batches:G7}");
        File.AppendAllText(Log, line.Append("}\n").ToString());
    }

    internal void KeepBest(Model model, Recipe recipe, TrainingState state) => ModelFile.Save(Best, model, Card(model, recipe, state));

    /// <summary>Makes another folder's best weights this one's.</summary>
    internal void TakeBest(RunFolder from)
    {
        using FileStream best = File.OpenRead(from.Best);
        AtomicFile.Write(Best, best.CopyTo);
    }

    /// <summary>Writes all that a resumed run needs, if the weights are sound: a checkpoint never replaces a good one with one of NaNs.</summary>
    /// <exception cref="TrainingException">A weight is not finite.</exception>
    internal void Checkpoint(Model model, Recipe recipe, Optimizer optimizer, TrainingState state)
    {
        foreach ((string name, Tensor tensor) in model.Network.StateDict())
        {
            if (!System.Numerics.Tensors.TensorPrimitives.IsFiniteAll<float>(tensor.Span))
                throw new TrainingException($"{name} is no longer finite after step {state.Step} of epoch {state.Epoch + 1}: "
                    + $"lower the learning rate or clip gradients. The last good weights are in {Path}");
        }
        using MemoryScope scope = TensorMemory.Scope();
        ModelFile.Save(
            Last, model, Card(model, recipe, state),
            optimizer.State().Select(s => (s.Key, s.Value)),
            new Dictionary<string, string> { [StateKey] = JsonSerializer.Serialize(state, TrainingJson.Default.TrainingState) });
        WriteTable(model, state);
    }

    private void WriteTable(Model model, TrainingState state) => Replace(Table, Csv(state.History, Evaluation.For(model).Scores));

    private static ModelCard Card(Model model, Recipe recipe, TrainingState state) => ModelCard.Of(model) with
    {
        Recipe = JsonSerializer.SerializeToElement(recipe, RecipeJson.Default.Recipe),
        Metrics = Metrics(state),
    };

    private static Dictionary<string, double>? Metrics(TrainingState state)
    {
        if (state.History is not [.., { Scores: { } scores } record]) return null;
        var metrics = new Dictionary<string, double> { ["epoch"] = record.Epoch };
        foreach (Figure figure in scores.Figures)
            if (figure.Value is { } value) metrics[figure.Key] = value;
        return metrics;
    }

    /// <summary>A line for each epoch, with a column for each of the figures that an evaluation has.</summary>
    private static string Csv(IReadOnlyList<EpochRecord> history, Scores columns)
    {
        string[] terms = [.. history.SelectMany(r => r.Terms.Keys).Distinct()];
        string[] figures = [.. All(columns).Select(f => f.Key)];
        var text = new StringBuilder();
        text.AppendJoin(',', (string[])[
            "epoch", "step", "rate", "train_loss", .. terms, "train_seconds", "images_per_second", .. figures.Select(Quoted)]).Append('\n');
        foreach (EpochRecord r in history)
        {
            text.AppendJoin(',', (string[])[
                Number(r.Epoch), Number(r.Step), Number(r.LearningRate), Number(r.TrainLoss),
                .. terms.Select(t => Number(r.Terms.TryGetValue(t, out double v) ? v : null)),
                Number(r.TrainSeconds), Number(r.ImagesPerSecond), .. figures.Select(key => Number(r.Scores is null ? null : All(r.Scores).FirstOrDefault(f => f.Key == key)?.Value))]).Append('\n');
        }
        return text.ToString();

        static IEnumerable<Figure> All(Scores scores) => scores.Figures.Concat(scores.Classes);
        static string Number(double? value) => value?.ToString("G7", CultureInfo.InvariantCulture) ?? "";
        static string Quoted(string text) => text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    private TrainingState StateIn(IReadOnlyDictionary<string, string> metadata)
    {
        if (!metadata.TryGetValue(StateKey, out string? json))
            throw new TrainingException($"{Last} holds weights but no place in a training run: it cannot be resumed");
        try
        {
            return JsonText.Read(json, TrainingJson.Default.TrainingState, new TrainingState())
                ?? throw new TrainingException($"{Last} holds no place in a training run");
        }
        catch (JsonException e)
        {
            throw new TrainingException($"the place in the run that {Last} holds cannot be read, {JsonText.Describe(e, json, TrainingJson.Default.TrainingState)}");
        }
    }

    /// <summary>The step of a log line; a line cut off by a crash counts as never written.</summary>
    private static int StepOf(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            JsonElement fields = json.RootElement;
            return fields.ValueKind == JsonValueKind.Object && fields.TryGetProperty("step", out JsonElement step)
                && step.ValueKind == JsonValueKind.Number && step.TryGetInt32(out int number) ? number : int.MaxValue;
        }
        catch (JsonException)
        {
            return int.MaxValue;
        }
    }

    private static void Replace(string path, string text) => AtomicFile.Write(path, file => file.Write(Encoding.UTF8.GetBytes(text)));

    private string In(string name) => System.IO.Path.Combine(Path, name);
}

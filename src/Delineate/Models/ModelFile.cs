using System.Text.Json;
using Delineate.Data;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;

namespace Delineate.Models;

/// <summary>A saved model: ONE <c>.safetensors</c> file with the weights and, in its metadata, the <see cref="ModelCard"/>.</summary>
public static class ModelFile
{
    /// <summary>Tensors under this prefix belong to a training run, not to the network.</summary>
    internal const string TrainingPrefix = "training/";

    internal const string CardKey = "delineate";

    /// <summary>Reads a model with its weights, ready to predict.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged, or no model of ours.</exception>
    /// <exception cref="WeightsMismatchException">Its tensors are not those of the model it names.</exception>
    public static Model Load(string path) => Load(path, out _);

    /// <summary>The same, with what the file says of the model.</summary>
    public static Model Load(string path, out ModelCard card)
    {
        using WeightFile file = SafetensorsFile.Open(path);
        card = ReadCard(file.Metadata, path);
        Model model;
        using (Init.Skip()) model = card.NewModel(path); // every weight comes from the file, or the model is not handed out
        LoadWeights(file, model);
        model.Network.Train(false);
        return model;
    }

    /// <summary>
    /// Reads a model with its weights from any file that <see cref="WeightFile.Open(string)"/> reads, ready to predict. A model file's card says what it
    /// holds. Bare weights are those of the model <paramref name="name"/>; the number of classes and whether there is an auxiliary head are told from
    /// their tensors, classes and preprocessing are those of the published weights of that name.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The model's name in the catalog; null where the file must say.</param>
    /// <param name="classes">The number of classes, where the tensors do not tell.</param>
    /// <exception cref="WeightsFormatException">The file is damaged, is another model's, or says nothing of a model and <paramref name="name"/> is null.</exception>
    /// <exception cref="WeightsMismatchException">Its tensors are not those of the model.</exception>
    /// <exception cref="UnknownModelException">There is no model of this name; the message has the near ones.</exception>
    public static Model LoadAs(string path, string? name, int? classes = null) => LoadAs(path, name, classes, out _);

    /// <summary>
    /// The same, with what the file says of the model, or what is known of it where the file says nothing; classes that nothing names are
    /// <paramref name="unnamed"/> where there are as many. <paramref name="adjust"/> changes options that the tensors do not tell.
    /// </summary>
    internal static Model LoadAs(
        string path, string? name, int? classes, out ModelCard card, ClassTable? unnamed = null, Func<ModelOptions, ModelOptions>? adjust = null)
    {
        using WeightFile file = WeightFile.Open(path);
        Model model;
        using (Init.Skip())
        {
            if (file.Metadata.ContainsKey(CardKey) || name is null)
            {
                card = ReadCard(file.Metadata, path);
                if (adjust is not null) card = card with { Options = adjust(card.Options) };
                model = card.NewModel(path);
            }
            else
            {
                model = BareWeights.NewModel(name, file, classes, unnamed, adjust);
                card = ModelCard.Of(model);
            }
        }
        if (name is not null && model.Name != name) throw new WeightsFormatException(path, "metadata", $"this file holds {model.Name}, not {name}");
        if (classes is { } count && model.Classes.Count != count) throw new WeightsFormatException(path, "metadata", $"this file's network tells {model.Classes.Count} classes apart, not {count}");
        LoadWeights(file, model);
        model.Network.Train(false);
        return model;
    }

    /// <summary>
    /// Puts weights from a model file or a PyTorch checkpoint into a model: those of the same network, of which score layers made for another number of
    /// classes are left out, or those of the classifier that the network is built on (<see cref="Model.BackboneNames"/>). What the file lacks keeps the
    /// model's own values.
    /// </summary>
    /// <exception cref="WeightsFormatException">The file is damaged or of no known format.</exception>
    /// <exception cref="WeightsMismatchException">It holds another network.</exception>
    public static LoadedWeights LoadInto(Model model, string path)
    {
        ArgumentNullException.ThrowIfNull(model);
        using WeightFile file = WeightFile.Open(path);
        Dictionary<string, Shape> shapes = Shapes(model);
        if (model.BackboneNames is { } names && names.Recognise(file, shapes))
        {
            IReadOnlyDictionary<string, RawTensor> renamed = names.Rename(file, shapes);
            WeightLoading.Load(model.Network, renamed, name => shapes.ContainsKey(name) && !names.Cover(name), path);
            return Loaded(shapes.Keys, file.Tensors, renamed.ContainsKey, name => !names.IsLeftOut(name));
        }
        IReadOnlyDictionary<string, RawTensor> tensors = DetectorWeights.Current(file.Tensors);
        WeightLoading.Load(model.Network, tensors, StartsAnew, path);
        return Loaded(shapes.Keys, tensors, name => !StartsAnew(name), shapes.ContainsKey);

        bool StartsAnew(string name) => IsTraining(name) || (model.IsScoreLayer(name) && !Fits(tensors, name, shapes));
    }

    /// <summary>
    /// Puts those tensors of a file into a model that it has too, name and shape alike, and leaves the rest of both alone: from a network to the next one
    /// of a staged training.
    /// </summary>
    /// <exception cref="WeightsFormatException">The file is damaged, of no known format, or has nothing that the model has.</exception>
    public static LoadedWeights LoadShared(Model model, string path)
    {
        ArgumentNullException.ThrowIfNull(model);
        using WeightFile file = WeightFile.Open(path);
        Dictionary<string, Shape> shapes = Shapes(model);
        LoadedWeights loaded = Loaded(shapes.Keys, file.Tensors, name => Fits(file.Tensors, name, shapes), name => Fits(file.Tensors, name, shapes));
        if (loaded.Taken.Count == 0)
            throw new WeightsFormatException(path, "names and shapes", $"no tensor of this file fits {model.Name}: the networks have nothing in common");
        WeightLoading.Load(model.Network, file, name => !Fits(file.Tensors, name, shapes));
        return loaded;
    }

    /// <summary>What a model file says of itself, without reading its weights.</summary>
    public static ModelCard LoadCard(string path) => ReadCard(SafetensorsFile.LoadMetadata(path), path);

    /// <summary>The name of the model that a file says it holds; null where it says nothing of one.</summary>
    /// <exception cref="WeightsFormatException">The file is damaged or of no known format.</exception>
    internal static string? NameIn(string path)
    {
        using WeightFile file = WeightFile.Open(path);
        return file.Metadata.ContainsKey(CardKey) ? ReadCard(file.Metadata, path).Model : null;
    }

    /// <summary>
    /// Saves a model whole or not at all: an interrupted save leaves what was there before. Without a <paramref name="card"/> the file says
    /// what the model knows of itself.
    /// </summary>
    public static void Save(string path, Model model, ModelCard? card = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Save(path, model, card ?? ModelCard.Of(model), [], null);
    }

    internal static void Save(string path, Model model, ModelCard card, IEnumerable<(string Name, Tensor Tensor)> training, IReadOnlyDictionary<string, string>? more)
    {
        var metadata = new Dictionary<string, string>(more ?? new Dictionary<string, string>())
        {
            ["format"] = "pt",
            [CardKey] = JsonSerializer.Serialize(card, ModelCardJson.Default.ModelCard),
        };
        SafetensorsFile.Save(path, [.. model.Network.StateDict(), .. training.Select(t => (TrainingPrefix + t.Name, t.Tensor))], metadata);
    }

    internal static void LoadWeights(WeightFile file, Model model) => WeightLoading.Load(model.Network, DetectorWeights.Current(file.Tensors), IsTraining, file.Name);

    private static Dictionary<string, Shape> Shapes(Model model) => model.Network.StateDict().ToDictionary(s => s.Name, s => RawTensor.ShapeOf(s.Tensor));

    private static bool Fits(IReadOnlyDictionary<string, RawTensor> tensors, string name, Dictionary<string, Shape> shapes) =>
        shapes.TryGetValue(name, out Shape mine) && tensors.TryGetValue(name, out RawTensor? theirs) && theirs.Shape == mine;

    private static LoadedWeights Loaded(IReadOnlyCollection<string> network, IReadOnlyDictionary<string, RawTensor> tensors, Func<string, bool> isTaken, Func<string, bool> isUsed)
    {
        ILookup<bool, string> inFile = tensors.Keys.Where(name => !IsTraining(name) && !WeightLoading.IsBatchCount(name)).ToLookup(isUsed);
        return new LoadedWeights([.. network.Where(isTaken)], [.. network.Where(name => !isTaken(name))], [.. inFile[false]]) { Used = [.. inFile[true]] };
    }

    private static bool IsTraining(string name) => name.StartsWith(TrainingPrefix, StringComparison.Ordinal);

    private static ModelCard ReadCard(IReadOnlyDictionary<string, string> metadata, string path)
    {
        if (!metadata.TryGetValue(CardKey, out string? json))
            throw new WeightsFormatException(path, "metadata", "this file has weights but does not say of which model: it was not saved by Delineate, and its model must be named");
        try
        {
            return JsonText.Read(json, ModelCardJson.Default.ModelCard, new ModelCard { Model = "", Classes = [] })
                ?? throw new WeightsFormatException(path, "metadata", "the model card is empty");
        }
        catch (JsonException e)
        {
            throw new WeightsFormatException(path, "metadata", $"the model card cannot be read, {JsonText.Describe(e, json, ModelCardJson.Default.ModelCard)}", e);
        }
    }
}

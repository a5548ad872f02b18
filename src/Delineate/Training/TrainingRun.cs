using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;

namespace Delineate.Training;

/// <summary>One training of a run.</summary>
/// <param name="Number">Its place among the stages, from 1.</param>
/// <param name="Count">The number of stages.</param>
/// <param name="Recipe">What it is trained by.</param>
/// <param name="Folder">Where its weights, its table and its log are: the run's folder where it is the only stage, else <c>stage1</c>, <c>stage2</c>, … in it.</param>
public sealed record TrainingStage(int Number, int Count, Recipe Recipe, RunFolder Folder)
{
    /// <summary><c>stage 2/3, fcn16s_vgg16</c>, or the model's name alone where there is one stage.</summary>
    public string Name => Count == 1 ? Recipe.Model : $"stage {Number}/{Count}, {Recipe.Model}";
}

/// <summary>
/// A run from the first stage of its recipe to the last. Each stage is a <see cref="Trainer"/>'s work in a folder of its own and starts from the best weights of
/// the stage before: tensors that both networks have, name and shape alike, are taken over, the others begin anew. Killed at any moment and begun again, it
/// ends in the same weights, bit for bit, as if undisturbed.
/// </summary>
public sealed class TrainingRun
{
    private readonly Dataset train;
    private readonly Dataset? validation;
    private readonly RunFolder folder;
    private readonly Func<Recipe, ClassTable, Model> newModel;
    private readonly List<string> news = [];
    private TrainingStage stage;
    private Model? model; // of the stage that comes next, until it is trained

    /// <summary>
    /// A run that goes on where its folder's last checkpoint stands. All its networks are built once here and its first one is loaded, so that a recipe or a
    /// file of weights that does not fit is found before anything is written.
    /// </summary>
    /// <param name="recipe">The recipe, with stages or without.</param>
    /// <param name="train">The images to train on.</param>
    /// <param name="validation">The images to evaluate on, if any.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="weights">A file of weights that the first stage starts from (<see cref="ModelFile.LoadInto"/>), if any.</param>
    /// <param name="newModel">Makes a stage's network; <see cref="Recipe.NewModel"/> where left out.</param>
    /// <exception cref="RecipeException">A figure of the recipe or of a stage is out of its range.</exception>
    /// <exception cref="TrainingException">The folder holds a run on another training set, or a data set does not tell what a detector learns from.</exception>
    /// <exception cref="DatasetException">Its first samples cannot be read.</exception>
    /// <exception cref="UnknownModelException">There is no model of a stage's name.</exception>
    /// <exception cref="ModelOptionsException">An option of a network is out of its range.</exception>
    /// <exception cref="WeightsFormatException">A file of weights is damaged, or the networks of two stages have nothing in common.</exception>
    /// <exception cref="WeightsMismatchException">The starting weights are another network's.</exception>
    public TrainingRun(
        Recipe recipe, Dataset train, Dataset? validation, RunFolder folder, string? weights = null, Func<Recipe, ClassTable, Model>? newModel = null)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(folder);
        (this.train, this.validation, this.folder) = (train, validation, folder);
        this.newModel = newModel ?? (static (recipe, classes) => recipe.NewModel(classes));
        IReadOnlyList<Recipe> recipes = recipe.Checked("the recipe").StageRecipes();
        Stages = recipe.Stages.Count == 0
            ? [new TrainingStage(1, 1, recipe, folder)]
            : [.. recipes.Select((r, i) => new TrainingStage(i + 1, recipes.Count, r, new RunFolder(Path.Combine(folder.Path, $"stage{i + 1}"))))];
        // The latest stage that has a checkpoint needs nothing of those before it.
        stage = Stages.LastOrDefault(s => File.Exists(s.Folder.Last)) ?? Stages[0];
        if (stage.Folder.ReadState() is { } state)
        {
            Trainer.RefuseOtherData(stage.Folder, state, train);
            if (stage.Number < stage.Count && state.IsFinished(stage.Recipe)) stage = Stages[stage.Number];
        }
        CheckStagesAhead();
        Prepare(weights);
    }

    /// <summary>The stages, in their order.</summary>
    public IReadOnlyList<TrainingStage> Stages { get; }

    /// <summary>Called after every batch and every evaluated image.</summary>
    public Action<TrainingStage, TrainingProgress>? Progress { get; init; }

    /// <summary>Called after every epoch, when its checkpoint is written.</summary>
    public Action<TrainingStage, EpochRecord>? EpochDone { get; init; }

    /// <summary>Called with what a person who watches should know, a sentence each: which network, what weights it starts from, why a stage ended early.</summary>
    public Action<string>? News { get; init; }

    /// <summary>
    /// Trains what is left to train and puts the last stage's best weights into the run's folder. Cancelled, it writes a checkpoint and returns. Call it once.
    /// </summary>
    /// <returns>The stage that it came to and where that one stands; the run is finished where that is the last and <see cref="TrainingState.IsFinished"/>.</returns>
    /// <exception cref="TrainingException">The loss is not finite, or the folder's run cannot be resumed by this recipe.</exception>
    public (TrainingStage Stage, TrainingState State) Run(CancellationToken cancel = default)
    {
        while (true)
        {
            TrainingState state = Train(cancel);
            if (!state.IsFinished(stage.Recipe)) return (stage, state);
            if (state.Stopped is { } why) News?.Invoke($"{stage.Name}: stopped early, {why}");
            if (stage.Number == stage.Count)
            {
                if (stage.Count > 1) folder.TakeBest(stage.Folder);
                return (stage, state);
            }
            stage = Stages[stage.Number];
            LetGo();
            Prepare(weights: null);
        }
    }

    private TrainingState Train(CancellationToken cancel)
    {
        Model network = model ?? throw new InvalidOperationException("a run is run once");
        model = null; // so that it can be collected when the next stage begins
        foreach (string sentence in news) News?.Invoke(sentence);
        news.Clear();
        using var trainer = new Trainer(network, stage.Recipe, train, validation, stage.Folder)
        {
            Progress = p => Progress?.Invoke(stage, p),
            EpochDone = r => EpochDone?.Invoke(stage, r),
        };
        string which = stage.Count > 1 ? $" of stage {stage.Number}" : "";
        if (trainer.State.Step > 0) News?.Invoke($"resumed at step {trainer.State.Step} in epoch {Math.Min(stage.Recipe.Epochs, trainer.State.Epoch + 1)}{which}");
        foreach (string note in trainer.Notes) News?.Invoke(note);
        return trainer.Run(cancel);
    }

    /// <summary>Makes the stage's network, with the weights that it starts from unless it has a checkpoint.</summary>
    private void Prepare(string? weights)
    {
        model = newModel(stage.Recipe, train.Classes);
        if (model is DetectionModel detector)
        {
            RefuseWithoutObjects(detector, train);
            if (validation is not null) RefuseWithoutObjects(detector, validation);
        }
        string images = $"{train.Count} training images{(validation is null ? "" : $", {validation.Count} for validation")}";
        long frozen = model.Network.NamedParameters().Sum(p => p.Tensor.RequiresGrad ? 0L : p.Tensor.Length);
        news.Add($"{stage.Name}: {model.Network.ParameterCount():N0} parameters{(frozen > 0 ? $" ({frozen:N0} frozen)" : "")}, {model.Classes.Count} classes; {images}; {ThreadTeam.Threads} threads");
        if (File.Exists(stage.Folder.Last)) return;
        if (stage.Number > 1)
        {
            TrainingStage before = Stages[stage.Number - 2];
            news.Add($"weights from stage {before.Number}, {before.Recipe.Model}: {ModelFile.LoadShared(model, before.Folder.Best)}");
        }
        else if (weights is not null)
        {
            news.Add($"weights from {weights}: {ModelFile.LoadInto(model, weights)}");
        }
    }

    /// <summary>Looks at a data set's first samples up to one with objects: whether they are what the detector learns from shows there.</summary>
    private static void RefuseWithoutObjects(DetectionModel detector, Dataset data)
    {
        const int Looked = 32;
        if (data.Classes.Background != 0)
            throw new TrainingException($"{detector.Name} needs the background as the first class, and the data set has '{data.Classes.Names[0]}' there: name it with \"background\" in dataset.json");
        for (int i = 0; i < Math.Min(Looked, data.Count); i++)
        {
            Annotation truth = data.Load(i).Annotation;
            if (detector.Lacks(truth) is { } lack) throw new TrainingException($"{data.Names[i]}: {lack}");
            if (truth.Instances!.Any(o => !o.IsCrowd)) return;
        }
    }

    /// <summary>Builds the networks of the stages to come, without values, so that a mistake in the last does not show after days.</summary>
    private void CheckStagesAhead()
    {
        if (stage.Number == stage.Count) return;
        using (Init.Skip())
        {
            IReadOnlyCollection<(string, Shape)> before = Tensors(stage);
            foreach (TrainingStage next in Stages.Skip(stage.Number))
            {
                IReadOnlyCollection<(string, Shape)> its = Tensors(next);
                if (!its.Any(before.Contains))
                    throw new RecipeException($"stage {next.Number}: {next.Recipe.Model} has no tensor in common with stage {next.Number - 1}, {Stages[next.Number - 2].Recipe.Model}");
                before = its;
            }
        }
        LetGo();

        IReadOnlyCollection<(string, Shape)> Tensors(TrainingStage of) =>
            newModel(of.Recipe, train.Classes).Network.StateDict().Select(t => (t.Name, t.Tensor.Shape)).ToHashSet();
    }

    /// <summary>Has the memory of a stage's network back before the next one's is taken; the collector alone would wait for longer.</summary>
    private static void LetGo()
    {
        TensorMemory.Trim();
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}

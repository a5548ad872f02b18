using Delineate.Data;
using Delineate.Imaging;
using Delineate.Losses;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>Unnormalised class scores of every pixel, [N, H, W, classes], at the size of the input.</summary>
/// <param name="Out">The main head's.</param>
/// <param name="Aux">The auxiliary head's, or null where there is none or it did not run.</param>
public readonly record struct SemanticLogits(Tensor Out, Tensor? Aux = null);

/// <summary>A semantic network in use: preprocessing → network → loss while training, preprocessing → network → label map in prediction.</summary>
/// <param name="name">The model's name in the catalog.</param>
/// <param name="network">The network that holds the weights.</param>
/// <param name="forward">Runs it: [N, H, W, 3] → class scores.</param>
/// <param name="minimumSize">The smallest height and width that it can take; smaller images are padded to it.</param>
public class SemanticModel(string name, Module network, Func<Tensor, SemanticLogits> forward, int minimumSize) : Model
{
    /// <summary>What the names of the layers begin with that score classes, in any of the semantic networks.</summary>
    private static readonly string[] ScoreLayers = ["classifier.", "outc.", "score_", "upscore", "final_conv.", "transpose_conv."];

    private readonly Lock gate = new();
    private readonly PlanCache?[] plans = new PlanCache?[2]; // of the main head alone, and of every head
    private Rounding plansRounding;
    private string? planFailure;

    public override string Name => name;

    public override string? PlanFailure => planFailure;

    public override Module Network => network;

    /// <summary>Runs the auxiliary head too, in evaluation as well; null where the network has none.</summary>
    public Func<Tensor, SemanticLogits>? EveryHead { get; init; }

    /// <summary>How the loss is put together.</summary>
    public SemanticLossOptions LossOptions { get; init; } = new();

    public override bool IsAuxiliary(string parameterName)
    {
        ArgumentNullException.ThrowIfNull(parameterName);
        return parameterName.StartsWith("aux_classifier.", StringComparison.Ordinal);
    }

    public override bool IsScoreLayer(string parameterName)
    {
        ArgumentNullException.ThrowIfNull(parameterName);
        return IsAuxiliary(parameterName) || ScoreLayers.Any(prefix => parameterName.StartsWith(prefix, StringComparison.Ordinal));
    }

    public override int MinimumSize => minimumSize;

    public override Summary Summarize(Size2d size) =>
        InEvaluation(() => Summary.Of(Graph.Trace(network, x => forward(x).Out, [1, Math.Max(size.Height, minimumSize), Math.Max(size.Width, minimumSize), 3])));

    public override Graph TraceForAnySize(int batch, Size2d size) =>
        InEvaluation(() => Graph.TraceForAnySize(network, x => forward(x).Out, [batch, size.Height, size.Width, 3]));

    /// <summary>Does something while the network is in evaluation mode, one thread at a time.</summary>
    protected T InEvaluation<T>(Func<T> work)
    {
        lock (gate) return network.InEvaluation(work);
    }

    public override Losses Loss(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentOutOfRangeException.ThrowIfZero(batch.Samples.Count, nameof(batch));
        Tensor images = Preprocessing.ToTensor(batch.Images.Images, atLeast: minimumSize);
        byte[] labels = LabelsOf(batch, images.Shape[1], images.Shape[2]);
        (SemanticLogits logits, labels) = TrainingScores(images, labels);

        var terms = new List<(string, float)>();
        Tensor total = Terms(logits.Out, "", 1);
        if (logits.Aux is { } aux && LossOptions.AuxWeight != 0) total += Terms(aux, "aux_", LossOptions.AuxWeight);
        return new Losses(total, terms);

        Tensor Terms(Tensor scores, string prefix, float weight)
        {
            Tensor loss = scores.CrossEntropy(labels, new CrossEntropyOptions
            {
                IgnoreIndex = Classes.IgnoreIndex,
                ClassWeights = LossOptions.ClassWeights is { } w ? Tensor.From([.. w], [w.Count]) : null,
                LabelSmoothing = LossOptions.LabelSmoothing,
                Reduction = LossOptions.Summed ? LossReduction.Sum : LossReduction.Mean,
            });
            terms.Add(($"{prefix}cross_entropy", loss.Item()));
            if (LossOptions.DiceWeight != 0)
            {
                Tensor dice = scores.DiceLoss((ReadOnlyMemory<byte>)labels, new DiceOptions { IgnoreIndex = Classes.IgnoreIndex });
                terms.Add(($"{prefix}dice", dice.Item()));
                loss += LossOptions.DiceWeight * dice;
            }
            return weight == 1 ? loss : weight * loss;
        }
    }

    /// <summary>
    /// The scores that a training step learns from, [..., classes], and the label of each: here those of all pixels. Labels are those of [N, H, W], row by row.
    /// </summary>
    protected virtual (SemanticLogits Scores, byte[] Labels) TrainingScores(Tensor images, byte[] labels) => (forward(images), labels);

    public override IReadOnlyList<Prediction> Predict(ImageBatch images, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        int count = images.Images.Count;
        var predictions = new Prediction[count];
        for (int i = 0; i < count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            int before = i;
            predictions[i] = new Prediction { Semantic = Label(images.Images[i], progress is null ? null : (done, all) => progress((before * all) + done, count * all), cancel) };
        }
        return predictions;
    }

    /// <summary>
    /// The network's output for images that are prepared already, in evaluation mode, with the auxiliary head's where it is asked for and there is one.
    /// [N, H, W, 3] → [N, H, W, classes]. Records nothing; several threads may call it at once. <paramref name="progress"/> gets (parts done, parts in all).
    /// </summary>
    /// <exception cref="ShapeException">The network cannot take this shape.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public virtual SemanticLogits Scores(Tensor images, bool auxiliary = false, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        cancel.ThrowIfCancellationRequested();
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor[] scores = Planned(auxiliary, cache => cache.Run([images])) ?? Eager(() => Heads(images, auxiliary));
        progress?.Invoke(1, 1);
        return new SemanticLogits(scores[0], scores.Length > 1 ? scores[1] : null);
    }

    /// <summary>
    /// The likeliest class of each pixel of a prepared image, whose first <paramref name="used"/> rows and columns stand for the image of a
    /// <paramref name="size"/>. [1, H, W, 3] → size bytes.
    /// </summary>
    protected virtual byte[] Labels(Tensor input, Size2d used, Size2d size, Action<int, int>? progress, CancellationToken cancel)
    {
        byte[] labels = Planned(false, cache => cache.Labels(input, used, size)) ?? Eager(() => Fit(forward(input).Out, used, size).ArgMaxLabels());
        progress?.Invoke(1, 1);
        return labels;
    }

    private LabelMap Label(Image image, Action<int, int>? progress, CancellationToken cancel)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        using MemoryScope scope = TensorMemory.Scope();
        Image resized = Preprocessing.Resize(image);
        Tensor input = Preprocessing.ToTensor([resized], atLeast: minimumSize);
        // What was padded is cut off again, and a resized image's scores are brought back before the likeliest class is taken, so that outlines stay smooth.
        Size2d used = (resized.Height, resized.Width), size = (image.Height, image.Width);
        return new LabelMap(image.Height, image.Width, Labels(input, used, size, progress, cancel));
    }

    /// <summary>The first <paramref name="used"/> rows and columns of scores, at another size. [N, h, w, C] → [N, H, W, C].</summary>
    internal static Tensor Fit(Tensor scores, Size2d used, Size2d size)
    {
        if (scores.Shape[1] > used.Height) scores = scores.Slice(1, 0, used.Height);
        if (scores.Shape[2] > used.Width) scores = scores.Slice(2, 0, used.Width);
        return used == size ? scores : scores.ResizeBilinear(size.Height, size.Width);
    }

    private Tensor[] Heads(Tensor x, bool auxiliary)
    {
        SemanticLogits logits = auxiliary && EveryHead is not null ? EveryHead(x) : forward(x);
        return auxiliary && logits.Aux is { } aux ? [logits.Out, aux] : [logits.Out];
    }

    /// <summary>A result by way of a plan, or null where the network cannot be traced.</summary>
    private T? Planned<T>(bool auxiliary, Func<PlanCache, T> run)
        where T : class
    {
        if (planFailure is not null) return null;
        PlanCache cache;
        lock (gate)
        {
            if (plansRounding != Rounding) Array.Clear(plans);
            cache = plans[auxiliary ? 1 : 0] ??= new PlanCache(network, x => Heads(x[0], auxiliary), new PlanOptions { Rounding = plansRounding = Rounding });
        }
        try
        {
            return run(cache);
        }
        catch (GraphException e)
        {
            planFailure = e.Message;
            return null;
        }
    }

    /// <summary>The same op by op. One thread at a time: the network is in evaluation mode meanwhile.</summary>
    private T Eager<T>(Func<T> run) => InEvaluation(() =>
    {
        using RoundingPolicy.RoundingScope rounding = RoundingPolicy.Use(Rounding);
        return run();
    });

    /// <summary>The labels of all samples one after the other, those of smaller ones padded as the images are, with the ignore index.</summary>
    private byte[] LabelsOf(Batch batch, int height, int width)
    {
        var labels = new byte[batch.Samples.Count * height * width];
        labels.AsSpan().Fill(Classes.IgnoreIndex);
        for (int n = 0; n < batch.Samples.Count; n++)
        {
            Sample sample = batch.Samples[n];
            LabelMap truth = sample.Annotation.Semantic ?? throw new DatasetException($"{sample.Name} has no label map: a semantic network cannot be trained on it");
            if ((truth.Height, truth.Width) != (sample.Image.Height, sample.Image.Width))
                throw new DatasetException($"the image of {sample.Name} is {sample.Image.Height}×{sample.Image.Width}, its label map {truth.Height}×{truth.Width}");
            for (int y = 0; y < truth.Height; y++) truth.Labels.AsSpan(y * truth.Width, truth.Width).CopyTo(labels.AsSpan(((n * height) + y) * width));
        }
        return labels;
    }
}

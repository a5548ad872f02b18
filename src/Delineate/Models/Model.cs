using Delineate.Data;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>A network with everything it needs to be trained and used: the one class whose virtuals the application knows.</summary>
public abstract class Model
{
    /// <summary>The network: its weights are what a model file holds.</summary>
    public abstract Module Network { get; }

    /// <summary>The model's name in the catalog: <c>fcn_resnet50</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What the network was built from, so that its file can build it again.</summary>
    public ModelOptions Options { get; init; } = new();

    /// <summary>The classes that the network tells apart.</summary>
    public required ClassTable Classes { get; init; }

    /// <summary>How images become the network's input.</summary>
    public Preprocessing Preprocessing { get; init; } = new();

    /// <summary>How much rounding predictions may add to be faster.</summary>
    public Rounding Rounding { get; set; }

    /// <summary>Why predictions run op by op instead of through a plan, or null where they do not: for measurements and bug reports.</summary>
    public virtual string? PlanFailure => null;

    /// <summary>The parameters that the recipe trains at a rate of their own (auxiliary heads), by name; the rest trains at the base rate.</summary>
    public virtual bool IsAuxiliary(string parameterName) => false;

    /// <summary>The layers whose size depends on the number of classes, by parameter name: they start anew when weights for other classes are loaded.</summary>
    public virtual bool IsScoreLayer(string parameterName) => false;

    /// <summary>How weights of the classifier that the network is built on fit into it; null where there is no such classifier.</summary>
    public BackboneNames? BackboneNames { get; init; }

    /// <summary>What the network costs for one image of a size: parameters, multiply-adds and memory, layer by layer, in evaluation.</summary>
    /// <exception cref="GraphException">The network cannot be traced.</exception>
    /// <exception cref="ShapeException">The image is too small for it.</exception>
    public abstract Summary Summarize(Size2d size);

    /// <summary>The smallest height and width that the network takes; a prediction pads smaller images.</summary>
    public virtual int MinimumSize => 1;

    /// <summary>The network in evaluation as a graph that stands for images of every size: what a file for another runtime is written from.</summary>
    /// <exception cref="GraphException">The network cannot be traced.</exception>
    /// <exception cref="ShapeException">The size is too small for it.</exception>
    public abstract Graph TraceForAnySize(int batch, Size2d size);

    /// <summary>The losses of one training step, each by name, on the tape.</summary>
    public abstract Losses Loss(Batch batch);

    /// <summary>
    /// What the network says of each image, at the image's own size. Records nothing; several threads may call it at once. <paramref name="progress"/> gets
    /// (parts done, parts in all), whatever the model does its work in; it stops between two of them when it is cancelled.
    /// </summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public abstract IReadOnlyList<Prediction> Predict(ImageBatch images, Action<int, int>? progress = null, CancellationToken cancel = default);
}

/// <summary>The weighted terms of a training step's loss; <see cref="Total"/> is what <c>Backward</c> starts from.</summary>
public sealed record Losses(Tensor Total, IReadOnlyList<(string Name, float Value)> Terms);

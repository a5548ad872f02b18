using Delineate.Models.Parts;
using Delineate.Tensors;

namespace Delineate.Models;

/// <summary>
/// A classifier of patches that labels an image pixel by pixel, each from the patch around it (Ciresan et al. 2012): what fully convolutional networks
/// replaced, and what they are to be compared with. Every <see cref="ModelOptions.PatchStride"/>-th pixel is classified, in the middle of the square of
/// pixels that it speaks for, and scores between are interpolated. What a patch sees outside of the image is the image mirrored at its border.
/// Training looks at random patches; an exported file computes the same scores fully convolutionally.
/// </summary>
public sealed class SlidingWindowModel : SemanticModel
{
    /// <summary>Patches that a prediction classifies together.</summary>
    public const int PatchesAtOnce = 32;

    private readonly PatchClassifier classifier;
    private readonly int patchSize;
    private readonly int stride;

    /// <param name="name">The model's name in the catalog.</param>
    /// <param name="classifier">The network that holds the weights.</param>
    /// <param name="options">Decides on the patches; its patch size is the classifier's.</param>
    /// <exception cref="ArgumentException">The classifier takes patches of another size, or the stride is even or above it.</exception>
    public SlidingWindowModel(string name, PatchClassifier classifier, ModelOptions options)
        : base(name, classifier, patches => new SemanticLogits(classifier.Forward(patches)), LeastSide(options))
    {
        (this.classifier, patchSize, stride, Options) = (classifier, options.PatchSize, options.PatchStride, options);
        if (classifier.Options.PatchSize != patchSize) throw new ArgumentException($"the classifier takes patches of {classifier.Options.PatchSize} pixels a side, the options say {patchSize}", nameof(options));
        if (stride < 1 || stride > patchSize || stride % 2 == 0) throw new ArgumentException($"the patch stride is odd and at most the patch size, {patchSize}; it is {stride}", nameof(options));
    }

    /// <summary>One patch's layers, at the cost of all patches of an image; training keeps what its own number of patches makes.</summary>
    public override Summary Summarize(Size2d size)
    {
        (int height, int width) = (Math.Max(size.Height, MinimumSize), Math.Max(size.Width, MinimumSize));
        var runs = new SummaryRuns([1, height, width, 3], (long)Cells(height) * Cells(width), Options.PatchesPerImage, PatchesAtOnce);
        return InEvaluation(() => Summary.Of(Graph.Trace(classifier, [1, patchSize, patchSize, 3]), runs));
    }

    /// <summary>The scores of whole images, computed fully convolutionally.</summary>
    public override Graph TraceForAnySize(int batch, Size2d size) =>
        InEvaluation(() => Graph.TraceForAnySize(classifier, x => Enlarge(classifier.Dense(Framed(x), stride), x), [batch, size.Height, size.Width, 3]));

    public override SemanticLogits Scores(Tensor images, bool auxiliary = false, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        using MemoryScope memory = TensorMemory.Scope();
        Tensor framed = Framed(images);
        (int rows, int columns) = (Cells(images.Shape[1]), Cells(images.Shape[2]));
        Tensor scores = Tensor.Empty([images.Shape[0], rows, columns, Classes.Count]);
        int all = images.Shape[0] * rows * columns;
        for (int first = 0; first < all; first += PatchesAtOnce)
        {
            cancel.ThrowIfCancellationRequested();
            int count = Math.Min(PatchesAtOnce, all - first);
            using MemoryScope scope = TensorMemory.Scope();
            PatchCorner[] corners = [.. Enumerable.Range(first, count).Select(cell => new PatchCorner(cell / (rows * columns), cell / columns % rows * stride, cell % columns * stride))];
            base.Scores(framed.Patches(corners, patchSize), cancel: cancel).Out.Span.CopyTo(scores.Span[(first * Classes.Count)..]);
            progress?.Invoke(first + count, all);
        }
        Tensor result = Enlarge(scores, images);
        memory.PassOut(result);
        return new SemanticLogits(result);
    }

    protected override byte[] Labels(Tensor input, Size2d used, Size2d size, Action<int, int>? progress, CancellationToken cancel) =>
        Fit(Scores(input, progress: progress, cancel: cancel).Out, used, size).ArgMaxLabels();

    /// <summary>The same number of patches of every image around labelled pixels drawn at random, and those pixels' labels.</summary>
    protected override (SemanticLogits Scores, byte[] Labels) TrainingScores(Tensor images, byte[] labels)
    {
        ArgumentNullException.ThrowIfNull(images);
        (int count, int width, int pixels) = (images.Shape[0], images.Shape[2], images.Shape[1] * images.Shape[2]);
        Philox random = RandomScope.Next();
        var corners = new List<PatchCorner>();
        var truth = new List<byte>();
        for (int image = 0; image < count; image++)
        {
            ReadOnlySpan<byte> own = labels.AsSpan(image * pixels, pixels);
            foreach (int pixel in PixelSampler.Draw(random, own, Options.PatchesPerImage, Classes.IgnoreIndex, Options.BalancedPatches))
            {
                corners.Add(new PatchCorner(image, pixel / width, pixel % width));
                truth.Add(own[pixel]);
            }
        }
        int margin = patchSize / 2;
        Tensor framed = images.Pad(margin, margin, margin, margin, mode: PadMode.Reflect);
        Tensor scores = classifier.Forward(framed.Patches([.. corners], patchSize));
        return (new SemanticLogits(scores.Reshape(truth.Count, Classes.Count)), [.. truth]);
    }

    /// <summary>The smallest side that can be mirrored as far as <see cref="Framed"/> needs.</summary>
    private static int LeastSide(ModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return (options.PatchSize + options.PatchStride) / 2;
    }

    /// <summary>Squares of stride × stride pixels along a side, the last of which may reach over the edge.</summary>
    private int Cells(int side) => (side + stride - 1) / stride;

    /// <summary>
    /// The images with so much around them that their patches at every stride-th corner are those around the squares' middle pixels, one for each square that
    /// has a pixel of the image: the first patch begins (patchSize − stride)/2 before the first square.
    /// </summary>
    private Tensor Framed(Tensor images)
    {
        int before = (patchSize - stride) / 2, after = patchSize - 1 - before;
        return images.Pad(before, after, before, after, mode: PadMode.Reflect);
    }

    /// <summary>Scores of squares to those of the pixels of the images: each is that of its square's middle, between middles they pass linearly.</summary>
    private Tensor Enlarge(Tensor scores, Tensor images) =>
        stride == 1 ? scores : scores.ResizeBilinear((float)stride).Slice(1, 0, like: images).Slice(2, 0, like: images);
}

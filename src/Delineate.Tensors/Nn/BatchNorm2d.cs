namespace Delineate.Tensors.Nn;

/// <summary>Batch normalisation of channels, by statistics that are learned (<see cref="BatchNorm2d"/>) or frozen (<see cref="FrozenBatchNorm2d"/>). [N, H, W, C] → same.</summary>
public abstract class BatchNormLayer : Layer
{
    private protected BatchNormLayer()
    {
    }

    /// <summary>
    /// Normalises, adds <paramref name="residual"/> and activates in one pass: what follows a convolution in a residual network.
    /// </summary>
    public abstract Tensor Forward(Tensor x, Activation activation, Tensor? residual = null);

    protected override Tensor Apply(Tensor x) => Forward(x, Activation.None);
}

/// <summary>
/// Batch normalisation over all axes but the last (Ioffe and Szegedy 2015), with learned scale and shift. [N, H, W, C] → same.
/// Training uses the batch's mean and variance and updates the running ones, evaluation uses the running ones.
/// Parameters: <c>weight</c>, <c>bias</c>; buffers: <c>running_mean</c>, <c>running_var</c>.
/// </summary>
public sealed class BatchNorm2d : BatchNormLayer
{
    private readonly float momentum;
    private readonly float epsilon;

    /// <param name="channels">C.</param>
    /// <param name="momentum">The share of the new batch in the running statistics.</param>
    /// <param name="epsilon">Added to the variance.</param>
    public BatchNorm2d(int channels, float momentum = 0.1f, float epsilon = 1e-5f)
    {
        (this.momentum, this.epsilon) = (momentum, epsilon);
        Weight = Parameter("weight", Tensor.Full([channels], 1));
        Bias = Parameter("bias", Tensor.Zeros([channels]));
        RunningMean = Buffer("running_mean", Tensor.Zeros([channels]));
        RunningVariance = Buffer("running_var", Tensor.Full([channels], 1));
    }

    public Tensor Weight { get; }

    public Tensor Bias { get; }

    public Tensor RunningMean { get; }

    public Tensor RunningVariance { get; }

    public override Tensor Forward(Tensor x, Activation activation, Tensor? residual = null) =>
        x.BatchNorm(Weight, Bias, RunningMean, RunningVariance, IsTraining, momentum, epsilon, activation, residual);
}

/// <summary>
/// Batch normalisation with statistics, scale and shift that never change: for detectors, whose batches are too small for statistics.
/// [N, H, W, C] → same. Buffers: <c>weight</c>, <c>bias</c>, <c>running_mean</c>, <c>running_var</c>.
/// </summary>
public sealed class FrozenBatchNorm2d : BatchNormLayer
{
    private readonly float epsilon;

    public FrozenBatchNorm2d(int channels, float epsilon = 1e-5f)
    {
        this.epsilon = epsilon;
        Weight = Buffer("weight", Tensor.Full([channels], 1));
        Bias = Buffer("bias", Tensor.Zeros([channels]));
        RunningMean = Buffer("running_mean", Tensor.Zeros([channels]));
        RunningVariance = Buffer("running_var", Tensor.Full([channels], 1));
    }

    public Tensor Weight { get; }

    public Tensor Bias { get; }

    public Tensor RunningMean { get; }

    public Tensor RunningVariance { get; }

    public override Tensor Forward(Tensor x, Activation activation, Tensor? residual = null) =>
        x.BatchNorm(Weight, Bias, RunningMean, RunningVariance, training: false, eps: epsilon, activation: activation, residual: residual);
}

namespace Delineate.Tensors.Nn;

/// <summary>
/// Normalises every position over its channels (Ba et al. 2016), with learned scale and shift. [..., C] → same. Parameters: <c>weight</c>,
/// <c>bias</c>.
/// </summary>
public sealed class LayerNorm : Layer
{
    private readonly float epsilon;

    public LayerNorm(int channels, float epsilon = 1e-5f)
    {
        this.epsilon = epsilon;
        Weight = Parameter("weight", Tensor.Full([channels], 1));
        Bias = Parameter("bias", Tensor.Zeros([channels]));
    }

    public Tensor Weight { get; }

    public Tensor Bias { get; }

    protected override Tensor Apply(Tensor x) => x.LayerNorm(Weight, Bias, epsilon);
}

/// <summary>
/// Normalises each image over groups of channels (Wu and He 2018), with learned scale and shift. [N, H, W, C] → same. Parameters:
/// <c>weight</c>, <c>bias</c>.
/// </summary>
public sealed class GroupNorm : Layer
{
    private readonly int groups;
    private readonly float epsilon;

    /// <exception cref="ShapeException">The groups do not divide the channels.</exception>
    public GroupNorm(int groups, int channels, float epsilon = 1e-5f)
    {
        LayerSizes.Groups(groups, channels, channels, nameof(GroupNorm));
        (this.groups, this.epsilon) = (groups, epsilon);
        Weight = Parameter("weight", Tensor.Full([channels], 1));
        Bias = Parameter("bias", Tensor.Zeros([channels]));
    }

    public Tensor Weight { get; }

    public Tensor Bias { get; }

    protected override Tensor Apply(Tensor x) => x.GroupNorm(groups, Weight, Bias, epsilon);
}

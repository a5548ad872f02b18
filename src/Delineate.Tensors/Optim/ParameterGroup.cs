namespace Delineate.Tensors.Optim;

/// <summary>Parameters that share a factor on the learning rate and, where it differs from the optimizer's, a weight decay.</summary>
public sealed class ParameterGroup
{
    public ParameterGroup(IEnumerable<(string Name, Tensor Tensor)> parameters, double learningRateScale = 1, double? weightDecay = null)
    {
        (Parameters, LearningRateScale, WeightDecay) = ([.. parameters], learningRateScale, weightDecay);
    }

    /// <summary>The parameters with the names under which the optimizer's state is saved.</summary>
    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters { get; }

    /// <summary>Multiplies the rate of every step.</summary>
    public double LearningRateScale { get; }

    /// <summary>Replaces the optimizer's weight decay; null leaves it.</summary>
    public double? WeightDecay { get; }
}

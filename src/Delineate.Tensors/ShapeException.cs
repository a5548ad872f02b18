namespace Delineate.Tensors;

/// <summary>An op was asked for on tensors it cannot take: the message names the op, the shapes and the remedy.</summary>
public sealed class ShapeException : ArgumentException
{
    public ShapeException(string message)
        : base(message)
    {
    }
}

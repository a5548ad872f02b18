namespace Delineate.Tensors;

/// <summary>A module that cannot be traced: what it does depends on the values it sees, or an op read something that is no part of it.</summary>
public sealed class GraphException(string message) : InvalidOperationException(message);

using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>One image of a data set with its truth; <paramref name="Name"/> is the file's name without its suffix and leads messages about it.</summary>
public sealed record Sample(string Name, Image Image, Annotation Annotation);

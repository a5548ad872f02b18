namespace Delineate.Data;

/// <summary>
/// A list of images with their truth. Reading a sample touches only its own files, so that several threads may read at once.
/// </summary>
public abstract class Dataset
{
    /// <summary>The classes of the labels.</summary>
    public abstract ClassTable Classes { get; }

    /// <summary>The samples' names, in order; their count is the data set's.</summary>
    public abstract IReadOnlyList<string> Names { get; }

    /// <summary>The names of the joints in the order of an object's keypoints; empty where objects have none.</summary>
    public virtual IReadOnlyList<string> KeypointNames => [];

    /// <summary>What was found out or assumed about the files when the set was opened, one sentence each, for the user to read.</summary>
    public virtual IReadOnlyList<string> Notes => [];

    /// <summary>The number of samples.</summary>
    public int Count => Names.Count;

    /// <summary>Reads one sample.</summary>
    /// <exception cref="DatasetException">A file is missing, unreadable, of another size than its image, or holds labels outside the class
    /// table.</exception>
    public abstract Sample Load(int index);
}

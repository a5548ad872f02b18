namespace Delineate.Data;

/// <summary>A data set that cannot be used as it is: the message names the file or folder and what would mend it.</summary>
public sealed class DatasetException : IOException
{
    public DatasetException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

using System.Globalization;
using Delineate.Imaging;

namespace Delineate.Data.Sets;

/// <summary>A data set whose images are files.</summary>
internal abstract class ImageFileDataset : Dataset
{
    /// <summary>Whether the classes of pixels were made from the objects, rather than read.</summary>
    public virtual bool SemanticIsFromObjects => false;

    /// <summary>The path of a sample's image.</summary>
    public abstract string ImagePath(int index);

    /// <summary>The id by which results name a sample's image; null where its annotations give none.</summary>
    public virtual string? ImageId(int index) => null;

    /// <summary>The label of the category by which results name an object of a sample; null where there is none. Without ids of categories it is the label itself.</summary>
    public virtual int? LabelOf(int index, string category) =>
        int.TryParse(category, NumberStyles.None, CultureInfo.InvariantCulture, out int label) && label < Classes.Count && label != Classes.Background ? label : null;

    /// <summary>The truth of a sample whose image is of a size.</summary>
    /// <exception cref="DatasetException">A file is missing, unreadable, of another size than its image, or holds what it cannot.</exception>
    public abstract Annotation Annotate(int index, int height, int width);

    /// <summary>The truth alone, without decoding the image.</summary>
    /// <exception cref="DatasetException">As <see cref="Annotate"/>, or the image's header cannot be read.</exception>
    public (int Height, int Width, Annotation Annotation) LoadAnnotation(int index)
    {
        ImageHeader header;
        try
        {
            header = ImageFile.ReadHeader(ImagePath(index));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileDataset.Unreadable(ImagePath(index), e);
        }
        return (header.Height, header.Width, Annotate(index, header.Height, header.Width));
    }

    public override Sample Load(int index)
    {
        Image image = FileDataset.ReadImage(ImagePath(index));
        return new Sample(Names[index], image, Annotate(index, image.Height, image.Width));
    }
}

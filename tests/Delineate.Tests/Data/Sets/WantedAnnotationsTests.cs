using Delineate.Data;
using Xunit;

namespace Delineate.Tests.Data.Sets;

/// <summary>Data sets that are asked for objects or joints and may not have them.</summary>
public sealed class WantedAnnotationsTests
{
    [Fact]
    public void Masks_of_classes_are_no_objects()
    {
        using var set = TempDataset.Plain(3);
        Refuses(set, DatasetVariant.Instances, "its masks tell the classes of pixels, not one object from another; add instances/NAME.png, which number the objects");
        Refuses(set, DatasetVariant.Keypoints, "its objects have no joints");
        Assert.Null(DatasetCatalog.Open(set.Root, "all").Load(0).Annotation.Instances);
    }

    [Fact]
    public void Every_image_needs_its_objects()
    {
        using var set = TempDataset.Plain(3);
        set.Ids("instances/s00.png", [0, 1]).Ids("instances/s02.png", [0, 1]);
        Refuses(set, DatasetVariant.Instances, "1 of 3 images have no mask of objects: s01; add instances/NAME.png");
        set.Ids("instances/s01.png", [0]);
        Dataset data = DatasetCatalog.Open(set.Root, "all", DatasetVariant.Instances);
        Assert.Equal([1, 0, 1], Enumerable.Range(0, 3).Select(i => data.Load(i).Annotation.Instances!.Count));
    }

    private static void Refuses(TempDataset set, DatasetVariant variant, string message)
    {
        string told = Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root, "all", variant)).Message;
        Assert.StartsWith(set.Root, told, StringComparison.Ordinal);
        Assert.Contains(message, told, StringComparison.Ordinal);
    }
}

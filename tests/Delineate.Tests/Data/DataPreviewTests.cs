using Delineate.Data;
using Delineate.Imaging;
using Xunit;

namespace Delineate.Tests.Data;

public class DataPreviewTests
{
    [Fact]
    public void Images_and_truth_stand_side_by_side_and_the_background_is_left_clear()
    {
        using TempDataset set = TempDataset.Plain(3);
        Dataset data = DatasetCatalog.Open(set.Root, "all");
        Image sheet = DataPreview.ContactSheet(data, count: 2, columns: 2, cellSize: 80);
        Assert.InRange(sheet.Width, 160, 400);
        Assert.InRange(sheet.Height, 160, 400);
        Image without = DataPreview.Sheet([data.Load(0) with { Annotation = new Annotation() }], data.Classes, cellSize: 80);
        Assert.True(without.Width < sheet.Width);
    }
}

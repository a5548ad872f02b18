using Delineate.Data;
using Delineate.Data.Sets;
using Xunit;

namespace Delineate.Tests.Data;

public class DataStatsTests
{
    [Fact]
    public void Sizes_shares_and_balanced_weights()
    {
        using TempDataset set = new TempDataset().Text("dataset.json", """{ "classes": ["a", "b", "c"], "masks": { "coding": "labels" } }""")
            .Picture("images/x.png", 4, 10).Mask("masks/x.png", [0, 0, 0, 1], 4, 10)
            .Picture("images/y.png", 6, 20).Mask("masks/y.png", [0, 255], 6, 20)
            .Picture("images/z.png", 8, 10).Mask("masks/z.png", [1], 8, 10)
            .Text("train.txt", "x\ny\nz").Text("val.txt", "z");

        DataStats stats = DataStats.Of(set.Root);

        SplitStats train = stats.Splits[0];
        Assert.Equal(new Spread(4, 6, 8), train.Heights);
        Assert.Equal(new Spread(10, 10, 20), train.Widths);
        Assert.Equal([90L, 90L, 0L], train.Census.Pixels.Take(3)); // x: 30 and 10; y: 60; z: 80
        Assert.Equal([2, 2, 0], train.Census.Images.Take(3));
        Assert.Equal(0.5, train.Share(0, 255));
        Assert.Equal(60.0 / 240, train.IgnoredShare(255));
        // Frequencies 90/(40 + 60) = 0.9 and 90/(40 + 80) = 0.75: the median is 0.825.
        Assert.Equal([0.825f / 0.9f, 0.825f / 0.75f, 0], stats.BalancedWeights, (float x, float y) => Math.Abs(x - y) < 1e-6);
        Assert.Contains(stats.Notes, n => n.Contains("images are small (at most 8×20)"));
        Assert.Empty(stats.Unreadable);
        Assert.Equal(MaskCoding.Labels, stats.Coding);
    }

    [Fact]
    public void Rare_classes_and_unreadable_files_are_named()
    {
        using TempDataset set = new TempDataset().Text("dataset.json", """{ "classes": ["much", "little"], "masks": { "coding": "labels" } }""")
            .Picture("images/x.png", 20, 20).Mask("masks/x.png", [.. new byte[399], 1], 20, 20)
            .Picture("images/y.png").Text("masks/y.png", "broken").Text("train.txt", "x\ny");
        DataStats stats = DataStats.Of(set.Root);
        Assert.Contains(stats.Notes, n => n.Contains("rare in 'train': little (0.25"));
        Assert.Equal(set.At("masks/y.png"), Assert.Single(stats.Unreadable).File);
    }
}

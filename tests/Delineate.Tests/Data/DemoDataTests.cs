using Delineate.Data;
using Xunit;

namespace Delineate.Tests.Data;

/// <summary>The data set that comes with the command line.</summary>
public class DemoDataTests
{
    internal static string Folder
    {
        get
        {
            string? folder = AppContext.BaseDirectory;
            while (folder is not null && !File.Exists(Path.Combine(folder, "Delineate.slnx"))) folder = Path.GetDirectoryName(folder);
            return Path.Combine(folder ?? throw new DirectoryNotFoundException("the repository's root was not found"), "src", "Delineate.Cli", "Demo", "nuclei");
        }
    }

    [Fact]
    public void It_has_40_images_to_train_on_and_10_held_out_without_a_fault()
    {
        DataReport report = DataCheck.Run(Folder);
        Assert.DoesNotContain(report.Findings, f => f.Severity != Severity.Note);
        Assert.Equal([("train", 40, 40), ("val", 10, 10)], report.Splits.Select(s => (s.Name, s.Listed, s.MasksCounted)));
        Assert.Equal(["background", "nucleus"], report.Classes!.Names);
        Assert.All(report.Splits, s => Assert.InRange((double)s.Pixels[1] / s.Pixels.Sum(), 0.05, 0.3));
    }

    [Fact]
    public void It_stays_small() =>
        Assert.InRange(Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Sum(f => new FileInfo(f).Length), 1_000_000, 2_500_000);
}

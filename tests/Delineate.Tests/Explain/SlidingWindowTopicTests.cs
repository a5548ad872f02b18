using System.Globalization;
using Delineate.Data;
using Delineate.Explain;
using Delineate.Explain.Topics;
using Delineate.Models;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class SlidingWindowTopicTests
{
    [Theory]
    [InlineData(95, 5, 96, 130)]
    [InlineData(63, 1, 64, 64)]
    [InlineData(63, 63, 130, 70)] // patches side by side
    public void Its_figures_are_the_models(int patch, int stride, int height, int width)
    {
        Explanation explained = SlidingWindowTopic.Explain(new SlidingWindowOptions { Input = (height, width), Stride = stride, PatchSize = patch, Classes = 4 });
        Model model = ModelCatalog.Create("sliding_window", new ModelOptions { PatchSize = patch, PatchStride = stride }, new ClassTable(["a", "b", "c", "d"]));
        Summary all = model.Summarize((height, width)), once = Summary.Of(model.TraceForAnySize(1, (height, width)));
        string[] figures = [.. explained.Steps[1].Exhibits.OfType<Exhibit.Table>().Single().Rows.Select(r => r[1].English)];
        long patches = (long)((height + stride - 1) / stride) * ((width + stride - 1) / stride);
        Assert.Equal([Whole(patches), Whole(all.MultiplyAdds / patches), Whole(all.MultiplyAdds), Whole(once.MultiplyAdds), Whole(all.MultiplyAdds - once.MultiplyAdds)], figures[..^1]);
        NetworkTopicTests.ReadsWell(explained);
    }

    [Fact]
    public void Every_pixel_in_the_middle_is_seen_by_as_many_patches_as_strides_fit_into_one()
    {
        Explanation explained = SlidingWindowTopic.Explain(new SlidingWindowOptions { Input = (200, 201), Stride = 5 });
        Exhibit.Picture counts = explained.Steps[0].Exhibits.OfType<Exhibit.Picture>().Single();
        Assert.Equal((200, 201), (counts.Image.Height, counts.Image.Width));
        Assert.Equal("patches that see each pixel: 100 … 361", counts.Caption.English); // a corner is seen by (95 + 5) / 2 / 5 along each axis, the middle by 95 / 5
    }

    [Theory]
    [InlineData(100, 95, 4, "the stride is odd and at most the patch size, 95; it is 4")]
    [InlineData(100, 94, 5, "the patch size is one of ")]
    [InlineData(20, 95, 5, "an image for patches of 95 at stride 5 has at least 50 pixels a side, to be mirrored at its border; it is 20×20")]
    [InlineData(9000, 95, 5, "the image has 1 to 4096 pixels a side; it is 9000×9000")]
    public void What_makes_no_sense_is_refused_with_the_rule(int side, int patch, int stride, string rule)
    {
        string message = Assert.Throws<ExplainException>(() => SlidingWindowTopic.Explain(new SlidingWindowOptions { Input = side, PatchSize = patch, Stride = stride })).Message;
        Assert.StartsWith(rule, message, StringComparison.Ordinal);
    }

    private static string Whole(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}

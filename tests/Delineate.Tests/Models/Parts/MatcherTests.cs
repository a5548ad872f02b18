using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class MatcherTests
{
    private const int None = Matcher.Background, Between = Matcher.Ignored;

    [Fact]
    public void Thresholds_belong_to_the_better_side_and_the_first_of_equal_truths_wins()
    {
        Tensor iou = Tensor.From([0.7f, 0.3f, 0.299f, 0.5f, 0, 0.2f, 0.69f, 0.1f, 0.5f, 0], [2, 5]);
        Assert.Equal([0, 1, None, Between, None], new Matcher(0.69f, 0.3f).Match(iou));
        Assert.Equal([0, 1, None, 0, None], new Matcher(0.5f, 0.5f).Match(iou));
    }

    [Fact]
    public void The_best_candidates_of_a_truth_are_matched_with_the_truth_that_they_overlap_most()
    {
        // The third truth's best are candidates 1 and 2, which share it; candidate 1 lies on the second more.
        Tensor iou = Tensor.From([0.8f, 0, 0, 0.1f, 0, 0.4f, 0, 0, 0, 0.2f, 0.2f, 0.1f], [3, 4]);
        Assert.Equal([0, None, None, None], new Matcher(0.7f, 0.5f).Match(iou));
        Assert.Equal([0, 1, 2, None], new Matcher(0.7f, 0.5f, allowLowQuality: true).Match(iou));
    }

    [Fact]
    public void A_truth_that_nothing_overlaps_matches_all_that_share_its_0_as_torchvision_does() =>
        Assert.Equal([0, 0, 0], new Matcher(0.7f, 0.3f, true).Match(Tensor.From([0.5f, 0.1f, 0, 0, 0, 0], [2, 3])));

    [Fact]
    public void Without_truths_all_is_background()
    {
        Assert.Equal([None, None], new Matcher(0.7f, 0.3f, true).Match(Tensor.Zeros([0, 2])));
        Assert.Empty(new Matcher(0.7f, 0.3f, true).Match(Tensor.Zeros([2, 0])));
        Assert.Throws<ShapeException>(() => new Matcher(0.7f, 0.3f).Match(Tensor.Zeros([2])));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Matcher(0.3f, 0.7f));
    }

    [ReferenceFact]
    public void Torchvision_gives_the_same()
    {
        var golden = Golden.Reference("losses");
        Tensor iou = BoxOps.Iou(golden.Array("in.box.b").Floats, golden.Array("in.box.a").Floats);
        Assert.Equal(golden.Array("matcher.low").Ints, new Matcher(0.5f, 0.3f, true).Match(iou));
        Assert.Equal(golden.Array("matcher.roi").Ints, new Matcher(0.5f, 0.5f).Match(iou));
    }
}

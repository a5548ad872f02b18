using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class RandomScopeTests
{
    private static uint[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => RandomScope.Next().NextBits())];

    [Fact]
    public void The_nth_draw_of_a_step_is_always_the_same()
    {
        uint[] first, again, other;
        using (RandomScope.Begin(1, 2, 3)) first = Draw(4);
        using (RandomScope.Begin(1, 2, 3)) again = Draw(4);
        using (RandomScope.Begin(1, 2, 4)) other = Draw(4);
        Assert.Equal(first, again);
        Assert.Equal(4, first.Distinct().Count());
        Assert.Empty(first.Intersect(other));
    }

    [Fact]
    public void An_inner_scope_does_not_move_the_outer_one()
    {
        uint[] whole;
        using (RandomScope.Begin(5, 0, 0)) whole = Draw(2);
        using RandomScope outer = RandomScope.Begin(5, 0, 0);
        uint[] head = Draw(1);
        using (RandomScope.Begin(6, 0, 0)) Draw(3);
        Assert.Equal(whole, head.Concat(Draw(1)));
    }
}

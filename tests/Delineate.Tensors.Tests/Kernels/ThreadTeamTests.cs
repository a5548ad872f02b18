using Delineate.Tensors.Kernels;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ThreadTeamTests : IDisposable
{
    private readonly int before = ThreadTeam.Threads;

    public void Dispose() => ThreadTeam.Threads = before;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Every_piece_runs_once(int threads)
    {
        ThreadTeam.Threads = threads;
        foreach (int count in new[] { 0, 1, 2, 3, 100, 1001 })
        {
            foreach (bool backwards in new[] { false, true })
            {
                var runs = new int[count];
                ThreadTeam.Run(count, i => Interlocked.Increment(ref runs[i]), backwards);
                Assert.All(runs, r => Assert.Equal(1, r));
            }
        }
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(1, 10)]
    [InlineData(10, 10)]
    [InlineData(11, 10)]
    [InlineData(1000, 7)]
    [InlineData(5, 0)]
    [InlineData(5, -3)]
    public void Ranges_cover_every_item_once_whatever_the_number_of_threads(int length, int grain)
    {
        HashSet<(int, int)>? expected = null;
        foreach (int threads in new[] { 1, 2, 5 })
        {
            ThreadTeam.Threads = threads;
            var hits = new int[length];
            var ranges = new HashSet<(int, int)>();
            ThreadTeam.Ranges(length, grain, (from, to) =>
            {
                lock (ranges) ranges.Add((from, to));
                for (int i = from; i < to; i++) Interlocked.Increment(ref hits[i]);
            });
            Assert.All(hits, h => Assert.Equal(1, h));
            Assert.True((expected ??= ranges).SetEquals(ranges));
        }
    }

    [Fact]
    public void A_thread_goes_backwards_through_the_share_it_went_forward_through()
    {
        foreach (int threads in new[] { 1, 2 })
        {
            ThreadTeam.Threads = threads;
            List<int>[] forward = Order(false), backward = Order(true);
            for (int i = 0; i < threads; i++) Assert.Equal(Enumerable.Reverse(forward[i]), backward[i]);
        }

        // Two threads wait for each other at each piece, so that neither takes one from the other's share.
        static List<int>[] Order(bool backwards)
        {
            List<int>[] taken = [[], []];
            using var meeting = new Barrier(2);
            ThreadTeam.Run(
                8,
                i =>
                {
                    if (ThreadTeam.Threads == 2) Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(20)), "the other thread has no piece at this time");
                    lock (taken) taken[ThreadTeam.Threads == 2 ? i / 4 : 0].Add(i);
                    if (ThreadTeam.Threads == 2) Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(20)), "the other thread has no piece at this time");
                },
                backwards);
            return taken;
        }
    }

    [Fact]
    public void Two_threads_work_at_the_same_time()
    {
        ThreadTeam.Threads = 2;
        using var meeting = new Barrier(2);
        var ids = new int[2];
        ThreadTeam.Run(2, i =>
        {
            Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(20)), "the other piece did not run beside this one");
            ids[i] = Environment.CurrentManagedThreadId;
        });
        Assert.NotEqual(ids[0], ids[1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void A_failure_reaches_the_caller_and_the_team_works_on(int threads)
    {
        ThreadTeam.Threads = threads;
        for (int round = 0; round < 50; round++)
        {
            var thrown = Assert.Throws<InvalidOperationException>(() => ThreadTeam.Run(20, i =>
            {
                if (i == round % 20) throw new InvalidOperationException($"piece {i}");
            }));
            Assert.Equal($"piece {round % 20}", thrown.Message);
            int sum = 0;
            ThreadTeam.Run(10, i => Interlocked.Add(ref sum, i));
            Assert.Equal(45, sum);
        }
    }

    [Fact]
    public void Failures_on_several_threads_at_once_end_in_one_exception()
    {
        ThreadTeam.Threads = 3;
        for (int round = 0; round < 20; round++)
        {
            using var meeting = new Barrier(3);
            Assert.Throws<InvalidOperationException>(() => ThreadTeam.Run(3, _ =>
            {
                meeting.SignalAndWait(TimeSpan.FromSeconds(20));
                throw new InvalidOperationException("all three");
            }));
        }
        int sum = 0;
        ThreadTeam.Run(10, i => Interlocked.Add(ref sum, i));
        Assert.Equal(45, sum);
    }

    [Fact]
    public void A_run_within_a_run_is_done_by_its_thread()
    {
        ThreadTeam.Threads = 2;
        var hits = new int[8 * 8];
        ThreadTeam.Run(8, i =>
        {
            int outer = Environment.CurrentManagedThreadId;
            ThreadTeam.Run(8, j =>
            {
                Assert.Equal(outer, Environment.CurrentManagedThreadId);
                Interlocked.Increment(ref hits[(i * 8) + j]);
            });
        });
        Assert.All(hits, h => Assert.Equal(1, h));
    }

    [Fact]
    public void Many_quick_runs_lose_nothing()
    {
        ThreadTeam.Threads = 2;
        long sum = 0;
        for (int run = 0; run < 20_000; run++) ThreadTeam.Run(3, i => Interlocked.Add(ref sum, i + 1));
        Assert.Equal(20_000 * 6, sum);
    }

    [Fact]
    public void The_number_of_threads_can_change_between_runs()
    {
        for (int run = 0; run < 200; run++)
        {
            ThreadTeam.Threads = 1 + (run % 6);
            int sum = 0;
            ThreadTeam.Run(12, i => Interlocked.Add(ref sum, i));
            Assert.Equal(66, sum);
        }
        ThreadTeam.Threads = 0;
        Assert.Equal(1, ThreadTeam.Threads);
    }

    [Fact]
    public void Two_callers_at_once_both_get_their_work_done()
    {
        ThreadTeam.Threads = 3;
        var sums = new long[4];
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(c => new Thread(() =>
        {
            for (int run = 0; run < 500; run++) ThreadTeam.Run(10, i => Interlocked.Add(ref sums[c], i));
        }))];
        foreach (Thread caller in callers) caller.Start();
        foreach (Thread caller in callers) caller.Join();
        Assert.All(sums, s => Assert.Equal(500 * 45, s));
    }
}

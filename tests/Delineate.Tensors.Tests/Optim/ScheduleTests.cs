using Delineate.Tensors.Optim;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Optim;

public sealed class ScheduleTests
{
    /// <summary>The rates at the epochs' ends that a published 10-epoch run of FCN on VOC 2012 logged.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(366)]
    [InlineData(1464)]
    public void Poly_with_warm_up_reproduces_the_published_rates(int stepsPerEpoch)
    {
        var schedule = new PolySchedule(1e-4, 10L * stepsPerEpoch, Warmup: new Warmup(stepsPerEpoch, 1e-3));
        string[] atEpochEnds = [.. Enumerable.Range(1, 10).Select(epoch => (schedule.At((long)epoch * stepsPerEpoch) * 1e4).ToString("F2"))];
        Assert.Equal(["1.00", "0.90", "0.80", "0.69", "0.59", "0.48", "0.37", "0.26", "0.14", "0.00"], atEpochEnds);
        Assert.Equal(1e-7, schedule.At(0), 15);
    }

    [Fact]
    public void Warm_up_rises_in_a_straight_line()
    {
        var schedule = new PolySchedule(2, 100, Warmup: new Warmup(10, 0.1));
        Assert.Equal([0.2, 0.38, 0.56], new[] { schedule.At(0), schedule.At(1), schedule.At(2) }.Select(v => Math.Round(v, 12)));
        Assert.Equal(2, schedule.At(10), 12);
    }

    [Fact]
    public void After_the_last_step_the_rate_stays_at_the_minimum()
    {
        Assert.Equal(0.25, new PolySchedule(1, 10, Minimum: 0.25).At(1000), 12);
        Assert.Equal(0.25, new CosineSchedule(1, 10, Minimum: 0.25).At(1000), 12);
    }

    [Fact]
    public void A_constant_rate_stays_after_its_warm_up()
    {
        var schedule = new ConstantSchedule(1e-10, new Warmup(4, 0));
        Assert.Equal([0, 0.5e-10, 1e-10, 1e-10], new long[] { 0, 2, 4, 1_000_000 }.Select(schedule.At));
        Assert.Equal(1e-10, new ConstantSchedule(1e-10).At(0));
    }

    [Fact]
    public void A_training_that_is_all_warm_up_ends_at_the_full_rate() => Assert.Equal(3, new PolySchedule(3, 5, Warmup: new Warmup(5)).At(5), 12);

    [Fact]
    public void Milestones_count_the_warm_up()
    {
        var schedule = new MultiStepSchedule(1, [20], Warmup: new Warmup(10));
        Assert.Equal(1, schedule.At(19), 12);
        Assert.Equal(0.1, schedule.At(20), 12);
    }

    [ReferenceTheory]
    [InlineData("poly")]
    [InlineData("cosine")]
    [InlineData("multistep")]
    [InlineData("warm")]
    public void Rates_equal_PyTorchs(string name)
    {
        Schedule schedule = name switch
        {
            "poly" => new PolySchedule(1, 30),
            "cosine" => new CosineSchedule(1, 30),
            "multistep" => new MultiStepSchedule(1, [8, 20]),
            _ => new MultiStepSchedule(1, [], Warmup: new Warmup(10, 0.001)),
        };
        double[] expected = Golden.Reference("ops").Array($"lr.{name}").Values;
        for (int step = 0; step < expected.Length; step++) Assert.Equal(expected[step], schedule.At(step), 12);
    }
}

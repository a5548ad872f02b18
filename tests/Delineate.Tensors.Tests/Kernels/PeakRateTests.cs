using Delineate.Tensors.Kernels;
using Xunit;

namespace Delineate.Tensors.Tests.Kernels;

public class PeakRateTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_rate_is_that_of_a_processor(int threads)
    {
        double rate = PeakRate.Measure(threads, TimeSpan.FromMilliseconds(5));
        Assert.InRange(rate, 0.01, 1000.0 * threads); // no core does 1000 GFLOP/s, and none so slow runs .NET
        Assert.InRange(PeakRate.Best(threads, measurements: 2), 0.01, 1000.0 * threads);
    }

    [Fact]
    public void There_is_no_rate_of_no_threads() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PeakRate.Measure(0, TimeSpan.FromMilliseconds(1)));
}

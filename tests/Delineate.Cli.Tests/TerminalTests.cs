using Xunit;

namespace Delineate.Cli.Tests;

public class TerminalTests
{
    [Theory]
    [InlineData(0, "0:00")]
    [InlineData(245, "4:05")]
    [InlineData(3599, "59:59")]
    [InlineData(97445, "27:04:05")]
    public void Durations_are_read_as_on_a_clock(int seconds, string text) => Assert.Equal(text, Terminal.Duration(TimeSpan.FromSeconds(seconds)));
}

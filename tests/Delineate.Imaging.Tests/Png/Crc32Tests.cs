using System.Text;
using Xunit;

namespace Delineate.Imaging.Tests;

public class Crc32Tests
{
    [Fact]
    public void The_check_value_of_the_standard_comes_out() => Assert.Equal(0xCBF43926u, Crc32.Of(Encoding.ASCII.GetBytes("123456789")));

    [Fact]
    public void Every_length_agrees_with_the_bitwise_form()
    {
        var data = new byte[257];
        new Random(1).NextBytes(data);
        for (int length = 0; length <= data.Length; length++)
            Assert.Equal(PngForge.BitwiseCrc(data.AsSpan(0, length)), Crc32.Of(data.AsSpan(0, length)));
    }
}

using System.Globalization;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class TensorTests
{
    [Fact]
    public void Creation_gives_the_asked_values()
    {
        Assert.Equal([0, 0, 0], Tensor.Zeros([3]).ToArray());
        Assert.Equal([2.5f, 2.5f], Tensor.Full([2, 1], 2.5f).ToArray());
        Assert.Equal(7, Tensor.Scalar(7).Item());
        Assert.Equal(0, Tensor.Scalar(7).Shape.Rank);
        Assert.Equal([1, 2, 3, 4], Tensor.From([1, 2, 3, 4], [2, 2]).ToArray());
        Assert.Empty(Tensor.Zeros([2, 0, 3]).ToArray());
    }

    [Fact]
    public void Wrong_counts_are_named()
    {
        string message = Assert.Throws<ShapeException>(() => Tensor.From([1, 2, 3], [2, 2])).Message;
        Assert.Contains("[2, 2]", message, StringComparison.Ordinal);
        Assert.Contains("3 values", message, StringComparison.Ordinal);
        Assert.Contains("[2]", Assert.Throws<ShapeException>(() => Tensor.Zeros([2]).Item()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_begins_on_a_cache_line()
    {
        for (int length = 1; length < 2000; length += 37)
        {
            unsafe
            {
                fixed (float* p = Tensor.Empty([length]).Span) Assert.Equal(0, (nint)p & 63);
            }
        }
    }

    [Fact]
    public void A_clone_has_memory_of_its_own_and_a_detached_tensor_shares_it()
    {
        Tensor x = Tensor.From([1, 2], [2]);
        (Tensor clone, Tensor detached) = (x.Clone(), x.Detach());
        x.Span[0] = 9;
        Assert.Equal([1, 2], clone.ToArray());
        Assert.Equal([9, 2], detached.ToArray());
    }

    [Fact]
    public void Text_shows_the_shape_and_the_first_values()
    {
        Assert.Equal("Tensor [2] (1.5, -2)", Tensor.From([1.5f, -2], [2]).ToString());
        Assert.EndsWith(", …)", Tensor.Zeros([9]).ToString(), StringComparison.Ordinal);
        CultureInfo before = CultureInfo.CurrentCulture;
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        CultureInfo.CurrentCulture = comma;
        try
        {
            Assert.Equal("Tensor [] (0.5)", Tensor.Scalar(0.5f).ToString());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}

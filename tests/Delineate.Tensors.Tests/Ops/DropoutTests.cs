using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class DropoutTests
{
    [Fact]
    public void Without_training_or_without_a_chance_x_itself_comes_back()
    {
        Tensor x = GradCheck.Input([2, 3, 4, 5]);
        Assert.Same(x, x.Dropout(0.5f, training: false));
        Assert.Same(x, x.Dropout(0, training: true));
        Assert.Same(x, x.Dropout2d(0.5f, training: false));
    }

    [Theory]
    [InlineData(0.1f)]
    [InlineData(0.5f)]
    [InlineData(0.9f)]
    public void The_asked_share_drops_and_the_rest_grows(float p)
    {
        float[] y = Tensor.Full([100_003], 2).Dropout(p, training: true).ToArray();
        Assert.InRange(y.Count(v => v == 0) / 100_003.0, p - 0.01, p + 0.01); // deviation 0.0016 at most
        Assert.All(y, v => Assert.True(v == 0 || v == 2 * (1 / (1 - p))));
    }

    [Fact]
    public void The_gradient_passes_where_the_value_did()
    {
        for (int length = 1; length <= 257; length++)
        {
            Tensor x = GradCheck.Input([length], length);
            x.RequiresGrad = true;
            Tensor y = x.Dropout(0.3f, training: true);
            y.Backward(Tensor.Full([length], 1));
            for (int i = 0; i < length; i++)
            {
                Assert.True(y.Span[i] == 0 || y.Span[i] == x.Span[i] * (1 / (1 - 0.3f)));
                Assert.Equal(y.Span[i] == 0 ? 0 : 1 / (1 - 0.3f), x.Gradient!.Span[i]);
            }
        }
    }

    [Fact]
    public void Whole_channels_of_an_image_drop()
    {
        Tensor x = Tensor.Full([50, 3, 4, 40], 1);
        x.RequiresGrad = true;
        Tensor y = x.Dropout2d(0.25f, training: true);
        y.Sum().Backward();
        int dropped = 0;
        for (int n = 0; n < 50; n++)
        {
            for (int c = 0; c < 40; c++)
            {
                float first = y.Span[(n * 12 * 40) + c];
                Assert.True(first == 0 || first == 1 / (1 - 0.25f));
                dropped += first == 0 ? 1 : 0;
                for (int pixel = 0; pixel < 12; pixel++) Assert.Equal(first, y.Span[(((n * 12) + pixel) * 40) + c]);
            }
        }
        Assert.InRange(dropped / 2000.0, 0.2, 0.3);
        TensorAssert.SameBits(y.Span, x.Gradient!.Span);
    }

    [Fact]
    public void A_chance_of_one_drops_everything_and_NaN_with_it() =>
        Assert.Equal([0, 0], Tensor.From([1, float.NaN], [2]).Dropout(1, training: true).ToArray());

    [Fact]
    public void The_scope_decides_what_drops()
    {
        float[] Draw(ulong step)
        {
            using RandomScope scope = RandomScope.Begin(1, 2, step);
            return Tensor.Full([1000], 1).Dropout(0.5f, training: true).ToArray();
        }
        Assert.Equal(Draw(3), Draw(3));
        Assert.NotEqual(Draw(3), Draw(4));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits() => SameBits.OnAnyThreads([[200_003]], x =>
    {
        using RandomScope scope = RandomScope.Begin(1, 2, 3);
        return x[0].Dropout(0.4f, training: true);
    });

    [Fact]
    public void Chances_that_are_none_are_refused()
    {
        foreach (float p in new[] { -0.1f, 1.1f, float.NaN }) Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2]).Dropout(p, training: true));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Dropout2d(0.5f, training: true));
    }
}

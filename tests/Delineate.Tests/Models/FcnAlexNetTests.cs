using Delineate.Data;
using Delineate.Losses;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Optim;
using Delineate.Testing;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class FcnAlexNetTests
{
    private const int Classes = 3;

    [Fact]
    public void Names_and_shapes_are_those_of_the_paper()
    {
        using Tensors.Nn.Init.SkipScope quick = Tensors.Nn.Init.Skip();
        Assert.Equal(
            [
                "conv1.weight [64, 3, 11, 11]", "conv1.bias [64]", "conv2.weight [192, 64, 5, 5]", "conv2.bias [192]", "conv3.weight [384, 192, 3, 3]", "conv3.bias [384]",
                "conv4.weight [256, 384, 3, 3]", "conv4.bias [256]", "conv5.weight [256, 256, 3, 3]", "conv5.bias [256]", "fc6.weight [4096, 256, 6, 6]", "fc6.bias [4096]",
                "fc7.weight [4096, 4096, 1, 1]", "fc7.bias [4096]", "score_fr.weight [21, 4096, 1, 1]", "score_fr.bias [21]", "upscore.weight [21, 21, 63, 63]",
            ],
            GoldenChecks.StateList(new FcnAlexNet(new Philox(1))));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(33, 70)]
    [InlineData(64, 31)]
    public void Scores_have_the_size_of_the_image_whatever_it_is(int height, int width)
    {
        FcnAlexNet network = Narrow();
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Assert.Equal([2, height, width, Classes], network.Forward(Tensor.Zeros([2, height, width, 3])).Shape);
    }

    /// <summary>
    /// With filters that are their own mirror images, a mirrored picture must give mirrored scores, pixel by pixel. Scores lie at 13 + 32·i; in a picture of
    /// 27 + 32·k pixels the outermost ones inside lie at 13 from either edge, so that the grid is its own mirror image and a crop that is off by a pixel, or by half of one, shows.
    /// </summary>
    [Theory]
    [InlineData(59, 91)]
    [InlineData(123, 27)]
    public void A_mirrored_picture_gives_mirrored_scores(int height, int width)
    {
        FcnAlexNet network = Narrow();
        foreach ((string name, Tensor tensor) in network.StateDict())
        {
            if (tensor.Shape.Rank == 4 && name != "upscore.weight") Symmetric(tensor);
        }
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([1, height, width, 3]);
        Tensor scores = network.Forward(x), mirrored = network.Forward(Mirrored(x));
        double largest = scores.ToArray().Max(Math.Abs);
        Assert.True(Distance(scores, Mirrored(scores)) > 0.05 * largest); // the scores themselves are not symmetric
        Assert.True(Distance(Mirrored(scores), mirrored) < 1e-4 * largest, $"{Distance(Mirrored(scores), mirrored) / largest:G3} of the largest score");
    }

    [Fact]
    public void What_moves_in_the_picture_moves_in_the_scores()
    {
        const int Side = 448; // so large that no value that the spot reaches sees the zeros around a map
        FcnAlexNet network = Narrow();
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor empty = network.Forward(Tensor.Zeros([1, Side, Side, 3]));
        float[] one = Difference(network.Forward(Spot(210, 230)), empty), other = Difference(network.Forward(Spot(210 + 32, 230 - 64)), empty);
        double largest = one.Max(Math.Abs);
        Assert.True(largest > 1e-3);
        for (int y = 0; y < Side - 32; y++)
        {
            for (int x = 64; x < Side; x++) Assert.Equal(one[((y * Side) + x) * Classes], other[(((y + 32) * Side) + x - 64) * Classes], 1e-4 * largest);
        }

        static Tensor Spot(int top, int left)
        {
            Tensor x = Tensor.Zeros([1, Side, Side, 3]);
            for (int y = top; y < top + 11; y++) x.Span.Slice(((y * Side) + left) * 3, 33).Fill(3);
            return x;
        }
    }

    [Fact]
    public void It_learns()
    {
        var network = new FcnAlexNet(new Philox(1), new FcnAlexNetOptions { NumClasses = 2, WidthDivisor = 16, Dropout = 0 });
        var model = new SemanticModel("fcn32s_alexnet", network, x => new SemanticLogits(network.Forward(x)), minimumSize: 1) { Classes = new Squares(1).Classes, LossOptions = new SemanticLossOptions() };
        var batch = new Batch([new Squares(3, side: 48).Load(1), new Squares(3, side: 48).Load(2)]);
        var optimizer = new AdamW([new ParameterGroup(network.NamedParameters())]);
        float first = 0, last = 0;
        for (int step = 0; step < 25; step++)
        {
            using MemoryScope scope = TensorMemory.Scope();
            Delineate.Models.Losses losses = model.Loss(batch);
            last = losses.Total.Item();
            if (step == 0) first = last;
            losses.Total.Backward();
            optimizer.Step(0.002);
            optimizer.ZeroGrad();
        }
        Assert.Equal(MathF.Log(2), first, 1e-4f); // scores begin at zero
        Assert.True(last < 0.7f * first, $"{first} → {last}");
    }

    /// <summary>With a score layer that says something.</summary>
    private static FcnAlexNet Narrow()
    {
        var network = new FcnAlexNet(new Philox(4), new FcnAlexNetOptions { NumClasses = Classes, WidthDivisor = 32 });
        Tensor score = network.StateDict().Single(s => s.Name == "score_fr.weight").Tensor;
        new Philox(5).FillNormal(score.Span);
        network.Train(false);
        return network;
    }

    /// <summary>Filters become the mean of themselves and their mirror images in both directions. [Cout, Kh, Kw, Cin].</summary>
    private static void Symmetric(Tensor weight)
    {
        (int height, int width, int channels) = (weight.Shape[1], weight.Shape[2], weight.Shape[3]);
        float[] old = weight.ToArray();
        Span<float> values = weight.Span;
        for (int filter = 0; filter < weight.Shape[0]; filter++)
        {
            for (int y = 0; y < height; y++)
            {
                for (int x = 0; x < width; x++)
                {
                    for (int c = 0; c < channels; c++)
                        values[At(filter, y, x, c)] = (old[At(filter, y, x, c)] + old[At(filter, height - 1 - y, x, c)] + old[At(filter, y, width - 1 - x, c)] + old[At(filter, height - 1 - y, width - 1 - x, c)]) / 4;
                }
            }
        }

        int At(int filter, int y, int x, int c) => (((((filter * height) + y) * width) + x) * channels) + c;
    }

    /// <summary>Upside down and left to right.</summary>
    private static Tensor Mirrored(Tensor map)
    {
        (int pixels, int channels) = (map.Shape[1] * map.Shape[2], map.Shape[3]);
        Tensor result = Tensor.Empty(map.Shape);
        for (int i = 0; i < pixels; i++) map.Span.Slice(i * channels, channels).CopyTo(result.Span[((pixels - 1 - i) * channels)..]);
        return result;
    }

    private static float[] Difference(Tensor a, Tensor b) => [.. a.ToArray().Zip(b.ToArray(), (x, y) => x - y)];

    private static double Distance(Tensor a, Tensor b) => Difference(a, b).Max(Math.Abs);
}

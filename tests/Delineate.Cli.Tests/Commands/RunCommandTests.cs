using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class RunCommandTests
{
    private static readonly ClassTable Five = new(["a", "b", "c", "d", "e"]);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_output_of_bare_weights_is_written_where_the_input_has_its_channels(bool channelsLast)
    {
        using var folder = new TempFolder();
        Model model = ModelCatalog.Create("fcn_resnet18", new ModelOptions(), Five);
        model.Network.Train(false);
        SafetensorsFile.Save(folder.At("bare.safetensors"), model.Network.StateDict());
        Tensor images = Tensor.From([.. Enumerable.Range(0, 2 * 33 * 41 * 3).Select(i => MathF.Sin(i))], [2, 33, 41, 3]);
        RawTensor first = RawTensor.Of(images);
        NpyFile.Save(folder.At("x.npy"), channelsLast ? images.Shape : first.Shape, channelsLast ? images.ToArray() : first.ToArray());
        CliRun run = CliRun.Of("run", "--model", "fcn_resnet18", "--weights", folder.At("bare.safetensors"), "--input", folder.At("x.npy"), "--output", folder.At("out"), "--json", "--strict");
        Assert.Equal((0, ""), (run.Code, run.Errors));
        Assert.Equal(channelsLast ? "nhwc" : "nchw", (string?)run.Json["layout"]);
        Assert.Equal(5, (int?)run.Json["classes"]);

        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        SemanticLogits wanted = ((Fcn)model.Network).Forward(images, auxiliary: true);
        foreach ((string name, Tensor scores) in new[] { ("out", wanted.Out), ("aux", wanted.Aux!) })
        {
            (Shape shape, float[] values) = NpyFile.Load(folder.At($"out/{name}.npy"));
            Assert.Equal(channelsLast ? [2, 33, 41, 5] : [2, 5, 33, 41], shape.ToArray());
            float[] expected = channelsLast ? scores.ToArray() : RawTensor.Of(scores).ToArray();
            float largest = expected.Max(MathF.Abs);
            for (int i = 0; i < values.Length; i++) Assert.Equal(expected[i], values[i], 1e-4f * largest);
        }
    }

    [Fact]
    public void A_model_file_needs_no_name_and_has_one_output()
    {
        using var folder = new TempFolder();
        string weights = folder.At("unet.safetensors");
        ModelFile.Save(weights, ModelCatalog.Create("unet", new ModelOptions { Channels = 2, Depth = 1 }, new ClassTable(["a", "b"])));
        NpyFile.Save(folder.At("x.npy"), [1, 3, 16, 3], new float[144]); // both layouts could be: channels come first
        Assert.Equal(0, CliRun.Of("run", "--weights", weights, "--input", folder.At("x.npy"), "-o", folder.At("out")).Code);
        Assert.Equal([1, 2, 16, 3], NpyFile.Load(folder.At("out/out.npy")).Shape);
        Assert.Equal(0, CliRun.Of("run", "--weights", weights, "--input", folder.At("x.npy"), "--layout", "nhwc", "-o", folder.At("last")).Code);
        Assert.Equal([1, 3, 16, 2], NpyFile.Load(folder.At("last/out.npy")).Shape);
        Assert.False(File.Exists(folder.At("out/aux.npy")));
    }

    [Fact]
    public void What_does_not_fit_is_told_in_one_line()
    {
        using var folder = new TempFolder();
        string weights = folder.Weights(), x = folder.At("x.npy");
        Model model = ModelFile.Load(weights);
        SafetensorsFile.Save(folder.At("bare.safetensors"), model.Network.StateDict());
        NpyFile.Save(x, [1, 3, 16, 16], new float[768]);
        NpyFile.Save(folder.At("flat.npy"), [3, 16, 16], new float[768]);
        NpyFile.Save(folder.At("four.npy"), [1, 4, 8, 8], new float[256]);
        Refuses("holds [3, 16, 16]", "--weights", weights, "--input", folder.At("flat.npy"));
        Refuses("there is no axis of 3", "--weights", weights, "--input", folder.At("four.npy"));
        Refuses("where nhwc has its channels", "--weights", weights, "--input", x, "--layout", "nhwc");
        Refuses("this file holds unet, not fcn_resnet18", "--weights", weights, "--model", "fcn_resnet18", "--input", x);
        Refuses("tells 2 classes apart, not 7", "--weights", weights, "--classes", "7", "--input", x);
        Refuses("its model must be named", "--weights", folder.At("bare.safetensors"), "--input", x);
        Refuses("there is no model 'fcn_resnet5'", "--weights", folder.At("bare.safetensors"), "--model", "fcn_resnet5", "--input", x);
        Refuses("the weights do not fit", "--weights", folder.At("bare.safetensors"), "--model", "fcn_resnet18", "--input", x);
        Refuses("this is no array in NumPy's format", "--weights", weights, "--input", weights);

        void Refuses(string message, params string[] args)
        {
            CliRun run = CliRun.Of(["run", "-o", folder.At("out"), .. args]);
            Assert.Equal(CommandRunner.UserMistake, run.Code);
            Assert.Contains(message, run.Error, StringComparison.Ordinal);
            Assert.Single(run.Errors.TrimEnd().Split('\n'));
        }
    }
}

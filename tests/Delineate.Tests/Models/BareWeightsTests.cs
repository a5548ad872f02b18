using System.Runtime.InteropServices;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class BareWeightsTests
{
    [Theory]
    [InlineData(8, 3, false, 2)]
    [InlineData(4, 2, true, 5)]
    public void A_U_Nets_width_depth_decoder_and_classes_are_told_from_its_tensors(int channels, int depth, bool bilinear, int classes)
    {
        var options = new ModelOptions { Channels = channels, Depth = depth, Bilinear = bilinear };
        Model read = Reread(ModelCatalog.Create("unet", options, Numbered(classes)), "unet");
        Assert.Equal(options with { AuxiliaryHead = false }, read.Options);
        Assert.Equal(classes, read.Classes.Count);
        Assert.Null(read.Preprocessing.ShortSide);
    }

    [Theory]
    [InlineData(15, 2)]
    [InlineData(31, 3)]
    [InlineData(39, 5)]
    [InlineData(79, 4)]
    public void The_patch_size_and_classes_of_a_sliding_window_are_told_from_its_tensors(int size, int classes)
    {
        Model read = Reread(ModelCatalog.Create("sliding_window", new ModelOptions { PatchSize = size }, Numbered(classes)), "sliding_window");
        Assert.Equal((size, classes), (read.Options.PatchSize, read.Classes.Count));
    }

    [Theory]
    [InlineData("lraspp_mobilenet_v3_large", 21, false, 520, "aeroplane")]
    [InlineData("deeplabv3_mobilenet_v3_large", 4, true, 520, "class 1")]
    [InlineData("fcn_resnet18", 21, true, null, "class 1")]
    [InlineData("fcn_resnet18", 3, false, null, "class 1")]
    public void Auxiliary_head_and_classes_are_told_and_published_names_and_preprocessing_come_with_them(string name, int classes, bool auxiliary, int? shortSide, string second)
    {
        using Init.SkipScope quick = Init.Skip();
        Model read = Reread(ModelCatalog.Create(name, new ModelOptions { AuxiliaryHead = auxiliary }, Numbered(classes)), name);
        Assert.Equal((auxiliary, classes), (read.Options.AuxiliaryHead, read.Classes.Count));
        Assert.Equal(shortSide, read.Preprocessing.ShortSide);
        Assert.Equal(second, read.Classes.Names[1]);
        Assert.False(read.Network.IsTraining);
    }

    [Fact]
    public void Layers_that_disagree_on_the_classes_are_told()
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.safetensors");
        using Init.SkipScope quick = Init.Skip();
        Model model = ModelCatalog.Create("fcn_resnet18", new ModelOptions(), Numbered(4));
        SafetensorsFile.Save(path, [.. model.Network.StateDict().Select(s => s.Name == "aux_classifier.4.bias" ? (s.Name, Tensor.Zeros([6])) : (s.Name, s.Tensor))]);
        Assert.Contains("this layer scores", Assert.Throws<WeightsFormatException>(() => ModelFile.LoadAs(path, "fcn_resnet18")).Message, StringComparison.Ordinal);
    }

    private static Model Reread(Model model, string name)
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.safetensors");
        SafetensorsFile.Save(path, model.Network.StateDict());
        Model read = ModelFile.LoadAs(path, name);
        foreach (((string _, Tensor one), (string _, Tensor other)) in model.Network.StateDict().Zip(read.Network.StateDict())) Assert.True(MemoryMarshal.AsBytes(one.Span).SequenceEqual(MemoryMarshal.AsBytes(other.Span)));
        return read;
    }

    private static ClassTable Numbered(int count) => new(Enumerable.Range(0, count).Select(i => $"n{i}"));
}

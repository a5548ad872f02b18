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

    [Theory]
    [InlineData("maskrcnn_resnet50_fpn", 91, "person", "N/A 12")]
    [InlineData("fasterrcnn_resnet50_fpn", 4, "class 1", null)]
    [InlineData("keypointrcnn_resnet50_fpn", 2, "person", null)]
    [InlineData("maskrcnn_resnet50_fpn_v2", 91, "person", "N/A 12")]
    public void A_detectors_classes_joints_and_width_are_told_and_published_names_come_with_them(string name, int classes, string first, string? twelfth)
    {
        using Init.SkipScope quick = Init.Skip();
        var options = new ModelOptions { WidthDivisor = 16, Keypoints = name[0] == 'k' ? 5 : 17 };
        Model read = Reread(ModelCatalog.Create(name, options, Numbered(classes)), name);
        Assert.Equal(options, read.Options); // no batch counters: the norms were frozen
        Assert.Equal((classes, 0), (read.Classes.Count, read.Classes.Background));
        Assert.Equal(("background", first, twelfth), (read.Classes.Names[0], read.Classes.Names[1], classes > 12 ? read.Classes.Names[12] : null));
        Assert.Null(read.Preprocessing.ShortSide);
    }

    [Fact]
    public void Norms_were_trained_where_they_counted_batches_and_have_no_epsilon_where_torchvision_says_so()
    {
        using var folder = new TinyRun();
        using Init.SkipScope quick = Init.Skip();
        Model model = ModelCatalog.Create("maskrcnn_resnet50_fpn", new ModelOptions { WidthDivisor = 16 }, Numbered(3));
        string trained = Path.Combine(folder.Path, "trained.safetensors"), published = Path.Combine(folder.Path, "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth");
        SafetensorsFile.Save(trained, [.. model.Network.StateDict(), ("backbone.body.bn1.num_batches_tracked", Tensor.Scalar(1))]);
        PyTorchFile.Save(published, model.Network.StateDict());
        Assert.Equal((false, 1e-5f), Norms(ModelFile.LoadAs(trained, model.Name)));
        Assert.Equal((true, 0f), Norms(ModelFile.LoadAs(published, model.Name)));

        static (bool, float) Norms(Model model) => (model.Options.FrozenNorm, model.Options.NormEpsilon);
    }

    [Fact]
    public void Detectors_weights_from_before_torchvision_0_13_are_read_under_their_old_names()
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "old.pth");
        Model model = ModelCatalog.Create("maskrcnn_resnet50_fpn", new ModelOptions { WidthDivisor = 16 }, Numbered(3));
        (string Name, Tensor Tensor)[] old = [.. model.Network.StateDict().Select(s => (Old(s.Name), s.Tensor))];
        Assert.Contains("backbone.fpn.inner_blocks.0.weight", old.Select(o => o.Name));
        Assert.Contains("backbone.fpn.layer_blocks.3.bias", old.Select(o => o.Name));
        Assert.Contains("rpn.head.conv.weight", old.Select(o => o.Name));
        Assert.Contains("roi_heads.mask_head.mask_fcn4.bias", old.Select(o => o.Name));
        PyTorchFile.Save(path, old);
        Model read = ModelFile.LoadAs(path, model.Name);
        foreach (((string name, Tensor one), (string same, Tensor other)) in model.Network.StateDict().Zip(read.Network.StateDict()))
        {
            Assert.Equal(name, same);
            Assert.True(MemoryMarshal.AsBytes(one.Span).SequenceEqual(MemoryMarshal.AsBytes(other.Span)), name);
        }
        Assert.Empty(ModelFile.LoadInto(read, path).Anew);

        static string Old(string name) => name.Replace("rpn.head.conv.0.0.", "rpn.head.conv.", StringComparison.Ordinal).Split('.') switch
        {
            ["backbone", "fpn", var blocks, var i, "0", var kind] => $"backbone.fpn.{blocks}.{i}.{kind}",
            ["roi_heads", "mask_head", [var i], "0", var kind] => $"roi_heads.mask_head.mask_fcn{i - '0' + 1}.{kind}",
            var parts => string.Join('.', parts),
        };
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

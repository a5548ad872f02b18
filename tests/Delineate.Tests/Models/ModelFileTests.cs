using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class ModelFileTests : IDisposable
{
    private static readonly ModelOptions Tiny = new() { Channels = 4, Depth = 1 };
    private readonly TinyRun folder = new();

    private string FilePath => Path.Combine(folder.Path, "m.safetensors");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_saved_model_comes_back_with_equal_bits_predictions_and_card()
    {
        var classes = new ClassTable(["sky", "tree", "road"]) { IgnoreIndex = 7, Background = 1, Palette = new Palette([new Rgb(1, 2, 3), new Rgb(250, 0, 9), new Rgb(0, 255, 0)]) };
        var preprocessing = new Preprocessing { Mean = [0.1f, 0.2f, 0.3f], Deviation = [0.5f, 0.6f, 0.7f], ShortSide = 24 };
        Model model = ModelCatalog.Create("unet", Tiny with { Bilinear = true }, classes, preprocessing, seed: 9);
        ModelFile.Save(FilePath, model, ModelCard.Of(model) with { License = "CC0-1.0" });

        Model loaded = ModelFile.Load(FilePath, out ModelCard card);
        Assert.Equal(model.Network.StateDict().Select(s => s.Name), loaded.Network.StateDict().Select(s => s.Name));
        foreach (((string name, Tensor a), (_, Tensor b)) in model.Network.StateDict().Zip(loaded.Network.StateDict())) TensorAssert.SameBits(a.Span, b.Span, name);
        Image photo = new Squares(1).Load(0).Image;
        Assert.Equal(model.Predict(new ImageBatch([photo]))[0].Semantic!.Labels, loaded.Predict(new ImageBatch([photo]))[0].Semantic!.Labels);
        Assert.Equal(classes.Names, loaded.Classes.Names);
        Assert.Equal(((byte)7, (int?)1, "#fa0009"), (loaded.Classes.IgnoreIndex, loaded.Classes.Background, loaded.Classes.Palette[1].ToString()));
        Assert.Equal(((int?)24, 0.6f), (loaded.Preprocessing.ShortSide, loaded.Preprocessing.Deviation[1]));
        Assert.Equal((model.Options, "CC0-1.0"), (loaded.Options, card.License));
        Assert.False(loaded.Network.IsTraining);
        Assert.Equal("unet", ModelFile.LoadCard(FilePath).Model);
    }

    [Fact]
    public void A_file_from_elsewhere_is_told_apart()
    {
        SafetensorsFile.Save(FilePath, [("weight", Tensor.Zeros([2]))]);
        Assert.Contains($"{FilePath}: this file has weights but does not say of which model", Assert.Throws<WeightsFormatException>(() => ModelFile.Load(FilePath)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("null", "empty")]
    [InlineData("[]", "an object in braces")]
    [InlineData("""{ "model": "unet" }""", "'classes' is missing")]
    [InlineData("""{ "model": "unet", "classes": null }""", "classes must be a list")]
    [InlineData("""{ "model": "unet", "classes": [] }""", "1 to 255 names")]
    [InlineData("""{ "model": "unet", "classes": [null] }""", "class name is empty")]
    [InlineData("""{ "model": "unett", "classes": ["a"] }""", "did you mean 'unet'?")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "options": { "channels": 1000000000 } }""", "channels must be 1 to 512; it is 1000000000")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "options": { "channels": 512, "depth": 8 } }""", "channels must be at most 8 at depth 8")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "options": { "depth": 99 } }""", "depth must be 1 to 8; it is 99")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "options": null }""", "options must be an object")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "palette": ["red"] }""", "'red' is not a colour")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "palette": [null] }""", "'' is not a colour")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "background": 1 }""", "background 1 is not one of its 1 classes")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "ignoreIndex": 300 }""", "ignoreIndex must be a whole number of 0 to 255, not 300")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "preprocessing": { "mean": [0] } }""", "mean must be three numbers")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "preprocessing": { "deviation": [1, 0, 1] } }""", "deviation must be three numbers above 0")]
    [InlineData("""{ "model": "unet", "classes": ["a"], "preprocessing": { "shortSide": 1000000 } }""", "short side must be 8 to 8192")]
    public void A_faulty_card_is_explained_with_the_files_name(string card, string expected)
    {
        SafetensorsFile.Save(FilePath, [("weight", Tensor.Zeros([2]))], new Dictionary<string, string> { ["delineate"] = card });
        WeightsFormatException e = Assert.Throws<WeightsFormatException>(() => ModelFile.Load(FilePath));
        Assert.StartsWith(FilePath, e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_of_another_network_are_listed_with_the_files_name()
    {
        Model model = ModelCatalog.Create("unet", Tiny, new ClassTable(["a", "b"]));
        ModelFile.Save(FilePath, model, ModelCard.Of(model) with { Options = Tiny with { Channels = 8 } });
        WeightsMismatchException e = Assert.Throws<WeightsMismatchException>(() => ModelFile.Load(FilePath));
        Assert.StartsWith($"{FilePath}: the weights do not fit UNet", e.Message, StringComparison.Ordinal);
        Assert.Contains(e.Mismatched, m => m.Name == "inc.double_conv.0.weight");
        Assert.StartsWith(FilePath, Assert.Throws<WeightsMismatchException>(() => ModelFile.LoadInto(TinyRun.Fcn(), FilePath)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_for_other_classes_leave_the_score_layer_its_own_values()
    {
        Model three = ModelCatalog.Create("unet", Tiny, new ClassTable(["a", "b", "c"]), seed: 1), two = ModelCatalog.Create("unet", Tiny, new ClassTable(["x", "y"]), seed: 2);
        ModelFile.Save(FilePath, three);
        Dictionary<string, float[]> before = two.Network.StateDict().ToDictionary(s => s.Name, s => s.Tensor.ToArray());
        Assert.Equal(["outc.conv.bias", "outc.conv.weight"], ModelFile.LoadInto(two, FilePath).Anew.Order());
        Dictionary<string, Tensor> source = three.Network.StateDict().ToDictionary(s => s.Name, s => s.Tensor);
        foreach ((string name, Tensor tensor) in two.Network.StateDict())
            TensorAssert.SameBits(name.StartsWith("outc.", StringComparison.Ordinal) ? before[name] : source[name].ToArray(), tensor.Span, name);
        Model alike = ModelCatalog.Create("unet", Tiny, new ClassTable(["p", "q", "r"]), seed: 3);
        Assert.Empty(ModelFile.LoadInto(alike, FilePath).Anew);
        Assert.Equal("all taken over", ModelFile.LoadInto(alike, FilePath).ToString());
    }

    [Fact]
    public void A_checkpoint_of_a_run_gives_its_weights_alone_and_a_missing_auxiliary_head_starts_anew()
    {
        TinyRun.Train(TinyRun.UNetRecipe.NewModel(new Squares(1).Classes), TinyRun.UNetRecipe, folder.Folder, steps: 1);
        Assert.Empty(ModelFile.LoadInto(TinyRun.UNetRecipe.NewModel(new Squares(1).Classes), folder.Folder.Last).Anew);
        Assert.Equal("unet", ModelFile.Load(folder.Folder.Last).Name);

        SemanticModel full = TinyRun.Fcn();
        SafetensorsFile.Save(FilePath, full.Network.StateDict().Where(s => !full.IsAuxiliary(s.Name)));
        Assert.All(ModelFile.LoadInto(TinyRun.Fcn(), FilePath).Anew, name => Assert.StartsWith("aux_classifier.", name, StringComparison.Ordinal));
        Assert.Equal("backbone, classifier taken over; anew: aux_classifier", ModelFile.LoadInto(TinyRun.Fcn(), FilePath).ToString());
    }

    [Fact]
    public void What_two_networks_share_goes_from_one_to_the_other()
    {
        Model from = ModelCatalog.Create("unet", Tiny with { Depth = 2 }, new ClassTable(["a", "b"]), seed: 1), to = ModelCatalog.Create("unet", Tiny, new ClassTable(["a", "b"]), seed: 2);
        ModelFile.Save(FilePath, from);
        Dictionary<string, float[]> before = to.Network.StateDict().ToDictionary(s => s.Name, s => s.Tensor.ToArray());
        LoadedWeights loaded = ModelFile.LoadShared(to, FilePath);
        Dictionary<string, Tensor> source = from.Network.StateDict().ToDictionary(s => s.Name, s => s.Tensor);
        Assert.Equal("inc, down1, outc taken over; anew: up1; not used: down2, up1, up2", loaded.ToString()); // up1 joins the deepest level here, and the middle one there
        Assert.Equal(before.Keys.Order(), loaded.Taken.Concat(loaded.Anew).Order());
        foreach ((string name, Tensor tensor) in to.Network.StateDict())
            TensorAssert.SameBits(loaded.Taken.Contains(name) ? source[name].ToArray() : before[name], tensor.Span, name);
    }

    [Fact]
    public void Networks_that_share_nothing_are_refused()
    {
        ModelFile.Save(FilePath, ModelCatalog.Create("unet", Tiny, new ClassTable(["a", "b"])));
        WeightsFormatException e = Assert.Throws<WeightsFormatException>(() => ModelFile.LoadShared(TinyRun.Fcn(), FilePath));
        Assert.StartsWith($"{FilePath}: no tensor of this file fits fcn_resnet18", e.Message, StringComparison.Ordinal);
    }

    [ReferenceFact]
    public void A_PyTorch_checkpoint_is_taken_into_a_model()
    {
        Golden golden = Golden.Reference("fcn_resnet50");
        var network = new Fcn(new Philox(1), new FcnOptions { NumClasses = golden.Meta.GetProperty("classes").GetInt32(), AuxiliaryHead = true, WidthDivisor = golden.Meta.GetProperty("narrow").GetInt32() });
        var model = new SemanticModel("fcn_resnet50", network, x => network.Forward(x), minimumSize: 1) { Classes = new ClassTable(Enumerable.Range(0, network.Options.NumClasses).Select(i => $"c{i}")) };
        Assert.Empty(ModelFile.LoadInto(model, golden.FilePath("model.pth")).Anew);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        GoldenChecks.Close(golden, "out.out", network.Forward(golden.ChannelsLast("in.x")).Out);
    }
}

using Delineate.Data;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Testing;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>Detectors in use, on small networks with random weights.</summary>
[Collection(nameof(SemanticModelTests))]
public sealed class DetectionModelTests
{
    private static readonly string[] Names = ["fasterrcnn_resnet50_fpn", "maskrcnn_resnet18_fpn", "maskrcnn_resnet50_fpn_v2", "keypointrcnn_resnet50_fpn"];

    /// <summary>Small images, few proposals, and detections of any score.</summary>
    private static readonly DetectionOptions Small = new()
    {
        MinSize = 64,
        MaxSize = 128,
        ScoreThreshold = 0,
        Detections = 12,
        ProposalsBeforeNms = 60,
        ProposalsAfterNms = 30,
        TrainingProposalsBeforeNms = 60,
        TrainingProposalsAfterNms = 40,
        AnchorSamples = 64,
        BoxSamples = 32,
    };

    public static TheoryData<string> Kinds => [.. Names];

    [ReferenceTheory]
    [InlineData("maskrcnn_resnet50_fpn", "facts/state-dicts/maskrcnn_resnet50_fpn.txt", 91, 1)]
    [InlineData("maskrcnn_resnet50_fpn_v2", "facts/state-dicts/maskrcnn_resnet50_fpn_v2.txt", 91, 1)]
    [InlineData("keypointrcnn_resnet50_fpn", "facts/state-dicts/keypointrcnn_resnet50_fpn.txt", 2, 1)]
    [InlineData("fasterrcnn_resnet50_fpn", "golden/fasterrcnn_resnet50_fpn/state.txt", 5, 8)]
    [InlineData("maskrcnn_resnet18_fpn", "golden/maskrcnn_resnet18_fpn/state.txt", 5, 8)]
    public void Names_and_shapes_equal_torchvisions(string name, string list, int classes, int widthDivisor)
    {
        using Init.SkipScope quick = Init.Skip();
        Model model = ModelCatalog.Create(name, new ModelOptions { WidthDivisor = widthDivisor }, Numbered(classes));
        Assert.Equal(GoldenChecks.StateList(ReferenceFolder.Path(list.Split('/'))).Order(), GoldenChecks.StateList(model.Network).Order());
    }

    /// <summary>The counts that torchvision publishes beside its weights.</summary>
    [Theory]
    [InlineData("fasterrcnn_resnet50_fpn", 91, 41_755_286)]
    [InlineData("maskrcnn_resnet50_fpn", 91, 44_401_393)]
    [InlineData("maskrcnn_resnet50_fpn_v2", 91, 46_359_409)]
    [InlineData("keypointrcnn_resnet50_fpn", 2, 59_137_258)]
    public void Parameters_are_as_many_as_torchvisions(string name, int classes, long expected)
    {
        using Init.SkipScope quick = Init.Skip();
        Model model = ModelCatalog.Create(name, new ModelOptions(), Numbered(classes));
        Assert.Equal(expected, model.Network.ParameterCount());
        Assert.Equal(name.EndsWith("_v2", StringComparison.Ordinal), model.Network.NamedParameters().Any(p => p.Name == "backbone.body.bn1.weight"));
        Assert.Contains(ModelCatalog.Create(name, new ModelOptions { FrozenNorm = false }, Numbered(classes)).Network.NamedParameters(), p => p.Name == "backbone.body.bn1.weight");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Predictions_lie_in_their_image_the_surest_first_and_do_not_depend_on_the_other_images(string name)
    {
        DetectionModel model = Tiny(name);
        Sample[] samples = [Objects.Sample(1), Objects.Sample(2, 80, 70)];
        IReadOnlyList<Prediction> together = model.Predict(new ImageBatch([.. samples.Select(s => s.Image)]));
        Assert.Null(model.PlanFailure);
        for (int n = 0; n < samples.Length; n++)
        {
            IReadOnlyList<Instance> found = together[n].Instances!;
            Assert.InRange(found.Count, 3, Small.Detections); // of any score
            Assert.Equal(found.OrderByDescending(i => i.Score).Select(i => i.Score), found.Select(i => i.Score));
            (int height, int width) = (samples[n].Image.Height, samples[n].Image.Width);
            Assert.All(found, i =>
            {
                Assert.InRange(i.Label, 1, 2);
                Assert.InRange(i.Score, 0, 1);
                Assert.Equal(i.Box, i.Box.Clip(height, width));
                Assert.True(i.Box.Width > 0 && i.Box.Height > 0);
                Assert.Equal(model.Network is MaskRcnn, i.Mask is { } mask && (mask.Height, mask.Width) == (height, width));
                Assert.Equal(model.Network is KeypointRcnn ? model.Options.Keypoints : 0, i.Keypoints?.Count ?? 0);
                Assert.All(i.Keypoints ?? [], k => Assert.True(k.X >= i.Box.X1 && k.X <= i.Box.X2 + 2 && k.Y >= i.Box.Y1 && k.Y <= i.Box.Y2 + 2));
            });
            IReadOnlyList<Instance> alone = model.Predict(new ImageBatch([samples[n].Image]))[0].Instances!;
            Assert.Equal(found.Select(i => (i.Label, i.Score, i.Box, i.Mask)), alone.Select(i => (i.Label, i.Score, i.Box, i.Mask)));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Nothing_found_is_an_empty_list(string name)
    {
        DetectionModel model = Tiny(name);
        model.Detection = model.Detection with { ScoreThreshold = 1 };
        Sample sample = Objects.Sample(1);
        Assert.Empty(model.Predict(new ImageBatch([sample.Image]))[0].Instances!);
        Detections none = model.Detect([DetectorInput.Values(sample.Image), DetectorInput.Values(sample.Image)])[1];
        Assert.Equal(0, none.Count);
        Assert.Empty(none.Boxes);
        if (model.Network is MaskRcnn) Assert.Equal([0, sample.Image.Height, sample.Image.Width], none.PastedMasks()!.Shape);
        else Assert.Null(none.PastedMasks());
        Assert.Equal(model.Network is KeypointRcnn, none is { Keypoints.Length: 0, KeypointScores.Length: 0 });
        Assert.Empty(model.Detect([]));
        Assert.Empty(model.Predict(new ImageBatch([])));

        // Not one proposal either: every anchor shrinks to nothing.
        Tensor moves = model.Network.NamedParameters().Single(p => p.Name == "rpn.head.bbox_pred.bias").Tensor;
        moves.Span.Fill(-1000);
        model.Detection = model.Detection with { ScoreThreshold = 0 };
        Assert.Empty(model.Predict(new ImageBatch([sample.Image]))[0].Instances!);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Plans_find_what_the_network_finds_op_by_op(string name)
    {
        DetectionModel model = Tiny(name);
        var network = (FasterRcnn)model.Network;
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor images = GradCheck.Input([2, 64, 96, 3]), regions = GradCheck.Input([3, 7, 7, network.Channels], 2), pooled = GradCheck.Input([3, 14, 14, network.Channels], 3);
        Same(x => FasterRcnn.Listed(network.Maps(x)), images);
        Same(x => network.Boxes(x) is var (logits, deltas) ? [logits, deltas] : [], regions);
        if (network is MaskRcnn mask) Same(x => [mask.Masks(x)], pooled);
        if (network is KeypointRcnn keypoint) Same(x => [keypoint.Heatmaps(x)], pooled);

        void Same(Func<Tensor, Tensor[]> forward, Tensor x)
        {
            var part = new DenseParts(network).Add(forward);
            network.Train(false);
            Tensor[] expected = part.Forward(x);
            network.Train();
            Tensor[] actual = part.Evaluate(x, Rounding.Fast);
            Assert.Null(part.PlanFailure);
            Assert.True(network.IsTraining);
            foreach ((Tensor e, Tensor a) in expected.Zip(actual)) TensorAssert.Close(e, a, 1e-4);
        }
    }

    [Fact]
    public void A_part_that_cannot_be_traced_runs_op_by_op_in_evaluation()
    {
        var norm = new BatchNorm2d(3);
        norm.RunningMean.Span.Fill(5);
        var part = new DenseParts(norm).Add(x => x.Max().Item() > 1e9f ? [x] : [norm.Forward(x)]);
        Tensor y = part.Evaluate(Tensor.Full([1, 2, 2, 3], 7), Rounding.Fast)[0];
        Assert.Contains("values are not known", part.PlanFailure, StringComparison.Ordinal);
        Assert.All(y.ToArray(), v => Assert.Equal(2, v, 1e-4f)); // by the running mean: training would have given 0
        Assert.True(norm.IsTraining);
    }

    [Fact]
    public void Threads_predict_at_once_while_the_network_is_set_to_train()
    {
        DetectionModel model = Tiny("maskrcnn_resnet18_fpn");
        Sample[] samples = [.. Enumerable.Range(0, 4).Select(i => Objects.Sample(i, 60 + i, 90))];
        (float, Box, Rle?)[][] expected = [.. samples.Select(Found)];
        DetectionModel fresh = Tiny("maskrcnn_resnet18_fpn");
        fresh.Network.Train();
        model = fresh;
        Parallel.For(0, 12, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => Assert.Equal(expected[i % 4], Found(samples[i % 4])));
        Assert.True(fresh.Network.IsTraining);

        (float, Box, Rle?)[] Found(Sample sample) => [.. model.Predict(new ImageBatch([sample.Image]))[0].Instances!.Select(i => (i.Score, i.Box, i.Mask))];
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Training_draws_are_those_of_the_seed_and_a_step_within_a_scope_has_the_same_gradients(string name)
    {
        DetectionModel model = Tiny(name);
        var batch = new Batch([Objects.Sample(1), Objects.Sample(2, 70, 80), Objects.Sample(3, isEmpty: true)]);
        (float[] Terms, float[][] Gradients) first = Step(5), again = Step(5), other = Step(6), within;
        using (TensorMemory.Scope()) within = Step(5);
        Assert.Equal(first.Terms, again.Terms);
        Assert.Equal(first.Terms, within.Terms);
        Assert.NotEqual(first.Terms, other.Terms);
        for (int i = 0; i < first.Gradients.Length; i++)
        {
            TensorAssert.SameBits(first.Gradients[i], again.Gradients[i]);
            TensorAssert.SameBits(first.Gradients[i], within.Gradients[i]);
        }
        Assert.All(first.Terms, term => Assert.True(float.IsFinite(term) && term > 0));

        (float[], float[][]) Step(ulong seed)
        {
            model.Network.Train().ZeroGrad();
            using RandomScope draws = RandomScope.Begin(seed, 0, 0);
            Delineate.Models.Losses losses = model.Loss(batch);
            losses.Total.Backward();
            Assert.Equal(losses.Terms.Sum(t => t.Value), losses.Total.Item(), 1e-4f);
            return ([.. losses.Terms.Select(t => t.Value)], [.. model.Network.NamedParameters().Select(p => p.Tensor.Gradient!.ToArray())]);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Images_without_objects_train_the_proposals_and_the_classes_alone(string name)
    {
        DetectionModel model = Tiny(name);
        model.Network.Train();
        using RandomScope draws = RandomScope.Begin(1, 0, 0);
        Delineate.Models.Losses losses = model.Loss(new Batch([Objects.Sample(1, isEmpty: true), Objects.Sample(2, isEmpty: true)]));
        losses.Total.Backward();
        Dictionary<string, float> terms = losses.Terms.ToDictionary(t => t.Name, t => t.Value);
        Assert.Equal(terms["loss_classifier"] + terms["loss_objectness"], losses.Total.Item(), 1e-5f);
        Assert.All(terms, t => Assert.Equal(t.Key is "loss_classifier" or "loss_objectness", t.Value > 0));
        Assert.All(model.Network.NamedParameters(), p => Assert.All(p.Tensor.Gradient!.ToArray(), v => Assert.True(float.IsFinite(v))));
    }

    [Fact]
    public void The_loss_falls_and_the_objects_are_found()
    {
        DetectionModel model = Tiny("maskrcnn_resnet18_fpn", widthDivisor: 8);
        var batch = new Batch([Objects.Sample(1), Objects.Sample(2)]);
        var optimizer = new AdamW([new ParameterGroup(model.Network.NamedParameters())], new AdamWOptions());
        var totals = new List<float>();
        model.Network.Train();
        for (int step = 0; step < 120; step++)
        {
            using RandomScope draws = RandomScope.Begin(1, 0, (ulong)step);
            using MemoryScope scope = TensorMemory.Scope();
            Delineate.Models.Losses losses = model.Loss(batch);
            totals.Add(losses.Total.Item());
            losses.Total.Backward();
            optimizer.Step(2e-3);
            optimizer.ZeroGrad();
        }
        Assert.True(totals[^10..].Average() < totals[..10].Average() / 3, $"from {totals[..10].Average()} to {totals[^10..].Average()}");
        model.Detection = model.Detection with { ScoreThreshold = 0.5f };
        foreach ((Sample sample, Prediction prediction) in batch.Samples.Zip(model.Predict(batch.Images)))
        {
            foreach (Instance truth in sample.Annotation.Instances!)
            {
                Assert.Contains(prediction.Instances!, found => found.Label == truth.Label && found.Box.Iou(truth.Box) > 0.6 && Rle.Iou([found.Mask!], [truth.Mask!])[0, 0] > 0.6);
            }
        }
    }

    [Fact]
    public void What_a_network_cannot_learn_from_is_told()
    {
        Sample good = Objects.Sample(1);
        Refuses("maskrcnn_resnet18_fpn", new Annotation(), "image 1 has no list of objects");
        Refuses("maskrcnn_resnet18_fpn", new Annotation { Instances = [good.Annotation.Instances![0] with { Mask = null }] }, "an object of image 1 has no mask");
        Refuses("fasterrcnn_resnet50_fpn", new Annotation { Instances = [good.Annotation.Instances![0] with { Label = 3 }] }, "has class 3");

        void Refuses(string name, Annotation annotation, string message)
        {
            DetectionModel model = Tiny(name);
            Assert.Contains(message, Assert.Throws<DatasetException>(() => model.Loss(new Batch([good with { Annotation = annotation }]))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Training_draws_the_short_side_where_it_may()
    {
        var options = new DetectionOptions { MinSize = 800, TrainingMinSize = 640 };
        using RandomScope draws = RandomScope.Begin(3, 0, 0);
        int[] sides = DetectionModel.DrawnSides(200, options);
        Assert.Equal([640, 672, 704, 736, 768, 800], sides.Distinct().Order()); // torchvision's for keypoints
        Assert.Equal([800, 800], DetectionModel.DrawnSides(2, options with { TrainingMinSize = null }));
        using RandomScope same = RandomScope.Begin(3, 0, 0);
        Assert.Equal(sides, DetectionModel.DrawnSides(200, options));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_cost_is_told_and_a_single_graph_refused(string name)
    {
        DetectionModel model = Tiny(name);
        var network = (FasterRcnn)model.Network;
        Summary summary = model.Summarize((50, 100));
        Assert.Equal([1, 64, 128, 3], summary.Input); // 64×128 by the short side, both multiples of 32
        Assert.Equal(network.ParameterCount(), summary.Parameters);
        Assert.Equal(summary.Parameters, summary.Rows.Sum(r => r.Parameters)); // every weight is read
        long classes = Small.ProposalsAfterNms * 3L * (1024 / network.Options.WidthDivisor);
        Assert.Equal(classes, summary.Rows.Single(r => r is { Path: "roi_heads.box_predictor.cls_score", Op: "Linear" }).MultiplyAdds);
        Assert.Contains("not one graph", Assert.Throws<GraphException>(() => model.TraceForAnySize(1, 64)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_saved_model_finds_the_same()
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.safetensors");
        DetectionModel model = Tiny("keypointrcnn_resnet50_fpn");
        ModelFile.Save(path, model);
        var read = (DetectionModel)ModelFile.Load(path);
        Assert.Equal(model.Options, read.Options);
        Assert.Equal(Small, read.Detection);
        Sample sample = Objects.Sample(4);
        Detections[] found = [.. new[] { model, read }.Select(m => m.Detect([DetectorInput.Values(sample.Image)])[0])];
        Assert.Equal(found[0].Boxes, found[1].Boxes);
        Assert.Equal(found[0].Keypoints!, found[1].Keypoints!);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Refuses("the model's option detection.minSize must be 32 to 8192; it is 8", new ModelOptions { Detection = Small with { MinSize = 8 } });
        Refuses("the model's option detection.maxSize must be 64 to 8192; it is 32", new ModelOptions { Detection = Small with { MaxSize = 32 } });
        Refuses("the model's option detection.scoreThreshold must be 0 to 1; it is NaN", new ModelOptions { Detection = Small with { ScoreThreshold = float.NaN } });
        Refuses("the model's option widthDivisor must be 1, 2, 4, 8, 16, 32 or 64; it is 3", new ModelOptions { WidthDivisor = 3 });
        Refuses("the model's option normEpsilon must be 0 to 1; it is -1", new ModelOptions { NormEpsilon = -1 });
        Refuses("the model's option keypoints must be 1 to 1024; it is 0", new ModelOptions { Keypoints = 0 });
        Assert.Contains("too short", Assert.Throws<ModelOptionsException>(() => ModelCatalog.Create(Names[0], new ModelOptions(), Numbered(1))).Message, StringComparison.Ordinal);
        Assert.Throws<ModelOptionsException>(() => Tiny(Names[1]).Detection = Small with { Detections = 0 });

        static void Refuses(string message, ModelOptions options) => Assert.Equal(message, Assert.Throws<ModelOptionsException>(() => ModelCatalog.Create(Names[1], options, Objects.Classes)).Message);
    }

    [Fact]
    public void Layers_made_for_other_classes_start_anew_when_weights_are_loaded()
    {
        using var folder = new TinyRun();
        string path = Path.Combine(folder.Path, "x.safetensors");
        DetectionModel three = Tiny("maskrcnn_resnet18_fpn");
        ModelFile.Save(path, three);
        Model five = ModelCatalog.Create("maskrcnn_resnet18_fpn", three.Options, Numbered(5), seed: 4);
        Assert.Equal(
            ["roi_heads.box_predictor.bbox_pred.bias", "roi_heads.box_predictor.bbox_pred.weight", "roi_heads.box_predictor.cls_score.bias", "roi_heads.box_predictor.cls_score.weight",
                "roi_heads.mask_predictor.mask_fcn_logits.bias", "roi_heads.mask_predictor.mask_fcn_logits.weight"],
            ModelFile.LoadInto(five, path).Anew.Order());
    }

    private static DetectionModel Tiny(string name, int widthDivisor = 16)
    {
        var options = new ModelOptions { WidthDivisor = widthDivisor, FrozenNorm = false, Keypoints = 2, Detection = Small };
        return (DetectionModel)ModelCatalog.Create(name, options, Objects.Classes, seed: 9);
    }

    private static ClassTable Numbered(int count) => new(Enumerable.Range(0, count).Select(i => $"n{i}")) { Background = 0 };
}

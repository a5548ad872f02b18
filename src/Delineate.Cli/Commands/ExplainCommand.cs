using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Explain;
using Delineate.Explain.Topics;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate explain</c>: what the operators do, step by step, with numbers of one's own.</summary>
internal static class ExplainCommand
{
    private static readonly (string Name, Words About)[] Topics =
    [
        ("conv", new Words("a convolution: the walking window, as a matrix, as unrolled windows", "卷积：滑动窗口、写成矩阵、展开窗口")),
        ("conv-transpose", new Words("a transposed convolution: three views that agree", "转置卷积：三种一致的视角")),
        ("dilated-conv", new Words("a dilated convolution: holes, field of view, gridding", "空洞卷积：孔、视野、网格效应")),
        ("roi-align", new Words("RoIPool's roundings against RoIAlign's samples", "RoIPool 的取整与 RoIAlign 的采样")),
        ("confusion-matrix", new Words("from two label maps to the mean IoU", "从两张标签图到平均 IoU")),
        ("fcn", new Words("FCN-32s, 16s and 8s side by side, drawn from their graphs", "并排画出 FCN-32s、16s 与 8s 的真实计算图")),
        ("unet", new Words("the U-Net with its skips", "U-Net 及其跳跃连接")),
        ("maskrcnn", new Words("Mask R-CNN; with --weights and --photo a photo on its way through it", "Mask R-CNN；给出 --weights 和 --photo 时跟随一张照片走完全程")),
        ("receptive-field", new Words("what a value of a network sees, and how much of it counts", "网络中的一个值能看到多少，其中多少真正起作用")),
        ("sliding-window", new Words("what classifying every patch wastes", "逐块分类浪费了多少计算")),
    ];

    public static Command Create()
    {
        var topic = new Argument<string?>("topic") { Description = "What to explain; without it the topics are listed", Arity = ArgumentArity.ZeroOrOne, HelpName = "TOPIC" };
        var files = new Argument<string[]>("files") { Description = "confusion-matrix: the truth and the prediction, as label PNGs or files of numbers; receptive-field: the model", Arity = new ArgumentArity(0, 2), HelpName = "FILE|MODEL" };
        var input = new Option<string?>("--input") { Description = "The input: a size, filled by counting, or a file of numbers (.npy, or text with a row a line); for networks the image's size", HelpName = "HxW|FILE" };
        var kernel = new Option<string?>("--kernel") { Description = "The kernel, likewise; 'bilinear' for conv-transpose", HelpName = "HxW|FILE" };
        Option<int?> stride = SharedOptions.OptionalWhole("--stride", "Pixels from window to window, or from patch to patch; for roi-align pixels of the image for one of the features", 0, 100_000);
        Option<int?> padding = SharedOptions.OptionalWhole("--padding", "Zeros around the input", 0, 100_000);
        Option<int?> dilation = SharedOptions.OptionalWhole("--dilation", "Pixels from one number of the kernel to the next", 0, 100_000);
        Option<int?> outputPadding = SharedOptions.OptionalWhole("--output-padding", "Rows and columns that conv-transpose adds at the end", 0, 100_000);
        var rates = new Option<string[]>("--rates") { Description = "dilated-conv: rates of layers in a row, such as 2,2,2; may be given several times to compare", HelpName = "N,N,…" };
        var box = new Option<string?>("--box") { Description = "roi-align: the box in pixels of the image", HelpName = "X1,Y1,X2,Y2" };
        Option<int?> bins = SharedOptions.OptionalWhole("--bins", "roi-align: bins of the result, both ways", 0, 1000);
        Option<int?> samples = SharedOptions.OptionalWhole("--samples", "roi-align: samples of a bin, both ways", 0, 1000);
        var notAligned = new Option<bool>("--not-aligned") { Description = "roi-align: pixel centres at whole numbers, half a pixel off, as the first implementations had them" };
        Option<int?> classes = SharedOptions.OptionalWhole("--classes", "The number of classes of a network, or of confusion-matrix where it is more than the labels show", 1, 256);
        Option<int?> ignored = SharedOptions.OptionalWhole("--ignore", "confusion-matrix: the label of the truth that does not count [255]", 0, 255);
        Option<int?> patch = SharedOptions.OptionalWhole("--patch-size", "sliding-window: the side of a patch", 1, 1024);
        Option<int?> seeds = SharedOptions.OptionalWhole("--seeds", "receptive-field: networks of random weights to average over [3]", 1, 32);
        var weights = new Option<string?>("--weights") { Description = "maskrcnn: a trained detector to follow a photo through", HelpName = "FILE" };
        var photo = new Option<string?>("--photo") { Description = "maskrcnn: the photo", HelpName = "FILE" };
        var html = new Option<string?>("--html") { Description = "Write a page with pictures that move, in one file", HelpName = "FILE" };
        var png = new Option<string?>("--png") { Description = "Write each step as a picture (with English words)", HelpName = "DIR" };
        Option<Language> language = SharedOptions.Choice("--lang", "The language of the words", Language.En);
        Option<bool> json = SharedOptions.Json();
        var command = new Command("explain", "See what the operators do, step by step, with your own numbers")
        {
            topic, files, input, kernel, stride, padding, dilation, outputPadding, rates, box, bins, samples, notAligned, classes, ignored, patch, seeds, weights, photo, html, png, language, json,
        };
        Dictionary<string, Option[]> obeyed = new()
        {
            ["conv"] = [input, kernel, stride, padding, dilation],
            ["conv-transpose"] = [input, kernel, stride, padding, dilation, outputPadding],
            ["dilated-conv"] = [input, kernel, stride, padding, dilation, rates],
            ["roi-align"] = [input, stride, box, bins, samples, notAligned],
            ["confusion-matrix"] = [classes, ignored],
            ["fcn"] = [input, classes],
            ["unet"] = [input, classes],
            ["maskrcnn"] = [input, classes, weights, photo],
            ["receptive-field"] = [input, seeds],
            ["sliding-window"] = [input, stride, patch, classes],
        };
        command.SetAction(parsed =>
        {
            var terminal = new Terminal(parsed.GetValue(json));
            Language words = parsed.GetValue(language);
            if (parsed.GetValue(topic) is not { } name)
            {
                List(terminal, words);
                return 0;
            }
            if (!obeyed.TryGetValue(name, out Option[]? taken)) throw new UserException($"there is no topic '{name}': {NearNames.Suggest(name, [.. Topics.Select(t => t.Name)])}");
            Option[] own = [.. obeyed.Values.SelectMany(o => o).Distinct()];
            if (own.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false } && !taken.Contains(o)) is { } odd) throw new UserException($"{odd.Name} is not for {name}, which takes {string.Join(", ", taken.Select(o => o.Name))}");
            string[] given = parsed.GetValue(files) ?? [];
            int most = name switch { "confusion-matrix" => 2, "receptive-field" => 1, _ => 0 };
            if (given.Length > most) throw new UserException($"'{given[most]}' is one argument too many for {name}");
            try
            {
                Show(terminal, Explain(name), words, parsed.GetValue(html), parsed.GetValue(png));
            }
            catch (ExplainException e)
            {
                throw new UserException(e.Message);
            }
            return 0;

            Explanation Explain(string which) => which switch
            {
                "conv" => ConvTopic.Explain(Window(ConvTopic.Default, 0, 0)),
                "conv-transpose" => ConvTransposeTopic.Explain(Window(ConvTransposeTopic.Default, 1, 5)),
                "dilated-conv" => DilatedConvTopic.Explain(Window(DilatedConvTopic.Default, 0, 0), Rates(parsed.GetValue(rates))),
                "roi-align" => RoiAlignTopic.Explain(Region()),
                "confusion-matrix" => ConfusionMatrixTopic.Explain(Labels(given)),
                "receptive-field" => terminal.Progress("gradients", report => ReceptiveFieldTopic.Explain(Field(report))),
                "sliding-window" => SlidingWindowTopic.Explain(Patches()),
                _ => terminal.Progress("the network", report => NetworkTopic.Explain(which, Network(report))),
            };

            Size2d? Sides() => parsed.GetValue(input) is not { } text ? null
                : ExplainInput.Sides(text) is (int height, int width) ? new Size2d(height, width) : throw new UserException($"--input takes a height and a width for {name}, such as 320x480, not '{text}'");

            ReceptiveFieldOptions Field(Action<int, int, string> report)
            {
                if (given is not [var model]) throw new UserException("receptive-field takes the name of a network: 'delineate models' lists them");
                var usual = new ReceptiveFieldOptions { Model = model, Progress = (done, count) => report(done, count, $"gradients of network {Math.Min(done + 1, count)} of {count}") };
                return usual with { Input = Sides() ?? usual.Input, Seeds = parsed.GetValue(seeds) ?? usual.Seeds };
            }

            SlidingWindowOptions Patches()
            {
                var usual = new SlidingWindowOptions();
                return usual with
                {
                    Input = Sides() ?? usual.Input,
                    Stride = parsed.GetValue(stride) ?? usual.Stride,
                    PatchSize = parsed.GetValue(patch) ?? usual.PatchSize,
                    Classes = parsed.GetValue(classes) ?? usual.Classes,
                };
            }

            NetworkOptions Network(Action<int, int, string> report)
            {
                (string? file, string? picture) = (parsed.GetValue(weights), parsed.GetValue(photo));
                if (file is null != picture is null) throw new UserException("a photo goes through trained weights: give --weights and --photo together");
                report(0, 1, "the network");
                var usual = new NetworkOptions { Input = Sides(), Classes = parsed.GetValue(classes) ?? new NetworkOptions().Classes };
                return file is null ? usual : usual with
                {
                    Model = ModelFile.Load(SharedOptions.ExistingFile(file)) as DetectionModel ?? throw new UserException($"{file} is no detector"),
                    Photo = ImageFile.Load(SharedOptions.ExistingFile(picture!)),
                };
            }

            WindowOptions Window(WindowOptions usual, int firstInput, int firstKernel)
            {
                int step = parsed.GetValue(stride) ?? usual.Stride, rate = parsed.GetValue(dilation) ?? usual.Dilation;
                // Where the rate is given and the padding is not, the size is kept, as the topic says.
                int kept = usual.Padding > 0 ? rate : usual.Padding;
                return usual with
                {
                    Input = parsed.GetValue(input) is { } x ? ExplainInput.Read(x, firstInput) : usual.Input,
                    Kernel = parsed.GetValue(kernel) is not { } k ? usual.Kernel : k == "bilinear" && name == "conv-transpose" ? ConvTransposeTopic.Bilinear(Math.Clamp(step, 1, 512)) : ExplainInput.Read(k, firstKernel),
                    Stride = step,
                    Padding = parsed.GetValue(padding) ?? kept,
                    Dilation = rate,
                    OutputPadding = parsed.GetValue(outputPadding) ?? usual.OutputPadding,
                };
            }

            RoiOptions Region()
            {
                var usual = new RoiOptions();
                double[]? corners = parsed.GetValue(box) is { } text ? ExplainInput.Numbers(text) is { Length: 4 } four ? four : throw new UserException($"--box takes four numbers x1,y1,x2,y2, not '{text}'") : null;
                return usual with
                {
                    Features = parsed.GetValue(input) is { } x ? ExplainInput.Read(x, 0) : usual.Features,
                    Stride = parsed.GetValue(stride) ?? usual.Stride,
                    Box = corners is null ? usual.Box : new Box(corners[0], corners[1], corners[2], corners[3]),
                    Bins = parsed.GetValue(bins) ?? usual.Bins,
                    Samples = parsed.GetValue(samples) ?? usual.Samples,
                    IsAligned = !parsed.GetValue(notAligned),
                };
            }

            ConfusionOptions Labels(string[] paths)
            {
                if (paths.Length == 1) throw new UserException("confusion-matrix takes two files, the truth and the prediction");
                ConfusionOptions usual = new() { Classes = parsed.GetValue(classes), Ignored = parsed.GetValue(ignored) ?? 255 };
                return paths.Length == 0 ? usual : usual with { Truth = LabelsOf(paths[0]), Prediction = LabelsOf(paths[1]) };
            }
        });
        return command.WithExamples(
            "delineate explain", "delineate explain conv-transpose", "delineate explain conv-transpose --input 10x15 --kernel bilinear --stride 32 --padding 16 --html up.html",
            "delineate explain dilated-conv --rates 2,2,2 --rates 1,2,5", "delineate explain confusion-matrix truth.png prediction.png --lang zh", "delineate explain receptive-field unet", "delineate explain maskrcnn --weights best.safetensors --photo photo.jpg --html walk.html");
    }

    private static void List(Terminal terminal, Language language)
    {
        foreach ((string name, Words about) in Topics) terminal.Line($"{name,-18} {about.In(language)}");
        terminal.Json(new JsonObject { ["topics"] = new JsonArray([.. Topics.Select(t => (JsonNode)new JsonObject { ["topic"] = t.Name, ["about"] = t.About.In(language) })]) });
    }

    private static void Show(Terminal terminal, Explanation explanation, Language language, string? html, string? png)
    {
        ExplainView.Write(terminal, explanation, language);
        terminal.Json(ExplanationJson.Of(explanation, language));
        if (html is not null)
        {
            if (Directory.Exists(html)) throw new UserException($"{html} is a folder: --html takes the name of a file");
            if (Path.GetDirectoryName(Path.GetFullPath(html)) is { } folder) SharedOptions.OutputFolder(folder);
            File.WriteAllText(html, ExplanationPage.Html(explanation, language));
            terminal.Note($"page: {html}");
        }
        if (png is not null)
        {
            string folder = SharedOptions.OutputFolder(png);
            for (int i = 0; i < explanation.Steps.Count; i++)
                ImageFile.Save(ExplanationPictures.Draw(explanation, i), Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{explanation.Topic}-{i + 1:00}.png")));
            terminal.Note($"pictures: {explanation.Steps.Count} in {png}");
        }
    }

    private static IReadOnlyList<IReadOnlyList<int>>? Rates(string[]? given)
    {
        if (given is null or []) return null;
        return [.. given.Select(text => ExplainInput.Numbers(text) is { Length: > 0 } numbers && numbers.All(n => n is >= 1 and <= 1000 && n == Math.Floor(n))
            ? (IReadOnlyList<int>)[.. numbers.Select(n => (int)n)]
            : throw new UserException($"--rates takes whole numbers from 1 to 1000 between commas, such as 2,2,2, not '{text}'"))];
    }

    /// <summary>Labels from a PNG, or from a file of numbers.</summary>
    private static LabelMap LabelsOf(string path)
    {
        SharedOptions.ExistingFile(path);
        if (path.EndsWith(".png", StringComparison.OrdinalIgnoreCase)) return ImageFile.LoadLabels(path);
        Matrix numbers = ExplainInput.Read(path, 0);
        if (!numbers.Values.All(v => v is >= 0 and <= 255 && v == Math.Floor(v))) throw new UserException($"{path} holds numbers that are no labels: whole numbers from 0 to 255");
        return new LabelMap(numbers.Height, numbers.Width, [.. numbers.Values.Select(v => (byte)v)]);
    }
}

using System.Globalization;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Explain.Topics;

/// <summary>Whose receptive field to explain.</summary>
public sealed record ReceptiveFieldOptions
{
    /// <summary>A network that labels pixels, by its name in the catalog.</summary>
    public required string Model { get; init; }

    /// <summary>Height and width of the image in which gradients are measured.</summary>
    public Size2d Input { get; init; } = 193;

    /// <summary>Networks of random weights that the measurement is averaged over.</summary>
    public int Seeds { get; init; } = 3;

    /// <summary>Told before each of them how many are done, of how many.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>What the network is built with.</summary>
    public ModelOptions Network { get; init; } = new();
}

/// <summary><c>receptive-field</c>: how much of the image a value sees by the formula, layer by layer, and how much of that counts (Luo et al. 2016, arXiv:1701.04128).</summary>
public static class ReceptiveFieldTopic
{
    private const int LeastSide = 16, MostSide = 1024, MostSeeds = 32;
    private const double Share = 0.95;
    private const string Percent = "95 %";
    private const string EnlargesMark = " ↑";

    /// <exception cref="ExplainException">There is no such network that labels pixels, or an option makes no sense.</exception>
    public static Explanation Explain(ReceptiveFieldOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        Module network = Network(options, seed: 1, skip: true);
        Func<Tensor, Tensor> forward = EffectiveField.Forward(network);
        GraphFlow flow;
        try
        {
            flow = network.InEvaluation(() => GraphFlow.Of(Graph.Trace(network, forward, [1, options.Input.Height, options.Input.Width, 3])));
        }
        catch (ShapeException e)
        {
            throw new ExplainException($"{options.Model} cannot take an image of {options.Input}: {e.Message}", e);
        }
        ReceptiveField[] rows = ReceptiveFields.Along(flow, rows: true), columns = ReceptiveFields.Along(flow, rows: false);
        Agree(flow, rows, isRows: true);
        Agree(flow, columns, isRows: false);
        IReadOnlyList<int> path = ReceptiveFields.MainPath(flow, rows, flow.Outputs[0]);
        IReadOnlyList<int> coarse = [.. path.TakeWhile(i => !Enlarges(flow, i))];
        if (EffectiveField.Before(flow, coarse, network) is not var (last, layer)) throw new ExplainException($"{options.Model} has no layer before its scores are enlarged");

        (Matrix energy, (int Row, int Column) middle) = Measure(options, flow, rows, columns, last, PathOf(network, layer));
        int side = EffectiveField.Side(energy, middle.Row, middle.Column, Share);
        string name = PathOf(network, layer) is { Length: > 0 } within ? within.Replace('/', '.') : Named(flow, last), field = Whole(rows[last].Size), jump = Whole(rows[last].Jump);
        Words title = new("Receptive fields: what a value sees", "感受野：一个值能看到多少");
        bool isWhole = rows[last].IsWhole;
        Words summary = new(
            $"{options.Model}, {name}: {field}×{field} pixels by the formula{(isWhole ? " (the whole image through a global mean)" : "")}, a value every {jump}; {Percent} of the gradient's energy lie in {side}×{side}",
            $"{options.Model}，{name}：按公式为 {field}×{field} 像素{(isWhole ? "（经全局平均还能看到整张图像）" : "")}，每 {jump} 像素一个值；{Percent} 的梯度能量集中在 {side}×{side} 内");
        return new Explanation("receptive-field", title, summary, new Sheet(), [Formula(flow, rows, columns, path), Gradient(options, rows[last], columns[last], energy, middle, side, name)]);
    }

    private static void Check(ReceptiveFieldOptions options)
    {
        (Size2d input, string model) = (options.Input, options.Model);
        Need(Math.Min(input.Height, input.Width) >= LeastSide && Math.Max(input.Height, input.Width) <= MostSide, $"the input has {LeastSide} to {MostSide} pixels a side; it is {input}");
        Need(options.Seeds is >= 1 and <= MostSeeds, $"seeds must be 1 to {MostSeeds}; it is {options.Seeds}");
        try
        {
            _ = ModelCatalog.Describe(model);
        }
        catch (UnknownModelException e)
        {
            throw new ExplainException(e.Message, e);
        }
        Need(!ModelCatalog.IsDetector(model), $"{model} looks at regions of its own choice, which have no fixed field: name a network that labels pixels");

        static void Need(bool holds, string rule)
        {
            if (!holds) throw new ExplainException(rule);
        }
    }

    private static Module Network(ReceptiveFieldOptions options, ulong seed, bool skip = false)
    {
        using Init.SkipScope? quick = skip ? Init.Skip() : null;
        Module network;
        try
        {
            network = ModelCatalog.Create(options.Model, options.Network with { AuxiliaryHead = false }, new ClassTable(Enumerable.Range(0, 21).Select(i => $"class {i}")), seed: seed).Network;
        }
        catch (ModelOptionsException e)
        {
            throw new ExplainException(e.Message, e);
        }
        if (skip) return network;
        // The first FCNs score with zeros at first, which let no gradient through.
        foreach ((_, Tensor weight) in network.NamedParameters().Where(p => p.Tensor.Shape.Rank == 4 && !p.Tensor.Span.ContainsAnyExcept(0)))
            Init.KaimingNormalFanIn(weight, new Philox(seed));
        return network;
    }

    /// <summary>The mean energy over networks of random weights for the value nearest to the middle of the image, and the pixel in the middle of what that value sees.</summary>
    private static (Matrix Energy, (int Row, int Column) Middle) Measure(ReceptiveFieldOptions options, GraphFlow flow, ReceptiveField[] rows, ReceptiveField[] columns, int last, string path)
    {
        var sum = new double[options.Input.Height * options.Input.Width];
        Shape output = flow.Steps[last].Output;
        (int Row, int Column) place = (Place(rows[last], output[1], options.Input.Height), Place(columns[last], output[2], options.Input.Width));
        for (int seed = 1; seed <= options.Seeds; seed++)
        {
            options.Progress?.Invoke(seed - 1, options.Seeds);
            Module network = Network(options, (ulong)seed);
            Matrix energy = EffectiveField.Energy(network, EffectiveField.Forward(network), (Layer)At(network, path), place, options.Input, (ulong)seed);
            double all = energy.Values.Sum();
            if (all > 0) sum = [.. sum.Select((s, i) => s + (energy.Values[i] / all / options.Seeds))]; // each network counts alike
        }
        var mean = new Matrix(options.Input.Height, options.Input.Width, sum);
        (double top, double bottom) = rows[last].At(place.Row);
        (double left, double right) = columns[last].At(place.Column);
        // The gradient must be 0 wherever the formula says that nothing is seen.
        if (!rows[last].IsWhole && EffectiveField.Support(mean) is var (t, l, b, r) && (t < top || l < left || b > bottom || r > right))
            throw new InvalidOperationException(Invariant($"gradients reach rows {t} to {b} and columns {l} to {r}, the formula rows {top} to {bottom} and columns {left} to {right}"));
        return (mean, (Middle(top, bottom, mean.Height), Middle(left, right, mean.Width)));

        // The value whose field has its middle nearest to that of the image.
        static int Place(ReceptiveField field, int values, int length) => Math.Clamp((int)Math.Round((((length - 1) / 2.0) - field.Start) / field.Jump), 0, values - 1);

        static int Middle(double first, double last, int length) => Math.Clamp((int)Math.Floor((first + last) / 2), 0, length - 1);
    }

    /// <summary>Demands of every op before the first that enlarges that the formula and a walk back from its middle value say the same, and of later ones that the walk stays inside.</summary>
    private static void Agree(GraphFlow flow, ReceptiveField[] fields, bool isRows)
    {
        for (int i = 0; i < fields.Length; i++)
        {
            Shape output = flow.Steps[i].Output;
            if (output.Rank != 4 || fields[i].IsEnlarged || ReceptiveFields.Seen(flow, i, output[isRows ? 1 : 2] / 2, isRows) is not var (first, last)) continue;
            (double from, double to) = fields[i].At(output[isRows ? 1 : 2] / 2);
            if (first != from || last != to)
                throw new InvalidOperationException(Invariant($"by the formula {Named(flow, i)} sees {from} to {to}, walking back {first} to {last}"));
        }
    }

    private static Step Formula(GraphFlow flow, ReceptiveField[] rows, ReceptiveField[] columns, IReadOnlyList<int> path)
    {
        Words whole = new("whole image", "整张图像");
        bool seesWhole = path.Any(i => rows[i].IsWhole), enlarges = path.Any(i => Enlarges(flow, i));
        var table = new List<IReadOnlyList<Words>> { Row("input", "", "", "", flow.Inputs[0], new ReceptiveField(1, 0, 1, false, false), new ReceptiveField(1, 0, 1, false, false)) };
        foreach (int i in path)
        {
            FlowStep step = flow.Steps[i];
            string kernel, stride, dilation = "1";
            switch (step.Rows, step.Columns)
            {
                case (AxisRead.Window { Kernel: 1, Stride: 1 }, AxisRead.Window { Kernel: 1, Stride: 1 }) when step.Weight is null:
                    continue;
                case (AxisRead.Window a, AxisRead.Window b):
                    (kernel, stride, dilation) = ($"{a.Kernel}×{b.Kernel}", $"{a.Stride}", $"{a.Dilation}");
                    break;
                case (AxisRead.Spread a, AxisRead.Spread b):
                    (kernel, stride, dilation) = ($"{a.Kernel}×{b.Kernel}", $"1/{a.Stride}", $"{a.Dilation}");
                    break;
                case (AxisRead.Resized { Step: 1 }, _):
                    continue;
                case (AxisRead.Resized a, AxisRead.Resized):
                    (kernel, stride) = (a.Interpolates ? "2×2" : "1×1", Matrix.Format(a.Step));
                    break;
                default:
                    (kernel, stride, dilation) = ($"{(step.Sources[0] < 0 ? flow.Inputs[0] : flow.Steps[step.Sources[0]].Output)[1]}", "", "");
                    break;
            }
            table.Add(Row(Named(flow, i) + (Enlarges(flow, i) ? EnlargesMark : ""), kernel, stride, dilation, step.Output, rows[i], columns[i]));
        }
        return new Step(
            new Words("By the formula", "按公式"),
            new Words(
                "Along the path that sees most: the field r grows by (k − 1)·d·j at each layer, the jump j between neighbouring values by the stride s; start is the middle of what the first value sees, in pixels. "
                + $"Where paths join, the larger field counts.{(enlarges ? " Layers marked ↑ enlarge: they divide the jump, and from there on the field is the most that any value sees." : "")}{(seesWhole ? " “+ whole image”: a mean over all places has joined, and through it every value sees everything." : "")}",
                "沿看得最多的路径：每一层感受野 r 增加 (k − 1)·d·j，相邻两值的间距 j 乘以步幅 s；start 是第一个值所见区域的中心（像素）。"
                + $"路径汇合处取较大的感受野。{(enlarges ? "标有 ↑ 的层放大特征图：间距相应变小，此后列出的是各值所见的最大范围。" : "")}{(seesWhole ? "“+ 整张图像”：汇入了对所有位置的平均，此后每个值都能看到整张图像。" : "")}"),
            [
                new Exhibit.Line("r' = r + (k − 1)·d·j    j' = j·s    start' = start + ((k − 1)·d/2 − p)·j"),
                new Exhibit.Table([new("layer", "层"), new("kernel k", "卷积核 k"), new("stride s", "步幅 s"), new("dilation d", "空洞率 d"), new("output", "输出"), new("jump j", "间距 j"), new("start", "起点"), new("field r", "感受野 r")], table),
            ]);

        IReadOnlyList<Words> Row(string name, string kernel, string stride, string dilation, Shape output, ReceptiveField r, ReceptiveField c)
        {
            string size = r.Size == c.Size ? Whole(r.Size) : $"{Whole(r.Size)}×{Whole(c.Size)}";
            string map = output.Rank == 4 ? $"{output[1]}×{output[2]}" : "";
            return [name, kernel, stride, dilation, map, Both(r.Jump, c.Jump), Both(r.Start, c.Start), r.IsWhole ? new Words($"{size} + {whole.English}", $"{size} + {whole.Chinese}") : size];
        }

        static string Both(double a, double b) => Matrix.Format(a) == Matrix.Format(b) ? Matrix.Format(a) : $"{Matrix.Format(a)}×{Matrix.Format(b)}";
    }

    private static Step Gradient(ReceptiveFieldOptions options, ReceptiveField rows, ReceptiveField columns, Matrix energy, (int Row, int Column) middle, int side, string name)
    {
        double field = Math.Max(rows.Size, columns.Size);
        string share = Invariant($"{100.0 * side * side / (field * field):0.#} %");
        bool isBeyond = field > Math.Min(energy.Height, energy.Width);
        return new Step(
            new Words("By gradients", "按梯度"),
            new Words(
                $"How strongly the value of {name} in the middle, before scores are enlarged, depends on each pixel of {options.Input}: the gradient's square, from {(options.Seeds == 1 ? "a network" : $"{options.Seeds} networks")} of random weights. Values see far, but mostly look at the middle: {Percent} of the energy lie in a square of {side} pixels a side, {share} of the theoretical field's area.{(isBeyond ? " The field reaches beyond the image, where only padding is: a larger input shows more of it." : "")} Where the formula says that nothing is seen, the gradient is 0.",
                $"放大得分之前，{name} 中央的值对 {options.Input} 图像中每个像素的依赖程度：梯度的平方，取 {options.Seeds} 个随机权重网络的平均。理论上看得很远，实际主要看中间：{Percent} 的能量集中在边长 {side} 像素的正方形内，面积只占理论感受野的 {share}。{(isBeyond ? "感受野超出了图像，那里只有填充：更大的输入能显示更多。" : "")}公式认为看不到的地方，梯度为 0。"),
            [new Exhibit.Drawing(FieldSketch.Draw(energy, rows, columns, middle, side), new Words("the image, what the middle value depends on, and both fields", "图像、中央值的依赖程度与两种感受野"))]);
    }

    private static bool Enlarges(GraphFlow flow, int step) => flow.Steps[step].Rows is AxisRead.Spread { Stride: > 1 } or AxisRead.Resized { Step: < 1 };

    private static string Named(GraphFlow flow, int step) => flow.Steps[step] is { Path.Length: > 0 } named && named.Weight is not null ? named.Path : $"{(flow.Steps[step].Path is { Length: > 0 } path ? path + " " : "")}{flow.Steps[step].Op}";

    private static string PathOf(Module network, Layer layer)
    {
        return Find(network, "") ?? throw new ArgumentException("the layer is none of the network's", nameof(layer));

        string? Find(Module module, string name) => ReferenceEquals(module, layer)
            ? name
            : module.Children.Select(c => Find(c.Module, name.Length == 0 ? c.Name : $"{name}/{c.Name}")).FirstOrDefault(found => found is not null);
    }

    private static Module At(Module network, string path) => path.Length == 0 ? network : path.Split('/').Aggregate(network, (module, name) => module.Children.First(c => c.Name == name).Module);

    private static string Whole(double size) => Matrix.Format(size);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

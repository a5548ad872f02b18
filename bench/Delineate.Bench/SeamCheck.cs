using System.Globalization;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tensors;

namespace Delineate.Bench;

/// <summary>
/// How far labels through windows agree with those of the whole image: <c>seams WEIGHTS DATA COUNT SCALE WINDOW[:CONTEXT]...</c>, such as
/// <c>seams best.safetensors camvid 101 1 256x256 256x256:0</c>. The first images of the validation split are enlarged or reduced before.
/// </summary>
internal static class SeamCheck
{
    public static int Run(string[] args)
    {
        if (args.Length < 5)
        {
            Console.Error.WriteLine("usage: Delineate.Bench seams WEIGHTS DATA COUNT SCALE HxW[:CONTEXT]...");
            return 2;
        }
        Model model = ModelFile.Load(args[0]);
        Dataset data = DatasetCatalog.Open(args[1], "val");
        int count = Math.Min(data.Count, int.Parse(args[2], CultureInfo.InvariantCulture));
        double scale = double.Parse(args[3], CultureInfo.InvariantCulture);
        var whole = new Row("whole", new Predictor(model), model);
        Row[] rows = [.. args[4..].Select(text => new Row(text, new Predictor(model, Options(text)), model))];
        for (int i = 0; i < count; i++)
        {
            Sample sample = data.Load(i);
            (int height, int width) = ((int)(sample.Image.Height * scale), (int)(sample.Image.Width * scale));
            sample = sample with { Image = sample.Image.Resize(height, width), Annotation = new Annotation { Semantic = sample.Annotation.Semantic!.Resize(height, width) } };
            byte[] labels = whole.Add(sample, null);
            foreach (Row row in rows) row.Add(sample, labels);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{model.Name}, {count} images"));
        foreach (Row row in (Row[])[whole, .. rows]) Console.WriteLine(row);
        return 0;
    }

    private static PredictorOptions Options(string text)
    {
        int[] numbers = [.. text.Split(':', 'x').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        var options = new PredictorOptions { Window = (numbers[0], numbers[1]) };
        return numbers.Length > 2 ? options with { Context = numbers[2] } : options;
    }

    private sealed class Row(string name, Predictor predictor, Model model)
    {
        private readonly ConfusionMatrix truth = new(model.Classes.Count, model.Classes.IgnoreIndex);
        private readonly List<double> agreements = [];
        private long equal, pixels, windows;

        public byte[] Add(Sample sample, byte[]? whole)
        {
            int all = 1;
            LabelMap labels = predictor.Predict(sample.Image, (_, count) => all = count).Semantic!;
            windows += all;
            truth.Add(sample.Annotation.Semantic!, labels);
            int same = labels.Labels.Zip(whole ?? labels.Labels).Count(p => p.First == p.Second);
            (equal, pixels) = (equal + same, pixels + labels.Labels.Length);
            agreements.Add((double)same / labels.Labels.Length);
            return labels.Labels;
        }

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-14} {(double)windows / agreements.Count,5:F1} windows an image   agreement {100.0 * equal / pixels:F3} %, worst image {100 * agreements.Min():F2} %, {agreements.Count(a => a >= 0.995)} of {agreements.Count} images at 99.5 % or more   mean IoU {truth.Scores(model.Classes.Names).MeanIou:F4}");
    }
}

using System.Globalization;
using System.Xml;
using Delineate.Data.Objects;
using Delineate.Imaging;

namespace Delineate.Data.Sets;

/// <summary>
/// CVAT's XML for images, version 1.1: <c>annotations.xml</c> beside <c>images/</c>, with polygons, boxes, ellipses and masks; shapes of one label and
/// group are one object, the subsets of a project are splits. Source: https://docs.cvat.ai/docs/manual/advanced/xml_format/.
/// </summary>
public static class Cvat
{
    internal const string Expected = "annotations.xml beside images/ (CVAT for images)";

    private const int MostShapes = 1 << 24;
    private const long MostCharacters = 1L << 32;

    internal static bool Recognises(string folder) => File.Exists(PathIn(folder));

    internal static ObjectSet Read(string folder, DatasetManifest manifest)
    {
        string path = PathIn(folder);
        if (!File.Exists(path)) throw new DatasetException(folder, "there is no annotations.xml", $"looked for {Expected}");
        var read = new Document(path);
        try
        {
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = MostCharacters, IgnoreComments = true, IgnoreWhitespace = true };
            using FileStream stream = File.OpenRead(path);
            using var xml = XmlReader.Create(stream, settings);
            read.Go(xml);
        }
        catch (XmlException e)
        {
            throw new DatasetException(path, $"line {e.LineNumber}: this is not valid XML, or cut short: {e.Message.Split(" Line ")[0].TrimEnd('.')}", "export it again", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException || (e is IOException && e is not DatasetException))
        {
            throw FileDataset.Unreadable(path, e);
        }
        string[] labels = [.. read.Labels.Select(l => l.Name).Where(n => !ObjectClasses.IsBackground(n)).Distinct()];
        Rgb?[] colors = [.. labels.Select(n => read.Labels.First(l => l.Name == n).Color)];
        ClassTable table = ObjectClasses.TableOf(labels, manifest, path, colors.Distinct().Count() == colors.Length ? colors : null);
        Dictionary<string, int> labelOf = ObjectClasses.LabelsOf(read.Labels.Select(l => l.Name), table);
        List<string> notes = [];
        string[] subsets = [.. read.Images.Select(i => i.Subset).Distinct()];
        bool areSplits = subsets.Length > 1 || (subsets.Length == 1 && SplitNames.Plain(subsets[0]) is "train" or "val" or "test");
        HeldPart[] parts = [.. areSplits ? subsets.Select(s => read.Part(folder, s, labelOf)) : [read.Part(folder, null, labelOf)]];
        IReadOnlyList<ObjectPart> splits = parts;
        if (!areSplits)
        {
            splits = Subset.Divide(folder, manifest, parts[0], out IEnumerable<string> how);
            notes.AddRange(how);
        }
        return new ObjectSet { Folder = folder, Layout = DatasetLayout.Cvat, Manifest = manifest, Classes = table, Parts = splits, Notes = notes };
    }

    private static string PathIn(string folder) => Path.Combine(folder, "annotations.xml");

    private sealed class Document(string path)
    {
        private readonly List<FileFault> faults = [];
        private int shapeCount;

        public List<(string Name, Rgb? Color)> Labels { get; } = [];

        public List<(string Name, int Height, int Width, string Subset, IReadOnlyList<RawObject> Objects)> Images { get; } = [];

        public void Go(XmlReader xml)
        {
            xml.MoveToContent();
            if (xml.Name != "annotations") throw new DatasetException(path, $"its first element is <{xml.Name}>, not <annotations>", null);
            while (xml.Read())
            {
                if (xml.NodeType != XmlNodeType.Element) continue;
                if (xml.Name == "track") throw new DatasetException(path, "it is CVAT's XML for videos", "export it as \"CVAT for images\"");
                if (xml.Name == "label" && xml.Depth > 1) ReadLabel(xml);
                else if (xml.Name == "image" && xml.Depth == 1) ReadImage(xml);
            }
        }

        public HeldPart Part(string folder, string? subset, Dictionary<string, int> labels)
        {
            var chosen = Images.Where(i => subset is null || i.Subset == subset).ToArray();
            string[] names = ImagePaths.SampleNames([.. chosen.Select(i => i.Name)]);
            string[] folders = [Path.Combine(folder, "images"), .. subset is null ? Array.Empty<string>() : [Path.Combine(folder, "images", subset), Path.Combine(folder, subset)], folder];
            var paths = new ImagePaths(folders);
            ImageRecord[] records = [.. chosen.Select((c, i) => new ImageRecord(names[i], c.Name, paths.Find(c.Name), c.Height, c.Width, path))];
            RawObject[] objects = [.. chosen.SelectMany((c, i) => c.Objects.Select(o => o with { Image = i }))];
            var content = new PartContent(records, objects, subset is null || subset == Images[0].Subset ? faults : []);
            return new HeldPart(() => content) { Split = subset ?? "", File = path, Labels = labels };
        }

        private void ReadLabel(XmlReader xml)
        {
            (string? name, Rgb? color) = (null, null);
            if (xml.IsEmptyElement) return;
            int depth = xml.Depth;
            while (xml.Read() && xml.Depth > depth)
            {
                if (xml.NodeType != XmlNodeType.Element || xml.Depth != depth + 1 || xml.IsEmptyElement) continue;
                string element = xml.Name;
                if (element is not ("name" or "color")) continue;
                if (!xml.Read() || xml.NodeType != XmlNodeType.Text) continue;
                if (element == "name") name = xml.Value.Trim();
                else if (xml.Value.Trim() is { Length: 7 } hex && hex[0] == '#' && int.TryParse(hex.AsSpan(1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int rgb))
                    color = new Rgb((byte)(rgb >> 16), (byte)(rgb >> 8), (byte)rgb);
            }
            if (!string.IsNullOrEmpty(name) && Labels.All(l => l.Name != name)) Labels.Add((name, color));
        }

        private void ReadImage(XmlReader xml)
        {
            string name = xml.GetAttribute("name") ?? "", subset = xml.GetAttribute("subset") ?? "";
            (int height, int width) = (Side(xml, "height"), Side(xml, "width"));
            var shapes = new List<(string? Group, RawObject Shape)>();
            if (!xml.IsEmptyElement)
            {
                int depth = xml.Depth;
                bool inside = xml.Read();
                while (inside && xml.Depth > depth)
                {
                    if (xml.NodeType == XmlNodeType.Element && xml.Name != "tag")
                    {
                        if (++shapeCount > MostShapes) throw new DatasetException(path, $"it has more than {MostShapes} shapes", "divide it into files");
                        shapes.Add(CvatShape.Read(xml, shapes.Count, height, width));
                    }
                    inside = xml.Read();
                }
            }
            if (name.Length == 0 || ImagePaths.Relative(name) is null)
            {
                faults.Add(new FileFault(Severity.Error, path, $"image {Images.Count + 1} has no name", "its shapes are left out"));
                return;
            }
            if (height == 0 || width == 0) faults.Add(new FileFault(Severity.Warning, path, $"image {name} has no height and width above 0", "those of its file are taken"));
            if (Images.Count > 0 && Images[^1].Name == name && Images[^1].Subset == subset)
                faults.Add(new FileFault(Severity.Error, path, $"image {name} is there twice", "take one out"));
            Images.Add((name, height, width, subset, [.. ObjectJoin.Join(shapes, height, width)]));
        }

        private static int Side(XmlReader xml, string name) =>
            int.TryParse(xml.GetAttribute(name), NumberStyles.None, CultureInfo.InvariantCulture, out int side) && side is >= 1 and <= 1 << 20 ? side : 0;
    }
}

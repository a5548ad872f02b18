using System.Globalization;
using System.Xml;
using Delineate.Data.Objects;

namespace Delineate.Data.Sets;

/// <summary>Reads one shape of a CVAT image.</summary>
internal static class CvatShape
{
    private const long MostPixels = 1 << 28; // as many as a decoded image may have

    /// <summary>The shape that the reader stands on, and its group; the reader is left at the shape's end.</summary>
    public static (string? Group, RawObject Shape) Read(XmlReader xml, int index, int height, int width)
    {
        string kind = xml.Name;
        string? group = xml.GetAttribute("group_id");
        var raw = new RawObject { Id = $"{kind} {index + 1}", Category = xml.GetAttribute("label") };
        try
        {
            raw = kind switch
            {
                "polygon" => raw with { Polygons = [Points(xml.GetAttribute("points") ?? "")] },
                "box" => raw with { Polygons = [ObjectJoin.Rectangle(Number(xml, "xtl"), Number(xml, "ytl"), Number(xml, "xbr"), Number(xml, "ybr"), Number(xml, "rotation", 0))] },
                "ellipse" => raw with { Polygons = [ObjectJoin.Ellipse(Number(xml, "cx"), Number(xml, "cy"), Number(xml, "rx"), Number(xml, "ry"), Number(xml, "rotation", 0))] },
                "mask" => raw with { Runs = Mask(xml, height, width) },
                _ => Faulty(raw, FaultKind.OtherShape, $"a {kind} has no area", Severity.Note),
            };
        }
        catch (FormatException e)
        {
            raw = Faulty(raw, kind == "mask" ? FaultKind.BadRuns : FaultKind.Unreadable, e.Message, Severity.Error);
        }
        return (group is null or "0" or "" ? null : group, raw with { IsCrowd = ReadCrowd(xml) });
    }

    private static RawObject Faulty(RawObject raw, FaultKind kind, string problem, Severity severity) => raw with { Faults = [new ObjectFault(kind, severity, true, problem)] };

    private static double[] Points(string text)
    {
        string[] pairs = text.Split(';', StringSplitOptions.RemoveEmptyEntries);
        double[] line = new double[2 * pairs.Length];
        for (int i = 0; i < pairs.Length; i++)
        {
            if (pairs[i].Split(',') is not [var x, var y]) throw new FormatException($"point {i + 1} of it is not two numbers");
            (line[2 * i], line[(2 * i) + 1]) = (Parse(x), Parse(y));
        }
        return line;
    }

    private static double Number(XmlReader xml, string name, double? missing = null) => xml.GetAttribute(name) is { } text ? Parse(text) : missing ?? throw new FormatException($"it has no {name}");

    private static double Parse(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : double.NaN;

    /// <summary>Runs outside and inside by turns, along the rows of a window of the image.</summary>
    private static RawRuns Mask(XmlReader xml, int imageHeight, int imageWidth)
    {
        (int left, int top, int height, int width) = (Whole(xml, "left"), Whole(xml, "top"), Whole(xml, "height"), Whole(xml, "width"));
        if (imageHeight == 0 || imageWidth == 0 || (long)imageHeight * imageWidth > MostPixels) throw new FormatException("its mask cannot be placed: its image has no size");
        if (height < 1 || width < 1 || left > imageWidth - width || top > imageHeight - height)
            throw new FormatException($"its mask of {height}×{width} pixels at ({top}, {left}) leaves the image of {imageHeight}×{imageWidth}");
        byte[] pixels = new byte[height * width];
        int place = 0, run = 0;
        string text = xml.GetAttribute("rle") ?? "";
        foreach (Range range in text.AsSpan().Split(','))
        {
            ReadOnlySpan<char> word = text.AsSpan()[range].Trim();
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int length)) throw new FormatException($"run {run + 1} of the mask is '{word[..Math.Min(word.Length, 20)]}'");
            if (length > pixels.Length - place) throw new FormatException($"the mask's runs cover more than its {height}×{width} pixels");
            if (run++ % 2 == 1) pixels.AsSpan(place, length).Fill(1);
            place += length;
        }
        if (place != pixels.Length) throw new FormatException($"the mask's runs cover {place} of its {height}×{width} pixels");
        Rle whole = Rle.Encode(pixels, height, width).Pad(top, left, imageHeight - top - height, imageWidth - left - width);
        return new RawRuns(imageHeight, imageWidth, null, null) { Ready = whole };
    }

    private static int Whole(XmlReader xml, string name) =>
        int.TryParse(xml.GetAttribute(name), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : throw new FormatException($"its {name} is no whole number");

    /// <summary>Whether the shape has the attribute that CVAT makes of COCO's crowds; goes to the shape's end.</summary>
    private static bool ReadCrowd(XmlReader xml)
    {
        if (xml.IsEmptyElement) return false;
        (bool crowd, int depth) = (false, xml.Depth);
        while (xml.Read() && xml.Depth > depth)
        {
            if (xml.NodeType != XmlNodeType.Element || xml.Name != "attribute" || xml.GetAttribute("name") != "is_crowd" || xml.IsEmptyElement) continue;
            if (xml.Read() && xml.NodeType == XmlNodeType.Text) crowd = xml.Value.Trim() is "true" or "True" or "1";
        }
        return crowd;
    }
}

using Delineate.Data;
using Delineate.Imaging;
using Xunit;

namespace Delineate.Tests.Data.Sets;

public class CvatTests
{
    private static string File(string shapes, string more = "") => $"""
        <?xml version="1.0" encoding="utf-8"?>
        <annotations>
          <version>1.1</version>
          <meta><task><id>1</id><labels>
            <label><name>car</name><color>#c06060</color><attributes><attribute><name>is_crowd</name></attribute></attributes></label>
            <label><name>road</name><color>#204080</color></label>
          </labels><owner><username>label</username></owner></task><dumped>2024</dumped></meta>
          <image id="0" name="sub/a.png" width="30" height="20">{shapes}</image>
          <image id="1" name="b.png" width="30" height="20"></image>{more}
        </annotations>
        """;

    private static TempDataset Two(string shapes, string more = "") =>
        new TempDataset().Text("annotations.xml", File(shapes, more)).Picture("images/sub/a.png", 20, 30).Picture("images/b.png", 20, 30);

    [Fact]
    public void Polygons_boxes_ellipses_and_masks_are_objects_and_a_group_is_one()
    {
        using TempDataset set = Two("""
            <polygon label="car" source="manual" occluded="0" points="2.0,1.0;5,1;5,4;2,4" z_order="0"><attribute name="is_crowd">true</attribute></polygon>
            <box label="road" xtl="6" ytl="1" xbr="10" ybr="3" z_order="1"/>
            <mask label="car" rle="1, 3, 1, 1" left="20" top="5" width="3" height="2" z_order="0"></mask>
            <ellipse label="car" cx="10" cy="12" rx="4" ry="2" rotation="90"/>
            <polygon label="car" points="0,15;2,15;2,17;0,17" group_id="3"/>
            <mask label="car" rle="0, 4" left="4" top="15" width="2" height="2" group_id="3"/>
            <tag label="car"/><polyline label="road" points="0,0;1,1"/>
            """);
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Equal(["background", "car", "road"], all.Classes.Names);
        Assert.Equal(new Rgb(0x20, 0x40, 0x80), all.Classes.Palette[2]);
        int a = all.Names.ToList().IndexOf("a");
        IReadOnlyList<Instance> objects = all.Load(a).Annotation.Instances!;
        Assert.Equal([1, 2, 1, 1, 1], objects.Select(o => o.Label));
        Assert.Equal([true, false, false, false, false], objects.Select(o => o.IsCrowd));
        Assert.Equal((9, new Box(6, 1, 10, 3)), (objects[0].Mask!.Area, objects[1].Box));
        // Rows of the window: 0 1 1 / 1 0 1.
        Assert.Equal([1, 0, 1], new[] { objects[2].Mask!.Decode()[(6 * 30) + 20], objects[2].Mask!.Decode()[(6 * 30) + 21], objects[2].Mask!.Decode()[(6 * 30) + 22] });
        Assert.Equal(4, objects[2].Mask!.Area);
        Box turned = objects[3].Box;
        Assert.True(turned.Height > turned.Width, $"{turned}");
        Assert.Equal((8, new Box(0, 15, 6, 17)), (objects[4].Mask!.Area, objects[4].Box));
        Assert.Contains(all.Notes, n => n.Contains("1 object of shapes without an area (polyline"));
    }

    [Fact]
    public void Subsets_are_splits()
    {
        using TempDataset set = new TempDataset().Text("annotations.xml", File("").Replace("""name="sub/a.png" """, """name="a.png" subset="Train" """).Replace("""name="b.png" """, """name="b.png" subset="Validation" """))
            .Picture("images/Train/a.png", 20, 30).Picture("images/Validation/b.png", 20, 30);
        Assert.Equal(["a"], DatasetCatalog.Open(set.Root).Names);
        Assert.Equal(["b"], DatasetCatalog.Open(set.Root, "val").Names);
    }

    [Theory]
    [InlineData("""<polygon label="car" points="1,1;2"/>""", "point 2 of it is not two numbers")]
    [InlineData("""<polygon label="car" points="1,1;2,2"/>""", "its outline has 2 points")]
    [InlineData("""<polygon label="bike" points="1,1;4,1;4,4"/>""", "its category 'bike' is not listed")]
    [InlineData("""<box label="car" xtl="1" ytl="2" xbr="3"/>""", "it has no ybr")]
    [InlineData("""<mask label="car" rle="1, 2" left="0" top="0" width="2" height="2"/>""", "runs cover 3 of its 2×2 pixels")]
    [InlineData("""<mask label="car" rle="1, -2" left="0" top="0" width="2" height="2"/>""", "run 2 of the mask is '-2'")]
    [InlineData("""<mask label="car" rle="4" left="29" top="0" width="2" height="2"/>""", "leaves the image of 20×30")]
    [InlineData("""<mask label="car" rle="4" left="0" top="0" width="2" height="2"/>""", "its mask has no pixel")]
    public void Faulty_shapes_are_left_out_by_name(string shape, string problem)
    {
        using TempDataset set = Two("""<polygon label="car" points="2,1;5,1;5,4;2,4"/>""" + shape);
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Assert.Single(Enumerable.Range(0, 2).SelectMany(i => all.Load(i).Annotation.Instances!));
        string note = Assert.Single(all.Notes, n => n.StartsWith("left out", StringComparison.Ordinal));
        Assert.Contains(" 2 of image sub/a.png", note);
        Assert.Contains(problem, note);
    }

    [Theory]
    [InlineData("<annotations><image", "this is not valid XML")]
    [InlineData("<annotation/>", "its first element is <annotation>")]
    [InlineData("<annotations><track/></annotations>", "CVAT's XML for videos")]
    [InlineData("<!DOCTYPE x [<!ENTITY a \"b\">]><annotations>&a;</annotations>", "this is not valid XML")]
    [InlineData("<annotations/>", "it names no category of objects")]
    public void A_faulty_file_is_refused_in_plain_words(string xml, string message)
    {
        using TempDataset set = new TempDataset().Text("annotations.xml", xml);
        var e = Assert.Throws<DatasetException>(() => DatasetCatalog.Open(set.Root));
        Assert.Equal(set.At("annotations.xml"), e.File);
        Assert.Contains(message, e.Message);
    }
}

using Delineate.Data;
using Delineate.Drawing;
using Delineate.Imaging;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Drawing;

public class InstanceOverlayTests
{
    private static readonly ClassTable Classes = new(["background", "person", "dog"]) { Background = 0 };

    private static Instance Thing(Box box, float score = 0.9f, int label = 1, bool masked = false, int height = 200, int width = 300) =>
        new() { Label = label, Box = box, Score = score, Mask = masked ? Rle.FromBox(box, height, width) : null };

    private static Image Grey(int height = 200, int width = 300)
    {
        var image = new Image(height, width);
        image.Pixels.AsSpan().Fill(100);
        return image;
    }

    [Fact]
    public void The_photo_is_left_as_it_is_and_a_mask_of_another_size_is_refused()
    {
        Image photo = Grey();
        Image drawn = InstanceOverlay.Draw(photo, [Thing(new Box(20, 30, 120, 130), masked: true)], Classes);
        Assert.All(photo.Pixels, p => Assert.Equal(100, p));
        Assert.Equal((200, 300), (drawn.Height, drawn.Width));
        Assert.NotEqual(new Rgb(100, 100, 100), drawn[80, 80]); // inside
        Assert.Equal(new Rgb(100, 100, 100), drawn[180, 250]); // outside
        Assert.Throws<ArgumentException>(() => InstanceOverlay.Draw(photo, [Thing(new Box(0, 0, 9, 9), masked: true, height: 100)], Classes));
    }

    [Fact]
    public void Neighbours_have_colours_that_differ_plainly_and_no_two_objects_share_an_id()
    {
        var random = new Random(3);
        Instance[] grid = [.. Enumerable.Range(0, 400).OrderBy(_ => random.Next()).Select(i => Thing(new Box(i % 20 * 15, i / 20 * 10, (i % 20 * 15) + 14, (i / 20 * 10) + 9)))];
        int[] ids = ObjectColors.Ids(grid);
        Assert.Equal(400, ids.Distinct().Count());
        Assert.All(ids, id => Assert.True(id > 0));
        int pairs = 0;
        for (int i = 0; i < grid.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                (Box a, Box b) = (grid[i].Box, grid[j].Box);
                if (Math.Abs(a.X1 - b.X1) + (1.5 * Math.Abs(a.Y1 - b.Y1)) > 15) continue; // side by side, or one above the other
                pairs++;
                (Rgb one, Rgb other) = (MaskDrawing.InstanceColor(ids[i]), MaskDrawing.InstanceColor(ids[j]));
                Assert.True(Math.Abs(one.R - other.R) + Math.Abs(one.G - other.G) + Math.Abs(one.B - other.B) > 60, $"{one} {other}");
            }
        }
        Assert.Equal(760, pairs);
    }

    [Fact]
    public void Objects_of_any_number_have_ids()
    {
        Instance[] many = [.. Enumerable.Range(0, 5000).Select(i => Thing(new Box(i, 0, i + 1, 1)))];
        Assert.Equal(5000, ObjectColors.Ids(many).Distinct().Count());
        Assert.Empty(ObjectColors.Ids([]));
    }

    [Fact]
    public void Names_stay_in_the_picture_cover_one_another_hardly_and_hide_no_more_than_a_fifth()
    {
        const int Height = 300, Width = 600;
        var random = new Random(5);
        Box[] boxes = [.. Enumerable.Range(0, 200).Select(_ => (X: random.Next(-20, Width), Y: random.Next(-20, Height))).Select(p => new Box(p.X, p.Y, p.X + random.Next(1, 150), p.Y + random.Next(1, 150)))];
        var plates = new NamePlates(Height, Width, Font.OfSize(12), boxes);
        (int h, int w) = Canvas.PlateSize("person 0.90", Font.OfSize(12));
        (int Top, int Left)[] placed = [.. boxes.Select(b => plates.Place("person 0.90", b)).OfType<(int, int)>()];
        Assert.InRange(placed.Length * h * w, 0.15 * Height * Width, 0.2 * Height * Width);
        Assert.All(placed, p => Assert.True(p.Top >= 0 && p.Left >= 0 && p.Top + h <= Height && p.Left + w <= Width, $"{p}"));
        for (int i = 0; i < placed.Length; i++)
        {
            int covered = placed.Take(i).Sum(p => Math.Max(0, h - Math.Abs(p.Top - placed[i].Top)) * Math.Max(0, w - Math.Abs(p.Left - placed[i].Left)));
            Assert.True(covered <= 0.2 * h * w, $"{i}: {covered} of {h * w}");
        }
    }

    [Fact]
    public void A_name_stands_above_its_box_then_below_it_and_inside_a_large_one()
    {
        Font font = Font.OfSize(12);
        int h = Canvas.PlateSize("dog", font).Height;
        var plates = new NamePlates(200, 300, font, []);
        Assert.Equal((100 - h, 50), plates.Place("dog", new Box(50, 100, 150, 180)));
        Assert.Equal((20, 200), plates.Place("dog", new Box(200, 3, 230, 20)));
        Assert.Equal((0, 0), new NamePlates(200, 300, font, []).Place("dog", new Box(0, 0, 300, 200)));
        Assert.Null(new NamePlates(h - 1, 300, font, []).Place("dog", new Box(0, 0, 300, h - 1))); // a picture lower than a line of text
        Box own = new(50, 100, 150, 180), small = new(52, 90, 62, 98); // a small object above the box: the name goes to where it hides nothing
        Assert.Equal((100 - h, 150 - Canvas.PlateSize("dog", font).Width), new NamePlates(200, 300, font, [own, small]).Place("dog", own));
    }

    [Fact]
    public void The_surest_object_has_its_name_where_there_is_room_for_one()
    {
        Image photo = Grey(24, 90);
        var box = new Box(0, 0, 90, 24);
        Instance sure = Thing(box, 0.95f, 1), less = Thing(box, 0.6f, 2);
        Assert.Equal(InstanceOverlay.Draw(photo, [sure, less], Classes).Pixels, InstanceOverlay.Draw(photo, [sure, less with { Label = 1 }], Classes).Pixels);
        Assert.NotEqual(InstanceOverlay.Draw(photo, [sure, less], Classes).Pixels, InstanceOverlay.Draw(photo, [sure with { Label = 2 }, less], Classes).Pixels);
    }

    [Fact]
    public void Boxes_are_drawn_where_there_is_room_and_small_things_of_the_one_class_bear_their_score_alone()
    {
        Image photo = Grey(200, 300);
        Instance[] things = [.. Enumerable.Range(0, 13).Select(i => Thing(new Box(20 * i, 50, (20 * i) + 15, 70), masked: true))];
        Assert.Equal(Drawn(things[..12], true), Drawn(things[..12], null));
        Assert.Equal(Drawn(things, false), Drawn(things, null));
        Assert.NotEqual(Drawn(things, true), Drawn(things, null));

        ClassTable one = new(["background", "person"]) { Background = 0 }, renamed = new(["background", "someone"]) { Background = 0 };
        Instance[] small = [Thing(new Box(20, 50, 40, 70))], large = [Thing(new Box(20, 50, 200, 180))];
        var named = new InstanceOverlayOptions { Names = true };
        Assert.Equal(InstanceOverlay.Draw(photo, small, one, named).Pixels, InstanceOverlay.Draw(photo, small, renamed, named).Pixels);
        Assert.NotEqual(InstanceOverlay.Draw(photo, small, one, named).Pixels, InstanceOverlay.Draw(photo, small, one, new() { Names = false }).Pixels);
        Assert.NotEqual(InstanceOverlay.Draw(photo, large, one, named).Pixels, InstanceOverlay.Draw(photo, large, renamed, named).Pixels);

        byte[] Drawn(Instance[] objects, bool? boxes) => InstanceOverlay.Draw(photo, objects, Classes, new() { Boxes = boxes, Names = false }).Pixels;
    }

    [Fact]
    public void A_small_object_is_not_hidden_by_its_frame()
    {
        Image drawn = InstanceOverlay.Draw(Grey(1600, 1600), [Thing(new Box(700, 700, 712, 709))], Classes, new() { Names = false });
        Assert.Equal(new Rgb(100, 100, 100), drawn[701, 701]);
        Assert.NotEqual(new Rgb(100, 100, 100), drawn[700, 705]);
        Image large = InstanceOverlay.Draw(Grey(1600, 1600), [Thing(new Box(100, 100, 900, 900))], Classes, new() { Names = false });
        Assert.NotEqual(new Rgb(100, 100, 100), large[103, 500]);
    }

    [Fact]
    public void Seventeen_joints_are_a_figure_and_others_are_dots()
    {
        Keypoint[] joints = [.. Enumerable.Range(0, 17).Select(i => new Keypoint(20 + (16 * i), i % 2 == 0 ? 40 : 160, 2))];
        var plain = new InstanceOverlayOptions { Names = false };
        Instance body = Thing(new Box(10, 10, 290, 190)) with { Keypoints = joints };
        Image figure = InstanceOverlay.Draw(Grey(), [body], Classes, plain), dots = InstanceOverlay.Draw(Grey(), [body with { Keypoints = joints[..16] }], Classes, plain);
        (Keypoint from, Keypoint to) = (joints[KeypointNames.CocoSkeleton[0].From], joints[KeypointNames.CocoSkeleton[0].To]);
        (int y, int x) = ((int)(from.Y + to.Y) / 2, (int)(from.X + to.X) / 2);
        Assert.NotEqual(new Rgb(100, 100, 100), figure[y, x]);
        Assert.Equal(new Rgb(100, 100, 100), dots[y, x]);
        Assert.NotEqual(new Rgb(100, 100, 100), dots[40, 20]);
        Image unseen = InstanceOverlay.Draw(Grey(), [body with { Keypoints = [.. joints.Select(j => j with { Score = 0 })] }], Classes, plain);
        Assert.Equal(unseen.Pixels, InstanceOverlay.Draw(Grey(), [body with { Keypoints = null }], Classes, plain).Pixels);
    }
}

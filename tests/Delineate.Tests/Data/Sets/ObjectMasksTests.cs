using Delineate.Data;
using Delineate.Imaging;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Data.Sets;

/// <summary>Pictures that number objects: instances/ of a plain folder and VOC's SegmentationObject/.</summary>
public class ObjectMasksTests
{
    [Fact]
    public void Instance_ids_give_objects_of_one_class_beside_the_foreground()
    {
        using TempDataset set = new TempDataset().Picture("images/a.png").Ids("instances/a.png", [0, 1, 700, 255]).Picture("images/b.png").Ids("instances/b.png", [0]);
        Dataset all = DatasetCatalog.Open(set.Root, "all");
        Annotation truth = all.Load(0).Annotation;
        Assert.Equal(["object 1", "object 255", "object 700"], truth.Instances!.Select(o => o.Id));
        Assert.All(truth.Instances!, o => Assert.Equal((1, 12L), (o.Label, o.Mask!.Area)));
        Assert.Equal(truth.Semantic!.Labels, truth.Instances!.ToLabels(6, 8).Labels);
        Assert.Empty(all.Load(1).Annotation.Instances!);
    }

    [Fact]
    public void With_masks_beside_them_each_object_has_the_class_of_most_of_its_pixels()
    {
        using TempDataset set = new TempDataset().Text("dataset.json", """{ "classes": ["background", "a", "b"] }""").Picture("images/a.png", 2, 4)
            .Mask("masks/a.png", [1, 2, 255, 0, 1, 2, 2, 0], 2, 4).Ids("instances/a.png", [5, 3, 3, 9, 5, 5, 3, 9], 2, 4);
        Annotation truth = DatasetCatalog.Open(set.Root, "all").Load(0).Annotation;
        Assert.Equal([("object 3", 2), ("object 5", 1)], truth.Instances!.Select(o => (o.Id!, o.Label)));
        Assert.Equal(1, truth.DroppedObjects); // object 9 lies on the background
        Assert.Equal(2, truth.Semantic![0, 1]);
    }

    [Fact]
    public void Vocs_border_is_no_object_and_an_image_without_object_mask_tells_nothing()
    {
        using TempDataset set = new TempDataset().Picture("JPEGImages/a.png").Mask("SegmentationClass/a.png", [0, 15, 255, 7], palette: Palette.Voc)
            .Mask("SegmentationObject/a.png", [0, 1, 255, 2], palette: Palette.Voc).Picture("JPEGImages/b.png").Mask("SegmentationClass/b.png", [0, 15], palette: Palette.Voc)
            .Text("ImageSets/Segmentation/train.txt", "a\nb");
        Dataset train = DatasetCatalog.Open(set.Root);
        Assert.Equal([15, 7], train.Load(0).Annotation.Instances!.Select(o => o.Label));
        Assert.Null(train.Load(1).Annotation.Instances);
        Assert.Contains("1 of 2 images of 'train' have classes, but no mask of objects", train.Notes);
        set.Mask("SegmentationObject/a.png", [0, 1], height: 5);
        Assert.Contains("the mask of objects is 5×8 but its image is 6×8", Assert.Throws<DatasetException>(() => train.Load(0)).Message);
    }

    [ReferenceFact]
    public void The_nuclei_are_read_as_objects()
    {
        Dataset val = DatasetCatalog.Open(ReferenceFolder.Path("data", "nuclei"), "val");
        int objects = 0;
        for (int i = 0; i < 12; i++)
        {
            Annotation truth = val.Load(i).Annotation;
            IdMap ids = ImageFile.LoadIds(ReferenceFolder.Path("data", "nuclei", "instances", val.Names[i] + ".png"));
            Assert.Equal(ids.Ids.Where(v => v > 0).Distinct().Count(), truth.Instances!.Count);
            Assert.Equal(ids.Ids.Count(v => v > 0), truth.Instances!.Sum(o => o.Mask!.Area));
            Assert.Equal(truth.Semantic!.Labels, truth.Instances!.ToLabels(ids.Height, ids.Width).Labels);
            objects += truth.Instances!.Count;
        }
        Assert.True(objects > 50, $"{objects}");
    }

    [ReferenceFact]
    public void Real_voc_objects_have_their_classes()
    {
        Dataset set = DatasetCatalog.Open(ReferenceFolder.Path("data", "fixtures", "voc"), "all");
        string[][] names = [.. Enumerable.Range(0, 3).Select(i => set.Load(i).Annotation.Instances!.Select(o => set.Classes.Names[o.Label]).ToArray())];
        foreach (string[] one in names) Assert.NotEmpty(one);
        for (int i = 0; i < 3; i++)
        {
            Annotation truth = set.Load(i).Annotation;
            foreach (Instance thing in truth.Instances!)
            {
                byte[] pixels = thing.Mask!.Decode();
                Assert.All(Enumerable.Range(0, pixels.Length).Where(p => pixels[p] == 1), p => Assert.True(truth.Semantic!.Labels[p] == thing.Label || truth.Semantic.Labels[p] == 255));
            }
        }
        Assert.Contains(names, n => n.Contains("bus"));
    }
}

using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests;

/// <summary>The example of the README, as it stands there.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public void A_model_file_and_a_photo_become_a_mask_and_an_overlay()
    {
        using var folder = new TinyRun();
        string weights = Path.Combine(folder.Path, "best.safetensors"), input = Path.Combine(folder.Path, "photo.png");
        string mask = Path.Combine(folder.Path, "mask.png"), overlay = Path.Combine(folder.Path, "overlay.png");
        ModelFile.Save(weights, TinyRun.UNetRecipe.NewModel(new Squares(1).Classes));
        ImageFile.Save(new Squares(1, side: 37).Load(0).Image, input);

        Model model = ModelFile.Load(weights);
        Image photo = ImageFile.Load(input);
        LabelMap labels = model.Predict(new ImageBatch([photo]))[0].Semantic!;
        ImageFile.SaveLabels(labels, model.Classes.Palette, mask);
        ImageFile.Save(Overlay.Draw(photo, labels, model.Classes.Palette, model.Classes.Names), overlay);

        Assert.Equal(labels.Labels, ImageFile.LoadLabels(mask).Labels);
        Assert.True(ImageFile.Load(overlay).Height > 37); // the photo, and the legend below
    }
}

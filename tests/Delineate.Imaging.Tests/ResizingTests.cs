using Delineate.Testing;
using Xunit;

namespace Delineate.Imaging.Tests;

public class ResizingTests
{
    // Colour pictures and, spread to three channels, grey ones; the rest of the folder has no resized output.
    [ReferenceTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(14)]
    [InlineData(15)]
    public void Every_filter_equals_PIL_bit_for_bit(int i)
    {
        Image source = Golden($"out.{i}.pixels");
        Assert.Equal(Golden($"out.{i}.pil_nearest").Pixels, source.Resize(96, 128, Interpolation.Nearest).Pixels);
        Assert.Equal(Golden($"out.{i}.pil_bilinear").Pixels, source.Resize(96, 128, Interpolation.Bilinear).Pixels);
        Assert.Equal(Golden($"out.{i}.pil_bicubic").Pixels, source.Resize(96, 128, Interpolation.Bicubic).Pixels);
        Assert.Equal(Golden($"out.{i}.pil_lanczos").Pixels, source.Resize(96, 128, Interpolation.Lanczos).Pixels);
    }

    [ReferenceFact]
    public void Labels_equal_PIL_nearest()
    {
        NpyArray source = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", "out.9.pixels.npy"));
        byte[] expected = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", "out.9.pil_nearest.npy")).Bytes;
        Assert.Equal(expected, new LabelMap(128, 256, source.Bytes).Resize(96, 128).Labels);
        Assert.Equal(Array.ConvertAll(expected, v => (int)v), new IdMap(128, 256, source.Ints).Resize(96, 128).Ids);
    }

    private static Image Golden(string name)
    {
        NpyArray array = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", name + ".npy"));
        byte[] pixels = array.Shape.Length == 3 ? array.Bytes : [.. array.Bytes.SelectMany(v => new[] { v, v, v })];
        return new Image(array.Shape[0], array.Shape[1], pixels);
    }
}

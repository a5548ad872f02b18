namespace Delineate.Imaging;

/// <summary>
/// A decoded PNG with its samples as the file holds them: palette indices, grey values of any depth and 16-bit samples are neither scaled nor mapped
/// to colours. [H, W, channels].
/// </summary>
public sealed class PngImage
{
    internal PngImage(
        string name, PngHeader header, byte[] samples, ushort[] wideSamples, Palette? palette, byte[]? paletteAlpha, ushort[]? transparentColor)
    {
        (Name, Header, Samples, WideSamples) = (name, header, samples, wideSamples);
        (Palette, PaletteAlpha, TransparentColor) = (palette, paletteAlpha, transparentColor);
    }

    /// <summary>The file's path, or the name the caller gave its bytes.</summary>
    public string Name { get; }

    /// <summary>Size and kind.</summary>
    public PngHeader Header { get; }

    /// <summary>Rows.</summary>
    public int Height => Header.Height;

    /// <summary>Columns.</summary>
    public int Width => Header.Width;

    /// <summary>What the samples mean.</summary>
    public PngColorType ColorType => Header.ColorType;

    /// <summary>Bits of a sample: 1, 2, 4, 8 or 16.</summary>
    public int BitDepth => Header.BitDepth;

    /// <summary>Samples of up to 8 bits, one an element, unscaled (1-bit grey is 0 or 1). [H, W, channels]; empty for 16-bit files.</summary>
    public byte[] Samples { get; }

    /// <summary>16-bit samples. [H, W, channels]; empty for files of up to 8 bits.</summary>
    public ushort[] WideSamples { get; }

    /// <summary>The colours of a palette file; null for every other kind.</summary>
    public Palette? Palette { get; }

    /// <summary>Opacity (0…255) of the first palette entries, the rest are opaque; null where the file gives none.</summary>
    public byte[]? PaletteAlpha { get; }

    /// <summary>The one grey value, or red, green and blue, that is fully transparent; null where the file names none.</summary>
    public ushort[]? TransparentColor { get; }

    /// <summary>
    /// The colours, 8 bits each. Opacity is dropped (the stored colour shows, as in PIL's <c>convert("RGB")</c>), grey is spread over 0…255, of
    /// 16 bits the upper 8 are kept, and palette indices without a colour are black. For 8-bit RGB files the picture shares <see cref="Samples"/>.
    /// </summary>
    public Image ToImage()
    {
        if (ColorType == PngColorType.Rgb && BitDepth == 8) return new Image(Height, Width, Samples);
        var image = new Image(Height, Width);
        byte[] pixels = image.Pixels;
        int channels = Header.Channels;
        if (BitDepth == 16)
        {
            int green = channels > 2 ? 1 : 0, blue = channels > 2 ? 2 : 0; // grey is all three
            for (int from = 0, to = 0; to < pixels.Length; from += channels, to += 3)
            {
                pixels[to] = (byte)(WideSamples[from] >> 8);
                pixels[to + 1] = (byte)(WideSamples[from + green] >> 8);
                pixels[to + 2] = (byte)(WideSamples[from + blue] >> 8);
            }
            return image;
        }
        if (ColorType == PngColorType.Rgba)
        {
            byte[] samples = Samples;
            for (int from = 0, to = 0; to < pixels.Length; from += 4, to += 3)
                (pixels[to], pixels[to + 1], pixels[to + 2]) = (samples[from], samples[from + 1], samples[from + 2]);
            return image;
        }
        var colors = new Rgb[256];
        for (int value = 0; value < 1 << BitDepth; value++)
        {
            byte grey = (byte)(value * 255 / ((1 << BitDepth) - 1));
            colors[value] = Palette is null ? new Rgb(grey, grey, grey) : Palette[value];
        }
        for (int from = 0, to = 0; to < pixels.Length; from += channels, to += 3)
        {
            Rgb color = colors[Samples[from]];
            (pixels[to], pixels[to + 1], pixels[to + 2]) = (color.R, color.G, color.B);
        }
        return image;
    }

    /// <summary>
    /// Palette indices or grey values as class ids, unscaled; opacity is dropped. Where a pixel has one sample of up to 8 bits the map shares
    /// <see cref="Samples"/>.
    /// </summary>
    /// <exception cref="ImageFormatException">The file holds colours, or a 16-bit value above 255 (the message names the pixel).</exception>
    public LabelMap ToLabelMap()
    {
        RefuseColors("class ids");
        if (Header.Channels == 1 && BitDepth <= 8) return new LabelMap(Height, Width, Samples);
        var labels = new LabelMap(Height, Width);
        int channels = Header.Channels;
        for (int i = 0; i < labels.Labels.Length; i++)
        {
            int value = BitDepth == 16 ? WideSamples[i * channels] : Samples[i * channels];
            if (value > 255)
            {
                string place = $"pixel ({i / Width}, {i % Width})";
                throw KindError($"{place} holds {value}, and a class id is at most 255; read the file as object ids, or save it with 8 bits");
            }
            labels.Labels[i] = (byte)value;
        }
        return labels;
    }

    /// <summary>Palette indices or grey values of up to 16 bits as object ids, unscaled; opacity is dropped.</summary>
    /// <exception cref="ImageFormatException">The file holds colours.</exception>
    public IdMap ToIdMap()
    {
        RefuseColors("object ids");
        var ids = new IdMap(Height, Width);
        int channels = Header.Channels;
        for (int i = 0; i < ids.Ids.Length; i++) ids.Ids[i] = BitDepth == 16 ? WideSamples[i * channels] : Samples[i * channels];
        return ids;
    }

    private void RefuseColors(string wanted)
    {
        if (ColorType is not (PngColorType.Rgb or PngColorType.Rgba)) return;
        string remedy = "read it as a picture and map its colours, or save it as a palette or grey PNG";
        throw KindError($"the file is {Header.Kind}, and colours are not {wanted}; {remedy}");
    }

    // The bit depth and colour type lie at bytes 24 and 25, right behind the size.
    private ImageFormatException KindError(string reason) => new(Name, 24, reason);
}

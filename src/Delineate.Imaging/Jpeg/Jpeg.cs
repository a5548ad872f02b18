namespace Delineate.Imaging;

/// <summary>
/// What a JPEG file declares. Sizes are those of the picture as viewed, its orientation applied. <paramref name="Components"/> is 1 for grey,
/// 3 for colour, 4 for ink; <paramref name="Progressive"/> pictures come in scans of growing detail.
/// </summary>
public readonly record struct JpegHeader(int Height, int Width, int Components, bool Progressive, ExifOrientation Orientation);

/// <summary>
/// JPEG files (ITU-T T.81, JFIF 1.02). Read: 8-bit baseline, extended and progressive Huffman files, grey, YCbCr, RGB, CMYK and YCCK, any
/// sampling, with the Exif orientation applied. Written: baseline YCbCr.
/// </summary>
public static class Jpeg
{
    /// <summary>
    /// The picture in <paramref name="file"/>, as it is to be viewed. <paramref name="name"/> is what errors call the file. → [H, W, 3].
    /// </summary>
    /// <exception cref="ImageFormatException">
    /// The file is damaged, cut short, too large, or of a kind that is not read (arithmetic coding, lossless, 12 bits, hierarchical).
    /// </exception>
    public static Image Decode(ReadOnlySpan<byte> file, string name)
    {
        var decoder = new JpegDecoder(file, name);
        Image stored = decoder.Decode();
        return Exif.Apply(stored, decoder.Orientation);
    }

    /// <summary>What the file declares, read without decoding it: the markers up to the first scan.</summary>
    /// <exception cref="ImageFormatException">As for <see cref="Decode"/>, where the fault lies before the first scan.</exception>
    public static JpegHeader ReadHeader(ReadOnlySpan<byte> file, string name)
    {
        var decoder = new JpegDecoder(file, name);
        JpegFrame frame = decoder.ReadToFirstScan();
        (int height, int width) = Exif.SwapsSides(decoder.Orientation) ? (frame.Width, frame.Height) : (frame.Height, frame.Width);
        return new JpegHeader(height, width, frame.Components.Length, frame.Progressive, decoder.Orientation);
    }

    /// <summary>
    /// <paramref name="image"/> as a baseline JFIF file. <paramref name="quality"/> runs from 1 to 100 on the scale that PIL and most
    /// programs share: the quantizers of T.81's annex K, as they are at 50. Colour is stored at half the height and width (4:2:0), and at
    /// full size from quality 95 on. [H, W, 3] → bytes.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The quality is not 1 to 100.</exception>
    /// <exception cref="ArgumentException">A side is longer than the 65535 pixels that a JPEG can have.</exception>
    public static byte[] Encode(Image image, int quality = 92)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        if (image.Height > 65535 || image.Width > 65535)
            throw new ArgumentException($"a JPEG has at most 65535 pixels a side, not {image.Height}×{image.Width}", nameof(image));
        return new JpegEncoder(image, quality, chromaFactor: quality >= 95 ? 1 : 2).Encode();
    }
}

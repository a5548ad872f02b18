namespace Delineate.Imaging;

/// <summary>
/// Writes one picture as baseline JPEG: a JFIF header, the quantizers and Huffman tables of T.81's annex K, one interleaved scan.
/// </summary>
internal sealed class JpegEncoder
{
    private readonly Image _image;
    private readonly int _chromaFactor;
    private readonly int _mcuSide;
    private readonly int _stride;
    private readonly byte[] _lumaSteps;
    private readonly byte[] _chromaSteps;

    // One row of MCUs: the planes at full size, and the chroma planes at theirs.
    private readonly byte[][] _full;
    private readonly byte[][] _chroma;

    /// <param name="image">The picture.</param>
    /// <param name="quality">1 to 100.</param>
    /// <param name="chromaFactor">How many times smaller the chroma planes are, each way: 1 or 2.</param>
    public JpegEncoder(Image image, int quality, int chromaFactor)
    {
        (_image, _chromaFactor, _mcuSide) = (image, chromaFactor, 8 * chromaFactor);
        _stride = (image.Width + _mcuSide - 1) / _mcuSide * _mcuSide;
        _lumaSteps = Steps(JpegTables.LumaQuantization, quality);
        _chromaSteps = Steps(JpegTables.ChromaQuantization, quality);
        _full = [new byte[_stride * _mcuSide], new byte[_stride * _mcuSide], new byte[_stride * _mcuSide]];
        _chroma = chromaFactor == 1 ? _full[1..] : [new byte[_stride / 2 * 8], new byte[_stride / 2 * 8]];
    }

    public byte[] Encode()
    {
        // A byte for three pixels is more than photos take at ordinary quality.
        var file = new EntropyWriter((int)Math.Min(1 << 30, ((long)_image.Height * _image.Width / 3) + 4096));
        WriteHeaders(file);
        int[] lumaDc = EntropyWriter.Codes(JpegTables.LumaDcCounts, JpegTables.DcSymbols);
        int[] lumaAc = EntropyWriter.Codes(JpegTables.LumaAcCounts, JpegTables.LumaAcSymbols);
        int[] chromaDc = EntropyWriter.Codes(JpegTables.ChromaDcCounts, JpegTables.DcSymbols);
        int[] chromaAc = EntropyWriter.Codes(JpegTables.ChromaAcCounts, JpegTables.ChromaAcSymbols);
        float[] lumaReciprocals = Array.ConvertAll(_lumaSteps, step => 1f / step);
        float[] chromaReciprocals = Array.ConvertAll(_chromaSteps, step => 1f / step);
        (int lumaMean, int cbMean, int crMean) = (0, 0, 0);
        Span<short> block = stackalloc short[64];
        int chromaStride = _stride / _chromaFactor;
        for (int top = 0; top < _image.Height; top += _mcuSide)
        {
            LoadRows(top);
            for (int left = 0; left < _stride; left += _mcuSide)
            {
                for (int y = 0; y < _mcuSide; y += 8)
                {
                    for (int x = left; x < left + _mcuSide; x += 8)
                    {
                        ForwardDct.Transform(_full[0].AsSpan((y * _stride) + x), _stride, lumaReciprocals, block);
                        file.Block(block, lumaDc, lumaAc, ref lumaMean);
                    }
                }
                ForwardDct.Transform(_chroma[0].AsSpan(left / _chromaFactor), chromaStride, chromaReciprocals, block);
                file.Block(block, chromaDc, chromaAc, ref cbMean);
                ForwardDct.Transform(_chroma[1].AsSpan(left / _chromaFactor), chromaStride, chromaReciprocals, block);
                file.Block(block, chromaDc, chromaAc, ref crMean);
            }
        }
        return file.Finish(JpegTables.EndOfImage);
    }

    /// <summary>
    /// The steps of a quality: those of annex K in proportion to 50/quality below 50 and (100 - quality)/50 above, 1 to 255 (baseline's
    /// limit).
    /// </summary>
    private static byte[] Steps(ReadOnlySpan<byte> atFifty, int quality)
    {
        int percent = quality < 50 ? 5000 / quality : 200 - (2 * quality);
        byte[] steps = new byte[64];
        for (int i = 0; i < 64; i++) steps[i] = (byte)Math.Clamp(((atFifty[i] * percent) + 50) / 100, 1, 255);
        return steps;
    }

    private void WriteHeaders(EntropyWriter file)
    {
        file.Marker(JpegTables.StartOfImage);
        // JFIF 1.01, square pixels, no thumbnail.
        file.Segment(JpegTables.App0, [.. "JFIF\0"u8, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
        file.Segment(JpegTables.QuantizationTables, [0, .. InZigzag(_lumaSteps), 1, .. InZigzag(_chromaSteps)]);
        (int height, int width) = (_image.Height, _image.Width);
        byte factors = (byte)((_chromaFactor << 4) | _chromaFactor);
        file.Segment(
            JpegTables.Baseline, 8, (byte)(height >> 8), (byte)height, (byte)(width >> 8), (byte)width, 3, 1, factors, 0, 2, 0x11, 1, 3, 0x11, 1);
        file.Segment(JpegTables.HuffmanTables, [0x00, .. JpegTables.LumaDcCounts, .. JpegTables.DcSymbols]);
        file.Segment(JpegTables.HuffmanTables, [0x10, .. JpegTables.LumaAcCounts, .. JpegTables.LumaAcSymbols]);
        file.Segment(JpegTables.HuffmanTables, [0x01, .. JpegTables.ChromaDcCounts, .. JpegTables.DcSymbols]);
        file.Segment(JpegTables.HuffmanTables, [0x11, .. JpegTables.ChromaAcCounts, .. JpegTables.ChromaAcSymbols]);
        file.Segment(JpegTables.StartOfScan, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0);
    }

    private static byte[] InZigzag(byte[] table)
    {
        byte[] ordered = new byte[64];
        for (int k = 0; k < 64; k++) ordered[k] = table[JpegTables.Zigzag[k]];
        return ordered;
    }

    /// <summary>
    /// Fills the planes from picture row <paramref name="top"/> on; beyond its edges the picture's last column and row repeat.
    /// </summary>
    private void LoadRows(int top)
    {
        int width = _image.Width;
        for (int y = 0; y < _mcuSide; y++)
        {
            int row = Math.Min(top + y, _image.Height - 1);
            int start = y * _stride;
            ReadOnlySpan<byte> rgb = _image.Pixels.AsSpan(row * width * 3, width * 3);
            JpegColor.RgbToYCbCr(rgb, _full[0].AsSpan(start, width), _full[1].AsSpan(start, width), _full[2].AsSpan(start, width));
            foreach (byte[] plane in _full) plane.AsSpan(start + width, _stride - width).Fill(plane[start + width - 1]);
        }
        if (_chromaFactor == 1) return;
        for (int i = 0; i < 2; i++)
        {
            for (int y = 0; y < 8; y++)
                HalveBoth(_full[i + 1].AsSpan(2 * y * _stride, 2 * _stride), _chroma[i].AsSpan(y * _stride / 2, _stride / 2));
        }
    }

    /// <summary>
    /// Means of 2×2 samples of two rows, halves rounded down and up in turn so that no drift builds up. [2, 2·width] → [width].
    /// </summary>
    private static void HalveBoth(ReadOnlySpan<byte> rows, Span<byte> target)
    {
        ReadOnlySpan<byte> upper = rows[..(2 * target.Length)];
        ReadOnlySpan<byte> lower = rows.Slice(2 * target.Length, 2 * target.Length);
        for (int x = 0; x < target.Length; x++)
            target[x] = (byte)((upper[2 * x] + upper[(2 * x) + 1] + lower[2 * x] + lower[(2 * x) + 1] + 1 + (x & 1)) >> 2);
    }
}

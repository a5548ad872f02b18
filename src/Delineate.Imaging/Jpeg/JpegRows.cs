namespace Delineate.Imaging;

/// <summary>Turns the component rows of a frame, as they are decoded, into the rows of a picture: upsampling, then colour.</summary>
internal sealed class JpegRows
{
    private readonly JpegFrame _frame;
    private readonly JpegColorModel _color;
    private readonly Image _image;
    private readonly byte[][] _upsampled;
    private int _nextRow;

    public JpegRows(JpegFrame frame, JpegColorModel color, Image image)
    {
        (_frame, _color, _image) = (frame, color, image);
        // Up to one sample more than the picture is wide, and whole vectors.
        _upsampled = [.. frame.Components.Select(_ => new byte[frame.Width + JpegComponent.Margin])];
        foreach (JpegComponent component in frame.Components) component.AllocateRing();
    }

    /// <summary>
    /// Takes row <paramref name="mcuRow"/> of MCUs, which lies in the components' rings, and writes every picture row that needs no samples
    /// below it.
    /// </summary>
    public void Take(int mcuRow)
    {
        foreach (JpegComponent component in _frame.Components) component.ReplicateEdges(mcuRow * 8 * component.V, 8 * component.V);
        // The last rows may need the first of the next MCUs.
        int end = mcuRow == _frame.McusHigh - 1 ? _frame.Height : ((mcuRow + 1) * 8 * _frame.MaxV) - _frame.MaxV;
        for (; _nextRow < end; _nextRow++) WriteRow(_nextRow);
    }

    private void WriteRow(int y)
    {
        int width = _frame.Width;
        Span<byte> rgb = _image.Pixels.AsSpan(y * width * 3, width * 3);
        switch (_color)
        {
            case JpegColorModel.Grey:
                JpegColor.GreyToRgb(RowOf(0, y), rgb);
                break;
            case JpegColorModel.YCbCr:
                JpegColor.YCbCrToRgb(RowOf(0, y), RowOf(1, y), RowOf(2, y), rgb);
                break;
            case JpegColorModel.Rgb:
                JpegColor.PlanesToRgb(RowOf(0, y), RowOf(1, y), RowOf(2, y), rgb);
                break;
            case JpegColorModel.Cmyk:
                JpegColor.PlanesToRgb(RowOf(0, y), RowOf(1, y), RowOf(2, y), rgb);
                JpegColor.ApplyBlack(rgb, RowOf(3, y));
                break;
            case JpegColorModel.Ycck:
                JpegColor.YCbCrToRgb(RowOf(0, y), RowOf(1, y), RowOf(2, y), rgb);
                JpegColor.InvertInPlace(rgb);
                JpegColor.ApplyBlack(rgb, RowOf(3, y));
                break;
        }
    }

    /// <summary>Row <paramref name="y"/> of the picture of one component, at full width.</summary>
    private ReadOnlySpan<byte> RowOf(int index, int y)
    {
        JpegComponent component = _frame.Components[index];
        byte[] samples = component.Samples;
        (int h, int v, int maxH, int maxV) = (component.H, component.V, _frame.MaxH, _frame.MaxV);
        if (h == maxH && v == maxV) return samples.AsSpan(component.RowStart(y), _frame.Width);

        byte[] target = _upsampled[index];
        int row = (int)((long)y * v / maxV);
        bool doubledWidth = h * 2 == maxH;
        bool doubledHeight = v * 2 == maxV;
        // Rows two samples wide have no interior to filter, and readers agree on repeating them.
        bool filtered = component.Width > 2 || h == maxH;
        int near = component.RowStart(row);
        int far = component.RowStart(Math.Clamp((y & 1) == 0 ? row - 1 : row + 1, 0, component.Height - 1));
        if (doubledWidth && v == maxV && filtered) ChromaUpsampling.DoubleWidth(samples, near, component.Width, target);
        else if (doubledWidth && doubledHeight && filtered) ChromaUpsampling.DoubleBoth(samples, near, far, component.Width, target);
        else if (h == maxH && doubledHeight) ChromaUpsampling.DoubleHeight(samples, near, far, component.Width, (y & 1) + 1, target);
        else ChromaUpsampling.Repeat(samples, near, _frame.Width, h, maxH, target);
        return target.AsSpan(0, _frame.Width);
    }
}

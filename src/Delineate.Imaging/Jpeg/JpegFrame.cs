namespace Delineate.Imaging;

/// <summary>What a frame header declares: the picture's size and how its components are sampled (T.81, B.2.2 and A.1).</summary>
internal sealed class JpegFrame
{
    public JpegFrame(int height, int width, bool progressive, JpegComponent[] components)
    {
        (Height, Width, Progressive, Components) = (height, width, progressive, components);
        // A lone component is never interleaved: its sampling factors say nothing, and each of its MCUs is one block.
        if (components.Length == 1) components[0].SetSampling(1, 1);
        MaxH = components.Max(c => c.H);
        MaxV = components.Max(c => c.V);
        McusWide = (width + (8 * MaxH) - 1) / (8 * MaxH);
        McusHigh = (height + (8 * MaxV) - 1) / (8 * MaxV);
        foreach (JpegComponent component in components) component.Place(this);
    }

    public int Height { get; }

    public int Width { get; }

    public bool Progressive { get; }

    public JpegComponent[] Components { get; }

    public int MaxH { get; }

    public int MaxV { get; }

    public int McusWide { get; }

    public int McusHigh { get; }

    /// <summary>Blocks that the scans must code, padding left out.</summary>
    public long CodedBlocks => Components.Sum(c => (long)c.BlocksWide * c.BlocksHigh);
}

/// <summary>One component of a frame: its sampling, its tables, and the samples or coefficients decoded so far.</summary>
internal sealed class JpegComponent
{
    /// <summary>Bytes before the first and after the last sample of a row: room for the replicated edge and for whole vectors.</summary>
    public const int Margin = 64;

    public JpegComponent(int id, int h, int v, int quantizationIndex) => (Id, H, V, QuantizationIndex) = (id, h, v, quantizationIndex);

    public int Id { get; }

    public int H { get; private set; }

    public int V { get; private set; }

    public int QuantizationIndex { get; }

    /// <summary>Samples of the component, padding left out.</summary>
    public int Height { get; private set; }

    public int Width { get; private set; }

    /// <summary>Blocks that hold those samples.</summary>
    public int BlocksHigh { get; private set; }

    public int BlocksWide { get; private set; }

    /// <summary>Blocks of a row with those that fill up the last MCU.</summary>
    public int BlockStride { get; private set; }

    /// <summary>Steps of the quantizer, row-major, as they stood when the component's first scan began. [64]; null before.</summary>
    public int[]? Quantization { get; set; }

    public HuffmanDecoder? Dc { get; set; }

    public HuffmanDecoder? Ac { get; set; }

    public int DcPredictor { get; set; }

    /// <summary>Quantized coefficients of every block, row-major within a block; only where a picture comes in several scans.</summary>
    public short[]? Coefficients { get; set; }

    /// <summary>For each coefficient in coding order, the lowest bit coded so far; -1 where none was.</summary>
    public sbyte[] LowestBit { get; } = [.. Enumerable.Repeat((sbyte)-1, 64)];

    /// <summary>
    /// Decoded samples: a ring of <see cref="RingHeight"/> rows of <see cref="Stride"/> bytes, in which row y lies at y mod RingHeight.
    /// </summary>
    public byte[] Samples { get; private set; } = [];

    public int Stride { get; private set; }

    public int RingHeight { get; private set; }

    public void SetSampling(int h, int v) => (H, V) = (h, v);

    public void Place(JpegFrame frame)
    {
        Height = (int)((((long)frame.Height * V) + frame.MaxV - 1) / frame.MaxV);
        Width = (int)((((long)frame.Width * H) + frame.MaxH - 1) / frame.MaxH);
        BlocksHigh = (Height + 7) / 8;
        BlocksWide = (Width + 7) / 8;
        BlockStride = frame.McusWide * H;
    }

    /// <summary>Takes the ring: two rows of MCUs, so that the last rows of one can wait for the first of the next.</summary>
    public void AllocateRing()
    {
        RingHeight = 16 * V;
        Stride = Margin + (BlockStride * 8) + Margin;
        Samples = new byte[RingHeight * Stride];
    }

    public void AllocateCoefficients(int mcusHigh) => Coefficients = new short[checked(BlockStride * mcusHigh * V * 64)];

    /// <summary>Place in <see cref="Samples"/> of the first sample of row <paramref name="y"/>.</summary>
    public int RowStart(int y) => ((y % RingHeight) * Stride) + Margin;

    /// <summary>
    /// Repeats the first and the last sample of <paramref name="count"/> rows from <paramref name="y"/> on beyond the edge, as the
    /// upsampling filters want them.
    /// </summary>
    public void ReplicateEdges(int y, int count)
    {
        for (int row = y; row < y + count; row++)
        {
            int start = RowStart(row);
            Samples[start - 1] = Samples[start];
            Samples[start + Width] = Samples[start + Width - 1];
        }
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Delineate.Imaging;

/// <summary>One scan: the components it codes, their band of coefficients and its bits (T.81, A.2 and G.1).</summary>
internal sealed class JpegScan
{
    private readonly JpegFrame _frame;
    private readonly int _first;
    private readonly int _last;
    private readonly int _high;
    private readonly int _low;
    private readonly int _restartInterval;
    private int _untilRestart;
    private int _restarts;
    private int _endOfBand;

    public JpegScan(JpegFrame frame, JpegComponent[] components, int first, int last, int high, int low, int restartInterval)
    {
        (_frame, Components, _first, _last, _high, _low) = (frame, components, first, last, high, low);
        (_restartInterval, _untilRestart) = (restartInterval, restartInterval);
        foreach (JpegComponent component in components) component.DcPredictor = 0;
    }

    public JpegComponent[] Components { get; }

    /// <summary>Decodes the only scan of a picture, a row of MCUs at a time.</summary>
    public void DecodeToRows(ReadOnlySpan<byte> file, string name, int position, JpegRows rows)
    {
        var bits = new EntropyReader(file, position, name);
        Span<short> block = stackalloc short[64];
        for (int mcuY = 0; mcuY < _frame.McusHigh; mcuY++)
        {
            for (int mcuX = 0; mcuX < _frame.McusWide; mcuX++)
            {
                StepRestart(ref bits);
                foreach (JpegComponent component in Components)
                {
                    for (int v = 0; v < component.V; v++)
                    {
                        ref byte samples = ref BlockSamples(component, mcuX * component.H, (mcuY * component.V) + v);
                        for (int h = 0; h < component.H; h++, samples = ref Unsafe.Add(ref samples, 8))
                        {
                            block.Clear();
                            int last = BlockDecoder.Sequential(ref bits, component, ref block[0]);
                            Transform(component, block, meanOnly: last == 0, ref samples);
                        }
                    }
                }
            }
            if (bits.Exhausted) throw Exhausted(ref bits, file);
            rows.Take(mcuY);
        }
    }

    /// <summary>Decodes one scan of several into the components' coefficients; returns where its data ends.</summary>
    public int DecodeToCoefficients(ReadOnlySpan<byte> file, string name, int position)
    {
        var bits = new EntropyReader(file, position, name);
        if (Components.Length == 1)
        {
            // Alone in a scan, a component is coded block by block, without those that fill up its MCUs.
            JpegComponent component = Components[0];
            for (int y = 0; y < component.BlocksHigh; y++)
            {
                for (int x = 0; x < component.BlocksWide; x++)
                {
                    StepRestart(ref bits);
                    DecodeBlock(ref bits, component, y, x);
                }
                if (bits.Exhausted) throw Exhausted(ref bits, file);
            }
            return bits.Position;
        }

        for (int mcuY = 0; mcuY < _frame.McusHigh; mcuY++)
        {
            for (int mcuX = 0; mcuX < _frame.McusWide; mcuX++)
            {
                StepRestart(ref bits);
                foreach (JpegComponent component in Components)
                {
                    for (int v = 0; v < component.V; v++)
                    {
                        int y = (mcuY * component.V) + v;
                        for (int h = 0; h < component.H; h++) DecodeBlock(ref bits, component, y, (mcuX * component.H) + h);
                    }
                }
            }
            if (bits.Exhausted) throw Exhausted(ref bits, file);
        }
        return bits.Position;
    }

    /// <summary>Transforms the coefficients of a whole picture, a row of MCUs at a time.</summary>
    public static void TransformToRows(JpegFrame frame, JpegRows rows)
    {
        for (int mcuY = 0; mcuY < frame.McusHigh; mcuY++)
        {
            foreach (JpegComponent component in frame.Components)
            {
                for (int y = mcuY * component.V; y < (mcuY + 1) * component.V; y++)
                {
                    Span<short> blocks = component.Coefficients.AsSpan(y * component.BlockStride * 64, component.BlockStride * 64);
                    ref byte samples = ref BlockSamples(component, 0, y);
                    for (int x = 0; x < component.BlockStride; x++, samples = ref Unsafe.Add(ref samples, 8))
                    {
                        Span<short> block = blocks.Slice(x * 64, 64);
                        Transform(component, block, meanOnly: !block[1..].ContainsAnyExcept((short)0), ref samples);
                    }
                }
            }
            rows.Take(mcuY);
        }
    }

    /// <summary>
    /// Place in the component's ring of the samples of block (y, x); the eight rows below lie a stride apart, for a ring holds whole
    /// blocks.
    /// </summary>
    private static ref byte BlockSamples(JpegComponent component, int x, int y) =>
        ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(component.Samples), component.RowStart(y * 8) + (x * 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transform(JpegComponent component, Span<short> block, bool meanOnly, ref byte samples)
    {
        int[] steps = component.Quantization!;
        if (meanOnly) InverseDct.TransformMean(block[0] * steps[0], ref samples, component.Stride);
        else InverseDct.Transform(ref block[0], ref steps[0], ref samples, component.Stride);
    }

    private void DecodeBlock(ref EntropyReader bits, JpegComponent component, int y, int x)
    {
        Span<short> span = component.Coefficients.AsSpan(((y * component.BlockStride) + x) * 64, 64);
        ref short block = ref span[0];
        if (!_frame.Progressive) BlockDecoder.Sequential(ref bits, component, ref block);
        else if (_first == 0 && _high == 0) BlockDecoder.DcFirst(ref bits, component, _low, ref block);
        else if (_first == 0) BlockDecoder.DcRefine(ref bits, _low, ref block);
        else if (_high == 0) BlockDecoder.AcFirst(ref bits, component.Ac!, _first, _last, _low, ref block, ref _endOfBand);
        else BlockDecoder.AcRefine(ref bits, component.Ac!, _first, _last, _low, ref block, ref _endOfBand);
    }

    /// <summary>Before each MCU: steps over a restart marker where one is due.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StepRestart(ref EntropyReader bits)
    {
        if (_restartInterval == 0) return;
        if (_untilRestart == 0) Restart(ref bits);
        _untilRestart--;
    }

    private void Restart(ref EntropyReader bits)
    {
        if (bits.Exhausted) throw bits.Fail("the data of a restart interval ends too early");
        bits.Restart(_restarts++ & 7);
        foreach (JpegComponent component in Components) component.DcPredictor = 0;
        _endOfBand = 0;
        _untilRestart = _restartInterval;
    }

    private static ImageFormatException Exhausted(ref EntropyReader bits, ReadOnlySpan<byte> file) =>
        bits.Fail(bits.Position >= file.Length - 1 ? "the file ends within the picture" : "the picture's data ends too early, at a marker");
}

using System.Buffers.Binary;

namespace Delineate.Imaging;

/// <summary>
/// Walks the markers of one file: tables, frame and scan headers (T.81, annex B). Scans are decoded by <see cref="JpegScan"/>.
/// </summary>
internal ref struct JpegDecoder
{
    // Files have around ten scans; each walks over the whole picture, however few bytes it holds.
    private const int MostScans = 500;

    private readonly ReadOnlySpan<byte> _file;
    private readonly string _name;
    private readonly int[]?[] _quantization = new int[4][];
    private readonly HuffmanDecoder?[] _dcTables = new HuffmanDecoder[4];
    private readonly HuffmanDecoder?[] _acTables = new HuffmanDecoder[4];
    private JpegFrame? _frame;
    private int _position;
    private int _restartInterval;
    private int _adobeTransform = -1;
    private bool _jfif;
    private bool _exifSeen;

    public JpegDecoder(ReadOnlySpan<byte> file, string name)
    {
        _file = file;
        _name = name;
    }

    public ExifOrientation Orientation { get; private set; } = ExifOrientation.Upright;

    /// <summary>The stored picture, its orientation not applied.</summary>
    public Image Decode()
    {
        JpegFrame frame = ReadToFirstScan();
        // A block takes at least a bit for its mean and, where it is coded in one go, another for its end. A file too short for that is
        // refused before memory is taken.
        long bitsNeeded = frame.CodedBlocks * (frame.Progressive ? 1 : 2);
        if (bitsNeeded > 8L * (_file.Length - _position))
            throw Fail(_file.Length, $"the file ends too early for a picture of {frame.Height}×{frame.Width}");

        JpegScan scan = ReadScanHeader(frame);
        JpegColorModel color = ColorModel(frame);
        var image = new Image(frame.Height, frame.Width, GC.AllocateUninitializedArray<byte>(frame.Height * frame.Width * 3));
        var rows = new JpegRows(frame, color, image);
        if (!frame.Progressive && scan.Components.Length == frame.Components.Length)
        {
            scan.DecodeToRows(_file, _name, _position, rows);
            return image;
        }

        foreach (JpegComponent component in frame.Components) component.AllocateCoefficients(frame.McusHigh);
        int uncoded = frame.Components.Length;
        for (int scans = 1; ; scans++)
        {
            if (scans > MostScans) throw Fail(_position, $"the file holds more than {MostScans} scans");
            if (!frame.Progressive) uncoded -= scan.Components.Length;
            _position = scan.DecodeToCoefficients(_file, _name, _position);
            // A sequential picture is whole with its last component; a progressive one only where the file says so.
            if (uncoded == 0 || !ReadToNextScan()) break;
            scan = ReadScanHeader(frame);
        }
        foreach (JpegComponent component in frame.Components)
        {
            if (component.LowestBit[0] < 0) throw Fail(_position, $"component {component.Id} has no scan");
        }
        JpegScan.TransformToRows(frame, rows);
        return image;
    }

    /// <summary>Reads the markers up to the first scan, whose header is next.</summary>
    public JpegFrame ReadToFirstScan()
    {
        if (_file.Length < 2 || _file[0] != 0xFF || _file[1] != JpegTables.StartOfImage) throw Fail(0, "not a JPEG file");
        _position = 2;
        if (!ReadToNextScan()) throw Fail(_position, "the file holds no picture");
        return _frame ?? throw Fail(_position, "a scan comes before the frame header");
    }

    /// <summary>Reads markers until a scan header is next; false at the end of the picture.</summary>
    private bool ReadToNextScan()
    {
        while (true)
        {
            int marker = EntropyReader.FindMarker(_file, _position);
            if (marker < 0) throw Fail(_file.Length, "the file ends before its end-of-image marker");
            byte code = _file[marker + 1];
            _position = marker + 2;
            switch (code)
            {
                case JpegTables.EndOfImage:
                    return false;
                case JpegTables.StartOfScan:
                    return true;
                case JpegTables.StartOfImage or 0x01 or (>= JpegTables.Restart0 and <= JpegTables.Restart7):
                    break; // stand-alone markers without content
                default:
                    ReadSegment(code, Segment());
                    break;
            }
        }
    }

    /// <summary>The content of the segment whose length field is next, and steps over it.</summary>
    private ReadOnlySpan<byte> Segment()
    {
        int start = _position;
        int length = start + 2 <= _file.Length ? BinaryPrimitives.ReadUInt16BigEndian(_file[start..]) : 0;
        if (start + 2 > _file.Length || start + length > _file.Length) throw Fail(_file.Length, "the file ends within a segment");
        if (length < 2) throw Fail(start, $"a segment declares a length of {length}");
        _position = start + length;
        return _file[(start + 2)..(start + length)];
    }

    private void ReadSegment(byte code, ReadOnlySpan<byte> segment)
    {
        switch (code)
        {
            case JpegTables.Baseline or JpegTables.Extended or JpegTables.Progressive:
                ReadFrame(code, segment);
                break;
            case JpegTables.HuffmanTables:
                ReadHuffmanTables(segment);
                break;
            case JpegTables.QuantizationTables:
                ReadQuantization(segment);
                break;
            case JpegTables.RestartInterval:
                if (segment.Length < 2) throw FailInSegment("the restart interval is cut short");
                _restartInterval = BinaryPrimitives.ReadUInt16BigEndian(segment);
                break;
            case JpegTables.App0:
                _jfif |= segment.StartsWith("JFIF\0"u8);
                break;
            case JpegTables.App1 when segment.StartsWith("Exif\0"u8) && segment.Length > 6 && !_exifSeen:
                _exifSeen = true;
                Orientation = Exif.ReadOrientation(segment[6..]);
                break;
            case JpegTables.App14 when segment.StartsWith("Adobe"u8) && segment.Length >= 12:
                _adobeTransform = segment[11];
                break;
            case 0xC3:
                throw FailInSegment("lossless JPEG is not read");
            case 0xC5 or 0xC6 or 0xC7 or 0xDE or 0xDF:
                throw FailInSegment("hierarchical JPEG is not read");
            case >= 0xC9 and <= 0xCF:
                throw FailInSegment("arithmetic-coded JPEG is not read");
            case JpegTables.NumberOfLines:
                throw FailInSegment("a height that follows the scan (DNL) is not read");
        }
    }

    private void ReadFrame(byte code, ReadOnlySpan<byte> segment)
    {
        if (_frame is not null) throw FailInSegment("a second frame header");
        if (segment.Length < 6) throw FailInSegment("the frame header is cut short");
        if (segment[0] != 8) throw FailInSegment($"{segment[0]}-bit samples are not read, only 8-bit ones");
        int height = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]);
        int width = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
        if (height == 0 && width > 0) throw FailInSegment("a height that follows the scan (DNL) is not read");
        DecodeLimits.Default.Check(height, width, _name, _position - segment.Length);
        int count = segment[5];
        if (count is not (1 or 3 or 4)) throw FailInSegment($"a picture of {count} components is not read, only of 1, 3 or 4");
        if (segment.Length < 6 + (3 * count)) throw FailInSegment("the frame header is cut short");

        var components = new JpegComponent[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> c = segment.Slice(6 + (3 * i), 3);
            (int h, int v) = (c[1] >> 4, c[1] & 15);
            if (h is < 1 or > 4 || v is < 1 or > 4) throw FailInSegment($"component {c[0]} declares sampling factors {h}×{v}; 1 to 4 are possible");
            if (c[2] > 3) throw FailInSegment($"component {c[0]} names quantization table {c[2]}; there are 0 to 3");
            for (int j = 0; j < i; j++)
            {
                if (components[j].Id == c[0]) throw FailInSegment($"component {c[0]} is declared twice");
            }
            components[i] = new JpegComponent(c[0], h, v, c[2]);
        }
        _frame = new JpegFrame(height, width, code == JpegTables.Progressive, components);
    }

    private void ReadQuantization(ReadOnlySpan<byte> segment)
    {
        while (segment.Length > 0)
        {
            (int width, int index) = ((segment[0] >> 4) + 1, segment[0] & 15);
            if (width > 2 || index > 3) throw FailInSegment($"a quantization table is declared as 0x{segment[0]:X2}");
            if (segment.Length < 1 + (64 * width)) throw FailInSegment("a quantization table is cut short");
            int[] table = new int[64];
            for (int k = 0; k < 64; k++)
                table[JpegTables.Zigzag[k]] = width == 1 ? segment[1 + k] : BinaryPrimitives.ReadUInt16BigEndian(segment[(1 + (2 * k))..]);
            _quantization[index] = table;
            segment = segment[(1 + (64 * width))..];
        }
    }

    private readonly void ReadHuffmanTables(ReadOnlySpan<byte> segment)
    {
        while (segment.Length > 0)
        {
            (int kind, int index) = (segment[0] >> 4, segment[0] & 15);
            if (kind > 1 || index > 3) throw FailInSegment($"a Huffman table is declared as 0x{segment[0]:X2}");
            if (segment.Length < 17) throw FailInSegment("a Huffman table is cut short");
            ReadOnlySpan<byte> counts = segment.Slice(1, 16);
            int symbols = 0;
            foreach (byte n in counts) symbols += n;
            if (symbols > 256) throw FailInSegment($"a Huffman table declares {symbols} codes; 256 are possible");
            if (segment.Length < 17 + symbols) throw FailInSegment("a Huffman table is cut short");
            HuffmanDecoder?[] tables = kind == 0 ? _dcTables : _acTables;
            tables[index] = HuffmanDecoder.TryBuild(counts, segment.Slice(17, symbols), isDc: kind == 0)
                ?? throw FailInSegment("a Huffman table declares codes that cannot be");
            segment = segment[(17 + symbols)..];
        }
    }

    private JpegScan ReadScanHeader(JpegFrame frame)
    {
        ReadOnlySpan<byte> segment = Segment();
        int count = segment.Length > 0 ? segment[0] : 0;
        if (segment.Length < 4 + (2 * count) || count is < 1 or > 4) throw FailInSegment("the scan header is damaged");
        int first = segment[1 + (2 * count)];
        int last = segment[2 + (2 * count)];
        (int high, int low) = (segment[3 + (2 * count)] >> 4, segment[3 + (2 * count)] & 15);
        // Sequential scans code everything; what their header says of bands and bits is not looked at, as some writers leave it undefined.
        if (!frame.Progressive) (first, last, high, low) = (0, 63, 0, 0);
        bool possible = last <= 63 && low <= 13 && (high == 0 || high == low + 1)
            && (!frame.Progressive || (first == 0 ? last == 0 : first <= last && count == 1));
        if (!possible) throw FailInSegment($"a scan declares coefficients {first} to {last}, bits {high} to {low}, for {count} components");

        var components = new JpegComponent[count];
        for (int i = 0; i < count; i++)
        {
            int id = segment[1 + (2 * i)];
            JpegComponent component = Array.Find(frame.Components, c => c.Id == id)
                ?? throw FailInSegment($"a scan names component {id}, which the frame lacks");
            if (Array.IndexOf(components, component, 0, i) >= 0) throw FailInSegment($"a scan names component {id} twice");
            BeginScan(component, segment[2 + (2 * i)], first, last, high, low);
            components[i] = component;
        }
        return new JpegScan(frame, components, first, last, high, low, _restartInterval);
    }

    /// <summary>
    /// Gives a component the tables of its scan and checks that the scan codes what is next to be coded, which also bounds the work a file
    /// can ask for.
    /// </summary>
    private readonly void BeginScan(JpegComponent component, byte tables, int first, int last, int high, int low)
    {
        component.Quantization ??= _quantization[component.QuantizationIndex]
            ?? throw FailInSegment($"component {component.Id} uses quantization table {component.QuantizationIndex}, which is missing");
        (int dc, int ac) = (tables >> 4, tables & 15);
        bool needsDc = first == 0 && high == 0;
        bool needsAc = last > 0;
        component.Dc = dc < 4 ? _dcTables[dc] : null;
        component.Ac = ac < 4 ? _acTables[ac] : null;
        if ((needsDc && component.Dc is null) || (needsAc && component.Ac is null))
            throw FailInSegment($"component {component.Id} uses Huffman tables {dc} and {ac}, of which one is missing");
        for (int k = first; k <= last; k++)
        {
            if (component.LowestBit[k] != (high == 0 ? -1 : high))
                throw FailInSegment($"a scan codes bit {low} of coefficient {k} of component {component.Id} out of turn");
            component.LowestBit[k] = (sbyte)low;
        }
    }

    /// <summary>
    /// The meaning of the components: by the Adobe and JFIF markers and the components' names, in the order in which readers commonly trust
    /// them.
    /// </summary>
    private readonly JpegColorModel ColorModel(JpegFrame frame)
    {
        JpegComponent[] c = frame.Components;
        return c.Length switch
        {
            1 => JpegColorModel.Grey,
            4 => _adobeTransform > 0 ? JpegColorModel.Ycck : JpegColorModel.Cmyk,
            _ when _jfif => JpegColorModel.YCbCr,
            _ when _adobeTransform >= 0 => _adobeTransform == 0 ? JpegColorModel.Rgb : JpegColorModel.YCbCr,
            _ => c[0].Id == 'R' && c[1].Id == 'G' && c[2].Id == 'B' ? JpegColorModel.Rgb : JpegColorModel.YCbCr,
        };
    }

    private readonly ImageFormatException Fail(long offset, string reason) => new(_name, offset, reason);

    private readonly ImageFormatException FailInSegment(string reason) => Fail(_position, reason);
}

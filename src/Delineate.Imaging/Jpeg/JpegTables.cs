namespace Delineate.Imaging;

/// <summary>Constants of ITU-T T.81: marker codes and the zigzag order.</summary>
internal static class JpegTables
{
    public const byte StartOfImage = 0xD8, EndOfImage = 0xD9, StartOfScan = 0xDA;
    public const byte HuffmanTables = 0xC4, QuantizationTables = 0xDB, RestartInterval = 0xDD, NumberOfLines = 0xDC, ArithmeticConditioning = 0xCC;
    public const byte Baseline = 0xC0, Extended = 0xC1, Progressive = 0xC2, Restart0 = 0xD0, Restart7 = 0xD7;
    public const byte App0 = 0xE0, App1 = 0xE1, App14 = 0xEE;

    /// <summary>Row-major place of each coefficient in coding order (T.81, figure 5). [64].</summary>
    public static ReadOnlySpan<byte> Zigzag =>
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
        12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
        58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];
}

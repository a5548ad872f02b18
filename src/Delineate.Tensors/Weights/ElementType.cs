using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Delineate.Tensors.Weights;

/// <summary>
/// The element types of weight files. Whatever the file holds becomes float32; integers beyond 2²⁴ and float64 are rounded.
/// </summary>
internal enum ElementType
{
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

internal static class ElementTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.F64 or ElementType.I64 or ElementType.U64 => 8,
        ElementType.F32 or ElementType.I32 or ElementType.U32 => 4,
        ElementType.F16 or ElementType.BF16 or ElementType.I16 or ElementType.U16 => 2,
        _ => 1,
    };

    /// <summary>Turns the bytes of each element round: big-endian elements become little-endian ones.</summary>
    public static void Swap(this ElementType type, Span<byte> bytes)
    {
        switch (type.Size())
        {
            case 8: BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<byte, ulong>(bytes), MemoryMarshal.Cast<byte, ulong>(bytes)); break;
            case 4: BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<byte, uint>(bytes), MemoryMarshal.Cast<byte, uint>(bytes)); break;
            case 2: BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<byte, ushort>(bytes), MemoryMarshal.Cast<byte, ushort>(bytes)); break;
        }
    }

    /// <summary>Little-endian elements as floats. <paramref name="bytes"/> holds exactly <c>values.Length</c> elements.</summary>
    public static void Widen(this ElementType type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        switch (type)
        {
            case ElementType.F64: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(bytes), values); break;
            case ElementType.F32: bytes.CopyTo(MemoryMarshal.AsBytes(values)); break;
            case ElementType.F16: TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), values); break;
            case ElementType.BF16:
                ReadOnlySpan<ushort> upper = MemoryMarshal.Cast<byte, ushort>(bytes); // the upper half of a float32
                for (int i = 0; i < values.Length; i++) values[i] = BitConverter.UInt32BitsToSingle((uint)upper[i] << 16);
                break;
            case ElementType.I64: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, long>(bytes), values); break;
            case ElementType.I32: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, int>(bytes), values); break;
            case ElementType.I16: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, short>(bytes), values); break;
            case ElementType.I8: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, sbyte>(bytes), values); break;
            case ElementType.U64: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, ulong>(bytes), values); break;
            case ElementType.U32: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, uint>(bytes), values); break;
            case ElementType.U16: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, ushort>(bytes), values); break;
            default: TensorPrimitives.ConvertTruncating(bytes, values); break;
        }
    }
}

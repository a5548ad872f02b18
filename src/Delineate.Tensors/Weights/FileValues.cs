using System.Runtime.InteropServices;

namespace Delineate.Tensors.Weights;

/// <summary>Elements that lie one after the other in a weight file, from byte <paramref name="at"/> on; <paramref name="place"/> names them in messages.</summary>
internal sealed class FileValues(FileBytes file, ElementType type, long at, string place, bool isBigEndian = false)
{
    private const int Chunk = 1 << 14; // elements of other types that are read and widened at a time

    /// <summary>What the elements are in the file.</summary>
    public ElementType Type => type;

    /// <summary>Reads elements from number <paramref name="first"/> on as float32. Any thread may, and several at once.</summary>
    /// <exception cref="WeightsFormatException">The file was cut short or cannot be read.</exception>
    public void Read(long first, Span<float> values)
    {
        long from = at + (first * type.Size());
        if (type == ElementType.F32)
        {
            Read(from, MemoryMarshal.AsBytes(values));
            return;
        }
        using Scratch scratch = Scratch.Floats(Chunk * sizeof(double) / sizeof(float));
        Span<byte> buffer = MemoryMarshal.AsBytes(scratch.Span);
        while (values.Length > 0)
        {
            Span<float> part = values[..Math.Min(Chunk, values.Length)];
            Span<byte> bytes = buffer[..(part.Length * type.Size())];
            Read(from, bytes);
            type.Widen(bytes, part);
            values = values[part.Length..];
            from += bytes.Length;
        }
    }

    /// <exception cref="WeightsFormatException">The file is not what it was when it was opened.</exception>
    public void RefuseChanged() => file.RefuseChanged(place);

    private void Read(long from, Span<byte> bytes)
    {
        file.Read(from, bytes, place);
        if (isBigEndian) type.Swap(bytes);
    }
}

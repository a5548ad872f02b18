using System.Runtime.InteropServices;

namespace Delineate.Tensors.Weights;

/// <summary>Writes a tensor's values as files hold them: float32, channels second.</summary>
internal static class TensorBytes
{
    private const int PieceLength = 1 << 18; // floats that are re-laid and written at a time

    /// <summary>Writes all values, some of the tensor's outermost places at a time.</summary>
    public static void Write(Stream file, Tensor tensor)
    {
        ReadOnlySpan<float> values = tensor.Block.Values[..tensor.Length];
        if (tensor.Shape.Rank != 4 || tensor.Length == 0)
        {
            file.Write(MemoryMarshal.AsBytes(values));
            return;
        }
        int place = tensor.Length / tensor.Shape[0], most = Math.Clamp(PieceLength / place, 1, tensor.Shape[0]);
        using Scratch buffer = Scratch.Floats(most * place);
        for (int i = 0; i < tensor.Shape[0]; i += most)
        {
            Shape part = tensor.Shape.With(0, Math.Min(most, tensor.Shape[0] - i));
            Span<float> second = buffer.Span[..part.Length];
            ChannelOrder.ToSecond(part, values.Slice(i * place, part.Length), second);
            file.Write(MemoryMarshal.AsBytes(second));
        }
    }
}

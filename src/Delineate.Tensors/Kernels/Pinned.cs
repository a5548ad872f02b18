using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Delineate.Tensors.Kernels;

/// <summary>Addresses of tensor memory, which is pinned: valid while the tensor is alive and not given back.</summary>
internal static unsafe class Pinned
{
    public static float* Of(Tensor tensor) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.Span));

    /// <summary>Of values that are only read.</summary>
    public static float* Of(Block block) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(block.Values));

    public static float* OfOptional(Tensor? tensor) => tensor is null ? null : Of(tensor);

    public static float* Of(Scratch scratch) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(scratch.Span));
}

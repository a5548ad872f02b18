namespace Delineate.Tensors.Kernels;

/// <summary>
/// Along one axis, the input positions start, start + stride, … of a convolution: which taps of the kernel reach them, and from which
/// output positions. Position start + stride·q is reached through tap KernelTaps[i] from output q + Offsets[i]; offsets ascend.
/// </summary>
internal sealed record AxisPhase(int Start, int Length, int[] KernelTaps, int[] Offsets)
{
    /// <summary>The phases of an axis of <paramref name="input"/> positions, empty ones left out.</summary>
    public static List<AxisPhase> All(int input, int kernel, int stride, int padding, int dilation)
    {
        var phases = new List<AxisPhase>();
        for (int start = 0; start < Math.Min(stride, input); start++)
        {
            var taps = new List<int>();
            for (int k = kernel - 1; k >= 0; k--)
            {
                if (Math.DivRem(start + padding - (k * dilation), stride).Remainder == 0) taps.Add(k);
            }
            int[] offsets = [.. taps.Select(k => (start + padding - (k * dilation)) / stride)];
            phases.Add(new AxisPhase(start, (input - start + stride - 1) / stride, [.. taps], offsets));
        }
        return phases;
    }
}

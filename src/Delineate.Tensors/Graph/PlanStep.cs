using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>A tensor of a plan and where it lies: in memory of its own, or in the memory of another, its host.</summary>
internal sealed class PlanValue(Shape shape)
{
    public Shape Shape { get; } = shape;

    /// <summary>The floats of one pixel: the last axis.</summary>
    public int Channels => Shape.Rank == 0 ? 1 : Shape[^1];

    public int Pixels => Channels == 0 ? 0 : Shape.Length / Channels;

    /// <summary>Values known before the plan runs, or null.</summary>
    public Tensor? Constant { get; set; }

    public bool IsInput { get; init; }

    public bool IsOutput { get; set; }

    /// <summary>An input or output that lies in the caller's tensor, at another address in each run.</summary>
    public bool IsOutside { get; set; }

    /// <summary>The step that writes it; null for inputs, constants, views and concatenations.</summary>
    public PlanStep? Writer { get; set; }

    /// <summary>The value in whose memory it lies, or null where it has its own.</summary>
    public PlanValue? Host { get; private set; }

    /// <summary>True where it is a range of its host's channels, false where it has the host's memory under another name.</summary>
    public bool IsPart { get; private set; }

    /// <summary>The first channel of the host that it takes.</summary>
    public int Channel { get; private set; }

    /// <summary>Another name needs its memory dense.</summary>
    public bool IsViewed { get; private set; }

    /// <summary>Without a host: floats between neighbouring pixels.</summary>
    public int OwnStride { get; set; } = shape.Rank == 0 ? 1 : shape[^1];

    /// <summary>Without a host: where it begins in the arena, in floats.</summary>
    public int Place { get; set; }

    public PlanValue Root => Host?.Root ?? this;

    public int PixelStride => Host is null ? OwnStride : IsPart ? Host.PixelStride : Channels;

    /// <summary>Floats of memory, without a host.</summary>
    public long Size => (long)Pixels * OwnStride;

    /// <summary>Lies in another value's memory under another shape or name.</summary>
    public void View(PlanValue host)
    {
        (Host, IsPart) = (host, false);
        host.IsViewed = true;
    }

    /// <summary>Lies in a range of another value's channels.</summary>
    public void TakePart(PlanValue host, int channel) => (Host, IsPart, Channel) = (host, true, channel);

    /// <summary>Floats from the arena's beginning.</summary>
    public int PlaceInArena => Host is null ? Place : Host.PlaceInArena + Channel;
}

/// <summary>One piece of a plan's work.</summary>
internal abstract class PlanStep(PlanValue?[] inputs, PlanValue output)
{
    public PlanValue?[] Inputs { get; } = inputs;

    public PlanValue Output { get; set; } = output;

    /// <summary>True where it can read pixels of this value that lie apart.</summary>
    public abstract bool ReadsSpaced(PlanValue value);

    /// <summary>True where it can write such pixels.</summary>
    public abstract bool WritesSpaced { get; }

    /// <summary>The step over an arena's memory.</summary>
    public abstract Work Bind(PlanMemory memory);

    public bool Reads(PlanValue value) => Array.IndexOf(Inputs, value) >= 0;
}

/// <summary>An op that runs as it is.</summary>
internal sealed class OpStep(GraphOp op, PlanValue?[] inputs, PlanValue output) : PlanStep(inputs, output)
{
    public GraphOp Op => op;

    public override bool WritesSpaced => op.WritesSpacedPixels;

    public override bool ReadsSpaced(PlanValue value) => op.ReadsSpacedPixels && Inputs[0] == value && Array.LastIndexOf(Inputs, value) == 0;

    public override Work Bind(PlanMemory memory)
    {
        var operands = new Operand[Inputs.Length];
        for (int i = 0; i < operands.Length; i++) operands[i] = Inputs[i] is { } input ? memory.Of(input) : default;
        return op.Bind(operands, memory.Of(Output));
    }
}

/// <summary>One input of a concatenation is copied to its channels, because it could not be written there at once.</summary>
internal sealed class CopyStep(PlanValue part, PlanValue whole, int channel) : PlanStep([part], whole)
{
    /// <summary>The first of the part's channels in the whole.</summary>
    public int Channel => channel;

    public override bool WritesSpaced => true;

    public override bool ReadsSpaced(PlanValue value) => true;

    public override unsafe Work Bind(PlanMemory memory)
    {
        (Operand from, Operand to) = (memory.Of(Inputs[0]!), memory.Of(Output));
        int channels = Inputs[0]!.Channels;
        float* source = from.Address, target = to.Address + channel;
        (int sourceStride, int targetStride) = (from.PixelStride, to.PixelStride);
        return Work.Ranges(channels == 0 ? 0 : Inputs[0]!.Pixels, Math.Max(1, Elementwise.Grain / Math.Max(1, channels)), (first, end) =>
            Gather.CopyRows(source + ((long)first * sourceStride), sourceStride, target + ((long)first * targetStride), targetStride, end - first, channels));
    }
}

/// <summary>A convolution with its bias, the batch norm after it (in the weights), a residual and an activation in one pass. Reads x, residual.</summary>
internal sealed class ConvStep(TracedConvolution op, PlanValue x, ConvSource source, PlanValue output, Rounding rounding) : PlanStep([x, null], output)
{
    public ConvGeometry Geometry => op.Geometry;

    public bool IsAdjoint => op.IsTransposed;

    public ConvSource Source { get; set; } = source;

    public PlanValue? Residual { get => Inputs[1]; set => Inputs[1] = value; }

    public Activation Activation { get; set; }

    /// <summary>The weights as the kernel wants them, once they are packed, and their key.</summary>
    public (WeightKey Key, ConvWeights Weights)? Packed { get; private set; }

    /// <summary>True where an addition can still join it.</summary>
    public bool IsOpen => Activation == Activation.None && Residual is null;

    public override bool WritesSpaced => true;

    public override bool ReadsSpaced(PlanValue value) => true;

    /// <summary>Packs the weights, or finds them packed. All values have their places by then.</summary>
    public void Pack(PackedWeights weights)
    {
        if (Output.Shape.Length == 0) return;
        ConvKernel kernel = NewKernel();
        var key = WeightKey.Of(this, kernel);
        Packed = (key, weights.Get(key, kernel));
    }

    public override unsafe Work Bind(PlanMemory memory)
    {
        if (Output.Shape.Length == 0) return Work.Nothing;
        Place from = memory.PlaceOf(Inputs[0]!), to = memory.PlaceOf(Output);
        Place? extra = Residual is { } added ? memory.PlaceOf(added) : null;
        var run = new ConvRun(NewKernel(), Packed!.Value.Weights, Activation); // of its own: a kernel serves one run at a time
        return Work.Once(() => run.Run(from.Address, extra is null ? null : extra.Address, to.Address));
    }

    private ConvKernel NewKernel() =>
        ConvKernel.For(Geometry, IsAdjoint, rounding, new PixelStrides(Inputs[0]!.PixelStride, Output.PixelStride, Residual?.PixelStride ?? Output.Channels));
}

/// <summary>Where a value begins: for good in the arena or, outside of it, during one run.</summary>
internal sealed unsafe class Place
{
    public float* Address { get; set; }
}

/// <summary>The memory that a plan's steps are bound to.</summary>
internal sealed unsafe class PlanMemory(float[] array)
{
    private readonly int start = TensorMemory.AlignedOffset(array);
    private readonly Dictionary<PlanValue, Tensor> tensors = [];
    private readonly Dictionary<PlanValue, Place> places = [];

    public Operand Of(PlanValue value)
    {
        if (value.Constant is null && value.PixelStride != value.Channels)
        {
            fixed (float* address = &array[start + value.PlaceInArena]) return new Operand(value.Shape, null, address, value.PixelStride); // the array is pinned
        }
        if (!tensors.TryGetValue(value, out Tensor? tensor))
        {
            Block block = value.Constant?.Block.ReadOnly() ?? Block.Over(array, start + value.PlaceInArena, value.Shape.Length);
            tensors.Add(value, tensor = new Tensor(value.Shape, block));
        }
        return Operand.Of(tensor);
    }
    /// <summary>The same for who asks anew in each run.</summary>
    public Place PlaceOf(PlanValue value)
    {
        if (!places.TryGetValue(value, out Place? place)) places.Add(value, place = new Place { Address = value.IsOutside ? null : Of(value).Address });
        return place;
    }
}

using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary>What the values of a map see of the input along one axis: value i the inputs about <see cref="Start"/> + <see cref="Jump"/>·i, <see cref="Size"/> of them.</summary>
/// <param name="Jump">Inputs between neighbouring values.</param>
/// <param name="Start">The middle of what the first value sees; pixel 0 has its middle at 0.</param>
/// <param name="Size">Inputs from the first that is seen to the last.</param>
/// <param name="IsWhole">True where the map sees the whole input besides, through a mean of all places.</param>
/// <param name="IsEnlarged">True after a layer that enlarges: from there on the values of a map do not all see equally much, and this is the most.</param>
internal readonly record struct ReceptiveField(double Jump, double Start, double Size, bool IsWhole, bool IsEnlarged)
{
    /// <summary>What value i sees, first and last.</summary>
    public (double First, double Last) At(double i) => (Start + (Jump * i) - ((Size - 1) / 2), Start + (Jump * i) + ((Size - 1) / 2));
}

/// <summary>Receptive fields by the formulas r' = r + (k − 1)·d·j and j' = j·s, along one axis (Araujo, Norris and Sim 2019), and by walking back from a place.</summary>
internal static class ReceptiveFields
{
    /// <summary>The field of each op of a flow; where paths join, that of the path with the largest.</summary>
    public static ReceptiveField[] Along(GraphFlow flow, bool rows)
    {
        var fields = new ReceptiveField[flow.Steps.Count];
        for (int i = 0; i < fields.Length; i++)
        {
            FlowStep step = flow.Steps[i];
            ReceptiveField[] sources = [.. step.Sources.Select(s => s < 0 ? new ReceptiveField(1, 0, 1, false, false) : fields[s])];
            ReceptiveField[] local = [.. sources.Where(f => !f.IsWhole)];
            ReceptiveField from = (local.Length > 0 ? local : sources).OrderByDescending(f => f.Size).FirstOrDefault(new ReceptiveField(1, 0, 1, false, false));
            fields[i] = Through(rows ? step.Rows : step.Columns, from) with { IsWhole = sources.Any(f => f.IsWhole) || (rows ? step.Rows : step.Columns) is AxisRead.Everything };
        }
        return fields;
    }

    /// <summary>The ops from the input to the output (or another op) along the path that sees most, first to last.</summary>
    public static IReadOnlyList<int> MainPath(GraphFlow flow, ReceptiveField[] fields, int end)
    {
        var depth = new int[fields.Length];
        for (int i = 0; i < depth.Length; i++) depth[i] = 1 + flow.Steps[i].Sources.Where(s => s >= 0).Select(s => depth[s]).DefaultIfEmpty(0).Max();
        var path = new List<int>();
        for (int at = end; at >= 0;)
        {
            path.Add(at);
            int[] sources = [.. flow.Steps[at].Sources.Where(s => s >= 0)];
            if (sources.Length == 0) break;
            at = sources.OrderBy(s => fields[s].IsWhole ? 1 : 0).ThenByDescending(s => fields[s].Size).ThenByDescending(s => depth[s]).First();
        }
        path.Reverse();
        return path;
    }

    /// <summary>
    /// The inputs that one value of an op sees, found by walking back through every path from it, those outside of the input included; null where all of them
    /// go through a mean of all places.
    /// </summary>
    public static (int First, int Last)? Seen(GraphFlow flow, int end, int place, bool rows)
    {
        var seen = new (int First, int Last)?[end + 1];
        seen[end] = (place, place);
        (int First, int Last)? input = null;
        for (int i = end; i >= 0; i--)
        {
            if (seen[i] is not { } wanted || Back(rows ? flow.Steps[i].Rows : flow.Steps[i].Columns, wanted) is not { } read) continue;
            foreach (int source in flow.Steps[i].Sources)
            {
                if (source < 0) input = Union(input, read);
                else seen[source] = Union(seen[source], read);
            }
        }
        return input;

        static (int First, int Last) Union((int First, int Last)? a, (int First, int Last) b) => a is { } known ? (Math.Min(known.First, b.First), Math.Max(known.Last, b.Last)) : b;
    }

    private static ReceptiveField Through(AxisRead read, ReceptiveField f) => read switch
    {
        AxisRead.Window w => f with { Jump = f.Jump * w.Stride, Start = f.Start + (f.Jump * ((w.Dilation * (w.Kernel - 1) / 2.0) - w.Padding)), Size = f.Size + (f.Jump * w.Dilation * (w.Kernel - 1)) },
        AxisRead.Spread w => f with
        {
            Jump = f.Jump / w.Stride,
            Start = f.Start + (f.Jump / w.Stride * (w.Padding - (w.Dilation * (w.Kernel - 1) / 2.0))),
            Size = f.Size + (f.Jump * (w.Dilation * (w.Kernel - 1) / w.Stride)), // so many inputs more than one write to an output, at most
            IsEnlarged = true,
        },
        AxisRead.Resized r => f with { Jump = f.Jump * r.Step, Start = f.Start + (f.Jump * r.Offset), Size = f.Size + (r.Interpolates && r.Step != 1 ? f.Jump : 0), IsEnlarged = true },
        _ => f,
    };

    private static (int First, int Last)? Back(AxisRead read, (int First, int Last) wanted) => read switch
    {
        AxisRead.Window w => ((wanted.First * w.Stride) - w.Padding, (wanted.Last * w.Stride) - w.Padding + (w.Dilation * (w.Kernel - 1))),
        AxisRead.Spread w => ((int)Math.Ceiling((wanted.First + w.Padding - (w.Dilation * (w.Kernel - 1.0))) / w.Stride), (int)Math.Floor((wanted.Last + w.Padding) / (double)w.Stride)),
        AxisRead.Resized r => ((int)Math.Floor((r.Step * wanted.First) + r.Offset), (int)(r.Interpolates ? Math.Ceiling((r.Step * wanted.Last) + r.Offset) : Math.Floor((r.Step * wanted.Last) + r.Offset))),
        _ => null,
    };
}

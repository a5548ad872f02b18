namespace Delineate.Tensors;

/// <summary>
/// What an op of an <see cref="OnnxBuilder"/> will make when the file runs. Arithmetic adds ops that broadcast as NumPy does; a number beside a value is of the
/// value's type: <c>x * 2f</c> of floats, <c>x * 2</c> of whole numbers.
/// </summary>
public readonly struct OnnxValue
{
    private readonly OnnxBuilder? builder;
    private readonly string? name;

    internal OnnxValue(OnnxBuilder builder, string name) => (this.builder, this.name) = (builder, name);

    /// <summary>Where it is an op's output.</summary>
    /// <exception cref="InvalidOperationException">It stands for an input that is left out.</exception>
    public OnnxBuilder Builder => builder ?? throw new InvalidOperationException("an input that is left out belongs to no file");

    /// <summary>Its name in the file; empty for an input that is left out.</summary>
    public string Name => name ?? "";

    public static OnnxValue operator +(OnnxValue a, OnnxValue b) => a.With(b, "Add");

    public static OnnxValue operator +(OnnxValue a, float b) => a.With(a.Builder.Number(b), "Add");

    public static OnnxValue operator +(OnnxValue a, long b) => a.With(a.Builder.Whole(b), "Add");

    public static OnnxValue operator -(OnnxValue a, OnnxValue b) => a.With(b, "Sub");

    public static OnnxValue operator -(OnnxValue a, float b) => a.With(a.Builder.Number(b), "Sub");

    public static OnnxValue operator -(OnnxValue a, long b) => a.With(a.Builder.Whole(b), "Sub");

    public static OnnxValue operator -(float a, OnnxValue b) => b.Builder.Number(a).With(b, "Sub");

    public static OnnxValue operator *(OnnxValue a, OnnxValue b) => a.With(b, "Mul");

    public static OnnxValue operator *(OnnxValue a, float b) => a.With(a.Builder.Number(b), "Mul");

    public static OnnxValue operator *(OnnxValue a, long b) => a.With(a.Builder.Whole(b), "Mul");

    public static OnnxValue operator /(OnnxValue a, OnnxValue b) => a.With(b, "Div");

    public static OnnxValue operator /(OnnxValue a, float b) => a.With(a.Builder.Number(b), "Div");

    public static OnnxValue operator /(OnnxValue a, long b) => a.With(a.Builder.Whole(b), "Div");

    public static OnnxValue operator /(float a, OnnxValue b) => b.Builder.Number(a).With(b, "Div");

    public static OnnxValue operator %(OnnxValue a, long b) => a.With(a.Builder.Whole(b), "Mod");

    public static OnnxValue operator %(OnnxValue a, OnnxValue b) => a.With(b, "Mod");

    public static OnnxValue operator &(OnnxValue a, OnnxValue b) => a.With(b, "And");

    /// <summary>An op of this value alone.</summary>
    public OnnxValue Apply(string op, params OnnxAttribute[] attributes) => Builder.Add(op, [this], attributes);

    /// <summary>An op of this value and another.</summary>
    public OnnxValue With(OnnxValue other, string op, params OnnxAttribute[] attributes) => Builder.Add(op, [this, other], attributes);

    public OnnxValue Cast(OnnxType type) => Apply("Cast", new OnnxAttribute("to", (long)type));

    public OnnxValue Reshape(params long[] sizes) => With(Builder.Wholes(sizes), "Reshape");

    public OnnxValue Unsqueeze(params long[] axes) => With(Builder.Wholes(axes), "Unsqueeze");

    public OnnxValue Squeeze() => Apply("Squeeze");

    public OnnxValue Transpose(params long[] order) => Apply("Transpose", new OnnxAttribute("perm", order));

    /// <summary>The sizes of some axes, whole numbers: [<paramref name="to"/> − <paramref name="from"/>].</summary>
    public OnnxValue Sizes(int from, int to) => Apply("Shape", new("start", from), new("end", to));

    /// <summary>The size of the first axis, a whole number without axes.</summary>
    public OnnxValue Count() => Sizes(0, 1).Squeeze();

    /// <summary>The places <paramref name="from"/> … <paramref name="to"/> − 1 of an axis.</summary>
    public OnnxValue Slice(long axis, long from, long to) => Builder.Add("Slice", [this, Builder.Wholes(from), Builder.Wholes(to), Builder.Wholes(axis)]);

    /// <summary>One place of the last axis, which goes.</summary>
    public OnnxValue Column(long place) => With(Builder.Whole(place), "Gather", new OnnxAttribute("axis", -1));

    /// <summary>The places of the first axis whose numbers are given.</summary>
    public OnnxValue Gather(OnnxValue places) => With(places, "Gather", new OnnxAttribute("axis", 0));

    /// <summary>The places of a list of conditions that hold. [n] → [m].</summary>
    public OnnxValue Places() => Apply("NonZero").Reshape(-1);

    public OnnxValue Minimum(OnnxValue other) => With(other, "Min");

    public OnnxValue Maximum(OnnxValue other) => With(other, "Max");

    /// <summary>The sum of the places of one axis, which goes.</summary>
    public OnnxValue Sum(long axis) => With(Builder.Wholes(axis), "ReduceSum", new OnnxAttribute("keepdims", 0));

    /// <summary>The <paramref name="count"/> largest (or smallest) of a list, in order, of equal ones the first: values and places. The count is a list of one number.</summary>
    public (OnnxValue Values, OnnxValue Places) Top(OnnxValue count, bool largest = true)
    {
        OnnxValue[] made = Builder.Add(2, "TopK", [this, count], new("axis", 0), new("largest", largest ? 1 : 0), new("sorted", 1));
        return (made[0], made[1]);
    }
}

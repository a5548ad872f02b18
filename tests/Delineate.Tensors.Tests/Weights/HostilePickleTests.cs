using Delineate.Tensors.Weights;
using Xunit;

namespace Delineate.Tensors.Tests.Weights;

/// <summary>Pickles that would run code in Python, beside an honest tensor, in each of the files that hold pickles.</summary>
public sealed class HostilePickleTests
{
    private const byte NewObject = 0x81, OneTuple = 0x85, TwoTuple = 0x86, NewObjectWithKeywords = 0x92, StackGlobal = 0x93;

    /// <summary>What each pickle does, and the name by which it is refused.</summary>
    private static readonly Dictionary<string, (string Name, Func<CheckpointBuilder, CheckpointBuilder> Write)> Attacks = new()
    {
        ["GLOBAL and REDUCE"] = ("os.system", b => b.Global("os", "system").Text("echo pwned").Op(OneTuple).Op('R')),
        ["GLOBAL of the module behind it"] = ("posix.system", b => b.Global("posix", "system").Text("echo pwned").Op(OneTuple).Op('R')),
        ["STACK_GLOBAL"] = ("os.system", b => b.Text("os").Text("system").Op(StackGlobal).Text("echo pwned").Op(OneTuple).Op('R')),
        ["STACK_GLOBAL of remembered names"] = ("nt.system", b => b.Text("nt").Op((byte)'q', 1, (byte)'0').Text("system").Op((byte)'q', 2, (byte)'0').Op((byte)'h', 1, (byte)'h', 2, StackGlobal)),
        ["REDUCE of eval"] = ("builtins.eval", b => b.Global("builtins", "eval").Text("__import__('os').system('echo pwned')").Op(OneTuple).Op('R')),
        ["REDUCE of Python 2's exec"] = ("__builtin__.execfile", b => b.Global("__builtin__", "execfile").Text("x.py").Op(OneTuple).Op('R')),
        ["BUILD with __setstate__"] = ("os.system", b => b.Global("collections", "OrderedDict").Op(')').Op('R')
            .Op('}').Text("__setstate__").Global("os", "system").Op('s').Op('b').Text("echo pwned").Op('b')),
        ["BUILD of a class with __setstate__"] = ("evil.Thing", b => b.Global("evil", "Thing").Op(')').Op(NewObject).Op('}').Text("command").Text("echo pwned").Op('s').Op('b')),
        ["INST"] = ("os.system", b => b.Op('(').Text("echo pwned").Op([(byte)'i', .. "os\nsystem\n"u8])),
        ["OBJ"] = ("os.system", b => b.Op('(').Global("os", "system").Text("echo pwned").Op('o')),
        ["NEWOBJ"] = ("subprocess.Popen", b => b.Global("subprocess", "Popen").Text("echo pwned").Op(OneTuple).Op(NewObject)),
        ["NEWOBJ_EX"] = ("subprocess.Popen", b => b.Global("subprocess", "Popen").Op(')').Op('}').Text("args").Text("echo pwned").Op('s').Op(NewObjectWithKeywords)),
        ["getattr of a module"] = ("builtins.getattr", b => b.Global("builtins", "getattr").Global("builtins", "__import__").Text("os").Op(OneTuple).Op('R').Text("system").Op(TwoTuple).Op('R')),
        ["getattr by a dotted name"] = ("collections.OrderedDict.__init__.__globals__", b => b.Text("collections").Text("OrderedDict.__init__.__globals__").Op(StackGlobal)),
        ["getattr of what is read"] = ("torch._utils.os.system", b => b.Text("torch._utils").Text("os.system").Op(StackGlobal)),
        ["operator's getattr"] = ("operator.attrgetter", b => b.Global("operator", "attrgetter").Text("system").Op(OneTuple).Op('R')),
        ["partial"] = ("functools.partial", b => b.Global("functools", "partial").Global("os", "system").Op(OneTuple).Op('R')),
        ["another file"] = ("torch.load", b => b.Global("torch", "load").Text("other.pth").Op(OneTuple).Op('R')),
        ["a download"] = ("torch.hub.load", b => b.Global("torch.hub", "load").Text("x/y").Text("z").Op(TwoTuple).Op('R')),
        ["NumPy's own pickle"] = ("numpy.load", b => b.Global("numpy", "load").Text("x.npy").Op(OneTuple).Op('R')),
        ["a class of the program"] = ("__main__.Model", b => b.Global("__main__", "Model").Op(')').Op(NewObject)),
    };

    public static TheoryData<string, string> All
    {
        get
        {
            var all = new TheoryData<string, string>();
            foreach (string attack in Attacks.Keys)
            {
                foreach (string container in (string[])["zip", "stream", "pkl"]) all.Add(attack, container);
            }
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_would_run_code_is_refused_by_its_name(string attack, string container)
    {
        (string name, Func<CheckpointBuilder, CheckpointBuilder> write) = Attacks[attack];
        byte[] file = File(container, write);
        var e = Assert.Throws<WeightsFormatException>(() => WeightFile.Open(new MemoryStream(file), "x"));
        Assert.Contains($"asks for '{name}', which is refused because it could run any code", e.Message, StringComparison.Ordinal);
        // Without the attack the file is read: it is the attack that is refused.
        Assert.Equal([3f], WeightFile.Open(new MemoryStream(File(container, b => b.Op('N'))), "x").Tensors["w"].ToArray());
    }

    [Theory]
    [InlineData(0x82)] // EXT1: a number for a name, which the program that wrote it knows
    [InlineData(0x83)]
    [InlineData(0x84)]
    public void Names_that_are_numbers_are_refused(byte opcode)
    {
        foreach (string container in (string[])["zip", "stream", "pkl"])
        {
            byte[] file = File(container, b => b.Op(opcode, 1, 0, 0, 0));
            Assert.Contains($"opcode 0x{opcode:X2} is not read", Assert.Throws<WeightsFormatException>(() => WeightFile.Open(new MemoryStream(file), "x")).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData('i')]
    [InlineData('o')]
    public void Harmless_types_are_made_by_the_oldest_opcodes_too(char opcode)
    {
        byte[] file = File("pkl", b => opcode == 'i' ? b.Op('(').Op([(byte)'i', .. "argparse\nNamespace\n"u8]) : b.Op('(').Global("argparse", "Namespace").Op('o'));
        Assert.Equal(["w"], WeightFile.Open(new MemoryStream(file), "x").Tensors.Keys);
        Assert.Contains("an object without a type", Assert.Throws<WeightsFormatException>(() => WeightFile.Open(new MemoryStream(File("pkl", b => b.Op('(').Op('o'))), "x")).Message, StringComparison.Ordinal);
    }

    /// <summary>A dictionary of a tensor and of what <paramref name="write"/> leaves on the stack.</summary>
    private static byte[] File(string container, Func<CheckpointBuilder, CheckpointBuilder> write)
    {
        CheckpointBuilder builder = new CheckpointBuilder().Op('}').Text("w");
        builder = (container == "pkl" ? builder.Array("f4", [1], BitConverter.GetBytes(3f)) : builder.Tensor("FloatStorage", "0", 1, 0, [1], [1]).Data("0", 3f)).Op('s');
        builder = write(builder.Text("more")).Op('s');
        return container switch
        {
            "zip" => builder.Build(),
            "stream" => builder.BuildStream(),
            _ => builder.BuildPickle(),
        };
    }
}

using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>Writes the pickle (protocol 2) of an <c>OrderedDict</c> of contiguous float32 tensors, each in a storage of its own, as <c>torch.save</c> does.</summary>
internal static class PickleWriter
{
    private const byte DictMemo = 0, RebuildMemo = 1, FloatMemo = 2; // names that every tensor needs, written once

    public static byte[] StateDict(IReadOnlyList<(string Name, Shape Shape)> tensors)
    {
        var pickle = new MemoryStream();
        Op((char)0x80, (char)2);
        Global("collections", "OrderedDict", DictMemo);
        Op(')', 'R', '(');
        for (int i = 0; i < tensors.Count; i++)
        {
            (string name, Shape shape) = tensors[i];
            Text(name);
            if (i == 0) Global("torch._utils", "_rebuild_tensor_v2", RebuildMemo);
            else Op('h', (char)RebuildMemo);
            Op('(', '('); // the call's arguments, of which the first is the storage
            Text("storage");
            if (i == 0) Global("torch", "FloatStorage", FloatMemo);
            else Op('h', (char)FloatMemo);
            Text(i.ToString(CultureInfo.InvariantCulture));
            Text("cpu");
            Number(shape.Length);
            Op('t', 'Q', 'K', (char)0);
            Numbers(Array.ConvertAll(shape.ToArray(), size => (long)size));
            Numbers(StridedView.RowMajor(shape).Strides);
            Op((char)0x89, 'h', (char)DictMemo, ')', 'R', 't', 'R'); // no gradient, no hooks
        }
        Op('u', '.');
        return pickle.ToArray();

        void Op(params ReadOnlySpan<char> codes)
        {
            foreach (char code in codes) pickle.WriteByte((byte)code);
        }

        void Global(string module, string name, byte memo)
        {
            pickle.Write(Encoding.ASCII.GetBytes($"c{module}\n{name}\n"));
            Op('q', (char)memo);
        }

        void Text(string text)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            Op('X');
            Int32(utf8.Length);
            pickle.Write(utf8);
        }

        void Numbers(long[] numbers)
        {
            Op('(');
            foreach (long number in numbers) Number(number);
            Op('t');
        }

        void Number(long number)
        {
            if (number is >= 0 and <= byte.MaxValue)
            {
                Op('K', (char)number);
                return;
            }
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
            Op((char)0x8A, (char)bytes.Length); // LONG1, signed
            pickle.Write(bytes);
        }

        void Int32(int value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
            pickle.Write(bytes);
        }
    }
}

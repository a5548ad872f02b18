using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class TensorMemoryTests
{
    private static float Step(Tensor weight)
    {
        using MemoryScope scope = TensorMemory.Scope();
        Tensor x = Tensor.Full([64, 32], 0.5f);
        Tensor loss = ((x * weight).Relu() + x).Reshape(32, 64).Softmax().Mean();
        loss.Backward();
        float value = loss.Item();
        weight.ZeroGrad();
        return value;
    }

    private static Tensor Weight()
    {
        Tensor weight = Tensor.Full([32], 0.1f);
        weight.RequiresGrad = true;
        return weight;
    }

    [Fact]
    public void A_scope_gives_everything_back()
    {
        long before = TensorMemory.BytesInUse;
        Tensor inside;
        using (TensorMemory.Scope())
        {
            inside = Tensor.Zeros([1000]);
            Assert.True(TensorMemory.BytesInUse >= before + 4000);
        }
        Assert.Equal(before, TensorMemory.BytesInUse);
        string message = Assert.Throws<ObjectDisposedException>(() => inside.ToArray()).Message;
        Assert.Contains("Keep()", message, StringComparison.Ordinal);
        Assert.Contains("ToArray()", message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_kept_or_passed_out_lives_on()
    {
        Tensor kept, passed, twice, lost;
        using (TensorMemory.Scope())
        {
            using (MemoryScope inner = TensorMemory.Scope())
            {
                kept = Tensor.Full([3], 1).Keep();
                passed = Tensor.Full([3], 2);
                twice = Tensor.Full([3], 3);
                lost = Tensor.Full([3], 4);
                inner.PassOut(passed);
                inner.PassOut(twice);
            }
            Assert.Equal([2, 2, 2], passed.ToArray());
            Assert.Throws<ObjectDisposedException>(() => lost.ToArray());
            TensorMemory.Current!.PassOut(twice);
        }
        Assert.Equal([1, 1, 1], kept.ToArray());
        Assert.Equal([3, 3, 3], twice.ToArray());
        Assert.Throws<ObjectDisposedException>(() => passed.ToArray());
        Assert.Null(TensorMemory.Current);
    }

    [Fact]
    public void A_leafs_gradient_outlives_the_scope_and_its_inputs_do_not()
    {
        Tensor weight = Weight();
        Tensor hidden;
        using (TensorMemory.Scope())
        {
            hidden = weight * 3;
            hidden.Sum().Backward();
            Assert.Throws<ObjectDisposedException>(() => hidden.ToArray()); // the walk gave it back
        }
        Assert.All(weight.Gradient!.ToArray(), v => Assert.Equal(3, v));
    }

    [Fact]
    public void A_root_can_be_read_after_its_walk_and_a_kept_activation_too()
    {
        using MemoryScope scope = TensorMemory.Scope();
        Tensor hidden = (Weight() * 2).Keep();
        Tensor loss = hidden.Sum();
        loss.Backward();
        Assert.Equal(6.4f, loss.Item(), 1e-5f);
        Assert.Equal(0.2f, hidden.Span[0]);
    }

    [Fact]
    public void What_the_caller_gives_back_and_no_gradient_reads_is_free_at_once()
    {
        using MemoryScope scope = TensorMemory.Scope();
        Tensor weight = Weight();
        Tensor hidden = weight * 2;
        Tensor sum = hidden + weight;
        long before = TensorMemory.BytesInUse;
        hidden.GiveBack();
        Assert.True(TensorMemory.BytesInUse <= before - (32 * sizeof(float)));
        Assert.Contains("GiveBack", Assert.Throws<ObjectDisposedException>(() => hidden.ToArray()).Message, StringComparison.Ordinal);
        sum.Sum().Backward();
        Assert.All(weight.Gradient!.ToArray(), v => Assert.Equal(3, v));
    }

    [Fact]
    public void What_a_gradient_reads_another_shares_or_outlives_the_step_is_not_given_back_by_its_caller()
    {
        using MemoryScope scope = TensorMemory.Scope();
        Tensor weight = Weight();
        Tensor read = weight * 2, shared = weight * 3, kept = (weight * 4).Keep(), checkpointed = weight * 5;
        Tensor product = read * weight;
        Tensor view = shared.Reshape(4, 8);
        Tensor again = Autograd.Checkpoint(x =>
        {
            Tensor y = x + 1;
            x.GiveBack(); // the function may be done with it: the second pass is not
            return y;
        }, checkpointed);
        foreach (Tensor tensor in (Tensor[])[weight, read, shared, kept, checkpointed]) tensor.GiveBack();
        Assert.Equal(0.2f, read.Span[0]);
        Assert.Equal(0.1f * 3, view.Span[0]);
        Assert.Equal(0.4f, kept.Span[0]);
        Assert.Equal(0.5f, checkpointed.Span[0]);
        (product.Sum() + again.Sum()).Backward();
        Assert.All(weight.Gradient!.ToArray(), v => Assert.Equal((4 * 0.1f) + 5, v, 1e-6f));
    }

    [Fact]
    public void Backward_finds_room_for_a_gradient_where_the_map_was()
    {
        const int Links = 6;
        const long Map = 64 << 10;
        Tensor mean = Tensor.Zeros([64]), variance = Tensor.Full([64], 1);
        Tensor leaf = Tensor.Full([256, 64], 0.5f);
        leaf.RequiresGrad = true;
        TensorMemory.Trim();
        using MemoryScope scope = TensorMemory.Scope();
        Tensor x = leaf * 2;
        for (int i = 0; i < Links; i++) x = x.BatchNorm(null, null, mean, variance, training: true, activation: Activation.Relu);
        Tensor root = x * 1, gradient = Tensor.Full(x.Shape, 1);
        TensorMemory.Trim();
        TensorMemory.ResetPeak();
        long before = TensorMemory.PeakBytes;
        root.Backward(gradient);
        // The first gradient finds no room yet, the root's maker's; each norm's goes where the one that it got lies, the leaf's where the last map was.
        Assert.InRange(TensorMemory.PeakBytes - before, Map, Map * 5 / 4);
    }

    [Fact]
    public void A_view_keeps_the_memory_until_its_last_holder_is_done()
    {
        using MemoryScope scope = TensorMemory.Scope();
        Tensor weight = Weight();
        Tensor hidden = weight * 2;
        Tensor view = hidden.Detach();
        hidden.Sum().Backward();
        Assert.Equal(0.2f, view.Span[0]);
    }

    [Fact]
    public void A_thousand_steps_take_no_more_memory_than_ten()
    {
        TensorMemory.Trim(); // what other tests left would be let go on the way
        Tensor weight = Weight();
        for (int i = 0; i < 10; i++) Step(weight);
        long pooled = TensorMemory.BytesPooled;
        long inUse = TensorMemory.BytesInUse; // only falls from here on, when the collector takes what other tests left
        TensorMemory.ResetPeak();
        long peak = TensorMemory.PeakBytes;
        for (int i = 0; i < 1000; i++) Step(weight);
        Assert.Equal(pooled, TensorMemory.BytesPooled);
        Assert.True(TensorMemory.BytesInUse <= inUse, "memory in use grew");
        Assert.True(TensorMemory.PeakBytes <= peak, "the peak grew");
    }

    [Fact]
    public void Backward_gives_a_chains_activations_back_as_it_consumes_them()
    {
        const int Links = 20;
        const long Map = 64 << 10;
        TensorMemory.Trim(); // a larger buffer of another test's could serve a link
        Tensor leaf = Tensor.Full([64, 256], 0.5f);
        leaf.RequiresGrad = true;
        using MemoryScope scope = TensorMemory.Scope();
        long start = TensorMemory.BytesInUse;
        var inUse = new List<long>();
        Tensor y = leaf;
        for (int i = 0; i < Links; i++)
        {
            y = y.Tanh();
            y = Autograd.Record(y.View(y.Shape), y, dy =>
            {
                inUse.Add(TensorMemory.BytesInUse - start);
                return dy;
            });
        }
        y.Backward(Tensor.Full(y.Shape, 1));
        // At link n the activations of those before are alive, the gradient, and the caller's gradient and root.
        Assert.Equal(Links, inUse.Count);
        for (int n = 0; n < Links; n++) Assert.InRange(inUse[n], 0, (Links - n + 3) * (Map + 1024));
        Assert.True(inUse[^1] < inUse[0] / 4, $"{inUse[0]} bytes at the walk's beginning, {inUse[^1]} at its end");
    }

    [Fact]
    public void Two_hundred_training_steps_on_changing_sizes_take_no_more_memory_than_the_first_sixty()
    {
        TensorMemory.Trim();
        var random = new Philox(1);
        var network = new Sequential(
            new Conv2d(random, 3, 8, 3, padding: 1, bias: false), new BatchNorm2d(8), new Relu(), new Conv2d(random, 8, 8, 3, stride: 2, padding: 1), new Relu(), new Conv2d(random, 8, 4, 1));
        var optimizer = new Sgd([new ParameterGroup(network.NamedParameters())]);
        long first = 0, peak = 0;
        for (int i = 0; i < 200; i++)
        {
            (int height, int width) = (8 + (i * 7 % 10), 9 + (i * 5 % 6)); // every combination comes within thirty steps
            using (TensorMemory.Scope())
            {
                Tensor x = Tensor.Full([1 + (i % 3), height, width, 3], 0.5f);
                Tensor scores = network.Forward(x).ResizeBilinear(height, width);
                scores.CrossEntropy(new byte[x.Length / 3]).Backward();
            }
            optimizer.Step(0.01);
            network.ZeroGrad();
            long held = TensorMemory.BytesInUse + TensorMemory.BytesPooled;
            if (i < 60) first = Math.Max(first, held);
            else peak = Math.Max(peak, held);
        }
        Assert.True(peak <= first * 1.1, $"{first} bytes at most in the first 60 steps, {peak} later");
    }

    [Fact]
    public void The_next_tensor_of_the_size_gets_the_buffer_that_was_given_back()
    {
        unsafe
        {
            nint first, second;
            using (TensorMemory.Scope())
            {
                fixed (float* p = Tensor.Empty([12_345]).Span) first = (nint)p;
            }
            using (TensorMemory.Scope())
            {
                fixed (float* p = Tensor.Empty([12_300]).Span) second = (nint)p; // the same size class
            }
            Assert.Equal(first, second);
        }
    }

    [Fact]
    public void A_buffer_that_no_step_asks_for_is_let_go()
    {
        TensorMemory.Trim();
        using (TensorMemory.Scope()) Tensor.Zeros([777_777]);
        Assert.True(TensorMemory.BytesPooled >= 3_111_108);
        for (int i = 0; i < 20; i++)
        {
            using (TensorMemory.Scope()) Tensor.Zeros([100]);
        }
        Assert.True(TensorMemory.BytesPooled < 10_000, "a buffer of another size waited on");
    }

    [Fact]
    public void A_free_buffer_serves_a_tensor_of_half_its_size_but_no_smaller_one()
    {
        TensorMemory.Trim();
        using (TensorMemory.Scope()) Tensor.Zeros([1 << 20]);
        long pooled = TensorMemory.BytesPooled;
        using (TensorMemory.Scope()) Tensor.Zeros([1 << 19]);
        Assert.Equal(pooled, TensorMemory.BytesPooled);
        using (TensorMemory.Scope()) Tensor.Zeros([(1 << 19) - 100_000]);
        Assert.True(TensorMemory.BytesPooled > pooled);
    }

    [Fact]
    public void Trim_lets_the_pool_go()
    {
        using (TensorMemory.Scope()) Tensor.Zeros([100_000]);
        Assert.True(TensorMemory.BytesPooled >= 400_000);
        TensorMemory.Trim();
        Assert.Equal(0, TensorMemory.BytesPooled);
    }

    [Fact]
    public void The_collector_takes_what_no_scope_owns()
    {
        long before = TensorMemory.BytesInUse;
        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Lose() => Tensor.Zeros([1_000_000]);
        Lose();
        for (int i = 0; i < 10 && TensorMemory.BytesInUse > before; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.True(TensorMemory.BytesInUse <= before);
    }

    [Fact]
    public void A_size_class_wastes_at_most_an_eighth()
    {
        TensorMemory.Trim();
        GC.Collect(); // what other tests left would be given back between the two readings
        GC.WaitForPendingFinalizers();
        for (int length = 200; length < 3_000_000; length = (length * 9 / 8) + 1)
        {
            long before = TensorMemory.BytesInUse;
            using Scratch scratch = Scratch.Floats(length);
            long taken = (TensorMemory.BytesInUse - before) / sizeof(float);
            Assert.InRange(taken, length, (length * 9L / 8) + 33);
        }
    }

    [Fact]
    public void Threads_have_scopes_of_their_own()
    {
        using MemoryScope scope = TensorMemory.Scope();
        MemoryScope? seen = scope;
        var thread = new Thread(() => seen = TensorMemory.Current);
        thread.Start();
        thread.Join();
        Assert.Null(seen);
        Assert.Same(scope, TensorMemory.Current);
    }
}

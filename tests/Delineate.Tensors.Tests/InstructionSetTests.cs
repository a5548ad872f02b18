using System.Runtime.Intrinsics;
using Xunit;

namespace Delineate.Tensors.Tests;

/// <summary>A run of the suite with an instruction set switched off must really run without it.</summary>
public sealed class InstructionSetTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", 512)]
    [InlineData("DOTNET_EnableAVX2", 512)]
    [InlineData("DOTNET_EnableAVX2", 256)]
    [InlineData("DOTNET_EnableHWIntrinsic", 128)]
    public void A_switch_in_the_environment_takes_effect(string name, int bits)
    {
        if (Environment.GetEnvironmentVariable(name) != "0") return;
        bool accelerated = bits switch { 512 => Vector512.IsHardwareAccelerated, 256 => Vector256.IsHardwareAccelerated, _ => Vector128.IsHardwareAccelerated };
        Assert.False(accelerated, $"{name}=0, yet vectors of {bits} bits are in use");
    }
}

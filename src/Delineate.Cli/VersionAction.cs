using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;

namespace Delineate.Cli;

/// <summary><c>--version</c>: the name and the number, without the commit that the compiler appends.</summary>
internal sealed class VersionAction : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        string? version = typeof(VersionAction).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        Console.Out.WriteLine($"delineate {version?.Split('+')[0]}");
        return 0;
    }
}

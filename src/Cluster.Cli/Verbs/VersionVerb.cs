using System.Reflection;

namespace ActorCluster.Cli.Verbs;

/// <summary>Prints the version of this tool, which is that of the library it was built with.</summary>
internal sealed class VersionVerb : Verb
{
    public override string Name => "version";

    public override string Summary => "Prints the version of this tool.";

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        await output.WriteLineAsync(typeof(VersionVerb).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion).ConfigureAwait(false);
        return 0;
    }
}

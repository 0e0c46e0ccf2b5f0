namespace ActorCluster.Cli;

/// <summary>One option of a verb.</summary>
/// <param name="Name">Without the dashes.</param>
/// <param name="Value">What stands behind it in the help, for example <c>FILE</c>; null for a switch, which takes no value.</param>
/// <param name="Summary">One line of help.</param>
internal sealed record VerbOption(string Name, string? Value, string Summary);

/// <summary>What follows <c>actorcluster</c> on the command line: one class a verb, in <c>Verbs/</c>.</summary>
internal abstract class Verb
{
    public abstract string Name { get; }

    /// <summary>One line of help.</summary>
    public abstract string Summary { get; }

    public virtual IReadOnlyList<VerbOption> Options => [];

    /// <summary>Names of what stands beside the options, for example <c>FILE</c>; more than these are refused.</summary>
    public virtual IReadOnlyList<string> Operands => [];

    /// <summary>How many operands there may be.</summary>
    public virtual int OperandsMax => Operands.Count;

    /// <summary>Exit code. Throws <see cref="UsageException"/> for what the user must write otherwise.</summary>
    public abstract Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping);
}

/// <summary>The command line asks for what there is not; the message is the one line the user sees, exit 64.</summary>
internal sealed class UsageException(string message) : Exception(message);

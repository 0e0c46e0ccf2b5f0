using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>A policy that a program brings itself, as a node goes by it: what it throws decides nothing.</summary>
/// <remarks>One life's thread asks it; <see cref="Fault"/> may be read by any.</remarks>
/// <param name="policy">The program's.</param>
internal sealed class OwnPolicy(SplitBrainResolver policy) : SplitBrainResolver
{
    /// <summary>What the strategy's name begins with in settings, so that no release's own name is ever taken for it.</summary>
    public const string Prefix = "own:";

    private volatile Exception? _fault;

    public override string Name => policy.Name;

    public override int VotersMax { get; } = policy.VotersMax;

    public override int VotersMin { get; } = policy.VotersMin;

    /// <summary>What it threw first; null while it never did.</summary>
    public Exception? Fault => _fault;

    /// <summary>The strategy in settings: name and parameters, alike on all nodes.</summary>
    public static string TextOf(SplitBrainResolver policy) => policy.Parameters.Length == 0 ? Prefix + policy.Name : $"{Prefix}{policy.Name}({policy.Parameters})";

    /// <summary>Why a policy's name or parameters cannot stand in settings, with the mend; null for nothing.</summary>
    public static string? FaultOf(SplitBrainResolver policy) =>
        policy.Name is not { Length: >= 1 and <= 64 } name || name.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '.'))
            ? $"The policy's name is '{policy.Name}'; give 1 to 64 of a-z, 0-9, '-' and '.'."
        : policy.Parameters is not { Length: <= 200 } parameters || parameters.Any(c => c is < ' ' or > '~' or '(' or ')' or ';')
            ? $"The parameters of policy {policy.Name} are '{policy.Parameters}'; give at most 200 printable ASCII characters, without parentheses and semicolons."
        : null;

    protected override DowningClass ClassOf(ImmutableArray<Voter> voters)
    {
        try
        {
            var verdict = policy.Classify(voters);
            return Enum.IsDefined(verdict) ? verdict : throw new InvalidOperationException($"{policy.Name} answers {(int)verdict}, which is no {nameof(DowningClass)}.");
        }
        catch (Exception cause)
        {
            _fault ??= cause;
            return DowningClass.Late; // As where nobody may vote: this side waits, and only stale leases speak.
        }
    }
}

using System.Collections.Immutable;

namespace ActorCluster.Downing;

/// <summary>One way a network can come apart, and what becomes of it.</summary>
/// <param name="Groups">Members that hear each other, separated by spaces, one text a group.</param>
/// <param name="Store">Those of the groups that reach the store.</param>
/// <param name="Witness">Those of the groups that see the witness; empty where that was not varied.</param>
/// <param name="Lives">Members that are still in the table and run; without the store they freeze.</param>
/// <param name="Stops">Members that were evicted or stopped themselves.</param>
/// <param name="Seconds">Until the last of that, from the moment the silence was noticed; 0 when nothing happened.</param>
/// <param name="Flag">What an operator should know; empty where a side that has the store serves and none else, and where nobody reaches it: then all freeze, whatever the policy says. More than one, separated by a comma and a space.</param>
public sealed record Cut(
    ImmutableArray<string> Groups, ImmutableArray<string> Store, ImmutableArray<string> Witness, ImmutableArray<string> Lives, ImmutableArray<string> Stops, double Seconds, string Flag)
{
    /// <summary>A side has the store and no member that has it is left.</summary>
    public const string NobodyServes = "nobody serves";

    /// <summary>Members of more than one group are left that have the store.</summary>
    public const string TwoSidesServe = "two sides serve";

    /// <summary>Those who are left are fewer than half.</summary>
    public const string MinorityServes = "a minority serves";

    /// <summary>Nobody may claim: the rule for undecided divisions decides, after 10 s.</summary>
    public const string Waits = "waits";
}

using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;

namespace ActorCluster.Hosting;

/// <summary>From the section <c>Cluster:Downing</c> to a resolver.</summary>
internal static class ResolverChoice
{
    private static readonly SortedDictionary<string, Func<DowningOptions, SplitBrainResolver>> Strategies = new(StringComparer.Ordinal)
    {
        ["keep-majority"] = o => new KeepMajority(o.Minority == "stop") { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all" },
        ["static-quorum"] = o => new StaticQuorum(o.QuorumSize) { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all" },
        ["keep-oldest"] = o => new KeepOldest(o.DownIfAlone, o.Strict) { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all" },
        ["keep-referee"] = o => new KeepReferee(o.Referee, o.RefereeVoters, o.Strict) { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all" },
        ["lease-majority"] = o => new LeaseMajority { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all" },
        ["down-all"] = o => new DownAll { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all" },
    };

    public static SplitBrainResolver Make(DowningOptions options) => Strategies[options.Strategy](options);

    /// <summary>What cannot work, each with its key, its value and the mend.</summary>
    /// <param name="options">The section.</param>
    /// <param name="hosts">The nodes there are, where <c>Cluster:Hosts</c> names them; else empty.</param>
    public static IEnumerable<string> Faults(DowningOptions options, ImmutableArray<string> hosts)
    {
        if (!Strategies.ContainsKey(options.Strategy))
            yield return $"Cluster:Downing:Strategy is '{options.Strategy}'; give keep-majority, static-quorum, keep-oldest, keep-referee, lease-majority or down-all.";
        if (options.Minority is not ("late" or "stop"))
            yield return $"Cluster:Downing:Minority is '{options.Minority}'; give late or stop.";
        if (options.Unstable is not ("claim" or "down-all"))
            yield return $"Cluster:Downing:Unstable is '{options.Unstable}'; give claim or down-all.";
        if (options.Role.Any(c => char.IsWhiteSpace(c) || c == ','))
            yield return $"Cluster:Downing:Role is '{options.Role}'; give one role, without spaces and commas, or nothing.";
        if (options.Strategy == "static-quorum")
        {
            if (options.QuorumSize is < 1 or > 1000)
                yield return $"Cluster:Downing:QuorumSize is {options.QuorumSize}; give at least 1 and at most 1,000: more than half of the voters there will be.";
            // With a role fewer than all hosts vote, so only the upper end is known.
            else if (hosts.Length > 0 && (options.QuorumSize > hosts.Length || (options.Role.Length == 0 && (2 * options.QuorumSize) - 1 < hosts.Length)))
                yield return $"Cluster:Downing:QuorumSize is {options.QuorumSize} and Cluster:Hosts names {hosts.Length} nodes; give {(hosts.Length / 2) + 1} to {hosts.Length}.";
        }
        if (options.Strategy == "keep-referee")
        {
            if (string.IsNullOrWhiteSpace(options.Referee))
                yield return $"Cluster:Downing:Referee is '{options.Referee}'; give the name of a node.";
            else if (hosts.Length > 0 && !hosts.Contains(options.Referee, StringComparer.Ordinal))
                yield return $"Cluster:Downing:Referee is '{options.Referee}'; give one of {string.Join(", ", hosts)}, which Cluster:Hosts names.";
            if (options.RefereeVoters < 1 || (hosts.Length > 0 && options.RefereeVoters > hosts.Length))
                yield return $"Cluster:Downing:RefereeVoters is {options.RefereeVoters}; give at least 1 and at most the number of nodes.";
        }
    }

    /// <summary>Strategy and parameters in one text; the strategy alone where all are defaults, as clusters made before have it.</summary>
    public static string Describe(DowningOptions options)
    {
        var parameters = Text(options);
        return parameters == Text(new DowningOptions()) ? options.Strategy : $"{options.Strategy}({parameters})";
    }

    private static string Text(DowningOptions o) => string.Create(
        CultureInfo.InvariantCulture, $"{o.Minority},{o.Unstable},{o.Role},{o.QuorumSize},{o.DownIfAlone},{o.Referee},{o.RefereeVoters},{o.Strict}");
}

using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;

namespace ActorCluster.Hosting;

/// <summary>From the section <c>Cluster:Downing</c> to a resolver.</summary>
internal static class ResolverChoice
{
    private static readonly SortedDictionary<string, BrokenEdgeRule> Rules = new(StringComparer.Ordinal)
    {
        ["evict-min"] = BrokenEdgeRule.EvictMin,
        ["relay"] = BrokenEdgeRule.Relay,
        ["evict-all"] = BrokenEdgeRule.EvictAll,
    };

    private static readonly SortedDictionary<string, Func<DowningOptions, SplitBrainResolver>> Strategies = new(StringComparer.Ordinal)
    {
        ["keep-majority"] = o => new KeepMajority(o.Minority == "stop") { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all", BrokenEdges = Rules[o.BrokenEdges] },
        ["static-quorum"] = o => new StaticQuorum(o.QuorumSize) { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all", BrokenEdges = Rules[o.BrokenEdges] },
        ["keep-oldest"] = o => new KeepOldest(o.DownIfAlone, o.Strict) { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all", BrokenEdges = Rules[o.BrokenEdges] },
        ["keep-referee"] = o => o.WitnessList.IsEmpty
            ? new KeepReferee(o.Referee, o.RefereeVoters, o.Strict) { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all", BrokenEdges = Rules[o.BrokenEdges] }
            : new KeepWitnessed(o.Strict) { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all", BrokenEdges = Rules[o.BrokenEdges] },
        ["lease-majority"] = o => new LeaseMajority { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all", BrokenEdges = Rules[o.BrokenEdges] },
        ["down-all"] = o => new DownAll { Role = o.Role, DownAllWhenUnstable = o.Unstable == "down-all", BrokenEdges = Rules[o.BrokenEdges] },
    };

    /// <summary>The parameters that only some strategies look at.</summary>
    private static readonly (string Key, Func<DowningOptions, object> Value, string[] UsedBy)[] Particular =
    [
        (nameof(DowningOptions.Minority), o => o.Minority, ["keep-majority"]),
        (nameof(DowningOptions.QuorumSize), o => o.QuorumSize, ["static-quorum"]),
        (nameof(DowningOptions.DownIfAlone), o => o.DownIfAlone ? "true" : "false", ["keep-oldest"]),
        (nameof(DowningOptions.Referee), o => o.Referee, ["keep-referee"]),
        (nameof(DowningOptions.RefereeVoters), o => o.RefereeVoters, ["keep-referee"]),
        (nameof(DowningOptions.Witnesses), o => o.Witnesses, ["keep-referee", OwnPolicy.Prefix]),
        (nameof(DowningOptions.WitnessQuorum), o => o.WitnessQuorum, ["keep-referee", OwnPolicy.Prefix]),
        (nameof(DowningOptions.Strict), o => o.Strict ? "true" : "false", ["keep-oldest", "keep-referee"]),
    ];

    /// <summary>There is a strategy of that name.</summary>
    public static bool Knows(string strategy) => Strategies.ContainsKey(strategy);

    /// <summary>It stands for a policy that a program brings itself.</summary>
    public static bool IsOwn(string strategy) => strategy.StartsWith(OwnPolicy.Prefix, StringComparison.Ordinal) && strategy.Length > OwnPolicy.Prefix.Length;

    /// <summary>The resolver of options without faults, which are a node's where they name a policy of the program's own.</summary>
    public static SplitBrainResolver Make(DowningOptions options) => !IsOwn(options.Strategy) ? Strategies[options.Strategy](options)
        : new OwnPolicy(options.Policy ?? throw new InvalidOperationException($"Nobody brought {options.Strategy}.")) { Role = options.Role, DownAllWhenUnstable = options.Unstable == "down-all", BrokenEdges = Rules[options.BrokenEdges] };

    /// <summary>Takes a program's policy as the default, with what it says of all strategies' settings.</summary>
    public static void Adopt(DowningOptions options, SplitBrainResolver policy)
    {
        options.Policy = policy;
        if (options.Strategy == new DowningOptions().Strategy) options.Strategy = OwnPolicy.TextOf(policy);
        if (policy.Role.Length > 0) options.Role = policy.Role;
        if (policy.DownAllWhenUnstable) options.Unstable = "down-all";
        if (policy.BrokenEdges != default) options.BrokenEdges = Rules.First(r => r.Value == policy.BrokenEdges).Key;
    }

    /// <summary>Why a node's strategy does not go with the policy that its program brings, or does not bring; null where it does.</summary>
    public static string? FaultOfPolicy(DowningOptions options) =>
        options.Policy is { } policy
            ? options.Strategy == OwnPolicy.TextOf(policy) ? null
                : $"Cluster:Downing:Strategy is '{options.Strategy}', and this program brings a policy of its own (WithResolver); give '{policy.Name}' or leave it out, or take WithResolver out of the program."
            : !IsOwn(options.Strategy) ? null
                : $"Cluster:Downing:Strategy is '{options.Strategy}', which stands for a policy that the program brings, and this one brings none; give one of the others, or register it with WithResolver.";

    /// <summary>Why a node cannot go by the cluster's strategy; null where it can. A policy of a program's own is known to those alone that bring it.</summary>
    /// <param name="own">The node's, without faults.</param>
    /// <param name="cluster">The cluster's strategy.</param>
    public static string? CannotObey(DowningOptions own, string cluster) =>
        own.Strategy == cluster || (!IsOwn(own.Strategy) && !IsOwn(cluster)) ? null
            : $"Cluster:Downing:Strategy is '{own.Strategy}' here, but '{cluster}' in the cluster, and a policy that a program brings itself ({OwnPolicy.Prefix}) is obeyed by nodes that have it and by no others: "
                + $"start this node with the program of the others, or stop all and change it: actorcluster settings set Cluster:Downing:Strategy '{own.Strategy}'";

    /// <summary>The witnesses that a node of these options asks.</summary>
    public static WitnessBoard WitnessesOf(ClusterOptions options) => new([.. options.Downing.WitnessList.Select(w => Witness.Parse(w)!)], options.Downing.WitnessQuorum, options.Times);

    /// <summary>What cannot work, each with its key, its value and the mend.</summary>
    /// <param name="options">The section.</param>
    /// <param name="hosts">The nodes there are, where somebody names them; else empty.</param>
    /// <param name="namedBy">Who does, with the verb.</param>
    public static IEnumerable<string> Faults(DowningOptions options, ImmutableArray<string> hosts, string namedBy = "Cluster:Hosts names")
    {
        if (!Strategies.ContainsKey(options.Strategy) && !IsOwn(options.Strategy))
            yield return $"Cluster:Downing:Strategy is '{options.Strategy}'; give keep-majority, static-quorum, keep-oldest, keep-referee, lease-majority or down-all.";
        if (options.Minority is not ("late" or "stop"))
            yield return $"Cluster:Downing:Minority is '{options.Minority}'; give late or stop.";
        if (options.Unstable is not ("claim" or "down-all"))
            yield return $"Cluster:Downing:Unstable is '{options.Unstable}'; give claim or down-all.";
        if (!Rules.ContainsKey(options.BrokenEdges))
            yield return $"Cluster:Downing:BrokenEdges is '{options.BrokenEdges}'; give evict-min, relay or evict-all.";
        if (options.Failsafe != TimeSpan.Zero && (options.Failsafe < TimeSpan.FromSeconds(15) || options.Failsafe > TimeSpan.FromDays(1)))
            yield return $"Cluster:Downing:Failsafe is {options.Failsafe}; give 00:00:15 to 1.00:00:00, or 0 for never.";
        if (options.Role.Any(c => char.IsWhiteSpace(c) || c == ','))
            yield return $"Cluster:Downing:Role is '{options.Role}'; give one role, without spaces and commas, or nothing.";
        if (options.Strategy == "static-quorum")
        {
            if (options.QuorumSize is < 1 or > 1000)
                yield return $"Cluster:Downing:QuorumSize is {options.QuorumSize}; give at least 1 and at most 1,000: more than half of the voters there will be.";
            // With a role fewer than all hosts vote, so only the upper end is known.
            else if (hosts.Length > 0 && (options.QuorumSize > hosts.Length || (options.Role.Length == 0 && (2 * options.QuorumSize) - 1 < hosts.Length)))
                yield return $"Cluster:Downing:QuorumSize is {options.QuorumSize}, and {namedBy} {Count(hosts)}; give {(hosts.Length == 1 ? "1" : $"{(hosts.Length / 2) + 1} to {hosts.Length}")}.";
        }
        foreach (var wrong in options.WitnessList.Where(w => Witness.Parse(w) is null))
            yield return $"Cluster:Downing:Witnesses has '{wrong}'; give http://host/, https://host/, tcp://host:port, file:///path or store, separated by commas, without names and passwords.";
        if (options.WitnessList.DistinctBy(w => Witness.Parse(w)?.Asked ?? w, StringComparer.Ordinal).Count() < options.WitnessList.Length)
            yield return $"Cluster:Downing:Witnesses is '{options.Witnesses}'; give each witness once.";
        if (options.WitnessQuorum < 1 || options.WitnessQuorum > Math.Max(1, options.WitnessList.Length))
            yield return $"Cluster:Downing:WitnessQuorum is {options.WitnessQuorum}; give 1 to {Math.Max(1, options.WitnessList.Length)}, the number of Cluster:Downing:Witnesses.";
        if (options.Strategy == "keep-referee")
        {
            if (options.Referee.Contains("://", StringComparison.Ordinal))
                yield return $"Cluster:Downing:Referee is '{options.Referee}'; give the name of a node, or leave it empty and put that into Cluster:Downing:Witnesses.";
            else if (!options.WitnessList.IsEmpty && (options.Referee.Length > 0 || options.RefereeVoters != 1))
                yield return $"Cluster:Downing:Referee is '{options.Referee}', RefereeVoters {options.RefereeVoters} and Witnesses '{options.Witnesses}'; give a node or witnesses, not both.";
            else if (options.WitnessList.IsEmpty && string.IsNullOrWhiteSpace(options.Referee))
                yield return $"Cluster:Downing:Referee is '{options.Referee}'; give the name of a node, or witnesses as Cluster:Downing:Witnesses.";
            else if (options.WitnessList.IsEmpty && hosts.Length > 0 && !hosts.Contains(options.Referee, StringComparer.Ordinal))
                yield return $"Cluster:Downing:Referee is '{options.Referee}'; give one of {string.Join(", ", hosts)}, which {namedBy}.";
            if (options.RefereeVoters < 1 || (hosts.Length > 0 && options.RefereeVoters > hosts.Length))
                yield return $"Cluster:Downing:RefereeVoters is {options.RefereeVoters}; give at least 1 and at most the number of nodes.";
        }
    }

    /// <summary>Parameters that were given to a strategy which does not look at them: whoever gave them expects what will not happen.</summary>
    public static IEnumerable<string> Unused(DowningOptions options)
    {
        if (!Strategies.ContainsKey(options.Strategy) && !IsOwn(options.Strategy)) return [];
        var (shipped, user) = (new DowningOptions(), IsOwn(options.Strategy) ? OwnPolicy.Prefix : options.Strategy);
        return from p in Particular
               where !p.UsedBy.Contains(user, StringComparer.Ordinal) && !p.Value(options).Equals(p.Value(shipped))
               select string.Create(
                   CultureInfo.InvariantCulture,
                   $"Cluster:Downing:{p.Key} is '{p.Value(options)}', and {options.Strategy} does not use it; give Cluster:Downing:Strategy {string.Join(" or ", p.UsedBy.Where(Knows))}, or leave it at its default, '{p.Value(shipped)}'.");
    }

    /// <summary>What these nodes alone cannot do: a reason to say so, none to refuse, since others may be still to come.</summary>
    /// <param name="options">Without faults.</param>
    /// <param name="nodes">All that were heard of.</param>
    public static IEnumerable<string> Doubts(DowningOptions options, ImmutableArray<string> nodes)
    {
        if (options.Strategy == "static-quorum" && options.QuorumSize > nodes.Length)
            yield return $"Cluster:Downing:QuorumSize is {options.QuorumSize}, and the cluster has had {Count(nodes)} so far ({string.Join(", ", nodes)}): nobody serves before {options.QuorumSize} reach each other. Start the others, or stop all and give less: actorcluster settings set";
        if (options.Strategy == "keep-referee" && options.WitnessList.IsEmpty && !nodes.Contains(options.Referee, StringComparer.Ordinal))
            yield return $"Cluster:Downing:Referee is '{options.Referee}', and the cluster has had no node of that name so far, but {string.Join(", ", nodes)}: after a cut no side has the referee. Start that node, or stop all and name another: actorcluster settings set";
    }

    private static string Count(ImmutableArray<string> nodes) => $"{nodes.Length} {(nodes.Length == 1 ? "node" : "nodes")}";

    /// <summary>The strategy and what differs from the defaults: a key that a later release adds leaves the digest of clusters that do not use it.</summary>
    public static string Describe(DowningOptions options)
    {
        var defaults = Parameters(new DowningOptions()).ToList();
        var changed = Parameters(options).Where((p, i) => p != defaults[i]).ToList();
        return changed.Count == 0 ? options.Strategy : $"{options.Strategy}({string.Join(',', changed)})";
    }

    private static IEnumerable<string> Parameters(DowningOptions o) =>
        new (string Key, object Value)[]
        {
            (nameof(o.Minority), o.Minority), (nameof(o.Unstable), o.Unstable), (nameof(o.Role), o.Role), (nameof(o.QuorumSize), o.QuorumSize), (nameof(o.DownIfAlone), o.DownIfAlone),
            (nameof(o.Referee), o.Referee), (nameof(o.RefereeVoters), o.RefereeVoters), (nameof(o.Witnesses), string.Join(' ', o.WitnessList)), (nameof(o.WitnessQuorum), o.WitnessQuorum), (nameof(o.Strict), o.Strict),
            (nameof(o.BrokenEdges), o.BrokenEdges), (nameof(o.Failsafe), o.Failsafe),
        }.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}={p.Value}"));
}

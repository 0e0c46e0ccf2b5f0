using System.Collections.Immutable;
using System.Net;
using ActorCluster.Downing;
using ActorCluster.Links;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Microsoft.Extensions.Options;

namespace ActorCluster.Hosting;

/// <summary>Settings of this node and of the cluster it creates or joins; bound from the section <c>Cluster</c>.</summary>
public sealed class ClusterOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Cluster";

    /// <summary>This node.</summary>
    public NodeOptions Node { get; set; } = new();

    /// <summary>Node names in the clients' fail-over order, separated by commas; empty: by age. Nodes find each other through the store.</summary>
    public string Hosts { get; set; } = "";

    /// <summary>Origins of web pages that may open client connections (<c>https://chat.example.com</c>), separated by commas, beside the node's own and the members' client URLs.</summary>
    public string Origins { get; set; } = "";

    /// <summary>Where the cluster's data is.</summary>
    public StoreOptions Store { get; set; } = new();

    /// <summary>This node's data folder, on a local file system; made if missing. Holds the node's lock file.</summary>
    public string Data { get; set; } = "data";

    /// <summary>The cluster secret that nodes prove to each other and that signs session tokens; two values, separated by a comma, while one is being rotated:
    /// the first is used, both are accepted. The same on every node.</summary>
    public string Secret { get; set; } = "";

    /// <summary>Links between nodes are authenticated but not encrypted; a node that binds another address than loopback must be told so.</summary>
    public bool AllowPlaintext { get; set; }

    /// <summary>Who survives a partition.</summary>
    public DowningOptions Downing { get; set; } = new();

    /// <summary>Bounds.</summary>
    public LimitOptions Limits { get; set; } = new();

    /// <summary>How long the store keeps what only people may want to look at.</summary>
    public RetentionOptions Retention { get; set; } = new();

    /// <summary>Times of the protocol; those of the lease are the cluster's (decision 18).</summary>
    public ProtocolTimes Times { get; set; } = new();

    /// <summary>What a node does that was evicted: <c>Rejoin</c> under a new incarnation, or <c>Exit</c> with code 75.</summary>
    public OnDown OnDown { get; set; } = OnDown.Rejoin;

    /// <summary>What the configuration said that could not be taken.</summary>
    internal ImmutableArray<string> BindingFaults { get; set; } = [];

    internal ImmutableArray<string> HostList => Split(Hosts);

    internal ImmutableArray<string> OriginList => Split(Origins);

    internal ImmutableArray<string> Secrets => Split(Secret);

    /// <summary>A copy with other shared settings; the rest is the same.</summary>
    internal ClusterOptions With(DowningOptions downing, ProtocolTimes times)
    {
        var copy = (ClusterOptions)MemberwiseClone();
        (copy.Downing, copy.Times) = (downing, times);
        return copy;
    }

    private static ImmutableArray<string> Split(string list) => [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
}

/// <summary>This node.</summary>
public sealed class NodeOptions
{
    /// <summary>Unique name, 1 to 64 letters, digits, '-', '_' and '.', the first a letter or digit, since it names a folder; the machine's name by default.</summary>
    public string Name { get; set; } = Environment.MachineName;

    /// <summary><c>host:port</c> at which other nodes reach this one; port 0 takes a free one.</summary>
    public string Link { get; set; } = "127.0.0.1:0";

    /// <summary>
    /// <c>host:port</c> of another interface for the control channel, so that one network may fail and the other carries both; empty: that of <see cref="Link"/> serves both. Port 0 takes
    /// a free one. Only where all nodes of the cluster run a release that knows it: the address in the member's row is then <c>data;control</c>.
    /// </summary>
    public string ControlLink { get; set; } = "";

    /// <summary>URL at which clients reach this node; empty: clients are told of other nodes only.</summary>
    public string Clients { get; set; } = "";

    /// <summary>Roles, separated by commas; where <see cref="DowningOptions.Role"/> names one, only those who have it vote.</summary>
    public string Roles { get; set; } = "";

    internal ImmutableArray<string> RoleList => [.. Roles.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Order(StringComparer.Ordinal)];

    /// <summary>Zone, empty for none. Kept with the member; nothing depends on it yet.</summary>
    public string Zone { get; set; } = "";

    /// <summary>Capacity relative to other nodes: its share of shards and its weight in votes. 0.01 to 100.</summary>
    public double Capacity { get; set; } = 1;

    /// <summary>
    /// How long this node may be frozen on end before it stops its host with exit code 76, so that a supervisor starts it again: by then it may reach the store by another way. At least the lease's
    /// <see cref="ProtocolTimes.LeaseTtl"/>, at most 30 days; 0, the default, for never. Time in which it goes on by the word of all (<see cref="DowningOptions.Failsafe"/>) does not count, nor does
    /// that of a node that is not up yet.
    /// </summary>
    public TimeSpan FrozenMax { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// How long the host may take to stop once this node has ended for good, and a node that was evicted to begin anew; then the process ends with the node's exit code, also where its thread pool runs
    /// nothing any more. Not when somebody else stops the host. 1 s to 1 hour; 0, the default, for as long as it likes: then a supervisor has to look.
    /// </summary>
    public TimeSpan ExitWithin { get; set; } = TimeSpan.Zero;

    /// <summary>What is wrong with <see cref="FrozenMax"/> where the lease has these times; null for nothing.</summary>
    internal string? FrozenMaxFault(ProtocolTimes times) =>
        FrozenMax == TimeSpan.Zero || (FrozenMax >= times.LeaseTtl && FrozenMax <= TimeSpan.FromDays(30)) ? null
        : $"Cluster:Node:FrozenMax is {FrozenMax}; give Cluster:Times:LeaseTtl ({times.LeaseTtl}) to 30 days, for example 00:05:00, or 0 to wait for the store for ever.";
}

/// <summary>Where the cluster's data is; one of the two.</summary>
public sealed class StoreOptions
{
    /// <summary>SQLite file, for nodes on one machine.</summary>
    public string Sqlite { get; set; } = "";

    /// <summary>Connection string of a PostgreSQL database, for nodes on several machines: <c>Host=db1;Username=chat;Password=...;Database=chat</c>.</summary>
    public string Postgres { get; set; } = "";
}

/// <summary>Who survives a partition; those of the node that makes the cluster count for all (decision 18). A parameter of another strategy than the chosen one is refused.</summary>
public sealed class DowningOptions
{
    /// <summary>Name of the split-brain resolver: <c>keep-majority</c>, <c>static-quorum</c>, <c>keep-oldest</c>, <c>keep-referee</c>, <c>lease-majority</c> or <c>down-all</c>; or that of the
    /// policy that the program brings (<see cref="ActorClusterBuilder.WithResolver"/>), which is then the default and the only one that is not refused.</summary>
    public string Strategy { get; set; } = "keep-majority";

    /// <summary>keep-majority: what the smaller side does, <c>late</c> (takes over when the leases of the others went stale) or <c>stop</c>.</summary>
    public string Minority { get; set; } = "late";

    /// <summary>What happens to a division that stays undecided for ten seconds: <c>claim</c> (each component in turn, the larger first) or <c>down-all</c>.</summary>
    public string Unstable { get; set; } = "claim";

    /// <summary>Only members with this role vote; empty: all do.</summary>
    public string Role { get; set; } = "";

    /// <summary>static-quorum: voters a side needs, 1 to 1,000, to be given; the cluster then takes 2 × this - 1 voters at most.</summary>
    public int QuorumSize { get; set; }

    /// <summary>keep-oldest: the oldest does not stay when it is cut off alone from two or more others.</summary>
    public bool DownIfAlone { get; set; } = true;

    /// <summary>keep-referee: name of the node whose side lives.</summary>
    public string Referee { get; set; } = "";

    /// <summary>keep-referee: voters the referee's side needs, at least 1.</summary>
    public int RefereeVoters { get; set; } = 1;

    /// <summary>keep-referee without a <see cref="Referee"/>: what only a side that was not cut off reaches, separated by commas: <c>http://host/</c> or <c>https://host/</c>
    /// (any status from 200 to 499), <c>tcp://host:port</c>, <c>file:///path</c> on a share, <c>store</c>. Each is asked every two seconds and counts for four.</summary>
    public string Witnesses { get; set; } = "";

    /// <summary>How many of the witnesses a node must see, 1 to their number.</summary>
    public int WitnessQuorum { get; set; } = 1;

    /// <summary>keep-oldest and keep-referee: the losing side stops, instead of taking over when the leases of the others went stale.</summary>
    public bool Strict { get; set; }

    /// <summary>Members that are connected through others only: <c>evict-min</c> (when one of them lacks more than half of the others for ten seconds, the fewest go that mend it),
    /// <c>relay</c> (nobody goes) or <c>evict-all</c> (both ends of every edge that stays broken for ten seconds go). Those who stay must be who would live after a cut.</summary>
    public string BrokenEdges { get; set; } = "evict-min";

    /// <summary>For how long since its last renewal a node that misses the store may go on serving reads from memory, and acting for types that are registered so, while every member of the view says that it
    /// misses the store too; 15 s to 1 day, 0 for never. A node that starts waits as long for a member that it neither reaches nor can prove dead.</summary>
    public TimeSpan Failsafe { get; set; } = TimeSpan.Zero;

    /// <summary>The policy that the program brings.</summary>
    internal SplitBrainResolver? Policy { get; set; }

    internal ImmutableArray<string> WitnessList => [.. Witnesses.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
}

/// <summary>Bounds of this node.</summary>
public sealed class LimitOptions
{
    /// <summary>Messages that may wait for one entity, 1 to 1,000,000.</summary>
    public int Mailbox { get; set; } = 1000;

    /// <summary>Idle time after which an entity leaves memory, 1 s to 1 day.</summary>
    public TimeSpan PassivateAfter { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long an ask waits for its reply, 10 ms to 5 min.</summary>
    public TimeSpan AskTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Client connections of this node, 1 to 1,000,000; one more is refused with 503.</summary>
    public int Connections { get; set; } = 20_000;

    /// <summary>Largest frame between nodes in bytes, 64 KiB to 64 MiB; equal on every node.</summary>
    public int FrameBytes { get; set; } = 1024 * 1024;
}

/// <summary>How long the store keeps what only people may want to look at. The coordinator's values count, by the store's clock.</summary>
public sealed class RetentionOptions
{
    /// <summary>Age of the logs of views and epochs, 1 day to 10 years. What the protocol, or <c>actorcluster check</c>, still needs stays in any case.</summary>
    public TimeSpan Logs { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Age of members since they went down, 1 day to 10 years. One that a shard still waits for stays in any case.</summary>
    public TimeSpan DownMembers { get; set; } = TimeSpan.FromDays(7);

    /// <summary>
    /// Age of the rows of a journal, rooms' histories among them: 2 days to 100 years, or zero to keep them at any age. The owner of an entity deletes older ones, if the entity has two snapshots
    /// that hold them.
    /// </summary>
    public TimeSpan JournalAge { get; set; } = TimeSpan.FromDays(365);

    /// <summary>Most rows of one entity's journal, 10,000 or more; or zero to keep any number. Those of the last 24 hours stay in any case.</summary>
    public long JournalRows { get; set; } = 1_000_000;

    internal JournalLimits JournalLimits => new(JournalAge > TimeSpan.Zero ? JournalAge : null, JournalRows > 0 ? JournalRows : null, JournalLimits.DedupeWindow);
}

/// <summary>What an evicted node does.</summary>
public enum OnDown
{
    /// <summary>Starts anew as a new incarnation, in the same process.</summary>
    Rejoin,

    /// <summary>Ends the process with code 75; a supervisor starts it again.</summary>
    Exit,
}

internal sealed class ClusterOptionsValidator : IValidateOptions<ClusterOptions>
{
    public ValidateOptionsResult Validate(string? name, ClusterOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        foreach (var fault in options.BindingFaults) faults.AddError(fault);
        var node = options.Node;
        if (node.Name.Length is < 1 or > 64 || !char.IsAsciiLetterOrDigit(node.Name[0]) || node.Name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
            faults.AddError($"Cluster:Node:Name is '{node.Name}'; give 1 to 64 letters, digits, '-', '_' or '.', the first a letter or digit.");
        foreach (var twice in options.HostList.GroupBy(h => h, StringComparer.Ordinal).Where(g => g.Count() > 1))
            faults.AddError($"Cluster:Hosts is '{options.Hosts}', which has '{twice.Key}' {twice.Count()} times; name each node once.");
        if (node.ControlLink.Length > 0 && node.ControlLink == node.Link && !node.Link.EndsWith(":0", StringComparison.Ordinal))
            faults.AddError($"Cluster:Node:ControlLink is '{node.ControlLink}', as Link is; give another address, or leave it out: then both channels use Link.");
        foreach (var (key, link) in node.ControlLink.Length > 0 ? new[] { (nameof(node.Link), node.Link), (nameof(node.ControlLink), node.ControlLink) } : [(nameof(node.Link), node.Link)])
        {
            if (!HasPort(link) || link.Contains(LinkPeer.Between, StringComparison.Ordinal))
                faults.AddError($"Cluster:Node:{key} is '{link}'; give host:port, for example 10.0.0.1:8091.");
            else if (HostOf(link) is { } bound && (bound.Equals(IPAddress.Any) || bound.Equals(IPAddress.IPv6Any)))
                faults.AddError($"Cluster:Node:{key} is '{link}'; other nodes dial this address, so give one that reaches this machine, for example 10.0.0.1:8091.");
            else if (HostOf(link) is { } literal && !IPAddress.IsLoopback(literal) && !options.AllowPlaintext)
                faults.AddError(NeedsPlaintext(link, key));
        }
        if (node.Clients.Length > 0 && !IsWebUrl(node.Clients))
            faults.AddError($"Cluster:Node:Clients is '{node.Clients}'; give an http or https URL, for example http://camserver1:8080.");
        if (node.Capacity is not (>= 0.01 and <= 100))
            faults.AddError($"Cluster:Node:Capacity is {node.Capacity}; give 0.01 to 100.");
        if (node.ExitWithin != TimeSpan.Zero && (node.ExitWithin < TimeSpan.FromSeconds(1) || node.ExitWithin > TimeSpan.FromHours(1)))
            faults.AddError($"Cluster:Node:ExitWithin is {node.ExitWithin}; give 1 second to 1 hour, for example 00:00:05, or 0 to wait for the host for ever.");
        if (node.FrozenMaxFault(options.Times) is { } frozenMax) faults.AddError(frozenMax);
        foreach (var origin in options.OriginList.Where(o => !IsWebUrl(o)))
            faults.AddError($"Cluster:Origins has '{origin}'; give http or https origins, for example https://chat.example.com.");
        if (string.IsNullOrWhiteSpace(options.Data))
            faults.AddError("Cluster:Data is empty; give a folder on a local file system, for example data.");
        if (options.Store.Sqlite.Length > 0 && options.Store.Postgres.Length > 0)
            faults.AddError($"Cluster:Store has both Sqlite ({options.Store.Sqlite}) and Postgres; a cluster has one store. Remove one; what WithSqlite and WithPostgres name counts too.");
        if (options.Secrets.Length is < 1 or > 2)
            faults.AddError($"Cluster:Secret has {options.Secrets.Length} values; give one, or two separated by a comma while rotating. Any long random text, the same on every node.");
        if (options.Secrets.Any(s => s.Length < 8))
            faults.AddError("Cluster:Secret is shorter than 8 characters; give a long random text, for example the output of: openssl rand -hex 32");
        if (ResolverChoice.FaultOfPolicy(options.Downing) is { } unbrought) faults.AddError(unbrought);
        foreach (var fault in ResolverChoice.Faults(options.Downing, [.. options.HostList.Distinct(StringComparer.Ordinal)]).Concat(ResolverChoice.Unused(options.Downing))) faults.AddError(fault);
        // With other hosts one of them may have it; a node that comes up alone then says so and waits.
        if (options.Downing.Role.Length > 0 && options.HostList is [var only] && only == node.Name && !node.RoleList.Contains(options.Downing.Role, StringComparer.Ordinal))
            faults.AddError($"Cluster:Downing:Role is '{options.Downing.Role}', and {only}, the only node that Cluster:Hosts names, does not have it, so nobody would vote; add it to Cluster:Node:Roles, or empty the key.");
        if (options.Limits.Mailbox is < 1 or > 1_000_000)
            faults.AddError($"Cluster:Limits:Mailbox is {options.Limits.Mailbox}; give 1 to 1,000,000.");
        if (options.Limits.PassivateAfter < TimeSpan.FromSeconds(1) || options.Limits.PassivateAfter > TimeSpan.FromDays(1))
            faults.AddError($"Cluster:Limits:PassivateAfter is {options.Limits.PassivateAfter}; give 1 s to 1 day.");
        if (options.Limits.AskTimeout < TimeSpan.FromMilliseconds(10) || options.Limits.AskTimeout > TimeSpan.FromMinutes(5))
            faults.AddError($"Cluster:Limits:AskTimeout is {options.Limits.AskTimeout}; give 10 ms to 5 min.");
        if (options.Limits.Connections is < 1 or > 1_000_000)
            faults.AddError($"Cluster:Limits:Connections is {options.Limits.Connections}; give 1 to 1,000,000.");
        if (options.Limits.FrameBytes is < 65_536 or > 67_108_864)
            faults.AddError($"Cluster:Limits:FrameBytes is {options.Limits.FrameBytes}; give 65,536 to 67,108,864.");
        foreach (var (key, age) in new[] { (nameof(RetentionOptions.Logs), options.Retention.Logs), (nameof(RetentionOptions.DownMembers), options.Retention.DownMembers) })
            if (age < TimeSpan.FromDays(1) || age > TimeSpan.FromDays(3650)) faults.AddError($"Cluster:Retention:{key} is {age}; give 1 to 3,650 days, for example 30.00:00:00.");
        if (options.Retention.JournalAge != TimeSpan.Zero && (options.Retention.JournalAge < TimeSpan.FromDays(2) || options.Retention.JournalAge > TimeSpan.FromDays(36500)))
            faults.AddError($"Cluster:Retention:JournalAge is {options.Retention.JournalAge}; give 2 to 36,500 days, for example 365.00:00:00, or 0 to keep rows of any age.");
        if (options.Retention.JournalRows is not (0 or (>= 10_000 and <= 1_000_000_000_000)))
            faults.AddError($"Cluster:Retention:JournalRows is {options.Retention.JournalRows}; give 10,000 or more, or 0 to keep any number.");
        foreach (var fault in options.Times.Faults()) faults.AddError(fault);
        return faults.Build();
    }

    /// <summary>Why a link address that is not loopback is refused.</summary>
    public static string NeedsPlaintext(string link, string key = nameof(NodeOptions.Link)) =>
        $"Cluster:Node:{key} is '{link}', which is not loopback, and links between nodes are not encrypted. Set Cluster:AllowPlaintext to true if that network is trusted, or link over 127.0.0.1.";

    private static bool IsWebUrl(string text) => Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https";

    private static IPAddress? HostOf(string link) => IPAddress.TryParse(link[..link.LastIndexOf(':')].Trim('[', ']'), out var host) ? host : null;

    private static bool HasPort(string address) =>
        address.LastIndexOf(':') is > 0 and var colon && ushort.TryParse(address.AsSpan(colon + 1), out _);
}

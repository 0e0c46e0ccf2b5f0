using System.Collections.Immutable;

namespace ActorCluster.Hosting;

/// <summary>What a node knows of itself and the cluster, for operators.</summary>
/// <param name="Node">Name of this node.</param>
/// <param name="Incarnation">Its incarnation, 0 before the first.</param>
/// <param name="Mode">What it may do now; <c>failsafe</c> is frozen, but reads go on by the word of all members.</param>
/// <param name="Store">Kind and place of the store.</param>
/// <param name="StoreFault">Why the store did not answer the last call that told of it, who is in its way included; null while it answers.</param>
/// <param name="View">Number of the member list.</param>
/// <param name="Members">Live members and those that went down lately, by incarnation.</param>
/// <param name="Shards">Per entity type: how many shards each node owns, and how many nobody.</param>
/// <param name="Singletons">Who holds which singleton.</param>
/// <param name="JoinBlockedBy">What this node waits for before it is up.</param>
/// <param name="LastDecisions">The last decisions of this life, newest last.</param>
/// <param name="LastEnd">Why the last life of this node ended, null when none did.</param>
/// <param name="ActiveEntities">Entities in memory here.</param>
/// <param name="UncommittedRows">Journal rows that wait for their commit here.</param>
/// <param name="Witnesses">What each witness of <c>Cluster:Downing:Witnesses</c> said last to this node.</param>
/// <param name="BrokenLinks">Members that are connected through others only.</param>
/// <param name="Settings">The settings that the cluster shares.</param>
/// <param name="FailingTimers">Durable timers here whose last firing failed; each is fired again every minute, and the log says why it fails.</param>
/// <param name="LacksAssentOf">While this node misses the store and <c>Cluster:Downing:Failsafe</c> is on: names of the members that have not said that they miss it too.</param>
/// <param name="PoolDelaySeconds">How long the newest item waited for a thread of this node's pool, or waits: above 5 s for 10 s the node is sick.</param>
/// <param name="PolicyFault">An alarm: what the program's own policy (<see cref="ActorClusterBuilder.WithResolver"/>) threw first in this life, instead of deciding; null while it never did.</param>
public sealed record ClusterStatus(
    string Node, long Incarnation, string Mode, string Store, string? StoreFault, long View, ImmutableArray<MemberStatusLine> Members, ImmutableArray<ShardStatusLine> Shards,
    ImmutableArray<SingletonStatus> Singletons,
    ImmutableArray<string> JoinBlockedBy, ImmutableArray<string> LastDecisions, string? LastEnd, int ActiveEntities, int UncommittedRows, ImmutableArray<WitnessStatusLine> Witnesses,
    ImmutableArray<BrokenLinkLine> BrokenLinks, SettingsStatus Settings, int FailingTimers, ImmutableArray<string> LacksAssentOf, double PoolDelaySeconds, string? PolicyFault = null);

/// <summary>One member.</summary>
/// <param name="Name">Node name.</param>
/// <param name="Incarnation">Its incarnation.</param>
/// <param name="Status">joining, up, leaving or down.</param>
/// <param name="Reachable">This node is connected to it, directly or through others; always true for itself.</param>
/// <param name="Link">Its link address.</param>
/// <param name="Clients">Its URL for clients.</param>
/// <param name="DownReason">Why it went down, empty while it lives.</param>
/// <param name="Sick">It says that its thread pool hangs: its shards are handed off to others, unless half of the members or more are sick.</param>
public sealed record MemberStatusLine(string Name, long Incarnation, string Status, bool Reachable, string Link, string Clients, string DownReason, bool Sick);

/// <summary>One witness, as this node sees it.</summary>
/// <param name="Witness">As configured.</param>
/// <param name="Seen">It answered lately: it counts.</param>
/// <param name="Answer">Its last answer, or why there was none; empty before the first.</param>
/// <param name="AgeSeconds">How long ago that was asked for; null before the first answer.</param>
public sealed record WitnessStatusLine(string Witness, bool Seen, string Answer, double? AgeSeconds);

/// <summary>Two members that do not reach each other although others reach both: an alarm.</summary>
/// <param name="From">Node name.</param>
/// <param name="To">Node name.</param>
/// <param name="Seconds">Since this node knows of it.</param>
/// <param name="RelayedThrough">Name of the node that takes this node's frames to the other end; null where this node is neither end, or the link is not given up yet.</param>
public sealed record BrokenLinkLine(string From, string To, double Seconds, string? RelayedThrough);

/// <summary>The settings that the cluster shares, as this node goes by them.</summary>
/// <param name="Version">Their version in the store, 0 before it was read.</param>
/// <param name="Differences">Where this node's configuration says otherwise; the cluster's values count.</param>
public sealed record SettingsStatus(long Version, ImmutableArray<SettingDifferenceLine> Differences);

/// <summary>A setting that is one thing in this node's configuration and another in the cluster.</summary>
/// <param name="Key">As in the configuration.</param>
/// <param name="Here">This node's value, which does not count.</param>
/// <param name="Cluster">The value that counts.</param>
public sealed record SettingDifferenceLine(string Key, string Here, string Cluster);

/// <summary>Shards of one type at one node.</summary>
/// <param name="Type">Entity type.</param>
/// <param name="Owner">Node name, empty for shards that nobody owns at the moment.</param>
/// <param name="Count">How many.</param>
public sealed record ShardStatusLine(string Type, string Owner, int Count);

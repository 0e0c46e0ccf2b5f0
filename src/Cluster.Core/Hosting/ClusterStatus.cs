using System.Collections.Immutable;

namespace ActorCluster.Hosting;

/// <summary>What a node knows of itself and the cluster, for operators.</summary>
/// <param name="Node">Name of this node.</param>
/// <param name="Incarnation">Its incarnation, 0 before the first.</param>
/// <param name="Mode">What it may do now.</param>
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
public sealed record ClusterStatus(
    string Node, long Incarnation, string Mode, string Store, string? StoreFault, long View, ImmutableArray<MemberStatusLine> Members, ImmutableArray<ShardStatusLine> Shards,
    ImmutableArray<SingletonStatus> Singletons,
    ImmutableArray<string> JoinBlockedBy, ImmutableArray<string> LastDecisions, string? LastEnd, int ActiveEntities, int UncommittedRows);

/// <summary>One member.</summary>
/// <param name="Name">Node name.</param>
/// <param name="Incarnation">Its incarnation.</param>
/// <param name="Status">joining, up, leaving or down.</param>
/// <param name="Reachable">This node is connected to it, directly or through others; always true for itself.</param>
/// <param name="Link">Its link address.</param>
/// <param name="Clients">Its URL for clients.</param>
/// <param name="DownReason">Why it went down, empty while it lives.</param>
public sealed record MemberStatusLine(string Name, long Incarnation, string Status, bool Reachable, string Link, string Clients, string DownReason);

/// <summary>Shards of one type at one node.</summary>
/// <param name="Type">Entity type.</param>
/// <param name="Owner">Node name, empty for shards that nobody owns at the moment.</param>
/// <param name="Count">How many.</param>
public sealed record ShardStatusLine(string Type, string Owner, int Count);

using System.Collections.Immutable;
using ActorCluster.Persistence;

namespace ActorCluster.Sql.Operations;

/// <summary>What a store says of its cluster at one moment.</summary>
/// <param name="Store">Kind and place.</param>
/// <param name="Cluster">The cluster row.</param>
/// <param name="Members">Live members and those that went down in the last 7 days, by incarnation.</param>
/// <param name="Shards">Shards by type, owner and state.</param>
/// <param name="Failsafe">For how long members that all miss the store go on by each other's word; <c>00:00:00</c> for not at all.</param>
internal sealed record StoreStatus(string Store, ClusterRow Cluster, ImmutableArray<StoreMember> Members, ImmutableArray<StoreShards> Shards, string Failsafe)
{
    private const long DownMembersShownMs = 7L * 24 * 60 * 60 * 1000;

    /// <summary>Members that all miss the store may go on.</summary>
    public bool AllowsFailsafe => Failsafe != "00:00:00";

    public static async Task<StoreStatus> ReadAsync(StoreReader store)
    {
        var now = await store.NowUnixMsAsync().ConfigureAwait(false);
        var cluster = (await store.ListAsync("SELECT uuid, store_gen, view, hash_ver, cfg_digest FROM cluster WHERE id=1").ConfigureAwait(false)) is [var row]
            ? new ClusterRow(StoreReader.GuidOf(row[0]), (long)row[1]!, (long)row[2]!, (int)(long)row[3]!, (string)row[4]!)
            : throw new StoreUnusableException($"{store.Description} has no cluster row. Restore a backup.");
        var members = await store.ListAsync(
            "SELECT inc, name, status, up_view, lease_seq, lease_at, link_address, client_url, down_view, down_reason, down_at FROM member ORDER BY inc").ConfigureAwait(false);
        var shards = await store.ListAsync(
            """
            SELECT s.type, s.owner_inc, coalesce(m.name, ''), s.state, count(*) FROM shard s LEFT JOIN member m ON m.inc=s.owner_inc
            GROUP BY s.type, s.owner_inc, m.name, s.state ORDER BY s.type, s.owner_inc, s.state
            """).ConfigureAwait(false);
        var failsafe = await store.ListAsync("SELECT value FROM setting WHERE key='Cluster:Downing:Failsafe'").ConfigureAwait(false);
        return new StoreStatus(
            store.Description,
            cluster,
            [.. from m in members
                where (string)m[2]! != "down" || (long)m[10]! >= now - DownMembersShownMs
                select new StoreMember(
                    (long)m[0]!, (string)m[1]!, (string)m[2]!, (long)m[3]!, (long)m[4]!, (string)m[2]! == "down" ? null : Math.Max(0, now - (long)m[5]!),
                    (string)m[6]!, (string)m[7]!, (long)m[8]!, (string)m[9]!)],
            [.. shards.Select(s => new StoreShards((string)s[0]!, (long?)s[1], (string)s[2]!, (string)s[3]!, (long)s[4]!))],
            failsafe is [var setting] ? (string)setting[0]! : "00:00:00");
    }
}

/// <summary>One member.</summary>
/// <param name="Inc">Its incarnation.</param>
/// <param name="Name">Node name.</param>
/// <param name="Status">joining, up, leaving or down.</param>
/// <param name="UpView">The view in which it became up, 0 before.</param>
/// <param name="LeaseSeq">How often its lease was renewed.</param>
/// <param name="LeaseAgeMs">Time since the last renewal by the store's clock; for people. Null when down.</param>
/// <param name="Link">Its link address.</param>
/// <param name="Clients">Its URL for clients.</param>
/// <param name="DownView">The view in which it went down, 0 while it lives.</param>
/// <param name="DownReason">Why, empty while it lives.</param>
internal sealed record StoreMember(
    long Inc, string Name, string Status, long UpView, long LeaseSeq, long? LeaseAgeMs, string Link, string Clients, long DownView, string DownReason);

/// <summary>Shards of one type, owner and state.</summary>
/// <param name="Type">Entity type.</param>
/// <param name="Owner">Incarnation, null when nobody owns them.</param>
/// <param name="OwnerName">Node name, empty when nobody owns them.</param>
/// <param name="State">free, owned, handoff or ended.</param>
/// <param name="Count">How many.</param>
internal sealed record StoreShards(string Type, long? Owner, string OwnerName, string State, long Count);

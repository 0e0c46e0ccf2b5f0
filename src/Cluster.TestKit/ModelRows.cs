using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>One committed journal row with the fencing token that it was written under.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="ShardSeq">The shard's own sequence, gapless from 1.</param>
/// <param name="Epoch">The epoch that the writer named.</param>
/// <param name="Owner">The owner that the writer named.</param>
/// <param name="BatchId">The batch that brought the row.</param>
/// <param name="Row">The row.</param>
public sealed record ModelJournalEntry(ShardNo Shard, long ShardSeq, Epoch Epoch, Incarnation Owner, Guid BatchId, JournalRow Row);

/// <summary>One raise of an epoch: who owned which epoch of a shard, and the view in which it was acquired.</summary>
public sealed record ModelShardLogEntry(ShardNo Shard, Epoch Epoch, Incarnation Owner, long View);

/// <summary>One committed view change and the member list that it left.</summary>
/// <param name="View">The view's number.</param>
/// <param name="OpId">The change's id.</param>
/// <param name="By">Who committed it.</param>
/// <param name="Reason">Why.</param>
/// <param name="Members">All members after the change, the down ones included, by incarnation.</param>
public sealed record ModelViewLogEntry(long View, Guid OpId, Incarnation By, string Reason, ImmutableArray<MemberRow> Members);

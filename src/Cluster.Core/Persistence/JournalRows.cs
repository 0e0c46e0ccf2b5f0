using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>The rows of one shard that are appended together.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Epoch">Its epoch under this owner.</param>
/// <param name="Owner">The owner: with the epoch, the fencing token.</param>
/// <param name="ExpectedSeq">The shard's next sequence before the batch.</param>
/// <param name="BatchId">Finds the batch again when its reply was lost.</param>
/// <param name="Rows">1 or more rows; the i-th gets shard sequence <paramref name="ExpectedSeq"/> + i.</param>
public sealed record ShardBatch(ShardNo Shard, Epoch Epoch, Incarnation Owner, long ExpectedSeq, Guid BatchId, ImmutableArray<JournalRow> Rows);

/// <summary>One command's durable effect.</summary>
/// <param name="Entity">Store key of the entity.</param>
/// <param name="EntitySeq">The entity's own sequence, gapless from 1.</param>
/// <param name="Command">The command's id, null for a command without one.</param>
/// <param name="Kind">Name of the event's schema, 1 to 64 characters.</param>
/// <param name="Payload">The event.</param>
/// <param name="Result">The encoded reply, so that a repeated command gets the same one; it may be empty. Null when none was kept.</param>
/// <param name="AtUnixMs">When the entity decided, milliseconds of UTC; information, never compared for safety.</param>
public sealed record JournalRow(
    string Entity, long EntitySeq, CommandId? Command, string Kind, ReadOnlyMemory<byte> Payload, ReadOnlyMemory<byte>? Result, long AtUnixMs)
{
    /// <summary>What happens to the entity's timers in the same commit, each key at most once; not read back with the row.</summary>
    public ImmutableArray<TimerChange> Timers { get; init; } = [];
}

/// <summary>What became of one batch of an append that committed.</summary>
public enum AppendOutcome
{
    /// <summary>All rows are on stable storage.</summary>
    Committed,

    /// <summary>The shard row was not as expected: fenced, or this batch had committed before. Resolve it.</summary>
    Unexpected,

    /// <summary>
    /// A row with the same (entity, client, client sequence) exists: a repeat older than the window. Only stores that keep the client index
    /// answer so; nothing of the batch was written.
    /// </summary>
    RepeatedCommand,
}

/// <summary>What the locked shard row says of a batch.</summary>
public enum BatchResolution
{
    /// <summary>It is on stable storage.</summary>
    Committed,

    /// <summary>It is not; the identical batch must be sent again, since a delayed first copy may still land.</summary>
    NotCommitted,

    /// <summary>The shard has another owner or epoch.</summary>
    Fenced,

    /// <summary>The store knows less than was committed: it was restored or has lost commits.</summary>
    Regressed,

    /// <summary>Rows that nobody but this owner may write are there: an invariant is broken.</summary>
    Broken,
}

/// <summary>What an entity is loaded from.</summary>
/// <param name="Snapshot">Its newest verified snapshot, null when there is none.</param>
/// <param name="Rows">The first rows after it, in order.</param>
public sealed record EntityRecord(EntitySnapshot? Snapshot, ImmutableArray<JournalRow> Rows);

/// <summary>An entity's committed state.</summary>
/// <param name="Entity">Store key of the entity.</param>
/// <param name="EntitySeq">The last row that the state contains.</param>
/// <param name="Schema">Name of the state's schema, 1 to 64 characters.</param>
/// <param name="Payload">The state, the window of command ids included.</param>
public sealed record EntitySnapshot(string Entity, long EntitySeq, string Schema, ReadOnlyMemory<byte> Payload);

/// <summary>How much of each entity's journal is kept.</summary>
/// <param name="Age">Older rows go; null keeps rows of any age.</param>
/// <param name="Rows">Rows beyond the newest so many go; null keeps any number.</param>
/// <param name="Youngest">Rows younger than this stay in any case: a command that is sent again is answered from its row.</param>
public sealed record JournalLimits(TimeSpan? Age, long? Rows, TimeSpan Youngest)
{
    /// <summary>How long a client's commands are remembered after its last one.</summary>
    public static readonly TimeSpan DedupeWindow = TimeSpan.FromHours(24);

    /// <summary>Most rows that one call deletes.</summary>
    public const int SliceRows = 1_000;

    /// <summary>Something may go at all.</summary>
    public bool IsSet => Age is not null || Rows is not null;

    /// <summary>Rows that were stored later than this stay. By the store's clock.</summary>
    internal long YoungAfterMs(long nowUnixMs) => nowUnixMs - (long)Youngest.TotalMilliseconds;

    /// <summary>Rows that were not stored later than this go for their age alone.</summary>
    internal long OldUpToMs(long nowUnixMs) => Age is { } age ? Math.Min(YoungAfterMs(nowUnixMs), nowUnixMs - (long)age.TotalMilliseconds) : long.MinValue;

    /// <summary>Rows up to this one go for their number, unless they are young.</summary>
    internal long SurplusUpTo(long lastSeq) => Rows is { } rows ? lastSeq - rows : 0;

    internal bool LetGo(long seq, long storedAtMs, long lastSeq, long nowUnixMs) =>
        storedAtMs <= OldUpToMs(nowUnixMs) || (seq <= SurplusUpTo(lastSeq) && storedAtMs <= YoungAfterMs(nowUnixMs));
}

/// <summary>Entities with rows that are to go.</summary>
/// <param name="Entities">By key, each with its shard.</param>
/// <param name="Next">The last entity that was looked at: the next call goes on behind it. Null when there are no more.</param>
public sealed record OldRows(ImmutableArray<(string Entity, ShardNo Shard)> Entities, string? Next);

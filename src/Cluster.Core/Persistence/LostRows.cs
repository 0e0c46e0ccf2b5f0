using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>A row of the journal that a node was told to be committed, and that the store may have forgotten since (protocol 4.6).</summary>
/// <param name="Epoch">Its shard's epoch when it was written.</param>
/// <param name="Owner">Who wrote it.</param>
/// <param name="ShardSeq">Its place in its shard then; among rows of one epoch it tells their order, and nothing else.</param>
/// <param name="BatchId">The batch that brought it.</param>
/// <param name="Row">The row, with what it did to its entity's timers.</param>
public sealed record LostRow(Epoch Epoch, Incarnation Owner, long ShardSeq, Guid BatchId, JournalRow Row);

/// <summary>What became of a lost row.</summary>
public enum ReappendFate
{
    /// <summary>It continues its entity's journal, and was appended; would be, where nothing is to be written.</summary>
    Appended,

    /// <summary>The store has it.</summary>
    Present,

    /// <summary>The store has something else in its place, or has gone on under a later owner, or holds its command elsewhere. What is behind it of its entity shares its fate.</summary>
    Conflicting,

    /// <summary>Rows between the end of its entity's journal and this one are missing.</summary>
    Missing,

    /// <summary>The store has no shard for its entity: the type is not registered, or the entity has ended.</summary>
    Homeless,
}

/// <summary>What became of one lost row.</summary>
/// <param name="Fate">Its fate.</param>
/// <param name="Head">The last row of its entity before it was judged, 0 for none.</param>
public readonly record struct Reappended(ReappendFate Fate, long Head);

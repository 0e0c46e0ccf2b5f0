using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>A message that its entity gets at a time, although the node that it was set on may be gone by then.</summary>
/// <param name="Key">Its name within the entity, 1 to 64 characters; a timer that is set again replaces the one of that name.</param>
/// <param name="No">Number within the entity, never used for another timer: what tells it from an earlier one of the same name.</param>
/// <param name="DueUnixMs">When, by the store's clock, milliseconds of UTC.</param>
/// <param name="Message">Registered name of the message, 1 to 64 characters.</param>
/// <param name="Payload">The message.</param>
public sealed record DurableTimer(string Key, long No, long DueUnixMs, string Message, ReadOnlyMemory<byte> Payload)
{
    /// <summary>Most timers that an entity may have at a time.</summary>
    public const int PerEntityMax = 64;

    /// <summary>Longest name of a timer.</summary>
    public const int KeyCharactersMax = 64;

    /// <summary>Largest message of a timer.</summary>
    public const int PayloadBytesMax = 16 * 1024;

    /// <summary>The client whose commands all firings are; a gateway's are random.</summary>
    internal static ClientId Client { get; } = new(new UInt128(0x74696d657273, 0));

    /// <summary>Id of the command that the timer's firing is, so that the journal tells of it, and takes it once.</summary>
    internal CommandId Command => new(Client, No);

    /// <summary>The number of the <paramref name="index"/>th timer that a row sets.</summary>
    internal static long Number(long entitySeq, int index) => (entitySeq * PerEntityMax) + index;
}

/// <summary>What one row of a journal does to one timer of its entity.</summary>
/// <param name="Key">The timer's name.</param>
/// <param name="Timer">The timer that stands under that name from now on; null for none.</param>
public readonly record struct TimerChange(string Key, DurableTimer? Timer);

/// <summary>A timer as its table has it.</summary>
/// <param name="Shard">The shard of its entity: whoever owns that keeps the time.</param>
/// <param name="Entity">Store key of the entity.</param>
/// <param name="Timer">The timer.</param>
public sealed record TimerRow(ShardNo Shard, string Entity, DurableTimer Timer);

/// <summary>Timers as one read saw them.</summary>
/// <param name="NowUnixMs">The store's clock at the read, milliseconds of UTC.</param>
/// <param name="Timers">In the order that the call names.</param>
public sealed record TimerPage(long NowUnixMs, ImmutableArray<TimerRow> Timers);

using System.Buffers;
using System.Collections.Immutable;

namespace ActorCluster.Entities;

/// <summary>What a journaled entity decides and knows, without the engine around it: no cell, no store, no thread. The simulator hosts entities by it, so that what it judges is the code that runs in production.</summary>
/// <remarks>Not thread-safe. <see cref="Entity.Context"/> is not there, and nothing that is asynchronous is called.</remarks>
internal interface IJournaledCore
{
    string? SnapshotSchema { get; }

    bool HasDurableTimers { get; }

    CoreDecision Decide(object message);

    /// <summary>The stable name of the event's schema, and its bytes.</summary>
    (string Kind, byte[] Payload) Encode(object happened);

    object Decode(string kind, ReadOnlySpan<byte> payload);

    void Apply(object happened, long seq);

    object? ReplyFor(object happened, long seq);

    byte[] Save();

    void Load(string schema, ReadOnlySpan<byte> state);
}

/// <summary>A <see cref="Decision{TEvent}"/> whose event's type is not known.</summary>
internal readonly record struct CoreDecision(object? Event, object? Reply, ImmutableArray<TimerOrder> Timers);

/// <summary>The entity as its core alone.</summary>
public abstract partial class JournaledEntity<TEvent> : IJournaledCore
{
    string? IJournaledCore.SnapshotSchema => SnapshotSchema;

    bool IJournaledCore.HasDurableTimers => HasDurableTimers;

    CoreDecision IJournaledCore.Decide(object message)
    {
        var decision = Decide(message);
        if (decision.HasEvent && message is IReadRequest) throw new InvalidOperationException($"{message.GetType().Name} is a read request, but the entity decided an event for it.");
        return new CoreDecision(decision.HasEvent ? decision.Event : null, decision.Reply, decision.Timers);
    }

    (string Kind, byte[] Payload) IJournaledCore.Encode(object happened)
    {
        var into = new ArrayBufferWriter<byte>();
        return (Events.Encode((TEvent)happened, into), into.WrittenSpan.ToArray());
    }

    object IJournaledCore.Decode(string kind, ReadOnlySpan<byte> payload) => Events.Decode(kind, payload)!;

    void IJournaledCore.Apply(object happened, long seq) => Apply((TEvent)happened, seq);

    object? IJournaledCore.ReplyFor(object happened, long seq) => ReplyFor((TEvent)happened, seq);

    byte[] IJournaledCore.Save()
    {
        var into = new ArrayBufferWriter<byte>();
        SaveState(into);
        return into.WrittenSpan.ToArray();
    }

    void IJournaledCore.Load(string schema, ReadOnlySpan<byte> state) => LoadState(schema, state);
}

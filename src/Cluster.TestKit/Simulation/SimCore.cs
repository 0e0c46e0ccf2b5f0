using System.Buffers;
using System.Globalization;
using System.Text;
using ActorCluster.ChatRooms;

namespace ActorCluster.TestKit.Simulation;

/// <summary>What a simulated entity makes of a command.</summary>
/// <param name="Event">The effect to record; null for none.</param>
/// <param name="IsRefused">It takes no effect, and is told so.</param>
/// <param name="KnownSeq">Without an event: the sequence that answers the command.</param>
/// <param name="Reply">Answer; with an event, null leaves it to <see cref="ISimCore.ReplyFor"/>.</param>
internal readonly record struct SimDecision(object? Event, bool IsRefused = false, long KnownSeq = 0, object? Reply = null);

/// <summary>The domain of a simulated entity: all that the host around it does not know.</summary>
/// <remarks>A function of what it was told. Not thread-safe.</remarks>
internal interface ISimCore
{
    /// <summary>It writes snapshots.</summary>
    bool HasSnapshots { get; }

    SimDecision Decide(object command);

    (string Kind, byte[] Payload) Encode(object happened);

    object Decode(string kind, ReadOnlySpan<byte> payload);

    void Apply(object happened, long seq);

    /// <summary>The answer to a command whose event got this sequence, asked right after <see cref="Apply"/>.</summary>
    object? ReplyFor(object happened, long seq);

    /// <summary>An answer as the journal keeps it for repeats; null for none.</summary>
    byte[]? EncodeReply(object command, long seq, object? reply);

    /// <summary>What <see cref="EncodeReply"/> wrote for a command of this type.</summary>
    object? DecodeReply(object command, long seq, ReadOnlySpan<byte> kept);

    (string Schema, byte[] State) Save();

    void Load(string schema, ReadOnlySpan<byte> state);
}

/// <summary>The chat room as the simulator's own runs have it.</summary>
internal sealed class SimChatRoom : ISimCore
{
    private readonly ChatRoom _room = new();

    public bool HasSnapshots => true;

    public SimDecision Decide(object command)
    {
        var decision = _room.Decide((RoomCommand)command);
        return new SimDecision(decision.Event, decision.Refusal != RoomRefusal.None, decision.KnownSeq, decision.Event is null ? new RoomReply(decision.Refusal, decision.KnownSeq, _room.Members.Count) : null);
    }

    public (string Kind, byte[] Payload) Encode(object happened) =>
        (happened.GetType().Name, Encoding.UTF8.GetBytes(happened is RoomEvent.Said said ? $"{said.User}|{said.Text}" : ((RoomEvent)happened).User));

    public object Decode(string kind, ReadOnlySpan<byte> payload)
    {
        var text = Encoding.UTF8.GetString(payload);
        return kind switch
        {
            nameof(RoomEvent.Created) => new RoomEvent.Created(text),
            nameof(RoomEvent.Joined) => new RoomEvent.Joined(text),
            nameof(RoomEvent.Left) => new RoomEvent.Left(text),
            _ => new RoomEvent.Said(text[..text.IndexOf('|', StringComparison.Ordinal)], text[(text.IndexOf('|', StringComparison.Ordinal) + 1)..]),
        };
    }

    public void Apply(object happened, long seq) => _room.Apply((RoomEvent)happened, seq);

    public object? ReplyFor(object happened, long seq) => new RoomReply(RoomRefusal.None, seq, _room.Members.Count);

    public byte[]? EncodeReply(object command, long seq, object? reply) => Encoding.UTF8.GetBytes(seq.ToString(CultureInfo.InvariantCulture));

    public object? DecodeReply(object command, long seq, ReadOnlySpan<byte> kept) => new RoomReply(RoomRefusal.None, seq, _room.Members.Count);

    public (string Schema, byte[] State) Save()
    {
        var state = new ArrayBufferWriter<byte>();
        RoomState.Save(_room, state);
        return (RoomState.Schema, state.WrittenSpan.ToArray());
    }

    public void Load(string schema, ReadOnlySpan<byte> state) => RoomState.Load(_room, schema, state);
}

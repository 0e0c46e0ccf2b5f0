using System.Buffers;
using System.Buffers.Binary;
using ActorCluster.Entities;

namespace ActorCluster.Tests.Entities;

internal sealed record Add(long Amount) : IRequest<Total>;

internal sealed record Read : IRequest<Total>, IReadRequest;

internal sealed record Refuse : IRequest<Total>;

internal sealed record Mute : IRequest<Total>;

internal sealed record Total(long Sum);

/// <summary>Where a ledger throws.</summary>
internal enum Fault
{
    Never = 0,
    Decide = -1001,
    Apply = -1002,
    Reply = -1003,
    Told = -1004,
    EncodeReply = -1005,
}

/// <summary>A sum whose additions are journaled; amounts named by <see cref="Fault"/> throw at that place.</summary>
internal sealed class Ledger : JournaledEntity<long>
{
    private long _sum;

    protected override IEventCodec<long> Events { get; } = new LongEvents();

    protected override string? SnapshotSchema => "ledger.v1";

    public static void Register(MessageCatalog messages)
    {
        var total = new TotalCodec();
        messages.Add(typeof(Add), "add.v1", new NumberCodec<Add>(a => a.Amount, n => new Add(n)), total);
        messages.Add(typeof(Read), "read.v1", new NumberCodec<Read>(_ => 0, _ => new Read()), total);
        messages.Add(typeof(Refuse), "refuse.v1", new NumberCodec<Refuse>(_ => 0, _ => new Refuse()), total);
        messages.Add(typeof(Mute), "mute.v1", new NumberCodec<Mute>(_ => 0, _ => new Mute()), total);
    }

    protected override Decision<long> Decide(object message) => message switch
    {
        Add { Amount: (long)Fault.Decide } => throw new InvalidOperationException("Decide"),
        Add(var amount) => Decision<long>.Record(amount),
        Mute => default,
        _ => Decision<long>.Answer(new Total(_sum)),
    };

    protected override void Apply(long happened, long seq)
    {
        _sum += happened;
        if (happened == (long)Fault.Apply) throw new InvalidOperationException("Apply");
    }

    protected override object? ReplyFor(long happened, long seq) => happened switch
    {
        (long)Fault.Reply => throw new InvalidOperationException("Reply"),
        (long)Fault.EncodeReply => new Total(happened),
        _ => new Total(_sum),
    };

    protected override void Committed(IReadOnlyList<Recorded<long>> events)
    {
        if (events.Any(e => e.Event == (long)Fault.Told)) throw new InvalidOperationException("Told");
    }

    protected override void SaveState(IBufferWriter<byte> into) => NumberCodec<Total>.Write(_sum, into);

    protected override void LoadState(string schema, ReadOnlySpan<byte> bytes) => _sum = BinaryPrimitives.ReadInt64LittleEndian(bytes);

    /// <summary>Nothing for 0, as codecs that leave defaults out.</summary>
    private sealed class TotalCodec : IMessageCodec
    {
        public void Encode(object message, IBufferWriter<byte> into)
        {
            var sum = ((Total)message).Sum;
            if (sum == (long)Fault.EncodeReply) throw new InvalidOperationException("EncodeReply");
            if (sum != 0) NumberCodec<Total>.Write(sum, into);
        }

        public object Decode(ReadOnlySpan<byte> bytes) => new Total(bytes.IsEmpty ? 0 : BinaryPrimitives.ReadInt64LittleEndian(bytes));
    }

    internal sealed class LongEvents : IEventCodec<long>
    {
        public string Encode(long happened, IBufferWriter<byte> into)
        {
            NumberCodec<Total>.Write(happened, into);
            return "added.v1";
        }

        public long Decode(string kind, ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }
}

/// <summary>Messages that are a number on the wire.</summary>
internal sealed class NumberCodec<T>(Func<T, long> number, Func<long, T> make) : IMessageCodec
    where T : notnull
{
    public static void Write(long value, IBufferWriter<byte> into)
    {
        BinaryPrimitives.WriteInt64LittleEndian(into.GetSpan(8), value);
        into.Advance(8);
    }

    public void Encode(object message, IBufferWriter<byte> into) => Write(number((T)message), into);

    public object Decode(ReadOnlySpan<byte> bytes) => make(BinaryPrimitives.ReadInt64LittleEndian(bytes));
}

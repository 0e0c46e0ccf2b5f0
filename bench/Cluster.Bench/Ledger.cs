using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using ActorCluster.Bench.Nodes;
using ActorCluster.Entities;

namespace ActorCluster.Bench;

/// <summary>The command of the persist row; its text becomes the event.</summary>
internal sealed record Enter(ReadOnlyMemory<byte> Text) : IRequest<Entered>;

/// <summary>The question that records nothing.</summary>
internal sealed record Look : IRequest<Entered>;

/// <summary>How many entries the ledger has now.</summary>
internal sealed record Entered(long Entries);

/// <summary>A journaled entity as a user writes it, snapshots included.</summary>
internal sealed class Ledger : JournaledEntity<ReadOnlyMemory<byte>>
{
    public const string EntryKind = "ledger.entry.v1";
    public const int Shards = 64;

    private long _entries;

    /// <summary>Is told when a ledger has been loaded; null for nobody.</summary>
    public static Action<Step>? Tell { get; set; }

    protected override IEventCodec<ReadOnlyMemory<byte>> Events { get; } = new EntryCodec();

    protected override string? SnapshotSchema => "ledger.v1";

    public static void Register(MessageCatalog messages) => messages
        .Add(typeof(Enter), "enter.v1", new EnterCodec(), new EnteredCodec())
        .Add(typeof(Look), "look.v1", new LookCodec(), new EnteredCodec());

    protected internal override ValueTask ActivateAsync()
    {
        Tell?.Invoke(new Step(Stopwatch.GetTimestamp(), 0, Context.Id.Id));
        return ValueTask.CompletedTask;
    }

    protected override Decision<ReadOnlyMemory<byte>> Decide(object message) => message is Look
        ? Decision<ReadOnlyMemory<byte>>.Answer(new Entered(_entries))
        : Decision<ReadOnlyMemory<byte>>.Record(((Enter)message).Text);

    protected override void Apply(ReadOnlyMemory<byte> happened, long seq) => _entries++;

    protected override object ReplyFor(ReadOnlyMemory<byte> happened, long seq) => new Entered(_entries);

    protected override void SaveState(IBufferWriter<byte> into) => Write(_entries, into);

    protected override void LoadState(string schema, ReadOnlySpan<byte> bytes) => _entries = BinaryPrimitives.ReadInt64LittleEndian(bytes);

    private static void Write(long number, IBufferWriter<byte> into)
    {
        BinaryPrimitives.WriteInt64LittleEndian(into.GetSpan(8), number);
        into.Advance(8);
    }

    private sealed class EntryCodec : IEventCodec<ReadOnlyMemory<byte>>
    {
        public string Encode(ReadOnlyMemory<byte> happened, IBufferWriter<byte> into)
        {
            into.Write(happened.Span);
            return EntryKind;
        }

        public ReadOnlyMemory<byte> Decode(string kind, ReadOnlySpan<byte> bytes) => bytes.ToArray();
    }

    private sealed class EnterCodec : IMessageCodec
    {
        public void Encode(object message, IBufferWriter<byte> into) => into.Write(((Enter)message).Text.Span);

        public object Decode(ReadOnlySpan<byte> bytes) => new Enter(bytes.ToArray());
    }

    private sealed class LookCodec : IMessageCodec
    {
        public void Encode(object message, IBufferWriter<byte> into) { }

        public object Decode(ReadOnlySpan<byte> bytes) => new Look();
    }

    private sealed class EnteredCodec : IMessageCodec
    {
        public void Encode(object message, IBufferWriter<byte> into) => Write(((Entered)message).Entries, into);

        public object Decode(ReadOnlySpan<byte> bytes) => new Entered(BinaryPrimitives.ReadInt64LittleEndian(bytes));
    }
}

using System.Text;
using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Sharding;
using ActorCluster.Sharding.Wire;
using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;

namespace ActorCluster.Tests.Sharding;

/// <summary>The frames written and read by hand are those of the schema.</summary>
public class EntityFramesTests
{
    private static readonly MessageType Type = new("note.v1", typeof(string), new Text(), new Text());
    private static readonly EntityType Counter = new("counter", 1, new MessageCatalog(), () => throw new InvalidOperationException(), RemembersCommands: true, IsExclusive: false);

    [Fact]
    public void A_written_message_is_what_the_schema_reads() =>
        Prop.ForAll(ArbMap.Default.ArbFor<(long Shard, long Number, string Text, long Sequence, ulong High)>(), sent =>
        {
            var id = new EntityId("counter", "c-" + (sent.Text is null ? "" : string.Concat(sent.Text.Where(c => !char.IsSurrogate(c))))[..Math.Min(40, sent.Text?.Count(c => !char.IsSurrogate(c)) ?? 0)]);
            CommandId? command = sent.Sequence == 0 ? null : new CommandId(new ClientId(new UInt128(sent.High, 7)), sent.Sequence);
            var message = new OutgoingMessage(new Envelope(id, "text of " + id.Id, null) { Command = command, After = sent.Number }, Counter, Type, static _ => { }) { Correlation = sent.High is 0 ? 0 : 5 };
            var bytes = EntityFrames.Write(new ShardNo(sent.Shard), new Epoch(3), sent.Number, message).ToArray();
            var read = EntityMessage.Parser.ParseFrom(bytes);
            Assert.Equal((sent.Shard, 3, sent.Number, message.Correlation, id.Id, "note.v1", "text of " + id.Id), (read.Shard, read.Epoch, read.Number, read.Correlation, read.Entity, read.Name, read.Payload.ToStringUtf8()));
            var after = command is null ? Envelope.Unordered : sent.Number; // Only commands have an order.
            Assert.Equal((command?.Sequence ?? 0, command is null ? 0 : sent.High, after + 1), (read.ClientSequence, read.ClientHigh, read.After));

            var frame = new EntityMessageFrame(read.ToByteArray());
            Assert.Equal((new ShardNo(sent.Shard), new Epoch(3), sent.Number, message.Correlation, command, after), (frame.Shard, frame.Epoch, frame.Number, frame.Correlation, frame.Command, frame.After));
            Assert.Equal(id.Id, Encoding.UTF8.GetString(frame.Entity));
            Assert.Equal("text of " + id.Id, Encoding.UTF8.GetString(frame.Payload));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_number_without_a_message_has_no_entity_and_no_order()
    {
        var frame = new EntityMessageFrame(EntityFrames.Write(new ShardNo(1), new Epoch(2), 3, null));
        Assert.True(frame.Entity.IsEmpty);
        Assert.Equal(Envelope.Unordered, frame.After);
    }

    [Fact]
    public void Replies_and_failures_are_read_as_the_schema_writes_them()
    {
        var reply = EntityReply.Parser.ParseFrom(EntityFrames.WriteReply(9, "yes"u8).ToArray());
        Assert.Equal((9, "yes"), (reply.Correlation, reply.Payload.ToStringUtf8()));
        var failed = new EntityReplyFrame(new EntityReply { Correlation = 4, Failure = (int)FailureKind.Busy + 1, FailureMessage = "full", NoEffect = true }.ToByteArray());
        Assert.Equal(4, failed.Correlation);
        Assert.Equal(new EntityFailure(FailureKind.Busy, "full", true), failed.Failure);
    }

    [Fact]
    public void Torn_and_foreign_bytes_are_refused_and_unknown_fields_are_passed_over()
    {
        var whole = new EntityMessage { Shard = 300, Entity = "c-1", Payload = ByteString.CopyFromUtf8("payload"), ClientHigh = 7, ClientSequence = 1 }.ToByteArray();
        for (var cut = 1; cut < whole.Length; cut++)
        {
            try { _ = new EntityMessageFrame(whole.AsSpan(0, cut)); } // At a field's end it is a shorter message; within one it is refused; nothing else.
            catch (InvalidDataException torn) { Assert.Contains("ends within", torn.Message, StringComparison.Ordinal); }
        }
        Assert.Throws<InvalidDataException>(() => { _ = new EntityMessageFrame([0x0B]); }); // A group: no release sends one.
        Assert.Throws<InvalidDataException>(() => { _ = new EntityMessageFrame([0x2A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]); }); // A length of 4 GiB.
        var newer = new EntityMessageFrame([0x08, 0x05, 0xF8, 0x07, 0x01, 0xFA, 0x07, 0x01, 0x41]);
        Assert.Equal(new ShardNo(5), newer.Shard);
    }

    private sealed class Text : IMessageCodec
    {
        public void Encode(object message, System.Buffers.IBufferWriter<byte> into) => Encoding.UTF8.GetBytes((string)message, into);

        public object Decode(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
    }
}

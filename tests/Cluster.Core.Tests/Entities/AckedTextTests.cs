using System.Text;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class AckedTextTests
{
    private static readonly Guid Id = Guid.NewGuid();

    private readonly AckedText _text = new();

    [Fact]
    public void A_header_is_read_as_it_was_written()
    {
        var header = new AckedHeader(Guid.NewGuid(), 4, "cam \"server\" ü", new Incarnation(1L << 40), 12);
        Assert.Equal(header, AckedText.ReadHeader(Line(_text.Header(header))));
    }

    [Fact]
    public void A_row_is_read_as_it_was_written_with_what_it_did_to_timers()
    {
        var timer = new DurableTimer("remind", 321, 1_900_000_000_123, "remind.v1", new byte[] { 4, 5 });
        var full = new JournalRow("room/ü/2", 5, new CommandId(new ClientId(UInt128.MaxValue), 9), "said.v1", new byte[] { 1, 2, 3 }, Array.Empty<byte>(), 1_700_000_000_123)
        {
            Timers = [new TimerChange("remind", timer), new TimerChange("gone", null)],
        };
        foreach (var row in new[] { full, new JournalRow("room/a", 1, null, "left.v1", Array.Empty<byte>(), null, 0) })
        {
            var batch = new ShardBatch(new ShardNo(3), new Epoch(2), new Incarnation(7), 40, Id, [full, row]);
            var read = AckedText.ReadRow(Line(_text.Row(batch, 1)), batch.Owner);
            Assert.Equal((new Epoch(2), new Incarnation(7), 41, Id, row.Entity, row.EntitySeq), (read.Epoch, read.Owner, read.ShardSeq, read.BatchId, read.Row.Entity, read.Row.EntitySeq));
            Assert.True(ReappendRules.IsSame(row, read.Row));
            Assert.Equal(row.Timers.Select(t => (t.Key, t.Timer?.No, t.Timer?.DueUnixMs, t.Timer?.Message)), read.Row.Timers.Select(t => (t.Key, t.Timer?.No, t.Timer?.DueUnixMs, t.Timer?.Message)));
            if (row == full) Assert.Equal(timer.Payload.ToArray(), read.Row.Timers[0].Timer!.Payload.ToArray());
        }
    }

    [Fact]
    public void Every_line_that_was_cut_or_of_which_a_byte_changed_is_refused()
    {
        var batch = new ShardBatch(new ShardNo(3), new Epoch(2), new Incarnation(7), 40, Id, [new JournalRow("room/a", 1, null, "left.v1", new byte[] { 1 }, null, 0)]);
        var line = Line(_text.Row(batch, 0));
        for (var i = 0; i < line.Length; i++)
        {
            var cut = line[..i];
            Assert.Throws<FormatException>(() => AckedText.ReadRow(cut, batch.Owner));
            var changed = line.ToArray();
            changed[i] ^= 1;
            Assert.Throws<FormatException>(() => AckedText.ReadRow(changed, batch.Owner));
        }
    }

    [Theory]
    [InlineData("""{"entity":"room/a","entitySeq":1""")]
    [InlineData("""{"entity":"noslash","entitySeq":1,"kind":"k","at":"1970-01-01T00:00:00+00:00","shard":3,"shardSeq":41,"epoch":2,"batch":"9d3e0b31-5a5b-4a0e-8d4b-2f3f6f3b1f11","payload":"AQ==" """)]
    [InlineData("""{"entity":"room/a","entitySeq":0,"kind":"k","at":"1970-01-01T00:00:00+00:00","shard":3,"shardSeq":41,"epoch":2,"batch":"9d3e0b31-5a5b-4a0e-8d4b-2f3f6f3b1f11","payload":"AQ==" """)]
    [InlineData("""{"entity":"room/a","entitySeq":"1","kind":"k","at":"x","shard":3,"shardSeq":41,"epoch":2,"batch":"?","payload":"!" """)]
    [InlineData("""[1,2""")]
    [InlineData("""x""")]
    public void A_line_with_a_sound_check_value_and_another_content_is_refused(string body)
    {
        var line = Encoding.UTF8.GetBytes($"{body},\"crc32c\":\"{Crc32C.Of(Encoding.UTF8.GetBytes(body)):x8}\"}}");
        Assert.Throws<FormatException>(() => AckedText.ReadRow(line, new Incarnation(1)));
        Assert.Throws<FormatException>(() => AckedText.ReadHeader(line));
    }

    private static ReadOnlyMemory<byte> Line(ReadOnlySpan<byte> written)
    {
        Assert.Equal((byte)'\n', written[^1]);
        return written[..^1].ToArray();
    }
}

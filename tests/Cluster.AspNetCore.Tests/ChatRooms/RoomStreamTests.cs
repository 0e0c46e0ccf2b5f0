using ActorCluster.ChatRooms;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Tests.ChatRooms;

public class RoomStreamTests
{
    private static readonly Epoch One = new(1);
    private static readonly Epoch Two = new(2);

    [Fact]
    public void Nothing_is_readable_before_the_owner_has_answered()
    {
        var stream = new RoomStream();
        Assert.Equal(RoomStreamWish.Nothing, stream.Pushed(One, News(5, 5)));
        Assert.False(stream.IsLive);
        Assert.False(stream.TryRead(0, [], 10));
    }

    [Fact]
    public void A_stream_begins_at_the_owners_newest_item_and_sends_those_behind_it_to_the_journal()
    {
        var stream = new RoomStream();
        stream.Subscribed(One, head: 10, members: 3);
        Assert.False(stream.TryRead(9, [], 10));
        Assert.Empty(Read(stream, 10));
        stream.Pushed(One, News(11, 12));
        Assert.Equal([11, 12], Read(stream, 10));
    }

    [Fact]
    public void A_push_with_a_gap_before_it_is_read_from_the_journal()
    {
        var stream = new RoomStream();
        stream.Subscribed(One, 10, 3);
        Assert.Equal(RoomStreamWish.Fill, stream.Pushed(One, News(13, 14)));
        Assert.Empty(Read(stream, 10));
        Assert.Equal(RoomStreamWish.Fill, stream.Filled(Items(11, 12))); // The page ends before what was pushed.
        Assert.Equal(RoomStreamWish.Nothing, stream.Filled(Items(13, 14)));
        Assert.Equal([11, 12, 13, 14], Read(stream, 10));
    }

    [Fact]
    public void A_renewed_subscription_finds_what_was_pushed_to_nobody()
    {
        var stream = new RoomStream();
        stream.Subscribed(One, 10, 3);
        Assert.Equal(RoomStreamWish.Fill, stream.Subscribed(Two, 12, 3));
        Assert.Equal(RoomStreamWish.Nothing, stream.Filled(Items(11, 12)));
        Assert.Equal([11, 12], Read(stream, 10));
    }

    [Fact]
    public void An_owner_of_an_earlier_epoch_is_not_believed()
    {
        var stream = new RoomStream();
        stream.Subscribed(Two, 10, 3);
        Assert.Equal(RoomStreamWish.Nothing, stream.Pushed(One, News(11, 11)));
        Assert.Equal(RoomStreamWish.SubscribeLater, stream.Subscribed(One, 9, 3));
        Assert.Equal(10, stream.Last);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(4_294_967_295)] // -1 as a 32-bit number.
    [InlineData(6_442_450_943)]
    [InlineData(long.MaxValue)]
    public void A_cursor_at_or_beyond_the_end_reads_nothing(long after)
    {
        var stream = new RoomStream();
        stream.Subscribed(One, 5, 0);
        stream.Pushed(One, News(6, 10));
        Assert.Empty(Read(stream, after));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(20260112)]
    public void Whatever_is_lost_repeated_or_late_every_reader_gets_every_item_once_in_order(int seed)
    {
        for (var run = 0; run < 200; run++)
        {
            var random = new Random(seed + (run * 7919));
            var journal = new List<RoomItem>();
            var members = new List<int> { 0 };
            var stream = new RoomStream();
            var epoch = 1L;
            var filling = false;
            var readers = new List<(long Start, long After)>();
            var sent = new List<(Epoch Epoch, RoomNews News)>(); // May arrive again, or for the first time, whenever.
            for (var step = 0; step < 300; step++)
            {
                switch (random.Next(9))
                {
                    case 0 or 1 or 2:
                        var count = random.Next(1, 6);
                        var first = journal.Count + 1;
                        for (var i = 0; i < count; i++) Append(journal, members, random);
                        var news = new RoomNews([.. journal[(first - 1)..].Select(Copy)], members[^1]);
                        sent.Add((new Epoch(epoch), news));
                        if (random.Next(3) > 0) Note(stream.Pushed(new Epoch(epoch), news));
                        break;
                    case 3 when sent.Count > 0:
                        var (when, late) = sent[random.Next(sent.Count)];
                        Note(stream.Pushed(when, late));
                        break;
                    case 4:
                        Note(stream.Subscribed(new Epoch(epoch), journal.Count, members[^1]));
                        break;
                    case 5:
                        epoch++;
                        break;
                    case 6 when filling:
                        Fill(random.Next(1, 8));
                        break;
                    case 7 when stream.IsLive:
                        readers.Add((stream.Last, stream.Last));
                        break;
                    default:
                        for (var i = 0; i < readers.Count; i++) readers[i] = Advance(readers[i], random.Next(1, 10));
                        break;
                }
            }
            Note(stream.Subscribed(new Epoch(epoch), journal.Count, members[^1]));
            while (filling) Fill(100);
            Assert.True(stream.Last == journal.Count, $"Seed {seed}, run {run}: the journal ends at {journal.Count}, the stream at {stream.Last}.");
            Assert.True(stream.Members == members[^1], $"Seed {seed}, run {run}: {members[^1]} members, the stream counts {stream.Members}.");
            foreach (var reader in readers)
            {
                var at = reader;
                while (at.After < journal.Count) at = Advance(at, 1000);
            }

            void Note(RoomStreamWish wish) => filling |= wish == RoomStreamWish.Fill;

            void Fill(int rows) => filling = stream.Filled([.. journal.Skip((int)stream.Last).Take(rows).Select(Copy)]) == RoomStreamWish.Fill;

            (long Start, long After) Advance((long Start, long After) reader, int max)
            {
                var items = new List<RoomItem>();
                if (!stream.TryRead(reader.After, items, max)) items = [.. journal.Where(i => i.Seq > reader.After && i.Seq <= stream.Last).Take(max)];
                var next = reader.After;
                foreach (var item in items)
                {
                    Assert.True(item.Seq == next + 1, $"Seed {seed}, run {run}: item {item.Seq} follows {next}.");
                    Assert.True(item.Event == journal[(int)item.Seq - 1].Event, $"Seed {seed}, run {run}: item {item.Seq} is another than the journal's.");
                    if (item.MembersAfter is { } counted) Assert.True(counted == members[(int)item.Seq], $"Seed {seed}, run {run}: {members[(int)item.Seq]} members after {item.Seq}; counted {counted}.");
                    next = item.Seq;
                }
                return (reader.Start, next);
            }
        }
    }

    private static void Append(List<RoomItem> journal, List<int> members, Random random)
    {
        var seq = journal.Count + 1;
        var user = $"u{seq}";
        RoomEvent happened = random.Next(3) switch
        {
            0 => new RoomEvent.Joined(user),
            1 when members[^1] > 0 => new RoomEvent.Left(user),
            _ => new RoomEvent.Said(user, $"text {seq}"),
        };
        journal.Add(new RoomItem(seq, happened, seq));
        members.Add(members[^1] + (happened is RoomEvent.Joined ? 1 : happened is RoomEvent.Left ? -1 : 0));
    }

    private static RoomItem Copy(RoomItem item) => new(item.Seq, item.Event, item.AtUnixMs);

    private static RoomNews News(long from, long to) => new(Items(from, to), 3);

    private static List<RoomItem> Items(long from, long to)
    {
        var items = new List<RoomItem>();
        for (var seq = from; seq <= to; seq++) items.Add(new RoomItem(seq, new RoomEvent.Said("ada", $"{seq}"), seq));
        return items;
    }

    private static List<long> Read(RoomStream stream, long after)
    {
        var items = new List<RoomItem>();
        Assert.True(stream.TryRead(after, items, 1000));
        return [.. items.Select(i => i.Seq)];
    }
}

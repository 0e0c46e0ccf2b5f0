using System.Buffers.Binary;
using System.Diagnostics;
using ActorCluster.Links;
using ActorCluster.Primitives;
using ActorCluster.Tests.Entities;

namespace ActorCluster.Tests.Links;

public class LinkTransportTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_frame_arrives_on_its_channel_and_the_end_of_the_receive_is_told()
    {
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        Assert.Equal(LinkSend.Sent, older.Transport.Send(younger.Inc, LinkChannel.Data, 9, [1, 2, 3]));
        Assert.Equal(LinkSend.Sent, younger.Transport.Send(older.Inc, LinkChannel.Control, 127, []));
        await younger.SeesAsync("frame #1 Data 9 010203");
        await younger.SeesAsync("end #1 Data");
        await older.SeesAsync("frame #2 Control 127 ");
    }

    [Theory]
    [InlineData((int)LinkFlush.Now)]
    [InlineData((int)LinkFlush.Soon)]
    public async Task Eight_senders_at_once_each_keep_their_order(int flush)
    {
        const int Senders = 8, Frames = 12_500;
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        var next = new int[Senders];
        var left = Senders * Frames;
        younger.OnFrame = (_, type, payload) =>
        {
            var number = BinaryPrimitives.ReadInt32LittleEndian(payload);
            if (next[type - 1] != number) younger.Note($"sender {type}: expected {next[type - 1]}, found {number}");
            next[type - 1] = number + 1;
            if (--left == 0) younger.Note("all");
        };
        var sending = Enumerable.Range(1, Senders).Select(sender => Task.Run(async () =>
        {
            var payload = new byte[40];
            for (var i = 0; i < Frames; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(payload, i);
                Assert.Equal(LinkSend.Sent, older.Transport.Send(younger.Inc, LinkChannel.Data, (byte)sender, payload, (LinkFlush)flush));
                await older.Transport.WaitForRoomAsync(younger.Inc, LinkChannel.Data);
            }
        })).ToArray();
        await Task.WhenAll(sending).WaitAsync(Limit);
        await younger.SeesAsync("all");
        Assert.DoesNotContain(younger.Events, e => e.StartsWith("sender", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_peer_that_does_not_read_fills_the_buffer_to_the_soft_and_then_the_hard_limit_and_control_still_passes()
    {
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        using var read = new ManualResetEventSlim();
        younger.OnFrame = (channel, type, _) =>
        {
            if (channel == LinkChannel.Data) read.Wait(Limit);
            else younger.Note($"control {type}");
            if (type == 2) younger.Note("last");
        };
        var payload = new byte[100_000];
        LinkSend sent;
        var frames = 0;
        do sent = older.Transport.Send(younger.Inc, LinkChannel.Data, 1, payload);
        while (sent == LinkSend.Sent && ++frames < 10_000);
        Assert.Equal(LinkSend.Full, sent);

        var room = older.Transport.WaitForRoomAsync(younger.Inc, LinkChannel.Data).AsTask();
        Assert.False(room.IsCompleted);
        Assert.Equal(LinkSend.Sent, older.Transport.Send(younger.Inc, LinkChannel.Control, 3, []));
        await younger.SeesAsync("control 3");
        Assert.False(room.IsCompleted);

        read.Set();
        await room.WaitAsync(Limit);
        Assert.Equal(LinkSend.Sent, older.Transport.Send(younger.Inc, LinkChannel.Data, 2, payload));
        await younger.SeesAsync("last");
    }

    [Fact]
    public async Task A_turn_that_blocks_the_reader_costs_it_the_link_and_the_link_goes_on()
    {
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        using var gate = new ManualResetEventSlim();
        var readers = new System.Collections.Concurrent.ConcurrentDictionary<int, int>();
        older.OnFrame = (_, type, _) =>
        {
            readers[Environment.CurrentManagedThreadId] = type;
            TurnQueue.Add(new Turn(() =>
            {
                older.Note($"turn {type} {readers.ContainsKey(Environment.CurrentManagedThreadId)}");
                if (type == 100) Assert.True(gate.Wait(Limit));
                older.Note($"done {type}");
            }));
        };
        // One at a time, so that the link is quiet and its reader takes the turns itself; the younger one dials, so the older one's reader is an accepted one.
        for (byte i = 1; i <= 20; i++)
        {
            younger.Transport.Send(older.Inc, LinkChannel.Data, i, []);
            await older.SeesAsync($"done {i}");
        }
        Assert.Contains("turn 20 True", older.Events);
        younger.Transport.Send(older.Inc, LinkChannel.Data, 100, []);
        await older.SeesAsync("turn 100 True");
        for (byte i = 101; i <= 110; i++)
        {
            younger.Transport.Send(older.Inc, LinkChannel.Data, i, []);
            await older.SeesAsync($"done {i}");
        }
        Assert.DoesNotContain(older.Events, e => e.StartsWith("lost", StringComparison.Ordinal));
        Assert.True(readers.Count >= 2, "Another thread should have read on.");
        gate.Set();
        await older.SeesAsync("done 100");
        older.Transport.GiveUp(younger.Inc, LinkChannel.Data);
        await older.SeesAsync($"lost {younger.Inc} Data Silent");
        await older.UpWithAsync(younger);
        await older.SeesAsync($"up {younger.Inc} Data", 2);
    }

    [Fact]
    public async Task What_a_receive_brought_is_executed_although_a_frame_behind_it_ends_the_link()
    {
        for (var round = 0; round < 5; round++)
        {
            var (older, younger) = await PairAsync();
            await using var a = older;
            await using var b = younger;
            older.OnFrame = (_, type, _) =>
            {
                if (type == 2) throw new InvalidDataException("a frame of a newer release");
                TurnQueue.Add(new Turn(() => older.Note("done")));
            };
            TurnQueue.Add(new Turn(() =>
            {
                // They leave behind this turn, and so in one send.
                younger.Transport.Send(older.Inc, LinkChannel.Data, 1, [], LinkFlush.Soon);
                younger.Transport.Send(older.Inc, LinkChannel.Data, 2, [], LinkFlush.Soon);
            }));
            await older.SeesAsync("done");
            await older.SeesAsync($"lost {younger.Inc} Data Local");
        }
    }

    [Fact]
    public async Task The_thread_that_reads_on_dials_again_when_the_link_ends()
    {
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        using var gate = new ManualResetEventSlim();
        Thread? stood = null;
        younger.OnFrame = (_, type, _) => TurnQueue.Add(new Turn(() =>
        {
            if (type == 100 && !Thread.CurrentThread.IsThreadPoolThread) Volatile.Write(ref stood, Thread.CurrentThread); // One of the pool has never dialled.
            younger.Note($"turn {type}");
            if (type == 100) Assert.True(gate.Wait(Limit));
        }));
        for (byte i = 1; i <= 20; i++)
        {
            older.Transport.Send(younger.Inc, LinkChannel.Data, i, []);
            await younger.SeesAsync($"turn {i}");
        }
        older.Transport.Send(younger.Inc, LinkChannel.Data, 100, []);
        await younger.SeesAsync("turn 100");
        older.Transport.Send(younger.Inc, LinkChannel.Data, 101, []);
        await younger.SeesAsync("turn 101"); // Read by another thread; the one that dialled stands in its turn.
        older.Transport.GiveUp(younger.Inc, LinkChannel.Data);
        await younger.SeesAsync($"up {older.Inc} Data", 2);
        gate.Set();
        older.Transport.Send(younger.Inc, LinkChannel.Data, 102, []);
        await younger.SeesAsync("turn 102");
        await Waiting.Until(() => stood is not { IsAlive: true }, () => $"thread {stood?.Name} ends"); // It must not dial as well.
        Assert.Equal(2, younger.Events.Count(e => e == $"up {older.Inc} Data"));
    }

    [Theory]
    [InlineData((int)LinkChannel.Control, (int)LinkChannel.Data)]
    [InlineData((int)LinkChannel.Data, (int)LinkChannel.Control)]
    public async Task While_one_channel_is_dead_the_other_carries_its_frames(int deadNumber, int livingNumber)
    {
        var (dead, living) = ((LinkChannel)deadNumber, (LinkChannel)livingNumber);
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        younger.CutsNewConnections = dead; // So that the test sees the time between the loss and the next dial's success.
        older.Transport.GiveUp(younger.Inc, dead);
        await older.SeesAsync($"lost #2 {dead} Silent");
        await younger.SeesAsync($"lost #1 {dead} Closed");
        Assert.False(younger.Transport.IsUp(older.Inc, dead));
        Assert.True(younger.Transport.IsUp(older.Inc, living));
        Assert.Equal(LinkSend.Sent, younger.Transport.Send(older.Inc, dead, 5, [7]));
        Assert.Equal(LinkSend.Sent, younger.Transport.Send(older.Inc, living, 6, [8]));
        await older.SeesAsync($"frame #2 {dead} 5 07");
        await older.SeesAsync($"frame #2 {living} 6 08");
    }

    [Fact]
    public async Task A_lost_channel_is_dialled_again_and_each_up_has_one_loss()
    {
        var (older, younger) = await PairAsync();
        for (var round = 2; round <= 5; round++)
        {
            older.Transport.GiveUp(younger.Inc, LinkChannel.Data);
            await older.SeesAsync("up #2 Data", round);
            await younger.SeesAsync("up #1 Data", round);
        }
        await older.DisposeAsync();
        await younger.DisposeAsync();
        foreach (var node in new[] { older, younger }) AssertPaired(node);
    }

    [Fact]
    public async Task A_second_connection_of_the_same_incarnation_replaces_the_first()
    {
        var (older, younger) = await PairAsync();
        await using var twin = new LinkNode(2);
        twin.Transport.SetPeers([older.Peer]);
        await older.UpWithAsync(younger, times: 2);
        await younger.SeesAsync("lost #1 Control Closed");
        await younger.DisposeAsync();
        await twin.DisposeAsync();
        await older.DisposeAsync();
        AssertPaired(older);
    }

    [Fact]
    public async Task A_peer_that_is_no_longer_wanted_is_closed()
    {
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        younger.Transport.SetPeers([]);
        await younger.SeesAsync("lost #1 Control Local");
        await younger.SeesAsync("lost #1 Data Local");
        await older.SeesAsync("lost #2 Data Closed");
        Assert.Equal(LinkSend.NoLink, younger.Transport.Send(older.Inc, LinkChannel.Data, 1, []));
    }

    [Fact]
    public async Task A_cut_in_one_direction_swallows_frames_and_healing_lets_them_pass_again()
    {
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        younger.Cut(older.Inc, LinkDirection.Incoming);
        Assert.Equal(LinkSend.Sent, older.Transport.Send(younger.Inc, LinkChannel.Data, 1, [1]));
        younger.Transport.Send(older.Inc, LinkChannel.Data, 2, [2]);
        await older.SeesAsync("frame #2 Data 2 02");
        older.Cut(younger.Inc, LinkDirection.Outgoing);
        younger.Cut(older.Inc, LinkDirection.Incoming, cut: false);
        older.Transport.Send(younger.Inc, LinkChannel.Data, 1, [3]);
        older.Cut(younger.Inc, LinkDirection.Outgoing, cut: false);
        older.Transport.Send(younger.Inc, LinkChannel.Data, 1, [4]);
        await younger.SeesAsync("frame #1 Data 1 04");
        Assert.DoesNotContain("frame #1 Data 1 03", younger.Events);
    }

    [Fact]
    public async Task What_is_held_arrives_in_order_once_it_is_let_go_or_is_lost_with_its_connection()
    {
        var (older, younger) = await PairAsync();
        await using var a = older;
        await using var b = younger;
        younger.HoldsAll = true;
        for (byte i = 1; i <= 3; i++) older.Transport.Send(younger.Inc, LinkChannel.Data, 1, [i]);
        younger.Transport.Send(older.Inc, LinkChannel.Data, 2, [9]);
        await older.SeesAsync("frame #2 Data 2 09");
        Assert.DoesNotContain(younger.Events, e => e.StartsWith("frame", StringComparison.Ordinal));
        younger.HoldsAll = false;
        await younger.SeesAsync("frame #1 Data 1 03");
        Assert.Equal(["frame #1 Data 1 01", "frame #1 Data 1 02", "frame #1 Data 1 03"], younger.Events.Where(e => e.StartsWith("frame", StringComparison.Ordinal)));

        younger.HoldsAll = true;
        older.Transport.Send(younger.Inc, LinkChannel.Data, 1, [4]);
        younger.Transport.GiveUp(older.Inc, LinkChannel.Data);
        await younger.SeesAsync("lost #1 Data Silent");
        younger.HoldsAll = false;
        await younger.SeesAsync("up #1 Data", times: 2);
        older.Transport.Send(younger.Inc, LinkChannel.Data, 1, [5]);
        await younger.SeesAsync("frame #1 Data 1 05");
        Assert.DoesNotContain("frame #1 Data 1 04", younger.Events);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(128)]
    public async Task A_frame_type_outside_its_range_is_the_callers_fault(int type)
    {
        await using var node = new LinkNode(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => node.Transport.Send(node.Inc, LinkChannel.Data, (byte)type, []));
    }

    [Fact]
    public async Task A_frame_beyond_the_peers_limit_ends_the_channel_with_a_reason()
    {
        await using var older = new LinkNode(1, with: o => o.FrameBytesMax = 4096);
        await using var younger = new LinkNode(2);
        younger.Transport.SetPeers([older.Peer]);
        await younger.UpWithAsync(older);
        younger.Transport.Send(older.Inc, LinkChannel.Data, 1, new byte[4096]);
        await older.SeesAsync("lost #2 Data Protocol");
        await older.SeesAsync("sent a frame of 4097 bytes");
        await older.SeesAsync("up #2 Data", times: 2);
    }

    [Fact]
    public async Task Disposing_is_quick_reports_local_losses_and_may_be_repeated()
    {
        var (older, younger) = await PairAsync();
        var started = Stopwatch.GetTimestamp();
        await younger.DisposeAsync();
        await younger.DisposeAsync();
        await older.DisposeAsync();
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Contains("lost #1 Control Local", younger.Events);
        Assert.Contains("lost #1 Data Local", younger.Events);
        foreach (var node in new[] { older, younger })
        {
            AssertPaired(node);
            Assert.DoesNotContain(node.Lines, l => l.Contains("did not end", StringComparison.Ordinal));
        }
    }

    private static async Task<(LinkNode Older, LinkNode Younger)> PairAsync()
    {
        var (older, younger) = (new LinkNode(1), new LinkNode(2));
        older.Transport.SetPeers([older.Peer, younger.Peer]);
        younger.Transport.SetPeers([older.Peer, younger.Peer]);
        await older.UpWithAsync(younger);
        await younger.UpWithAsync(older);
        return (older, younger);
    }

    private static void AssertPaired(LinkNode node)
    {
        foreach (var channel in Enum.GetNames<LinkChannel>())
        {
            var story = node.Events.Where(e => e.Contains(channel, StringComparison.Ordinal) && !e.StartsWith("frame", StringComparison.Ordinal) && !e.StartsWith("end", StringComparison.Ordinal))
                .Select(e => e.Split(' ')[0]).ToArray();
            Assert.Equal(Enumerable.Range(0, story.Length).Select(i => i % 2 == 0 ? "up" : "lost"), story);
            Assert.Equal(0, story.Length % 2);
        }
    }

    private sealed class Turn(Action what) : IThreadPoolWorkItem
    {
        public void Execute() => what();
    }
}

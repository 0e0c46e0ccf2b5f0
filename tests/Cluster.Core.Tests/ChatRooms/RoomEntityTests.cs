using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Tests.Entities;

namespace ActorCluster.Tests.ChatRooms;

public class RoomEntityTests
{
    [Fact]
    public async Task A_listener_hears_of_what_committed_gapless_and_never_of_what_did_not()
    {
        await using var node = await NodeAsync();
        var pushes = Pushes.Into(node.Host);
        await node.Send("r", new RoomCommand.Create("ann")).Is<RoomReply>();
        var heard = await node.Send("r", new RoomQuestion("", node.Self)).Is<RoomAnswer>();
        Assert.Equal((1L, 1), (heard.Head, heard.Members));
        node.Store.Hold();
        var joined = node.Send("r", new RoomCommand.Join("bob"));
        await node.Store.Asked;
        heard = await node.Send("r", new RoomQuestion("", node.Self)).Is<RoomAnswer>();
        Assert.Equal((1L, 1), (heard.Head, heard.Members));
        Assert.Empty(pushes.News);
        node.Store.Release();
        Assert.Equal(new RoomReply(RoomRefusal.None, 2, 2), await joined.Is<RoomReply>());
        for (var i = 0; i < 20; i++) await node.Send("r", new RoomCommand.Say("bob", $"{i}")).Is<RoomReply>();
        Assert.Equal(Enumerable.Range(2, 21).Select(i => (long)i), pushes.News.SelectMany(n => n.Items).Select(i => i.Seq));
    }

    [Fact]
    public async Task A_burst_of_long_messages_is_pushed_in_frames_that_fit()
    {
        await using var node = await NodeAsync();
        var pushes = Pushes.Into(node.Host);
        await node.Send("r", new RoomCommand.Create("ann")).Is<RoomReply>();
        await node.Send("r", new RoomQuestion("", node.Self)).Is<RoomAnswer>();
        node.Store.Hold();
        var said = Enumerable.Range(0, 100).Select(_ => node.Send("r", new RoomCommand.Say("ann", new string('\u20ac', ChatRoom.TextCharactersMax)))).ToList();
        await node.Store.Asked;
        node.Store.Release();
        foreach (var answer in said) await answer.Is<RoomReply>();
        Assert.Equal(Enumerable.Range(2, 100).Select(i => (long)i), pushes.News.SelectMany(n => n.Items).Select(i => i.Seq));
        Assert.All(pushes.News, news =>
        {
            var bytes = new System.Buffers.ArrayBufferWriter<byte>();
            RoomCodecs.News.Encode(news, bytes);
            Assert.True(bytes.WrittenCount < 64 * 1024 - 1024, $"A push of {news.Items.Count} items takes {bytes.WrittenCount} bytes.");
        });
    }

    [Fact]
    public async Task A_command_sent_twice_is_said_once_and_answered_alike()
    {
        await using var node = await NodeAsync();
        await node.Send("r", new RoomCommand.Create("ann")).Is<RoomReply>();
        var id = new CommandId(new ClientId(1), 1);
        var first = await node.Send("r", new RoomCommand.Say("ann", "hi"), id).Is<RoomReply>();
        Assert.Equal(first, await node.Send("r", new RoomCommand.Say("ann", "hi"), id).Is<RoomReply>());
        Assert.Equal(2, node.Store.Inner.Database.Journal.Count);
    }

    [Fact]
    public async Task A_refusal_waits_for_the_commit_of_what_it_rests_on()
    {
        await using var node = await NodeAsync();
        node.Store.Hold();
        var created = node.Send("r", new RoomCommand.Create("ann"));
        await node.Store.Asked;
        var exists = node.Send("r", new RoomCommand.Create("bob"));
        var known = node.Send("r", new RoomCommand.Join("ann"));
        var question = node.Send("r", new RoomQuestion("ann", null));
        Assert.False(created.IsThere || exists.IsThere || known.IsThere || question.IsThere);
        node.Store.Release();
        Assert.Equal(RoomRefusal.RoomExists, (await exists.Is<RoomReply>()).Refusal);
        Assert.Equal(1, (await known.Is<RoomReply>()).Seq);
        Assert.Equal(1, (await question.Is<RoomAnswer>()).JoinedSeq);
    }

    private static Task<EntityNode> NodeAsync() => EntityNode.OfAsync(RoomEntity.TypeName, RoomCodecs.Register, () => new RoomEntity());

    private sealed class Pushes : IFanout
    {
        private readonly List<RoomNews> _news = [];

        public IReadOnlyList<RoomNews> News
        {
            get { lock (_news) return [.. _news]; }
        }

        public static Pushes Into(EntityHost host)
        {
            var pushes = new Pushes();
            host.Fanout = pushes;
            return pushes;
        }

        public void Send(Incarnation node, string topic, string key, Epoch epoch, object message)
        {
            lock (_news) _news.Add((RoomNews)message);
        }
    }
}

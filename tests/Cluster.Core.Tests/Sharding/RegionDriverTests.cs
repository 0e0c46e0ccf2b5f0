using System.Collections.Concurrent;
using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Sharding;
using ActorCluster.Tests.Entities;
using Google.Protobuf;

namespace ActorCluster.Tests.Sharding;

public class RegionDriverTests
{
    private static readonly EntityId Entity = new("trace", "e");
    private readonly ConcurrentQueue<(Incarnation At, long Number)> _taken = new();

    [Fact]
    public async Task An_ask_is_answered_the_same_from_the_owner_and_from_elsewhere()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        Assert.Equal(7, (await nodes[0].Ask(Entity, new Echo(7)).Is<Echoed>()).Number);
        Assert.Equal(8, (await nodes[1].Ask(Entity, new Echo(8)).Is<Echoed>()).Number);
        await nodes[1].Ask(Entity, new Thrower(1)).Fails(FailureKind.EntityFaulted);
        await nodes[0].Ask(Entity, "never registered").Fails(FailureKind.UnknownMessage);
        await nodes[1].Ask(Entity, "never registered").Fails(FailureKind.UnknownMessage);
        await EndAsync(nodes);
    }

    [Fact]
    public async Task An_ask_held_while_its_shard_drains_here_is_answered_by_the_next_owner()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        await nodes[0].DrainAsync();
        var held = nodes[0].Ask(Entity, new Echo(7)); // Refused by the drained shard, kept in the outbox.
        await nodes[0].ReleaseAsync(store);
        Assert.False(held.IsThere);
        await nodes[1].AcquireAsync(store, nodes);
        Assert.Equal(7, (await held.Is<Echoed>()).Number);
        Assert.Equal(1, held.Count);
        Assert.Equal(nodes[1].Self, _taken.Single().At);
        await EndAsync(nodes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Asks_run_at_most_once_and_in_order_and_each_is_answered_truly_while_their_shard_moves_to_and_fro(int seed)
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        var (asked, moved) = (new[] { new List<Answer>(), new List<Answer>() }, false);
        var senders = nodes.Select((node, n) => Task.Run(async () =>
        {
            var random = new Random((seed * 10) + n);
            while (!Volatile.Read(ref moved))
            {
                // Each sender waits for what it asked a while ago, so that no bound is met.
                if (asked[n].Count >= 100) await Waiting.Until(() => asked[n][^100].IsThere, () => $"seed {seed}: ask {asked[n].Count - 99} of node {node.Self} is answered");
                asked[n].Add(node.Ask(Entity, new Echo((n * 1_000_000) + asked[n].Count + 1)));
                if (random.Next(4) == 0) await Task.Yield();
            }
        })).ToList();
        using var stop = new CancellationTokenSource();
        var ticking = Task.Run(async () =>
        {
            for (; !stop.IsCancellationRequested; await Task.Yield())
                foreach (var node in nodes) node.Regions.Tick();
        });
        var owner = 0;
        for (var move = 1; move <= 8; move++)
        {
            var before = _taken.Count;
            await Waiting.Until(() => _taken.Count > before + 50, () => $"seed {seed}: asks go on before move {move}");
            await nodes[owner].DrainAsync();
            await nodes[owner].ReleaseAsync(store);
            owner = 1 - owner;
            await nodes[owner].AcquireAsync(store, nodes);
        }
        Volatile.Write(ref moved, true);
        await Task.WhenAll(senders).Within("the senders end");
        var taken = _taken.Select(t => t.Number).ToList();
        for (var n = 0; n < 2; n++)
        {
            Assert.True(taken.Where(t => t / 1_000_000 == n).Zip(taken.Where(t => t / 1_000_000 == n).Skip(1)).All(p => p.First < p.Second), $"seed {seed}: asks of sender {n} ran twice or out of order.");
            for (var i = 0; i < asked[n].Count; i++)
            {
                var number = (n * 1_000_000L) + i + 1;
                var answer = await asked[n][i].Is<object>();
                var ran = _taken.Any(t => t.Number == number);
                Assert.True(answer is Echoed echoed ? ran && echoed.Number == number : !ran || !((EntityFailure)answer).NoEffect, $"seed {seed}: ask {number} {(ran ? "ran" : "did not run")} and was answered {answer}.");
                Assert.Equal(1, asked[n][i].Count);
            }
        }
        await stop.CancelAsync();
        await ticking;
        await EndAsync(nodes);
    }

    [Fact]
    public async Task What_waits_goes_before_what_comes_even_if_the_route_was_known_before_the_start()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        await nodes[0].DrainAsync();
        var (no, epoch, _) = nodes[0].Regions.RouteOf(Entity);
        for (var i = 1; i <= 50; i++) nodes[0].Regions.Post(new Envelope(Entity, new Note(i), null));
        // Lost and won again at once: the rows tell of the new epoch while the old one is still served here.
        nodes[0].Regions.Learn([new ShardRoute(no, new Epoch(epoch.Value + 1), nodes[0].Self)]);
        await store.ReleaseAsync(nodes[0].Self, [new Persistence.ShardRelease(no, epoch, nodes[0].Self)]);
        nodes[0].Regions.Start((await store.AcquireAsync(nodes[0].Self)).Value);
        for (var i = 51; i <= 100; i++) nodes[0].Regions.Post(new Envelope(Entity, new Note(i), null));
        await Waiting.Until(() => _taken.Count == 100, () => $"100 tells taken, {_taken.Count} are");
        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), _taken.Select(t => t.Number));
        await EndAsync(nodes);
    }

    [Fact]
    public async Task A_message_or_reply_larger_than_a_frame_fails_alone()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        Assert.True((await nodes[1].Ask(Entity, new Blob(100_000)).Fails(FailureKind.TooLarge)).NoEffect);
        Assert.False((await nodes[1].Ask(Entity, new Grow(100_000)).Fails(FailureKind.TooLarge)).NoEffect);
        nodes[1].Regions.Tick();
        Assert.Equal(7, (await nodes[1].Ask(Entity, new Echo(7)).Is<Echoed>()).Number);
        Assert.Equal(0, nodes[1].Regions.Awaiting);
        await EndAsync(nodes);
    }

    [Theory]
    [InlineData(FrameType.StreamsTaken)]
    [InlineData(FrameType.StreamRefused)]
    public async Task What_a_full_link_did_not_take_is_said_again(object note)
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        if (note is FrameType.StreamRefused) await nodes[0].DrainAsync();
        var tried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        nodes[0].Takes = type =>
        {
            if (type is FrameType.EntityReply) return true;
            tried.TrySetResult();
            return false;
        };
        var asked = nodes[1].Ask(Entity, new Echo(7));
        await Waiting.Until(
            () =>
            {
                nodes[0].Regions.Tick(); // What was taken is told no earlier.
                return tried.Task.IsCompleted;
            },
            () => $"node {nodes[0].Self} tries to say {note}");
        Assert.DoesNotContain((FrameType)note, nodes[0].Sent);
        nodes[0].Takes = _ => true;
        await nodes[0].SettledAsync(); // The thread that reads may be between the link's no and its note of it: a tick in between passes it by.
        nodes[0].Regions.Tick();
        Assert.Contains((FrameType)note, nodes[0].Sent);
        if (note is FrameType.StreamsTaken) Assert.Equal(7, (await asked.Is<Echoed>()).Number);
        await EndAsync(nodes);
    }

    [Fact]
    public async Task A_tick_between_a_full_links_no_and_the_note_of_it_leaves_the_refusal_to_the_next_tick()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        await nodes[0].DrainAsync();
        var tried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var ticked = new ManualResetEventSlim();
        nodes[0].Takes = _ =>
        {
            tried.TrySetResult();
            ticked.Wait(TimeSpan.FromSeconds(10));
            return false;
        };
        _ = nodes[1].Ask(Entity, new Echo(7));
        await tried.Task.Within($"node {nodes[0].Self} refuses as it reads");
        nodes[0].Takes = _ => true;
        nodes[0].Regions.Tick();
        ticked.Set();
        await nodes[0].SettledAsync();
        Assert.DoesNotContain(FrameType.StreamRefused, nodes[0].Sent);
        nodes[0].Regions.Tick();
        Assert.Single(nodes[0].Sent, FrameType.StreamRefused);
        await EndAsync(nodes);
    }

    [Fact]
    public async Task News_of_a_few_messages_waits_for_the_tick_and_of_many_it_does_not()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        for (var i = 1; i <= 31; i++) nodes[1].Regions.Post(new Envelope(Entity, new Note(i), null));
        await Waiting.Until(() => _taken.Count == 31, () => $"31 tells taken, {_taken.Count} are");
        await nodes[0].SettledAsync();
        Assert.DoesNotContain(FrameType.StreamsTaken, nodes[0].Sent);
        nodes[1].Regions.Post(new Envelope(Entity, new Note(32), null));
        await Waiting.Until(() => nodes[0].Sent.Contains(FrameType.StreamsTaken), () => "the news with the 32nd");
        nodes[1].Regions.Post(new Envelope(Entity, new Note(33), null));
        await Waiting.Until(() => _taken.Count == 33, () => $"33 tells taken, {_taken.Count} are");
        await nodes[0].SettledAsync();
        Assert.Single(nodes[0].Sent, FrameType.StreamsTaken);
        nodes[0].Regions.Tick();
        Assert.Equal(2, nodes[0].Sent.Count(t => t is FrameType.StreamsTaken));
        await EndAsync(nodes);
    }

    [Fact]
    public async Task A_sender_that_holds_others_back_hears_at_once()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        await nodes[0].DrainAsync();
        for (var i = 1; i <= 3; i++) nodes[1].Regions.Post(new Envelope(Entity, new Note(i), null));
        await Waiting.Until(() => nodes[0].Sent.Contains(FrameType.StreamRefused), () => "a refusal");
        var (shard, epoch, _) = nodes[0].Regions.RouteOf(Entity);
        nodes[0].Regions.Reopen([(shard, epoch)]);
        // One goes alone, to see whether it is taken; the others follow the news of it, and no tick of the owner's brings that.
        await Waiting.Until(
            () =>
            {
                nodes[1].Regions.Tick();
                return _taken.Count == 3;
            },
            () => $"3 tells taken, {_taken.Count} are");
        await EndAsync(nodes);
    }

    [Fact]
    public async Task A_repeat_of_what_was_taken_is_not_refused_by_an_owner_that_has_stopped()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        await nodes[1].Ask(Entity, new Echo(7)).Is<Echoed>();
        var (shard, epoch, _) = nodes[0].Regions.RouteOf(Entity);
        _ = nodes[0].Regions.Stop([(shard, epoch)]);
        var message = new ActorCluster.Sharding.Wire.EntityMessage { Shard = shard.Value, Epoch = epoch.Value, Number = 1, Entity = Entity.Id, Name = "echo.v1" };
        var before = nodes[0].Sent.Count;
        nodes[0].Regions.Received(nodes[1].Self, FrameType.EntityMessage, message.ToByteArray());
        nodes[0].Regions.ReceiveEnded(nodes[1].Self);
        Assert.Equal([FrameType.StreamsTaken], nodes[0].Sent.Skip(before));
        await EndAsync(nodes);
    }

    [Fact]
    public async Task Asks_that_nobody_waits_for_any_more_are_forgotten()
    {
        var (store, nodes) = await NodesAsync();
        await nodes[0].AcquireAsync(store, nodes);
        for (var i = 0; i < 10; i++) nodes[1].Regions.Post(new Envelope(Entity, new Hang(i), new GivenUp()));
        Assert.Equal(10, nodes[1].Regions.Awaiting);
        nodes[1].Regions.Tick();
        Assert.Equal(0, nodes[1].Regions.Awaiting);
        Trace.LetGo(nodes[0].Entities);
        await EndAsync(nodes);
    }

    [Fact]
    public async Task Tells_beyond_the_bound_are_dropped_and_counted_and_asks_are_told()
    {
        var (_, nodes) = await NodesAsync();
        for (var i = 0; i < 1005; i++) nodes[0].Regions.Post(new Envelope(Entity, new Note(i), null));
        Assert.Equal(5, nodes[0].Regions.TellsDropped);
        Assert.True((await nodes[0].Ask(Entity, new Echo(1)).Fails(FailureKind.Busy)).NoEffect);
        await EndAsync(nodes);
    }

    [Fact]
    public async Task Whoever_waits_when_the_life_ends_is_told_and_whoever_comes_later_too()
    {
        var (_, nodes) = await NodesAsync();
        var before = nodes[0].Ask(Entity, new Echo(1));
        nodes[0].Regions.Close();
        await before.Fails(FailureKind.EntityUnavailable);
        await nodes[0].Ask(Entity, new Echo(1)).Fails(FailureKind.EntityUnavailable);
        await EndAsync(nodes);
    }

    [Fact]
    public async Task Ids_that_two_nodes_might_read_differently_are_refused()
    {
        var (_, nodes) = await NodesAsync();
        foreach (var id in new[] { "", "half a pair " + (char)0xd83d, new string('ü', 128) })
            Assert.Throws<ArgumentException>(() => nodes[0].Ask(new EntityId("trace", id), new Echo(1)));
        Assert.Throws<ArgumentException>(() => nodes[0].Ask(new EntityId("other", "e"), new Echo(1)));
        await EndAsync(nodes);
    }

    private Task<(TestKit.ModelStore Store, RegionNode[] Nodes)> NodesAsync() => RegionNode.OfAsync(2, "trace", Trace.Register, () => new Trace(_taken));

    private static async Task EndAsync(RegionNode[] nodes)
    {
        foreach (var node in nodes) await node.DisposeAsync();
    }

    private sealed class GivenUp : IReplySink, IAbandonable
    {
        public bool IsAbandoned => true;

        public void Reply(object reply) { }

        public void Fail(EntityFailure failure) { }
    }

    private sealed record Note(long Number);

    private sealed record Echo(long Number);

    private sealed record Echoed(long Number);

    private sealed record Thrower(long Number);

    private sealed record Hang(long Number);

    private sealed record Blob(int Bytes);

    private sealed record Grow(int Bytes);

    private sealed class Trace(ConcurrentQueue<(Incarnation, long)> taken) : Entity
    {
        private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<EntityHost, TaskCompletionSource> Gates = [];

        public static void LetGo(EntityHost host) => Gates.GetOrCreateValue(host).TrySetResult();

        public static void Register(MessageCatalog messages)
        {
            var echoed = new NumberCodec<Echoed>(e => e.Number, n => new Echoed(n));
            messages.Add(typeof(Note), "note.v1", new NumberCodec<Note>(m => m.Number, n => new Note(n)), null);
            messages.Add(typeof(Echo), "echo.v1", new NumberCodec<Echo>(m => m.Number, n => new Echo(n)), echoed);
            messages.Add(typeof(Thrower), "thrower.v1", new NumberCodec<Thrower>(m => m.Number, n => new Thrower(n)), echoed);
            messages.Add(typeof(Hang), "hang.v1", new NumberCodec<Hang>(m => m.Number, n => new Hang(n)), echoed);
            messages.Add(typeof(Blob), "blob.v1", new BlobCodec(), echoed);
            messages.Add(typeof(Grow), "grow.v1", new NumberCodec<Grow>(m => m.Bytes, n => new Grow((int)n)), new BlobCodec());
        }

        protected internal override async ValueTask ReceiveAsync(object message)
        {
            switch (message)
            {
                case Note note:
                    taken.Enqueue((Context.Node, note.Number));
                    break;
                case Echo echo:
                    taken.Enqueue((Context.Node, echo.Number));
                    Context.Reply(new Echoed(echo.Number));
                    break;
                case Grow grow:
                    Context.Reply(new Blob(grow.Bytes));
                    break;
                case Hang:
                    await Gates.GetOrCreateValue(Context.Cell.Host).Task;
                    break;
                default:
                    throw new InvalidOperationException("thrown");
            }
        }

        private sealed class BlobCodec : IMessageCodec
        {
            public void Encode(object message, System.Buffers.IBufferWriter<byte> into)
            {
                var bytes = ((Blob)message).Bytes;
                into.GetSpan(bytes)[..bytes].Clear();
                into.Advance(bytes);
            }

            public object Decode(ReadOnlySpan<byte> bytes) => new Blob(bytes.Length);
        }
    }
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Threading.Channels;
using ActorCluster.Entities;
using ActorCluster.Links;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace ActorCluster.Tests.Sharding;

/// <summary>Nodes that are regions alone: shard rows come from the model store, the test plays the part of their cores.</summary>
internal sealed class RegionNode : INodeLinks, IOwnership, IAsyncDisposable
{
    private readonly Channel<(Incarnation From, FrameType Type, byte[] Payload)> _incoming = Channel.CreateUnbounded<(Incarnation, FrameType, byte[])>();
    private readonly Dictionary<Incarnation, RegionNode> _peers;
    private readonly ConcurrentQueue<TaskCompletionSource> _settling = new();
    private readonly Task _reader;

    private RegionNode(Incarnation self, ModelStore store, EntityType type, ImmutableArray<ShardRow> rows, Dictionary<Incarnation, RegionNode> peers)
    {
        (Self, _peers) = (self, peers);
        Entities = new EntityHost(this, store, new ServiceCollection().BuildServiceProvider(), new EntityLimits(100_000, TimeSpan.FromHours(1), TimeSpan.FromSeconds(1)), NullLogger.Instance);
        Regions = new RegionDriver(self, [type], rows, Entities, this, []);
        Entities.Fanout = Regions;
        lock (peers) peers[self] = this;
        _reader = Task.Run(ReadAsync);
    }

    public Incarnation Self { get; }

    public RegionDriver Regions { get; }

    public EntityHost Entities { get; }

    public NodeMode Mode => NodeMode.Serving;

    public bool MayReadUnmarked => true;

    public bool MayAct(TimeSpan limit) => true;

    public int PayloadBytesMax => 60_000;

    /// <summary>Joins so many nodes to a new store, with one type of one shard that nobody owns.</summary>
    public static async Task<(ModelStore Store, RegionNode[] Nodes)> OfAsync(int count, string type, Action<MessageCatalog> register, Func<Entity> create)
    {
        var store = new ModelStore();
        await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None);
        await store.RegisterTypeAsync(type, 1);
        var rows = (await store.ReadShardsAsync()).Value;
        var (nodes, peers) = (new RegionNode[count], new Dictionary<Incarnation, RegionNode>());
        for (var i = 0; i < count; i++)
        {
            var inc = (await store.NextIncarnationAsync()).Value;
            var view = (await store.ReadClusterAsync()).Value!.Cluster.View;
            var row = new MemberRow { Inc = inc, Name = $"n{inc.Value}", Host = "h", LinkAddress = $"h:{inc.Value}", ClientUrl = "" };
            Assert.True((await store.ChangeViewAsync(new ViewChange { OpId = Guid.NewGuid(), By = inc, BasedOn = view, Members = [new MemberChange.Join(row), new MemberChange.Up(inc)], Reason = "test" })).IsOk);
            var catalog = new MessageCatalog();
            register(catalog);
            nodes[i] = new RegionNode(inc, store, new EntityType(type, 1, catalog, create, RemembersCommands: false, IsExclusive: false), rows, peers);
        }
        return (store, nodes);
    }

    /// <summary>The row names this node: it acquires and starts, and every node learns of it.</summary>
    public async Task AcquireAsync(ModelStore store, RegionNode[] all)
    {
        var free = (await store.ReadShardsAsync()).Value.Where(s => s.Owner is null);
        await store.RetargetAsync([.. free.Select(s => new ShardRetarget(s.No, s.Epoch, s.Target, Self))]);
        var acquired = (await store.AcquireAsync(Self)).Value;
        Regions.Start(acquired);
        foreach (var node in all) node.Regions.Learn([.. acquired.Select(a => new ShardRoute(a.No, a.Epoch, Self))]);
    }

    /// <summary>Closes intake and drains what this node serves.</summary>
    public async Task DrainAsync()
    {
        var served = Served();
        var drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Regions.Drain([served], TimeSpan.FromMinutes(1), (_, _) => drained.SetResult());
        await drained.Task.Within($"node {Self} drains shard {served.Item1}");
    }

    /// <summary>Gives the drained shard back.</summary>
    public async Task ReleaseAsync(ModelStore store)
    {
        var (no, epoch) = Served();
        await store.ReleaseAsync(Self, [new ShardRelease(no, epoch, null)]);
        _ = Regions.Stop([(no, epoch)]);
    }

    public Answer Ask(EntityId entity, object message)
    {
        var answer = new Answer($"{message} from {Self}");
        Regions.Post(new Envelope(entity, message, answer));
        return answer;
    }

    /// <summary>Whether this node's links take a frame; all by default.</summary>
    public Func<FrameType, bool> Takes { get; set; } = _ => true;

    /// <summary>What they took.</summary>
    public ConcurrentQueue<FrameType> Sent { get; } = new();

    public bool Send(Incarnation peer, FrameType type, IMessage message, LinkFlush flush) => Send(peer, type, message.ToByteArray(), flush);

    public bool Send(Incarnation peer, FrameType type, ReadOnlySpan<byte> frame, LinkFlush flush)
    {
        if (!Takes(type)) return false;
        Sent.Enqueue(type);
        lock (_peers) return _peers.TryGetValue(peer, out var node) && node._incoming.Writer.TryWrite((Self, type, frame.ToArray()));
    }

    public void RouteWanted() { }

    public void EntityWanted(EntityId entity) { }

    public bool IsLive(Incarnation inc) => true;

    public void Fenced(ShardNo shard, Epoch epoch) { }

    public void EntityEnded(ShardNo shard, Epoch epoch) { }

    public void Broken(int exitCode, string reason) { }

    public async ValueTask DisposeAsync()
    {
        _incoming.Writer.TryComplete();
        await _reader;
        Regions.Close();
        await Entities.DisposeAsync();
    }

    private (ShardNo, Epoch) Served()
    {
        var (no, epoch, owner) = Regions.RouteOf(new EntityId("trace", "e"));
        Assert.True(owner == Self, $"Node {Self} should own shard {no}, {owner} does.");
        return (no, epoch);
    }

    /// <summary>Completes when all that has come so far is worked off.</summary>
    public Task SettledAsync()
    {
        var settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _settling.Enqueue(settled);
        _incoming.Writer.TryWrite((default, default, []));
        return settled.Task.Within($"node {Self} has read what was sent to it");
    }

    private async Task ReadAsync()
    {
        await foreach (var (from, type, payload) in _incoming.Reader.ReadAllAsync())
        {
            if (type == default)
            {
                if (_settling.TryDequeue(out var settled)) settled.SetResult();
                continue;
            }
            Regions.Received(from, type, payload);
            Regions.ReceiveEnded(from);
        }
    }
}

using System.Collections.Immutable;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace ActorCluster.Tests.Entities;

/// <summary>A member of the model store that serves one shard of a type, without links and without a core.</summary>
internal sealed class EntityNode : IOwnership, IAsyncDisposable
{
    private readonly EntityType _type;

    private EntityNode(HeldStore store, Incarnation self, EntityType type, int mailboxMax)
    {
        (Store, Self, _type) = (store, self, type);
        Host = new EntityHost(this, store, new ServiceCollection().BuildServiceProvider(), new EntityLimits(mailboxMax, TimeSpan.FromHours(1), TimeSpan.FromSeconds(1)), NullLogger.Instance);
    }

    public HeldStore Store { get; }

    public EntityHost Host { get; }

    public LocalShard Shard { get; private set; } = null!;

    public Incarnation Self { get; }

    public NodeMode Mode { get; set; } = NodeMode.Serving;

    public bool MayReadUnmarked { get; set; } = true;

    /// <summary>The lease covers effects of up to this length.</summary>
    public TimeSpan Covered { get; set; } = TimeSpan.FromSeconds(1);

    public bool MayAct(TimeSpan limit) => limit <= Covered;

    public List<(ShardNo Shard, Epoch Epoch)> FencedShards { get; } = [];

    public (int Code, string Reason)? Ended { get; private set; }

    public bool IsLive(Incarnation inc) => true;

    public void Fenced(ShardNo shard, Epoch epoch)
    {
        lock (FencedShards) FencedShards.Add((shard, epoch));
    }

    public void Broken(int exitCode, string reason) => Ended = (exitCode, reason);

    public void EntityEnded(ShardNo shard, Epoch epoch) { }

    /// <summary>A node whose only type is the ledger.</summary>
    public static Task<EntityNode> OfLedgersAsync(ModelDatabase? database = null) => OfAsync("ledger", Ledger.Register, () => new Ledger(), database);

    /// <summary>Joins, evicts whoever owned the type's one shard, and serves it.</summary>
    public static async Task<EntityNode> OfAsync(string type, Action<MessageCatalog> register, Func<Entity> create, ModelDatabase? database = null, int mailboxMax = 100_000, bool exclusive = false)
    {
        var store = new ModelStore(database ?? new ModelDatabase(Guid.NewGuid(), keepsClientIndex: true));
        await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None);
        await store.RegisterTypeAsync(type, 1, exclusive);
        var catalog = new MessageCatalog();
        register(catalog);
        var node = new EntityNode(new HeldStore(store), (await store.NextIncarnationAsync()).Value, new EntityType(type, 1, catalog, create, RemembersCommands: true, exclusive), mailboxMax);
        await node.TakeOverAsync();
        return node;
    }

    /// <summary>A new epoch under this node, as after a loss.</summary>
    public async Task TakeOverAsync()
    {
        var store = Store.Inner;
        var seen = (await store.ReadClusterAsync()).Value!;
        var isNew = seen.Find(Self) is null;
        var row = new MemberRow { Inc = Self, Name = $"n{Self.Value}", Host = "h", LinkAddress = $"h:{Self.Value}", ClientUrl = "" };
        var shards = (await store.ReadShardsAsync()).Value;
        var others = seen.Members.Where(m => m.IsLive && m.Inc != Self).Select(m => new MemberChange.Down(m.Inc, "test"));
        Assert.True((await store.ChangeViewAsync(new ViewChange
        {
            OpId = Guid.NewGuid(),
            By = Self,
            BasedOn = seen.Cluster.View,
            Members = [.. others, .. isNew ? [new MemberChange.Join(row), new MemberChange.Up(Self)] : ImmutableArray<MemberChange>.Empty],
            Reason = "test",
        })).IsOk);
        var free = (await store.ReadShardsAsync()).Value.Where(s => s.Owner is null);
        await store.RetargetAsync([.. free.Select(s => new ShardRetarget(s.No, s.Epoch, s.Target, Self))]);
        foreach (var acquired in (await store.AcquireAsync(Self)).Value) Shard = Host.Start(_type, acquired);
        Assert.True(shards.Length > 0 && Shard is not null, $"Node {Self} should own the shard of {_type.Name}.");
    }

    /// <summary>Gives the shard back and takes it again under the next epoch.</summary>
    public async Task TakeOverIfFreeAsync()
    {
        await Store.Inner.ReleaseAsync(Self, [new ShardRelease(Shard.No, Shard.Epoch, Self)]);
        await TakeOverAsync();
    }

    public Answer Send(string entity, object message, CommandId? command = null, long after = 0)
    {
        var answer = new Answer($"{message} {command}");
        if (!Shard.TryDeliver(new Envelope(new EntityId(_type.Name, entity), message, answer) { Command = command, After = after }))
            answer.Fail(EntityFailure.Unreachable(entity));
        return answer;
    }

    public void Tell(string entity, object message) => Assert.True(Shard.TryDeliver(new Envelope(new EntityId(_type.Name, entity), message, null)));

    public async Task<long> SumAsync(string entity) => (await Send(entity, new Read()).Is<Total>()).Sum;

    /// <summary>Lets idle entities go, until none is left in memory.</summary>
    public Task PassivateAllAsync() => Waiting.Until(
        () =>
        {
            Shard.Passivate(int.MaxValue);
            return Shard.ActiveEntities == 0;
        },
        () => $"no entity in memory, {Shard.ActiveEntities} are");

    public ValueTask DisposeAsync()
    {
        Store.Release();
        Store.ReleaseResolves();
        return Host.DisposeAsync();
    }
}

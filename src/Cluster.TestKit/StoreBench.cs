using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>What a conformance case works with: handles on one database, shorthand for calls, and claims that throw when false.</summary>
internal sealed class StoreBench(Func<Task<IClusterStore>> open) : IAsyncDisposable
{
    public const string TypeName = "counter";

    private readonly List<IClusterStore> _handles = [];
    private int _ids;

    /// <summary>The first handle.</summary>
    public IClusterStore Store => _handles[0];

    /// <summary>Runs a case on a fresh bench that is open, with <see cref="TypeName"/> registered.</summary>
    public static async Task RunAsync(Func<Task<IClusterStore>> open, Func<StoreBench, Task> body, int shards = 4)
    {
        await using var bench = new StoreBench(open);
        await bench.AnotherAsync().ConfigureAwait(false);
        if (shards > 0) Ok(await bench.Store.RegisterTypeAsync(TypeName, shards).ConfigureAwait(false), "RegisterTypeAsync");
        await body(bench).ConfigureAwait(false);
    }

    /// <summary>Opens one more handle on the same database.</summary>
    public async Task<IClusterStore> AnotherAsync()
    {
        var store = await open().ConfigureAwait(false);
        _handles.Add(store);
        await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None).ConfigureAwait(false);
        return store;
    }

    /// <summary>An id that no other call of this bench gave; the same in every run.</summary>
    public Guid NewId() => new(++_ids, 7, 7, 1, 2, 3, 4, 5, 6, 7, 8);

    public static MemberRow Row(Incarnation inc, string? name = null, string? address = null) => new()
    {
        Inc = inc,
        Name = name ?? $"node{inc.Value}",
        Host = "host1",
        LinkAddress = address ?? $"10.0.0.{inc.Value}:8091",
        ClientUrl = $"http://node{inc.Value}:8080",
        Roles = ["media", "rooms"],
        Zone = "east",
        Types = [TypeName, "rooms"],
        Weight = 1.5,
        ProtoMin = 1,
        ProtoMax = 3,
        LockFile = new NodeLockProof("/data/node.lock", "boot", 5, 6, "nonce"),
    };

    /// <summary>A member that has joined; with <paramref name="up"/> it is up too.</summary>
    public async Task<Incarnation> MemberAsync(bool up = true, string[]? types = null)
    {
        var inc = Ok(await Store.NextIncarnationAsync().ConfigureAwait(false), "NextIncarnationAsync");
        await ViewAsync(new MemberChange.Join(types is null ? Row(inc) : Row(inc) with { Types = [.. types] })).ConfigureAwait(false);
        if (up) await ViewAsync(new MemberChange.Up(inc)).ConfigureAwait(false);
        return inc;
    }

    /// <summary>Commits a change based on the newest view; must succeed.</summary>
    public async Task<long> ViewAsync(params MemberChange[] members) => Ok(await TryViewAsync(members).ConfigureAwait(false), "ChangeViewAsync");

    public async Task<StoreResult<long>> TryViewAsync(params MemberChange[] members) =>
        await Store.ChangeViewAsync(await ChangeAsync(members).ConfigureAwait(false)).ConfigureAwait(false);

    /// <summary>A change based on the newest view.</summary>
    public async Task<ViewChange> ChangeAsync(params MemberChange[] members)
    {
        var cluster = await ClusterAsync().ConfigureAwait(false);
        return new ViewChange { OpId = NewId(), By = new Incarnation(1), BasedOn = cluster.Cluster.View, Members = [.. members], Reason = "test" };
    }

    public async Task<ClusterSnapshot> ClusterAsync() => Ok(await Store.ReadClusterAsync().ConfigureAwait(false), "ReadClusterAsync");

    public async Task<MemberRow> MemberRowAsync(Incarnation inc) =>
        (await ClusterAsync().ConfigureAwait(false)).Find(inc) ?? throw new StoreConformanceException($"The snapshot does not know {inc}.");

    public async Task<ImmutableArray<ShardRow>> ShardsAsync() => Ok(await Store.ReadShardsAsync().ConfigureAwait(false), "ReadShardsAsync");

    public async Task<ShardRow> ShardAsync(ShardNo no) => (await ShardsAsync().ConfigureAwait(false)).First(r => r.No == no);

    /// <summary>Gives every free row the target and lets it acquire them.</summary>
    public async Task<ImmutableArray<AcquiredShard>> AcquireAllAsync(Incarnation inc)
    {
        var free = (await ShardsAsync().ConfigureAwait(false)).Where(r => r.State == ShardState.Free);
        await Store.RetargetAsync([.. free.Select(r => new ShardRetarget(r.No, r.Epoch, r.Target, inc))]).ConfigureAwait(false);
        return Ok(await Store.AcquireAsync(inc).ConfigureAwait(false), "AcquireAsync");
    }

    /// <summary>A batch of rows of one entity.</summary>
    public ShardBatch Batch(AcquiredShard shard, Incarnation owner, long expected, string entity, long entitySeq, int rows = 1) => new(
        shard.No, shard.Epoch, owner, expected, NewId(),
        [.. Enumerable.Range(0, rows).Select(i => JournalRowOf(entity, entitySeq + i))]);

    public static JournalRow JournalRowOf(string entity, long seq, CommandId? command = null) => new(
        entity, seq, command ?? new CommandId(new ClientId((UInt128.One << 120) + 9), seq), "added.v1", new byte[] { 1, (byte)seq }, new byte[] { 2 }, 1_700_000_000_000 + seq);

    public async Task<AppendOutcome> AppendAsync(ShardBatch batch) =>
        Ok(await Store.AppendAsync([batch]).ConfigureAwait(false), "AppendAsync")[0];

    public async Task<BatchResolution> ResolveAsync(ShardBatch batch) => Ok(await Store.ResolveAsync(batch).ConfigureAwait(false), "ResolveAsync");

    public static T Ok<T>(StoreResult<T> result, string call) =>
        result.IsOk ? result.Value! : throw new StoreConformanceException($"{call} must answer Ok here, but answered {result}.");

    public static void Verdict<T>(StoreVerdict expected, StoreResult<T> result, string sentence)
    {
        if (result.Verdict != expected) throw new StoreConformanceException($"{sentence} Expected {expected}, found {result}.");
    }

    public static void Equal<T>(T expected, T found, string sentence)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, found)) throw new StoreConformanceException($"{sentence} Expected {expected}, found {found}.");
    }

    public static void Sequence<T>(IEnumerable<T> expected, IEnumerable<T> found, string sentence)
    {
        if (!expected.SequenceEqual(found))
            throw new StoreConformanceException($"{sentence} Expected [{string.Join(", ", expected)}], found [{string.Join(", ", found)}].");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var handle in _handles) await handle.DisposeAsync().ConfigureAwait(false);
    }
}

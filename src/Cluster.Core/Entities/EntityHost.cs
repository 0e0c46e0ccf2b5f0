using System.Collections.Concurrent;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Entities;

/// <summary>All entities of one life of this node.</summary>
/// <remarks>Thread-safe. Ends with the life: a new incarnation starts with empty memory.</remarks>
internal sealed class EntityHost : IAsyncDisposable
{
    /// <summary>After it was cancelled; user code cannot be stopped otherwise than with its process.</summary>
    public static readonly TimeSpan EffectsMustEnd = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ShardNo, LocalShard> _shards = new();
    private readonly ConcurrentDictionary<Task, byte> _ending = new();
    private readonly int _idleRounds;
    private readonly Timer _sweep;
    private readonly TruncationDriver _truncation;
    private int _round;

    public EntityHost(IOwnership ownership, IJournalStore store, IServiceProvider services, EntityLimits limits, ILogger log, PauseGate? gate = null)
    {
        (Ownership, Store, Services, Log, MailboxMax, EffectLimit, Gate) = (ownership, store, services, log, limits.MailboxMax, limits.EffectLimit, gate);
        Journal = new JournalDriver(store, ownership, this);
        Loader = new EntityLoader(store);
        DurableTimers = new TimerDriver(this);
        _truncation = new TruncationDriver(this, limits.Journal ?? new JournalLimits(null, null, JournalLimits.DedupeWindow), limits.TruncateEvery ?? TimeSpan.FromHours(1));
        var interval = TimeSpan.FromMilliseconds(Math.Clamp(limits.PassivateAfter.TotalMilliseconds / 4, 50, 10_000));
        _idleRounds = (int)Math.Ceiling(limits.PassivateAfter / interval) + 1; // The round of the last use is not whole.
        _sweep = new Timer(_ => Passivate(), null, interval, interval);
    }

    public IOwnership Ownership { get; }

    public IJournalStore Store { get; }

    public IServiceProvider Services { get; }

    public ILogger Log { get; }

    public int MailboxMax { get; }

    /// <summary>Where a test holds turns up; null in production.</summary>
    public PauseGate? Gate { get; }

    public TimeSpan EffectLimit { get; }

    /// <summary>After the end: something still acts outside the store although it was cancelled. The next life must not begin beside it.</summary>
    public bool EffectsOutlive { get; private set; }

    /// <summary>Round of the sweep: what the use of an entity is dated by, so that no turn reads a clock.</summary>
    public int Round => Volatile.Read(ref _round);

    public EntityTimers Timers { get; } = new();

    public JournalDriver Journal { get; }

    public EntityLoader Loader { get; }

    public TimerDriver DurableTimers { get; }

    /// <summary>Pushes to listeners on other nodes; set once, before the first shard starts.</summary>
    public IFanout? Fanout { get; set; }

    public int ActiveEntities => _shards.Values.Sum(s => s.ActiveEntities);

    public int Shards => _shards.Count;

    public LocalShard Start(EntityType type, AcquiredShard acquired)
    {
        Journal.Open(acquired.No, acquired.Epoch, acquired.NextSeq);
        var shard = new LocalShard(this, type, acquired);
        if (_shards.TryGetValue(acquired.No, out var old)) old.Close();
        _shards[acquired.No] = shard;
        shard.Wake();
        DurableTimers.Acquired();
        return shard;
    }

    public LocalShard? Find(ShardNo shard, Epoch epoch) => _shards.TryGetValue(shard, out var found) && found.Epoch == epoch ? found : null;

    /// <summary>The shard under whatever epoch it is served here; null when it is not.</summary>
    public LocalShard? Find(ShardNo shard) => _shards.GetValueOrDefault(shard);

    /// <returns>Completes when no effect of it is under way outside the store.</returns>
    public Task Stop(ShardNo no, Epoch epoch)
    {
        if (Find(no, epoch) is not { } shard || !_shards.TryRemove(new KeyValuePair<ShardNo, LocalShard>(no, shard))) return Task.CompletedTask;
        Journal.Close(no, epoch);
        shard.Close();
        if (shard.Effects?.Ended is not { IsCompleted: false } effects) return Task.CompletedTask;
        _ending[effects] = default; // The rows may tell of an eviction before the view does: a life that ends then waits for these too.
        _ = effects.ContinueWith(static (ended, all) => ((ConcurrentDictionary<Task, byte>)all!).TryRemove(ended, out _), _ending, TaskScheduler.Default);
        return effects;
    }

    /// <summary>The node is frozen: memory that holds uncommitted speculation is dropped; what was under way is unknown.</summary>
    public void DropSpeculation()
    {
        foreach (var shard in _shards.Values)
        {
            if (Journal.IsClear(shard.No, shard.Epoch)) continue;
            shard.Reset(entity => EntityFailure.StoreAway(entity, noEffect: true), entity => EntityFailure.StoreAway(entity, noEffect: false));
        }
    }

    /// <summary>Told when a crowded mailbox of a shard has room again, between two turns: return fast.</summary>
    public Action<ShardNo>? RoomAgain { get; set; }

    /// <summary>The entities of a shard must be loaded anew; the shard stays.</summary>
    public void Reload(ShardNo no, Epoch epoch) => Find(no, epoch)?.Reset(EntityFailure.Unreachable, EntityFailure.Lost);

    public async ValueTask DisposeAsync()
    {
        await _sweep.DisposeAsync().ConfigureAwait(false);
        Timers.Dispose();
        foreach (var shard in _shards.Values) _ = Stop(shard.No, shard.Epoch);
        var effects = Task.WhenAll(_ending.Keys);
        EffectsOutlive = await Task.WhenAny(effects, Task.Delay(EffectsMustEnd)).ConfigureAwait(false) != effects;
        await _truncation.DisposeAsync().ConfigureAwait(false);
        await DurableTimers.DisposeAsync().ConfigureAwait(false);
        await Journal.DisposeAsync().ConfigureAwait(false);
    }

    private void Passivate()
    {
        var idleSince = Interlocked.Increment(ref _round) - _idleRounds;
        foreach (var shard in _shards.Values) shard.Passivate(idleSince);
    }
}

/// <summary>Bounds of entities.</summary>
/// <param name="MailboxMax">Messages that may wait for one entity.</param>
/// <param name="PassivateAfter">Idle time after which an entity leaves memory.</param>
/// <param name="EffectLimit">Longest effect outside the store.</param>
/// <param name="Journal">How much of their journals is kept; all where null.</param>
/// <param name="TruncateEvery">How often what is not kept is looked for; an hour where null.</param>
internal sealed record EntityLimits(int MailboxMax, TimeSpan PassivateAfter, TimeSpan EffectLimit, JournalLimits? Journal = null, TimeSpan? TruncateEvery = null);

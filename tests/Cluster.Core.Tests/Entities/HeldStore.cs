using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;

namespace ActorCluster.Tests.Entities;

/// <summary>A journal over the model that keeps commits back, loses answers and counts what it is asked.</summary>
internal sealed class HeldStore(ModelStore inner) : IJournalStore
{
    private readonly Lock _lock = new();
    private readonly Queue<StoreVerdict> _losing = new();
    private TaskCompletionSource _open = Done();
    private TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _resolveOpen = Done();

    public ModelStore Inner => inner;

    public int JournalReads { get; private set; }

    public int RowsRead { get; private set; }

    public int SnapshotsSaved { get; private set; }

    public int Truncations => Volatile.Read(ref _truncations);

    private int _truncations;

    public int Appends => Volatile.Read(ref _appends);

    private int _appends;

    public int TimerReads { get; private set; }

    public int Resolves { get; private set; }

    public Func<StoreVerdict>? OnRead { get; set; }

    public Func<StoreVerdict>? OnConfirm { get; set; }

    /// <summary>From now on appends reach the store, but do not commit before <see cref="Release"/>.</summary>
    public void Hold()
    {
        lock (_lock)
        {
            _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public void Release() => _open.TrySetResult();

    /// <summary>An append arrived while commits are held.</summary>
    public Task Asked => _asked.Task.Within("an append reaches the store");

    /// <summary>The next append commits or not, and its answer says this; InDoubt means that it has committed.</summary>
    public void Lose(StoreVerdict verdict)
    {
        lock (_lock) _losing.Enqueue(verdict);
    }

    public void HoldResolves() => _resolveOpen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void ReleaseResolves() => _resolveOpen.TrySetResult();

    public async ValueTask<StoreResult<ImmutableArray<AppendOutcome>>> AppendAsync(IReadOnlyList<ShardBatch> batches)
    {
        Interlocked.Increment(ref _appends);
        _asked.TrySetResult();
        await _open.Task;
        StoreVerdict? lose = null;
        lock (_lock)
        {
            if (_losing.TryDequeue(out var verdict)) lose = verdict;
        }
        if (lose == StoreVerdict.NotSent) return StoreResult.Not<ImmutableArray<AppendOutcome>>(StoreVerdict.NotSent, "lost before it was sent");
        if (lose is { } verdictOfNone && !Enum.IsDefined(verdictOfNone)) throw new InvalidOperationException("A store that throws.");
        var done = await inner.AppendAsync(batches);
        return lose == StoreVerdict.InDoubt ? StoreResult.Not<ImmutableArray<AppendOutcome>>(StoreVerdict.InDoubt, "answer lost") : done;
    }

    public async ValueTask<StoreResult<BatchResolution>> ResolveAsync(ShardBatch batch)
    {
        Resolves++;
        await _resolveOpen.Task;
        return await inner.ResolveAsync(batch);
    }

    public ValueTask<StoreResult<EntitySnapshot?>> ReadSnapshotAsync(string entity) => inner.ReadSnapshotAsync(entity);

    public async ValueTask<StoreResult<ImmutableArray<JournalRow>>> ReadJournalAsync(string entity, long fromSeq, int limit)
    {
        JournalReads++;
        if (OnRead?.Invoke() is { } verdict and not StoreVerdict.Ok) return StoreResult.Not<ImmutableArray<JournalRow>>(verdict, "away");
        var rows = await inner.ReadJournalAsync(entity, fromSeq, limit);
        RowsRead += rows.Value.Length;
        return rows;
    }

    public async ValueTask<StoreResult<bool>> SaveSnapshotAsync(ShardNo shard, Epoch epoch, Incarnation owner, EntitySnapshot snapshot)
    {
        var saved = await inner.SaveSnapshotAsync(shard, epoch, owner, snapshot);
        SnapshotsSaved++;
        return saved;
    }

    public ValueTask<StoreResult<OldRows>> FindOldRowsAsync(JournalLimits limits, string after, int limit) => inner.FindOldRowsAsync(limits, after, limit);

    public ValueTask<StoreResult<int>> TruncateAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, JournalLimits limits)
    {
        Interlocked.Increment(ref _truncations);
        return inner.TruncateAsync(shard, epoch, owner, entity, limits);
    }

    public async ValueTask<StoreResult<ImmutableArray<ShardNo>>> ConfirmAsync(Incarnation owner, IReadOnlyCollection<(ShardNo Shard, Epoch Epoch)> shards)
    {
        await Task.Yield();
        if (OnConfirm?.Invoke() is { } verdict and not StoreVerdict.Ok) return StoreResult.Not<ImmutableArray<ShardNo>>(verdict, "away");
        return await inner.ConfirmAsync(owner, shards);
    }

    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit)
    {
        TimerReads++;
        return inner.ReadTimersAsync(owner, dueBeforeUnixMs, after, limit);
    }

    public ValueTask<StoreResult<TimerPage>> ReadTimersAsync(ShardNo shard, string entity) => inner.ReadTimersAsync(shard, entity);

    public ValueTask<StoreResult<bool>> RemoveTimerAsync(ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no) =>
        inner.RemoveTimerAsync(shard, epoch, owner, entity, no);

    private static TaskCompletionSource Done()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }
}

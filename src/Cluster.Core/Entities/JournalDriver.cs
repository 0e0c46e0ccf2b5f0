using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Runs a <see cref="JournalLane"/> against the store: one commit under way, the next one gathers meanwhile, and what the one before it did is told.</summary>
internal sealed class JournalDriver : IAsyncDisposable
{
    private const int WaitingMax = 65_536;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly IJournalStore _store;
    private readonly IOwnership _ownership;
    private readonly EntityHost _host;
    private readonly Lock _lock = new();
    private readonly JournalLane _lane = new(Guid.NewGuid);
    private readonly AckedBatches _acked = new();
    private readonly List<JournalNews> _news = [];
    private readonly DriverLoop _loop;
    private bool _idle = true;
    private JournalCall? _nextCall; // Taken from the lane already, by the step before.
    private ValueTask<StoreResult<ImmutableArray<AppendOutcome>>>? _begun; // Of that call.

    public JournalDriver(IJournalStore store, IOwnership ownership, EntityHost host)
    {
        (_store, _ownership, _host) = (store, ownership, host);
        // Without the loop every command would wait for ever; a node that cannot record must not look as if it could.
        _loop = new DriverLoop(StepAsync, cause =>
        {
            host.Log.JournalFailed(cause);
            ownership.Broken(ExitCodes.Invariant, $"The journal's loop failed: {cause.Message}");
        });
    }

    public void Open(ShardNo shard, Epoch epoch, long nextSeq)
    {
        lock (_lock) _lane.Open(shard, epoch, _ownership.Self, nextSeq);
    }

    public void Close(ShardNo shard, Epoch epoch)
    {
        lock (_lock) _lane.Close(shard, epoch);
    }

    /// <summary>Gives up what waits for the shard, and returns the generation that rows of its next entities must carry.</summary>
    public int Abandon(ShardNo shard, Epoch epoch)
    {
        lock (_lock) return _lane.Abandon(shard, epoch);
    }

    public bool HasOrphans(ShardNo shard, Epoch epoch)
    {
        lock (_lock) return _lane.HasOrphans(shard, epoch);
    }

    public bool IsClear(ShardNo shard, Epoch epoch)
    {
        lock (_lock) return _lane.IsClear(shard, epoch);
    }

    /// <summary>So much waits for its commit that nothing more may be decided.</summary>
    public bool IsFull => Waiting >= WaitingMax;

    public int Waiting
    {
        get
        {
            lock (_lock) return _lane.Waiting;
        }
    }

    /// <summary>What the store has taken from this life in the last seconds, oldest first.</summary>
    public ImmutableArray<ShardBatch> LatestAcked()
    {
        lock (_lock) return _acked.Latest(MonotonicClock.Now);
    }

    /// <summary>Adds a row; false when the shard is served no more under that epoch, or its entities were given up meanwhile.</summary>
    public bool Add(ShardNo shard, Epoch epoch, int generation, JournalRow row, IRowOwner owner)
    {
        lock (_lock)
        {
            if (!_lane.Add(shard, epoch, generation, row, owner)) return false;
            if (!_idle) return true;
            _idle = false;
        }
        _loop.Wake();
        return true;
    }

    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync().ConfigureAwait(false);
        if (_begun is null) return;
        try { await StepAsync(_loop).ConfigureAwait(false); }
        catch (Exception cause) { _host.Log.JournalFailed(cause); }
    }

    private async Task StepAsync(DriverLoop loop)
    {
        var (call, begun) = (_nextCall, _begun);
        (_nextCall, _begun) = (null, null);
        if (call is null)
        {
            lock (_lock)
            {
                call = _lane.Next();
                _idle = call is null;
            }
        }
        var settled = true;
        switch (call)
        {
            case null:
                await loop.IdleAsync(Timeout.InfiniteTimeSpan).ConfigureAwait(false);
                return;
            case JournalCall.Append append:
                var appended = await (begun ?? _store.AppendAsync(append.Batches)).ConfigureAwait(false);
                settled = appended.IsOk;
                if (!settled) _host.Log.AppendFailed(append.Batches.Length, appended.Verdict, appended.Reason);
                lock (_lock)
                {
                    _lane.Appended(append, appended, _news);
                    for (var i = 0; appended.IsOk && i < append.Batches.Length; i++)
                        if (appended.Value[i] == AppendOutcome.Committed) _acked.Add(append.Batches[i], MonotonicClock.Now);
                    // What is given up below has left the lane above: in one lock, or rows decided upon it could go along.
                    if (settled && !loop.IsStopping) _nextCall = _lane.Next();
                }
                // The store goes on while the entities are told.
                if (_nextCall is JournalCall.Append next) _begun = _store.AppendAsync(next.Batches);
                break;
            case JournalCall.Resolve resolve:
                var resolved = await _store.ResolveAsync(resolve.Batch).ConfigureAwait(false);
                settled = resolved.IsOk;
                lock (_lock)
                {
                    _lane.Resolved(resolve, resolved, _news);
                    if (resolved is { IsOk: true, Value: BatchResolution.Committed }) _acked.Add(resolve.Batch, MonotonicClock.Now);
                }
                break;
        }
        foreach (var item in _news) Tell(item);
        _news.Clear();
        if (!settled) await Task.Delay(Pause, CancellationToken.None).ConfigureAwait(false);
    }

    private void Tell(JournalNews news)
    {
        switch (news)
        {
            case JournalNews.Committed committed:
                foreach (var (row, owner) in committed.Rows) owner.RowCommitted(row.EntitySeq);
                break;
            case JournalNews.TimersChanged(var shard, var rows):
                _host.DurableTimers.Committed(shard, rows);
                break;
            case JournalNews.Fenced(var shard, var epoch):
                _host.Stop(shard, epoch);
                _ownership.Fenced(shard, epoch);
                break;
            case JournalNews.Repeated(var shard, var epoch):
                _host.Reload(shard, epoch);
                break;
            case JournalNews.Broken(var exitCode, var reason):
                _ownership.Broken(exitCode, reason);
                break;
        }
    }
}

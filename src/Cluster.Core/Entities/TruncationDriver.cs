using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>Has the store delete what the journal's limits let go, entity by entity, of the shards that are served here (protocol 7.6).</summary>
/// <remarks>Any node may look for old rows; only the owner of their shard deletes them, fenced. Each call is short, since appends of the shard wait for it.</remarks>
internal sealed class TruncationDriver : IAsyncDisposable
{
    private const int PageEntities = 500;

    private readonly EntityHost _host;
    private readonly JournalLimits _limits;
    private readonly TimeSpan _every;
    private readonly DriverLoop _loop;
    private TimeSpan _next;

    /// <param name="host">Whose shards.</param>
    /// <param name="limits">What is kept.</param>
    /// <param name="every">Between two passes; the first comes after a sixtieth of it.</param>
    public TruncationDriver(EntityHost host, JournalLimits limits, TimeSpan every)
    {
        (_host, _limits, _every, _next) = (host, limits, every, MonotonicClock.Now + (every / 60));
        // A journal that grows is no reason to stop a node that serves.
        _loop = new DriverLoop(StepAsync, host.Log.TruncationFailed);
    }

    public ValueTask DisposeAsync() => _loop.DisposeAsync();

    private async Task StepAsync(DriverLoop loop)
    {
        if (!_limits.IsSet)
        {
            await loop.IdleAsync(Timeout.InfiniteTimeSpan).ConfigureAwait(false);
            return;
        }
        if (_next - MonotonicClock.Now is { Ticks: > 0 } wait)
        {
            await loop.IdleAsync(wait).ConfigureAwait(false);
            return;
        }
        _next = MonotonicClock.Now + _every;
        var (rows, entities) = (0L, 0);
        for (string? after = ""; after is not null && !loop.IsStopping && _host.Ownership.Mode == NodeMode.Serving;)
        {
            var page = await _host.Store.FindOldRowsAsync(_limits, after, PageEntities).ConfigureAwait(false);
            if (page is not { IsOk: true, Value: { } found }) break; // The next pass begins anew.
            foreach (var (entity, no) in found.Entities)
            {
                if (loop.IsStopping || _host.Find(no) is not { } shard) continue;
                var gone = await TruncateAsync(loop, entity, shard).ConfigureAwait(false);
                (rows, entities) = (rows + gone, entities + (gone > 0 ? 1 : 0));
            }
            after = found.Next;
        }
        if (rows > 0) _host.Log.Truncated(rows, entities);
    }

    private async Task<long> TruncateAsync(DriverLoop loop, string entity, LocalShard shard)
    {
        for (var gone = 0L; ;)
        {
            var slice = await _host.Store.TruncateAsync(shard.No, shard.Epoch, _host.Ownership.Self, entity, _limits).ConfigureAwait(false);
            if (!slice.IsOk) return gone; // Fenced, or away: whoever owns the shard looks again.
            gone += slice.Value;
            if (slice.Value < JournalLimits.SliceRows || loop.IsStopping) return gone;
        }
    }
}

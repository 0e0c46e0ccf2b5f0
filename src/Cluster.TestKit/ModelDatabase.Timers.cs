using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

public sealed partial class ModelDatabase
{
    private readonly SortedDictionary<(ShardNo Shard, string Entity, string Key), DurableTimer> _timers = new(new ByPlace());

    /// <summary>All timers, by shard, entity and key.</summary>
    public IEnumerable<TimerRow> Timers => _timers.Select(t => new TimerRow(t.Key.Shard, t.Key.Entity, t.Value));

    /// <summary>See <see cref="IJournalStore.ReadTimersAsync(Incarnation, long, TimerRow, int)"/>.</summary>
    public StoreResult<TimerPage> ReadTimers(Incarnation owner, long dueBeforeUnixMs, TimerRow? after, int limit, long nowUnixMs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 10_000);
        _ = Opened;
        var due = Timers.Where(t => t.Timer.DueUnixMs < dueBeforeUnixMs && _shards.TryGetValue(t.Shard, out var row) && row.Owner == owner).OrderBy(t => t.Timer.DueUnixMs) // A stable sort: then by place.
            .Where(t => after is null || t.Timer.DueUnixMs > after.Timer.DueUnixMs
                || (t.Timer.DueUnixMs == after.Timer.DueUnixMs && ByPlace.Order((t.Shard, t.Entity, t.Timer.Key), (after.Shard, after.Entity, after.Timer.Key)) > 0));
        return StoreResult.Ok(new TimerPage(nowUnixMs, [.. due.Take(limit)]));
    }

    /// <summary>See <see cref="IJournalStore.ReadTimersAsync(ShardNo, string)"/>.</summary>
    public StoreResult<TimerPage> ReadTimers(ShardNo shard, string entity, long nowUnixMs)
    {
        _ = Opened;
        return StoreResult.Ok(new TimerPage(nowUnixMs, [.. Timers.Where(t => t.Shard == shard && t.Entity == entity)]));
    }

    /// <summary>See <see cref="IJournalStore.RemoveTimerAsync"/>.</summary>
    public StoreResult<bool> RemoveTimer(ShardNo shard, Epoch epoch, Incarnation owner, string entity, long no)
    {
        if (!Owns(owner, shard, epoch)) return StoreResult.Not<bool>(StoreVerdict.Fenced, $"Shard {shard} is not owned by {owner} at epoch {epoch}.");
        var found = Timers.FirstOrDefault(t => t.Shard == shard && t.Entity == entity && t.Timer.No == no);
        return StoreResult.Ok(found is not null && _timers.Remove((shard, entity, found.Timer.Key)));
    }

    private void ChangeTimer(ShardNo shard, string entity, TimerChange change)
    {
        if (change.Timer is { } timer) _timers[(shard, entity, change.Key)] = timer;
        else if (_mutation != ModelMutation.FiringLeavesItsTimer) _timers.Remove((shard, entity, change.Key));
    }

    private sealed class ByPlace : IComparer<(ShardNo Shard, string Entity, string Key)>
    {
        public static int Order((ShardNo Shard, string Entity, string Key) x, (ShardNo Shard, string Entity, string Key) y) =>
            x.Shard != y.Shard ? x.Shard.CompareTo(y.Shard) : string.CompareOrdinal(x.Entity, y.Entity) is not 0 and var byEntity ? byEntity : string.CompareOrdinal(x.Key, y.Key);

        public int Compare((ShardNo Shard, string Entity, string Key) x, (ShardNo Shard, string Entity, string Key) y) => Order(x, y);
    }
}

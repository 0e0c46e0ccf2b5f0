using System.Collections.Immutable;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>The durable timers of a life: the real book, and a host that reads and fires as the product's driver does.</summary>
internal sealed class SimTimers(SimCluster cluster, SimLife life)
{
    private readonly TimerBook _book = new();

    /// <summary>The store's clock has stepped, and nothing fires.</summary>
    public bool IsHeld => _book.Clock.IsHeld;

    public long NowUnixMs => _book.Clock.UnixMs(life.Clock);

    public void Acquired()
    {
        if (cluster.Plan.Timers && cluster.Plan.Mutation != SimMutation.LeavesTimersUnread) _book.Wanted();
    }

    public void Committed(ShardNo shard, ImmutableArray<JournalRow> rows)
    {
        foreach (var row in rows) _book.Changed(shard, row.Entity, row.Timers);
    }

    /// <summary>A room has read its timers, and the store's clock with them.</summary>
    public void ClockRead(long unixMs)
    {
        if (!_book.Clock.IsSet) _book.Clock.Read(unixMs, life.Clock);
    }

    public void Tick()
    {
        if (!cluster.Plan.Timers) return;
        foreach (var due in _book.Due(life.Clock))
        {
            cluster.World.Trace($"{life.Inc} fires {due.Entity} {due.Timer.Key} {due.Timer.No}");
            if (!life.Rooms.Fire(due, end => _book.Fired(due, end, life.Clock))) _book.Fired(due, TimerEnd.Gone, life.Clock);
        }
        if (_book.NextRead(life.Clock) is not { } read) return;
        cluster.Store.Data(
            life, "ReadTimers", false, () => cluster.Store.Database.ReadTimers(life.Inc, read.DueBeforeUnixMs, read.After, read.Limit, cluster.Store.NowUnixMs),
            page => _book.Read(page, life.Clock));
    }
}

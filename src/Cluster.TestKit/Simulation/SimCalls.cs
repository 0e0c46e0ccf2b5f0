using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>The individually placed entities that a life serves, and those that it wants to reach: several nodes want the same new one at the same time, and now and then one ends.</summary>
internal sealed class SimCalls(SimCluster cluster, SimLife life)
{
    private readonly SimRandom _random = new(cluster.Plan.Seed, string.Create(CultureInfo.InvariantCulture, $"calls {life.Inc.Value}"));
    private readonly SortedDictionary<ShardNo, Served> _served = [];

    public IEnumerable<ShardNo> Open => _served.Where(s => s.Value.IsOpen).Select(s => s.Key);

    public IEnumerable<(ShardNo Shard, Epoch Epoch)> Held => _served.Select(s => (s.Key, s.Value.Epoch));

    public void Start(IEnumerable<AcquiredShard> shards)
    {
        foreach (var shard in shards)
        {
            // Who was evicted and wakes with an old answer serves nobody: the store fences it.
            if (cluster.EndedCalls.Contains(shard.Key) && cluster.Store.Database.Find(life.Inc) is { IsLive: true }) cluster.World.Violated("5.1", $"{life.Inc} serves {shard.Key} again, which has ended.");
            _served[shard.No] = new Served(shard.Epoch);
        }
    }

    public void Drain(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (shard, epoch) in shards)
        {
            if (!_served.TryGetValue(shard, out var served) || served.Epoch != epoch) continue;
            served.IsOpen = false;
            life.After(_random.Exponential(TimeSpan.FromMilliseconds(20)), () => life.Tell(new NodeInput.Drained(shard, epoch)));
        }
    }

    public void Reopen(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (shard, epoch) in shards)
            if (_served.TryGetValue(shard, out var served) && served.Epoch == epoch) served.IsOpen = true;
    }

    public void Stop(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (shard, epoch) in shards)
            if (_served.TryGetValue(shard, out var served) && served.Epoch == epoch) _served.Remove(shard);
    }

    public void StopAll() => _served.Clear();

    /// <summary>Everybody learns of one row for each: whoever looks it up, and whenever.</summary>
    public void Found(ImmutableArray<ShardRow> rows)
    {
        foreach (var row in rows)
        {
            if (cluster.CallRows.TryAdd(row.Key, row.No)) continue;
            if (cluster.CallRows[row.Key] != row.No) cluster.World.Violated("5.1", $"{life.Inc} finds {row.Key} as shard {row.No}, others found it as {cluster.CallRows[row.Key]}.");
        }
    }

    public void Tick()
    {
        if (cluster.Plan.Calls == 0) return;
        // All nodes look for the newest at about the same time; a new one comes up every two seconds.
        if (_random.Chance(0.1)) Want(Math.Min(cluster.Plan.Calls - 1, (int)(cluster.World.Now.TotalSeconds / 2)));
        if (_random.Chance(0.1)) Want(_random.Below(cluster.Plan.Calls));
        foreach (var (shard, served) in _served.ToArray())
        {
            if (!served.IsOpen || !_random.Chance(0.0005)) continue;
            life.After(TimeSpan.Zero, () => life.Tell(new NodeInput.EntityEnded(shard, served.Epoch)));
        }
    }

    private void Want(int call)
    {
        var entity = new EntityId(SimCluster.CallType, string.Create(CultureInfo.InvariantCulture, $"call-{call}"));
        life.After(TimeSpan.Zero, () => life.Tell(new NodeInput.EntitiesWanted([entity])));
    }

    private sealed class Served(Epoch epoch)
    {
        public Epoch Epoch => epoch;

        public bool IsOpen { get; set; } = true;
    }
}

using System.Collections.Concurrent;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>A shard that this node serves: its active entities, under one epoch.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class LocalShard(EntityHost host, EntityType type, AcquiredShard acquired)
{
    private readonly ConcurrentDictionary<string, EntityCell> _cells = new(StringComparer.Ordinal);
    private readonly Lock _activation = new();
    private volatile bool _open = true;
    private int _generation;

    public ShardNo No { get; } = acquired.No;

    public Epoch Epoch { get; } = acquired.Epoch;

    public EntityType Type { get; } = type;

    /// <summary>Messages are taken.</summary>
    public bool IsOpen => _open;

    public int ActiveEntities => _cells.Count;

    /// <summary>Delivers to the entity, activating it; false when the shard takes no messages now.</summary>
    public bool TryDeliver(Envelope envelope)
    {
        while (_open)
        {
            if (!_cells.TryGetValue(envelope.Target.Id, out var cell)) cell = Activate(envelope.Target.Id);
            if (cell.Enqueue(envelope)) return true;
            Remove(cell); // It stopped in this moment; the next one is new.
        }
        return false;
    }

    public void Remove(EntityCell cell) => _cells.TryRemove(new KeyValuePair<string, EntityCell>(cell.Id.Id, cell));

    public void Passivate(long idleSinceMs)
    {
        foreach (var cell in _cells.Values)
        {
            if (!cell.TryPassivate(idleSinceMs)) continue;
            Remove(cell);
        }
    }

    public void Open() => _open = true;

    /// <summary>Closes intake and waits until nothing runs, waits or is owed (H1 to H3); then drops the entities.</summary>
    /// <returns>False when that took longer than <paramref name="limit"/>: whoever still waits was told that the outcome is unknown.</returns>
    public async Task<bool> DrainAsync(TimeSpan limit)
    {
        _open = false;
        var until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (_cells.Values.Any(c => !c.IsIdle) || !host.Journal.IsClear(No, Epoch))
        {
            if (Environment.TickCount64 >= until)
            {
                Reset(EntityFailure.Unreachable, EntityFailure.Lost);
                return false;
            }
            await Task.Delay(2).ConfigureAwait(false);
        }
        foreach (var cell in _cells.Values) await cell.Entity.SettleAsync().ConfigureAwait(false);
        Reset(EntityFailure.Unreachable, EntityFailure.Lost);
        return true;
    }

    /// <summary>Drops all entity memory and what of it has not committed; the next entities load what the journal has.</summary>
    public void Reset(Func<string, EntityFailure> waiting, Func<string, EntityFailure> owed)
    {
        // Under the lock, so that no entity is activated between the two with a generation that is gone.
        lock (_activation)
        {
            _generation = host.Journal.Abandon(No, Epoch);
            Kill(waiting, owed);
        }
    }

    private void Kill(Func<string, EntityFailure> waiting, Func<string, EntityFailure> owed)
    {
        foreach (var cell in _cells.Values)
        {
            Remove(cell);
            cell.Kill(waiting, owed);
        }
    }

    /// <summary>The shard is served no more.</summary>
    public void Close()
    {
        _open = false;
        Kill(EntityFailure.Lost, EntityFailure.Lost);
    }

    private EntityCell Activate(string id)
    {
        lock (_activation)
        {
            if (_cells.TryGetValue(id, out var active)) return active;
            return _cells[id] = new EntityCell(host, this, new EntityId(Type.Name, id), Type.Create(), _generation);
        }
    }
}

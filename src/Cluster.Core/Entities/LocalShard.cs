using System.Collections.Concurrent;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>A shard that this node serves: its active entities, under one epoch.</summary>
/// <remarks>Thread-safe. Entities are activated and dropped as a whole under one lock; nobody is answered under it.</remarks>
internal sealed class LocalShard(EntityHost host, EntityType type, AcquiredShard acquired)
{
    /// <summary>Id of a singleton's one entity.</summary>
    public const string SingletonId = "it";

    private readonly ConcurrentDictionary<string, EntityCell> _cells = type.IsPlaced ? new(1, 1, StringComparer.Ordinal) : new(StringComparer.Ordinal);
    private readonly Lock _activation = new();
    private volatile bool _open = true;
    private bool _closed;
    private int _crowded;
    private int _generation;
    private int _intake;

    public EntityHost Host => host;

    public ShardNo No { get; } = acquired.No;

    public Epoch Epoch { get; } = acquired.Epoch;

    public EntityType Type { get; } = type;

    /// <summary>What its entities do outside the store; null for a type without external effects.</summary>
    public EffectGate? Effects { get; } = type.IsExclusive ? new EffectGate(acquired.No, acquired.Epoch, host.Ownership.Self) : null;

    /// <summary>Messages are taken.</summary>
    public bool IsOpen => _open;

    public int ActiveEntities => _cells.Count;

    /// <summary>Some entity's mailbox was half full and is not yet down to a quarter.</summary>
    public bool IsCrowded => Volatile.Read(ref _crowded) > 0;

    /// <summary>An entity's mailbox is crowded from now on, or no more.</summary>
    public void Crowded(bool isCrowded)
    {
        if (isCrowded) Interlocked.Increment(ref _crowded);
        else Interlocked.Decrement(ref _crowded);
    }

    /// <summary>Delivers to the entity, activating it; false when the shard takes no messages now.</summary>
    public bool TryDeliver(Envelope envelope)
    {
        while (_open)
        {
            if (!_cells.TryGetValue(envelope.Target.Id, out var cell))
            {
                try
                {
                    cell = Activate(envelope.Target.Id);
                }
                catch (Exception cause)
                {
                    host.Log.EntityFaulted(cause, envelope.Target.StoreKey);
                    envelope.Sink?.Fail(EntityFailure.Faulted(envelope.Target.StoreKey, cause, noEffect: true));
                    return true;
                }
            }
            if (cell is null) return false;
            if (cell.Enqueue(envelope)) return true;
            Remove(cell); // It stopped in this moment; the next one is new.
        }
        return false;
    }

    /// <summary>An active entity; null when there is none, or the shard takes no messages now.</summary>
    public EntityCell? Find(ReadOnlySpan<char> id) => _open && _cells.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(id, out var cell) ? cell : null;

    /// <summary>The entity's mailbox is less than half full; a hint.</summary>
    public bool HasRoom(string id) => !_cells.TryGetValue(id, out var cell) || cell.Waiting < host.MailboxMax / 2;

    public void Remove(EntityCell cell) => _cells.TryRemove(new KeyValuePair<string, EntityCell>(cell.Key, cell));

    /// <summary>Activates what is to be active without a message; again after it failed, or its memory was dropped.</summary>
    public void Wake()
    {
        if (!Type.IsSingleton || !_cells.IsEmpty) return;
        try
        {
            Activate(SingletonId)?.Attend();
        }
        catch (Exception cause)
        {
            host.Log.EntityFaulted(cause, Type.Name);
        }
    }

    public void Passivate(int idleSince)
    {
        if (Type.IsSingleton)
        {
            Wake();
            return;
        }
        foreach (var cell in _cells.Values)
        {
            if (!cell.TryPassivate(idleSince)) continue;
            Remove(cell);
        }
    }

    /// <summary>Takes messages again; a shard that is served no more stays closed.</summary>
    public void Open()
    {
        lock (_activation)
        {
            if (_closed) return;
            Effects?.Open();
            _open = true;
            _intake++;
        }
        Wake();
    }

    /// <summary>Takes no more messages.</summary>
    /// <returns>What <see cref="DrainAsync"/> wants: it ends when intake was changed again since.</returns>
    public int CloseIntake()
    {
        lock (_activation)
        {
            _open = false;
            return ++_intake;
        }
    }

    /// <summary>After <see cref="CloseIntake"/>: waits until nothing runs, waits or is owed, and nothing is in doubt (H2, H3); then drops the entities.</summary>
    /// <param name="intake">What <see cref="CloseIntake"/> returned.</param>
    /// <param name="limit">Then whoever still waits is told that the outcome is unknown, and only what is in doubt is waited for.</param>
    /// <returns>False when the shard was opened again or lost meanwhile.</returns>
    public async Task<bool> DrainAsync(int intake, TimeSpan limit)
    {
        var until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        var (stopped, isLate) = (new List<EntityCell>(), false);
        while (!TryStopAll(stopped))
        {
            if (Volatile.Read(ref _intake) != intake) return false;
            if (!isLate && Environment.TickCount64 >= until)
            {
                isLate = true;
                Reset(EntityFailure.Unreachable, EntityFailure.Lost);
            }
            await Task.Delay(2).ConfigureAwait(false);
        }
        lock (_activation)
        {
            if (_intake != intake) return false; // Opened again, and its gate with it.
            Effects?.Close(cancel: false);
        }
        if (Effects is { } effects) await effects.Ended.ConfigureAwait(false);
        foreach (var cell in stopped)
        {
            if (Environment.TickCount64 >= until) break; // A snapshot is a convenience; the shard's next owner is not.
            await cell.Entity.SettleAsync().ConfigureAwait(false);
        }
        return Volatile.Read(ref _intake) == intake;
    }

    /// <summary>Drops all entity memory and what of it has not committed; the next entities load what the journal has.</summary>
    public void Reset(Func<string, EntityFailure> waiting, Func<string, EntityFailure> owed)
    {
        List<EntityCell> cells;
        // Under the lock, so that no entity is activated between the two with a generation that is gone.
        lock (_activation)
        {
            _generation = host.Journal.Abandon(No, Epoch);
            cells = TakeAll();
        }
        foreach (var cell in cells) cell.Kill(waiting, owed);
    }

    /// <summary>The shard is served no more.</summary>
    public void Close()
    {
        List<EntityCell> cells;
        lock (_activation)
        {
            (_open, _closed) = (false, true);
            _intake++;
            cells = TakeAll();
        }
        Effects?.Close(cancel: true);
        foreach (var cell in cells) cell.Kill(EntityFailure.Lost, EntityFailure.Lost);
    }

    /// <summary>All idle at once, then each stopped: a message that found its entity before intake closed makes us wait for it.</summary>
    private bool TryStopAll(List<EntityCell> stopped)
    {
        if (!host.Journal.IsClear(No, Epoch) || _cells.Values.Any(c => !c.IsIdle)) return false;
        foreach (var cell in _cells.Values)
        {
            if (!cell.TryStop()) return false;
            Remove(cell);
            stopped.Add(cell);
        }
        return host.Journal.IsClear(No, Epoch);
    }

    private List<EntityCell> TakeAll()
    {
        var cells = _cells.Values.ToList();
        _cells.Clear();
        return cells;
    }

    private EntityCell? Activate(string id)
    {
        lock (_activation)
        {
            if (!_open) return null;
            if (_cells.TryGetValue(id, out var active)) return active;
            return _cells[id] = new EntityCell(this, id, Type.Create(), _generation);
        }
    }
}

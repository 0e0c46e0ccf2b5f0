using System.Buffers;
using ActorCluster.Persistence;

namespace ActorCluster.Entities;

/// <summary>How a journaled entity comes back: its newest snapshot, then the rows after it.</summary>
public abstract partial class JournaledEntity<TEvent>
{
    private const int SnapshotEvery = 1000;
    private const int PageRows = 1000;
    private static readonly TimeSpan OrphanPause = TimeSpan.FromMilliseconds(5);

    private long _snapshotSeq;
    private volatile bool _saving; // Ends off the turn, when the store has answered; all else of a save happens in it.

    /// <summary>Name of the snapshot schema; null for an entity without snapshots.</summary>
    protected virtual string? SnapshotSchema => null;

    /// <summary>Writes the whole state; called only while everything is committed.</summary>
    protected virtual void SaveState(IBufferWriter<byte> into) { }

    /// <summary>Reads a state into the fresh entity.</summary>
    protected virtual void LoadState(string schema, ReadOnlySpan<byte> bytes) { }

    internal override async ValueTask StartAsync(EntityContext context)
    {
        var (store, entity, shard) = (context.Cell.Host.Store, context.Id.StoreKey, context.Cell.Shard);
        // A batch that was given up in doubt may still land: what is read before it is resolved would be half the truth.
        while (context.Cell.Host.Journal.HasOrphans(shard.No, shard.Epoch))
            await Task.Delay(OrphanPause).ConfigureAwait(false);

        var loaded = await context.Cell.Host.Loader.LoadAsync(entity).ConfigureAwait(false);
        if (!loaded.IsOk) throw new EntityException(EntityFailure.StoreAway(entity, noEffect: true));
        if (loaded.Value!.Snapshot is { } found) Restore(found);
        foreach (var row in loaded.Value.Rows) Replay(row);
        while (loaded.Value.Rows.Length == EntityLoader.FirstRows)
        {
            var page = await store.ReadJournalAsync(entity, _seq + 1, PageRows).ConfigureAwait(false);
            if (!page.IsOk) throw new EntityException(EntityFailure.StoreAway(entity, noEffect: true));
            foreach (var row in page.Value) Replay(row);
            if (page.Value.Length < PageRows) break;
        }
        if (HasDurableTimers) await LoadTimersAsync(context.Cell).ConfigureAwait(false);
        _committed = _committedSignal = _seq;
        _window.Expire(NowMs());
        await base.StartAsync(context).ConfigureAwait(false);
    }

    internal override async ValueTask SettleAsync()
    {
        if (_seq - _snapshotSeq >= SnapshotEvery / 4) await SaveAsync().ConfigureAwait(false);
    }

    private void Replay(JournalRow row)
    {
        if (row.EntitySeq != _seq + 1) throw new InvalidDataException($"Journal of {row.Entity}: row {_seq + 1} is missing, {row.EntitySeq} follows.");
        Apply(Events.Decode(row.Kind, row.Payload.Span), row.EntitySeq);
        _seq = row.EntitySeq;
        if (row.Command is { } id) _window.NoteExecuted(id, row.EntitySeq, row.AtUnixMs);
    }

    /// <summary>Everything up to the call runs in the turn, or after the last one: what is written is the committed state of that moment.</summary>
    private async Task SaveAsync()
    {
        if (SnapshotSchema is not { } schema || _saving || _diverged || _uncommitted.Count > 0 || _snapshotSeq == _seq) return;
        var cell = Context.Cell;
        _saving = true;
        _snapshotSeq = _seq; // Not again for the next thousand rows, even if this one fails.
        try
        {
            var snapshot = new EntitySnapshot(cell.Id.StoreKey, _seq, schema, Content());
            var saved = await cell.Host.Store.SaveSnapshotAsync(cell.Shard.No, cell.Shard.Epoch, cell.Host.Ownership.Self, snapshot).ConfigureAwait(false);
            if (!saved.IsOk) cell.Host.Log.SnapshotFailed(cell.Id.StoreKey, saved.Verdict, saved.Reason);
        }
        catch (Exception cause)
        {
            cell.Host.Log.SnapshotFaulted(cause, cell.Id.StoreKey);
        }
        finally
        {
            _saving = false;
        }
    }

    private byte[] Content()
    {
        _window.Expire(NowMs());
        var state = new ArrayBufferWriter<byte>();
        SaveState(state);
        return SnapshotContent.Of(_window, state.WrittenSpan);
    }

    private void Restore(EntitySnapshot snapshot)
    {
        LoadState(snapshot.Schema, SnapshotContent.Restore(snapshot, _window));
        _seq = _snapshotSeq = snapshot.EntitySeq;
    }
}

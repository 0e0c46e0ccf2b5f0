using System.Collections.Immutable;
using ActorCluster.Persistence;

namespace ActorCluster.Entities;

/// <summary>Reads what journaled entities are loaded from: those that come while calls are under way share the next one.</summary>
/// <remarks>Thread-safe. A node that takes over from a dead one loads all its entities at once; a call for each would take several times as long.</remarks>
internal sealed class EntityLoader(IJournalStore store)
{
    /// <summary>Rows of each entity that come with its snapshot; further ones are read by themselves.</summary>
    public const int FirstRows = 250;

    private const int EntitiesMax = 64;
    private const int CallsMax = 2;

    private readonly Lock _lock = new();
    private readonly Queue<Waiting> _waiting = new();
    private int _calls;

    public Task<StoreResult<EntityRecord>> LoadAsync(string entity)
    {
        var waiting = new Waiting(entity);
        lock (_lock)
        {
            _waiting.Enqueue(waiting);
            if (_calls == CallsMax) return waiting.Task;
            _calls++;
        }
        _ = RunAsync();
        return waiting.Task;
    }

    private async Task RunAsync()
    {
        var batch = new List<Waiting>(EntitiesMax);
        while (true)
        {
            batch.Clear();
            lock (_lock)
            {
                while (batch.Count < EntitiesMax && _waiting.TryDequeue(out var next)) batch.Add(next);
                if (batch.Count == 0)
                {
                    _calls--;
                    return;
                }
            }
            StoreResult<ImmutableArray<EntityRecord>> read;
            try { read = await store.LoadAsync([.. batch.Select(w => w.Entity)], FirstRows).ConfigureAwait(false); }
            catch (Exception cause)
            {
                foreach (var waiting in batch) waiting.SetException(cause); // Theirs to tell; the others are not to wait for ever.
                continue;
            }
            for (var i = 0; i < batch.Count; i++)
                batch[i].SetResult(read.IsOk ? StoreResult.Ok(read.Value[i]) : StoreResult.Not<EntityRecord>(read.Verdict, read.Reason ?? ""));
        }
    }

    private sealed class Waiting(string entity) : TaskCompletionSource<StoreResult<EntityRecord>>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public string Entity => entity;
    }
}

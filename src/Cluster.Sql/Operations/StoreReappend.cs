using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;

namespace ActorCluster.Sql.Operations;

/// <summary>What became of one entity's lost rows.</summary>
/// <param name="Entity">Store key.</param>
/// <param name="Appended">Given back.</param>
/// <param name="Present">The store had them.</param>
/// <param name="Conflicting">The store, or another file, has something else there, or they lie behind such a row.</param>
/// <param name="Missing">They lie behind rows that are missing: those from <paramref name="MissingFrom"/> to <paramref name="MissingTo"/>.</param>
/// <param name="MissingFrom">0 for none.</param>
/// <param name="MissingTo">0 for none.</param>
/// <param name="Homeless">The store has no shard for the entity.</param>
internal sealed record EntityReappended(string Entity, long Appended, long Present, long Conflicting, long Missing, long MissingFrom, long MissingTo, long Homeless)
{
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsWhole => Conflicting + Missing + Homeless == 0;
}

/// <summary>Gives a recovered store back what its nodes had acknowledged and it has lost (protocol 4.6).</summary>
/// <remarks>Slice by slice, each one transaction; what was given back is found again by the next run, so it may be stopped and repeated at any time.</remarks>
internal sealed class StoreReappend(IClusterStore store, AckedFiles files)
{
    private const int Attempts = 5;
    private const long SliceBytes = 4 * 1024 * 1024;

    private readonly SortedDictionary<string, EntityReappended> _entities = new(StringComparer.Ordinal);
    private readonly HashSet<string> _conflicting = new(StringComparer.Ordinal);
    private ReappendTrial? _trial;

    /// <summary>By entity. Rows that are contested between files are not asked about.</summary>
    /// <param name="apply">False only tells what would be done, in the same slices.</param>
    /// <param name="stopping">Between slices.</param>
    /// <exception cref="StoreUnusableException">The store refuses, or did not answer; one line says why and what was done.</exception>
    public async Task<ImmutableArray<EntityReappended>> RunAsync(bool apply, CancellationToken stopping)
    {
        if (!apply) _trial = new ReappendTrial();
        var slice = new List<LostRow>();
        var bytes = 0L;
        foreach (var row in files.Rows)
        {
            if (files.Contested.TryGetValue(row.Row.Entity, out var first) && row.Row.EntitySeq >= first)
            {
                Count(row, new Reappended(ReappendFate.Conflicting, 0));
                continue;
            }
            var size = row.Row.Payload.Length + (row.Row.Result?.Length ?? 0) + row.Row.Timers.Sum(t => t.Timer?.Payload.Length ?? 0);
            if (slice.Count > 0 && (slice.Count == RecoveryRules.ReappendRowsMax || bytes + size > SliceBytes))
            {
                await RunSliceAsync(slice).ConfigureAwait(false);
                stopping.ThrowIfCancellationRequested();
                slice.Clear();
                bytes = 0;
            }
            slice.Add(row);
            bytes += size;
        }
        if (slice.Count > 0) await RunSliceAsync(slice).ConfigureAwait(false);
        return [.. _entities.Values];
    }

    private async Task RunSliceAsync(List<LostRow> slice)
    {
        // Behind a row that conflicts nothing of its entity is given back, whatever its number fits.
        foreach (var behind in slice.Where(r => _conflicting.Contains(r.Row.Entity))) Count(behind, new Reappended(ReappendFate.Conflicting, 0));
        LostRow[] rows = [.. slice.Where(r => !_conflicting.Contains(r.Row.Entity))];
        if (rows.Length == 0) return;
        var done = await ReappendAsync(rows).ConfigureAwait(false);
        for (var attempt = 1; attempt < Attempts && done.Verdict is (StoreVerdict.NotSent or StoreVerdict.InDoubt); attempt++)
            done = await ReappendAsync(rows).ConfigureAwait(false); // What was written although its answer was lost is found to be there.
        if (!done.IsOk)
            throw new StoreUnusableException(string.Create(CultureInfo.InvariantCulture, $"{done.Reason} {(_trial is null ? $"{_entities.Values.Sum(e => e.Appended)} rows were given back before; run it again, it goes on there." : "Nothing was changed.")}"));
        for (var i = 0; i < rows.Length; i++)
        {
            if (done.Value[i].Fate == ReappendFate.Conflicting) _conflicting.Add(rows[i].Row.Entity);
            Count(rows[i], done.Value[i]);
        }
    }

    private async Task<StoreResult<ImmutableArray<Reappended>>> ReappendAsync(LostRow[] rows)
    {
        var trial = _trial is null ? null : new ReappendTrial(_trial);
        var done = await ((IStoreRecovery)store).ReappendAsync(files.Generation, rows, trial).ConfigureAwait(false);
        if (done.IsOk) _trial = trial;
        return done;
    }

    private void Count(LostRow row, Reappended done)
    {
        var entity = row.Row.Entity;
        var before = _entities.GetValueOrDefault(entity) ?? new EntityReappended(entity, 0, 0, 0, 0, 0, 0, 0);
        _entities[entity] = done.Fate switch
        {
            ReappendFate.Appended => before with { Appended = before.Appended + 1 },
            ReappendFate.Present => before with { Present = before.Present + 1 },
            ReappendFate.Conflicting => before with { Conflicting = before.Conflicting + 1 },
            ReappendFate.Homeless => before with { Homeless = before.Homeless + 1 },
            _ => before.Missing == 0 ? before with { Missing = 1, MissingFrom = done.Head + 1, MissingTo = row.Row.EntitySeq - 1 } : before with { Missing = before.Missing + 1 },
        };
    }
}

using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>What an operator does after a store has lost commits (protocol 4.6), tried on a copy at the end of a run: recover, then give back what the nodes that lived at the loss have written to their files.</summary>
internal sealed class SimReappend
{
    /// <summary>Small, so that most runs need several.</summary>
    private const int SliceRows = 5;

    private readonly SimCluster _cluster;
    private readonly ModelJournalEntry[] _lost;
    private readonly SortedDictionary<ShardNo, ShardRow> _shards;
    private readonly SortedSet<Incarnation> _exporters;

    /// <param name="cluster">At the moment of the loss.</param>
    /// <param name="before">All that was committed.</param>
    /// <param name="after">What the store has kept of it.</param>
    public SimReappend(SimCluster cluster, ModelDatabase before, ModelDatabase after)
    {
        _cluster = cluster;
        _lost = [.. before.Journal.Skip(after.Journal.Count)]; // Of the last seconds: less than what a node keeps.
        _shards = new(after.Shards.ToDictionary(s => s.No));
        _exporters = [.. cluster.Lives.Where(l => !l.IsEnded).Select(l => l.Inc)];
    }

    public void Check()
    {
        var database = _cluster.Store.Database.Copy();
        // Where somebody who had not noticed went on, another history began.
        var untouched = database.Shards.Where(s => _shards.GetValueOrDefault(s.No) is { } was && was.Epoch == s.Epoch && was.NextSeq == s.NextSeq).Select(s => s.No).ToHashSet();
        database.Recover(new Guid(4, 6, 0, new byte[8]), 0, "recovered", _cluster.Store.NowUnixMs);
        LostRow[] files = [.. _lost.Where(e => _exporters.Contains(e.Owner)).OrderBy(e => e.Epoch).ThenBy(e => e.ShardSeq).ThenBy(e => e.Shard).Select(e => new LostRow(e.Epoch, e.Owner, e.ShardSeq, e.BatchId, e.Row))];
        var appended = Reappend(database, files);
        _cluster.World.Trace($"of {_lost.Length} lost rows {files.Length} are in files, {appended} were given back");
        if (Reappend(database, files) is > 0 and var again) Violated("I4", $"{again} rows were given back a second time.");
        CheckAcknowledged(database, untouched);
        CheckJournal(database);
    }

    private static int Reappend(ModelDatabase database, LostRow[] files)
    {
        var (appended, conflicting) = (0, new HashSet<string>(StringComparer.Ordinal));
        foreach (var slice in files.Chunk(SliceRows))
        {
            LostRow[] rows = [.. slice.Where(r => !conflicting.Contains(r.Row.Entity))];
            if (rows.Length == 0) continue;
            var fates = database.Reappend(1, rows, null, 0).Value;
            for (var i = 0; i < rows.Length; i++)
            {
                if (fates[i].Fate == ReappendFate.Appended) appended++;
                if (fates[i].Fate == ReappendFate.Conflicting) conflicting.Add(rows[i].Row.Entity);
            }
        }
        return appended;
    }

    /// <summary>Every row of a file is there again, unless one before it of its entity is in no file.</summary>
    private void CheckAcknowledged(ModelDatabase database, HashSet<ShardNo> untouched)
    {
        foreach (var entity in _lost.Where(e => untouched.Contains(e.Shard)).GroupBy(e => e.Row.Entity, StringComparer.Ordinal))
        {
            var there = database.Journal.Where(e => e.Row.Entity == entity.Key).ToDictionary(e => e.Row.EntitySeq, e => e.Row);
            foreach (var lost in entity.OrderBy(e => e.Row.EntitySeq).TakeWhile(e => _exporters.Contains(e.Owner)))
                if (!there.TryGetValue(lost.Row.EntitySeq, out var row) || !ReappendRules.IsSame(row, lost.Row))
                    Violated("I3", $"Row {lost.Row.EntitySeq} of {entity.Key} was acknowledged, is in the file of {lost.Owner}, and was not given back.");
        }
    }

    private void CheckJournal(ModelDatabase database)
    {
        foreach (var shard in database.Journal.GroupBy(e => e.Shard))
        {
            var (seq, epoch) = (0L, new Epoch(0));
            foreach (var entry in shard)
            {
                if (entry.ShardSeq != seq + 1 || entry.Epoch < epoch) Violated("I2", $"Row {entry.ShardSeq} of shard {entry.Shard}, epoch {entry.Epoch}, follows row {seq}, epoch {epoch}.");
                (seq, epoch) = (entry.ShardSeq, entry.Epoch);
            }
            if (database.Find(shard.Key)?.NextSeq != seq + 1) Violated("I2", $"Shard {shard.Key} goes on at row {database.Find(shard.Key)?.NextSeq}, and its last one is {seq}.");
        }
        foreach (var entity in database.Journal.GroupBy(e => e.Row.Entity, StringComparer.Ordinal))
        {
            if (!entity.Select((e, i) => e.Row.EntitySeq == i + 1).All(inOrder => inOrder)) Violated("I2", $"The rows of {entity.Key} are not in their order.");
            foreach (var twice in entity.Where(e => e.Row.Command is not null).GroupBy(e => e.Row.Command).Where(c => c.Count() > 1)) Violated("I4", $"Command {twice.Key} took effect {twice.Count()} times in {entity.Key}.");
        }
    }

    private void Violated(string invariant, string what) => _cluster.World.Violated(invariant, $"Given back after the loss: {what}");
}

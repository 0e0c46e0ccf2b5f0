using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

public sealed partial class ModelDatabase
{
    /// <summary>See <see cref="IStoreRecovery.ReappendAsync"/>.</summary>
    /// <param name="generation">The generation in which the rows were lost.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="trial">Null writes.</param>
    /// <param name="atUnixMs">The store's time, for the age of the rows.</param>
    public StoreResult<ImmutableArray<Reappended>> Reappend(long generation, IReadOnlyList<LostRow> rows, ReappendTrial? trial, long atUnixMs)
    {
        RecoveryRules.Check(rows);
        var live = _mutation == ModelMutation.ReappendAmongTheLiving ? null : _members.Values.FirstOrDefault(m => m.IsLive);
        if (RecoveryRules.Refusal(Opened.StoreGeneration, generation, live?.Name) is { } refusal) return StoreResult.Not<ImmutableArray<Reappended>>(StoreVerdict.Conflict, refusal);
        var target = new ReappendTarget(this, atUnixMs);
        return ReappendRules.Run(trial?.Over(target) ?? target, rows, RecoveryRules.RaiseSince(Opened.StoreGeneration, generation));
    }

    private sealed class ReappendTarget(ModelDatabase db, long atUnixMs) : IReappendTarget
    {
        public long NextIncarnation => db._lastIncarnation + 1;

        public int? ShardCount(string type) => db._types.TryGetValue(type, out var count) ? count : null;

        public ShardRow? FindShard(string type, string key) =>
            db._byKey.TryGetValue((type, key), out var no) ? db._shards[no] : db._shards.Values.FirstOrDefault(s => s.Type == type && s.Key == key);

        public ShardRow MakeShard(string type, string key, Epoch epoch)
        {
            var row = new ShardRow(new ShardNo(++db._lastShard), type, key, epoch, null, null, null, ShardState.Free, NextSeq: 1);
            db._shards.Add(row.No, row);
            db._byKey[(type, key)] = row.No;
            return row;
        }

        public (Epoch Epoch, Incarnation Owner)? LastWriter(ShardRow shard) =>
            db._mutation == ModelMutation.ReappendIgnoresEpochs ? null
            : db._epochs.Where(e => e.Key.Shard == shard.No && e.Value.FirstSeq < shard.NextSeq).Select(e => ((Epoch, Incarnation)?)(e.Key.Epoch, LoggedOwner(shard.No, e.Key.Epoch)!.Value)).LastOrDefault();

        public Incarnation? OwnerOf(ShardNo shard, Epoch epoch) => db._mutation == ModelMutation.ReappendIgnoresEpochs ? null : LoggedOwner(shard, epoch);

        public long Head(string entity) => db._rows.TryGetValue(entity, out var rows) && rows.Count > 0 ? rows.Keys.Last() : 0;

        public long First(string entity) => db._rows.TryGetValue(entity, out var rows) && rows.Count > 0 ? rows.Keys.First() : 0;

        public IReadOnlyDictionary<long, JournalRow> Stored(string entity, IReadOnlyCollection<long> seqs) =>
            db._rows.TryGetValue(entity, out var rows) ? seqs.Where(rows.ContainsKey).Distinct().ToDictionary(s => s, s => rows[s]) : [];

        public IReadOnlySet<CommandId> Commands(string entity, long after, IReadOnlyCollection<CommandId> commands) =>
            db._mutation == ModelMutation.ReappendRepeatsCommands || !db._rows.TryGetValue(entity, out var rows)
                ? ImmutableHashSet<CommandId>.Empty : rows.Values.Where(r => r.EntitySeq > after).Select(r => r.Command).OfType<CommandId>().Intersect(commands).ToHashSet();

        public void Append(ShardRow shard, IReadOnlyList<LostRow> rows)
        {
            for (var i = 0; i < rows.Count; i++)
            {
                var (no, lost, row) = (shard.No, rows[i], rows[i].Row);
                if (LoggedOwner(no, lost.Epoch) is null)
                {
                    var later = db._epochs.Where(e => e.Key.Shard == no && e.Key.Epoch > lost.Epoch).Select(e => e.Value.View).DefaultIfEmpty(db.View).Min();
                    db._shardLog.Add(new ModelShardLogEntry(no, lost.Epoch, lost.Owner, later));
                    db._epochs.TryAdd((no, lost.Epoch), (later, shard.NextSeq + i));
                }
                db._journal.Add(new ModelJournalEntry(no, shard.NextSeq + i, lost.Epoch, lost.Owner, lost.BatchId, row));
                if (!db._rows.TryGetValue(row.Entity, out var stored)) db._rows.Add(row.Entity, stored = []);
                db._storedAt[(row.Entity, row.EntitySeq)] = atUnixMs;
                stored.Add(row.EntitySeq, row.Timers.IsEmpty ? row : row with { Timers = [] });
                if (db._mutation != ModelMutation.ReappendLeavesTimers)
                    foreach (var change in row.Timers) db.ChangeTimer(no, row.Entity, change);
                if (row.Command is { } command) db._commands.Add((row.Entity, command));
            }
            var next = shard.NextSeq + rows.Count;
            foreach (var later in db._epochs.Keys.Where(e => e.Shard == shard.No && e.Epoch > rows[^1].Epoch).ToArray()) db._epochs[later] = (db._epochs[later].View, next);
            db._lastBatches[shard.No] = rows[^1].BatchId;
            if (db._mutation != ModelMutation.ReappendForgetsNextSeq) db._shards[shard.No] = db._shards[shard.No] with { NextSeq = next };
        }

        private Incarnation? LoggedOwner(ShardNo shard, Epoch epoch) => db._shardLog.Find(e => e.Shard == shard && e.Epoch == epoch)?.Owner;
    }
}

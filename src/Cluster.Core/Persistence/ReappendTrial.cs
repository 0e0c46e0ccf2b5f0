using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>What a trial of a re-append would have appended so far (<see cref="IStoreRecovery.ReappendAsync"/>): rows are tried slice by slice, as they are given back.</summary>
/// <remarks>Not thread-safe. Give each call a copy, and go on with it if the call was answered: one that was given up may still write to its own.</remarks>
public sealed class ReappendTrial
{
    private ImmutableDictionary<(string Type, string Key), Shard> _shards = ImmutableDictionary<(string Type, string Key), Shard>.Empty;
    private ImmutableDictionary<string, Taken> _entities = ImmutableDictionary.Create<string, Taken>(StringComparer.Ordinal);

    /// <summary>Before the first slice.</summary>
    public ReappendTrial() { }

    /// <summary>A copy, for one call; it shares what is there.</summary>
    public ReappendTrial(ReappendTrial before)
    {
        ArgumentNullException.ThrowIfNull(before);
        (_shards, _entities) = (before._shards, before._entities);
    }

    /// <summary>The store as it would be; what is appended is noted here, and the store is only read.</summary>
    internal IReappendTarget Over(IReappendTarget store) => new Target(this, store);

    /// <param name="Row">As the store has it, or as it would be made: then without a number.</param>
    /// <param name="Epoch">Of the last row that would be in it.</param>
    /// <param name="Owner">Who wrote that.</param>
    private sealed record Shard(ShardRow Row, Epoch Epoch, Incarnation Owner);

    /// <summary>An entity's rows, one number after the other, and those before them.</summary>
    private sealed record Taken(ImmutableArray<JournalRow> Rows, Taken? Before)
    {
        public long Head => Rows[^1].EntitySeq;

        public static IEnumerable<JournalRow> After(Taken? last, long seq)
        {
            for (; last is not null && last.Head > seq; last = last.Before)
                foreach (var row in last.Rows)
                    if (row.EntitySeq > seq) yield return row;
        }
    }

    private sealed class Target(ReappendTrial trial, IReappendTarget store) : IReappendTarget
    {
        public long NextIncarnation => store.NextIncarnation;

        public int? ShardCount(string type) => store.ShardCount(type);

        public ShardRow? FindShard(string type, string key) => store.FindShard(type, key) ?? trial._shards.GetValueOrDefault((type, key))?.Row;

        public ShardRow MakeShard(string type, string key, Epoch epoch) => new(default, type, key, epoch, null, null, null, ShardState.Free, NextSeq: 1);

        public (Epoch Epoch, Incarnation Owner)? LastWriter(ShardRow shard) =>
            trial._shards.GetValueOrDefault((shard.Type, shard.Key)) is { } last ? (last.Epoch, last.Owner) : store.LastWriter(shard);

        // Epochs that would be logged are not above the last writer's, who is asked about first.
        public Incarnation? OwnerOf(ShardNo shard, Epoch epoch) => shard == default ? null : store.OwnerOf(shard, epoch);

        public long Head(string entity) => trial._entities.GetValueOrDefault(entity)?.Head ?? store.Head(entity);

        public long First(string entity) => store.First(entity);

        public IReadOnlyDictionary<long, JournalRow> Stored(string entity, IReadOnlyCollection<long> seqs)
        {
            var stored = store.Stored(entity, seqs);
            if (seqs.Count == 0 || !trial._entities.TryGetValue(entity, out var taken)) return stored;
            var wanted = seqs.ToHashSet();
            return stored.Values.Concat(Taken.After(taken, seqs.Min() - 1).Where(r => wanted.Contains(r.EntitySeq))).ToDictionary(r => r.EntitySeq);
        }

        public IReadOnlySet<CommandId> Commands(string entity, long after, IReadOnlyCollection<CommandId> commands)
        {
            var stored = store.Commands(entity, after, commands);
            return commands.Count == 0 || !trial._entities.TryGetValue(entity, out var taken)
                ? stored : Taken.After(taken, after).Select(r => r.Command).OfType<CommandId>().Intersect(commands).Concat(stored).ToHashSet();
        }

        public void Append(ShardRow shard, IReadOnlyList<LostRow> rows)
        {
            trial._shards = trial._shards.SetItem((shard.Type, shard.Key), new Shard(shard, rows[^1].Epoch, rows[^1].Owner));
            foreach (var its in rows.GroupBy(r => r.Row.Entity, StringComparer.Ordinal))
                trial._entities = trial._entities.SetItem(its.Key, new Taken([.. its.Select(r => r.Row)], trial._entities.GetValueOrDefault(its.Key)));
        }
    }
}

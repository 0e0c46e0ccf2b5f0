using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>A store inside one transaction, as the re-append of lost rows sees it. Nobody else writes meanwhile: no member is live, and none can join.</summary>
internal interface IReappendTarget
{
    /// <summary>The number that the next incarnation gets: no row was written by one above.</summary>
    long NextIncarnation { get; }

    /// <summary>Shards of a type, 0 for individually placed entities; null for one that is not registered.</summary>
    int? ShardCount(string type);

    ShardRow? FindShard(string type, string key);

    /// <summary>Makes the free row of an individually placed entity.</summary>
    ShardRow MakeShard(string type, string key, Epoch epoch);

    /// <summary>Who wrote the shard's last row and under which epoch; null before the first. Where that is not recorded, the last epoch that was acquired.</summary>
    (Epoch Epoch, Incarnation Owner)? LastWriter(ShardRow shard);

    /// <summary>Who acquired that epoch, as far as the log of epochs goes back.</summary>
    Incarnation? OwnerOf(ShardNo shard, Epoch epoch);

    /// <summary>
    /// Number of the entity's last row in the journal, 0 for none: truncation never takes the last. Snapshots say nothing of it: an owner that has not noticed the loss yet may
    /// have saved one of rows that are lost.
    /// </summary>
    long Head(string entity);

    /// <summary>The number of the oldest row that an entity's journal still has; 0 where it has none.</summary>
    long First(string entity);

    /// <summary>Those of the rows that are there.</summary>
    IReadOnlyDictionary<long, JournalRow> Stored(string entity, IReadOnlyCollection<long> seqs);

    /// <summary>Which of the commands took effect in a row above <paramref name="after"/>.</summary>
    IReadOnlySet<CommandId> Commands(string entity, long after, IReadOnlyCollection<CommandId> commands);

    /// <summary>Appends rows from the shard's next sequence on, with what they do to timers, and logs the epochs that are not logged. The rows have one number after the other.</summary>
    void Append(ShardRow shard, IReadOnlyList<LostRow> rows);
}

/// <summary>Which lost rows a restored store takes back (protocol 4.6, decision 27). Pure but for what it asks of the store.</summary>
internal static class ReappendRules
{
    /// <summary>A repeated command is looked for in so many of an entity's last rows: more than that no entity remembers (protocol 7.4).</summary>
    public const long WindowRows = 65_536;

    /// <summary>Judges rows, and appends those that continue their entity's journal.</summary>
    /// <param name="store">The store, or what it would be (<see cref="ReappendTrial"/>).</param>
    /// <param name="rows">Rows of one shard by epoch, then shard sequence; shards in any order.</param>
    /// <param name="raise">How much a recovery has raised epochs: the first epoch of a placed entity whose row is made anew lies so far above its lost ones.</param>
    /// <returns>One fate for each row, in order; Conflict where a shard is owned.</returns>
    public static StoreResult<ImmutableArray<Reappended>> Run(IReappendTarget store, IReadOnlyList<LostRow> rows, long raise)
    {
        var fates = new Reappended[rows.Count];
        var shards = new Dictionary<(string Type, string Key), List<int>>();
        var order = new List<(string Type, string Key)>();
        for (var i = 0; i < rows.Count; i++)
        {
            if (PlaceOf(store, rows[i].Row.Entity) is not { } place)
            {
                fates[i] = new Reappended(ReappendFate.Homeless, 0);
                continue;
            }
            if (!shards.TryGetValue(place, out var its))
            {
                shards.Add(place, its = []);
                order.Add(place);
            }
            its.Add(i);
        }
        foreach (var place in order)
            if (RunShard(store, place, shards[place], rows, fates, raise) is { } refusal) return StoreResult.Not<ImmutableArray<Reappended>>(StoreVerdict.Conflict, refusal);
        return StoreResult.Ok(ImmutableArray.Create(fates));
    }

    /// <summary>The same row, whoever wrote it.</summary>
    public static bool IsSame(JournalRow a, JournalRow b) =>
        a.Kind == b.Kind && a.Command == b.Command && a.AtUnixMs == b.AtUnixMs && a.Payload.Span.SequenceEqual(b.Payload.Span)
        && a.Result.HasValue == b.Result.HasValue && a.Result.GetValueOrDefault().Span.SequenceEqual(b.Result.GetValueOrDefault().Span);

    private static (string Type, string Key)? PlaceOf(IReappendTarget store, string entity)
    {
        var slash = entity.IndexOf('/', StringComparison.Ordinal); // No type's name has one.
        if (slash < 1 || slash == entity.Length - 1) return null;
        var id = new EntityId(entity[..slash], entity[(slash + 1)..]);
        return store.ShardCount(id.Type) switch
        {
            null => null,
            0 => (id.Type, id.Id),
            { } count => (id.Type, StableHash.ShardOf(id, count).ToString(CultureInfo.InvariantCulture)),
        };
    }

    private static string? RunShard(IReappendTarget store, (string Type, string Key) place, List<int> its, IReadOnlyList<LostRow> rows, Reappended[] fates, long raise)
    {
        var shard = store.FindShard(place.Type, place.Key);
        if (shard is { Owner: { } owner }) return $"Shard {shard.No} ({place.Type} {place.Key}) is owned by {owner}. Stop all nodes, then recover once more.";
        if (shard is { State: ShardState.Ended })
        {
            foreach (var i in its) fates[i] = new Reappended(ReappendFate.Homeless, 0);
            return null;
        }
        var isNew = shard is null;
        shard ??= new ShardRow(default, place.Type, place.Key, new Epoch(its.Max(i => rows[i].Epoch.Value) + raise), null, null, null, ShardState.Free, NextSeq: 1);

        var entities = its.GroupBy(i => rows[i].Row.Entity, StringComparer.Ordinal).ToDictionary(
            g => g.Key, g => new Entity(store, g.Key, [.. g.Select(i => rows[i].Row)]), StringComparer.Ordinal);
        var last = isNew ? null : store.LastWriter(shard);
        var taken = new List<LostRow>();
        foreach (var i in its)
        {
            var entity = entities[rows[i].Row.Entity];
            var head = entity.Head;
            var fate = entity.Judge(rows[i].Row);
            if (fate == ReappendFate.Appended)
            {
                if (!MayFollow(store, shard, last, rows[i], isNew)) fate = entity.Conflict();
                else
                {
                    entity.Take(rows[i].Row);
                    last = (rows[i].Epoch, rows[i].Owner);
                    taken.Add(rows[i]);
                }
            }
            fates[i] = new Reappended(fate, head);
        }
        if (taken.Count > 0) store.Append(isNew ? store.MakeShard(place.Type, place.Key, shard.Epoch) : shard, taken);
        return null;
    }

    /// <summary>
    /// The row is of the history that the store was cut off of. Epochs of one history never fall, and each has one owner: another owner's rows under the same epoch, or rows
    /// under a later one, were written after the loss, by nodes that did not know of this row.
    /// </summary>
    private static bool MayFollow(IReappendTarget store, ShardRow shard, (Epoch Epoch, Incarnation Owner)? last, LostRow row, bool isNew) =>
        row.Epoch < shard.Epoch && row.Epoch.Value > 0 && row.Owner.Value > 0 && row.Owner.Value < store.NextIncarnation
        && (last is not { } before || before.Epoch < row.Epoch || (before.Epoch == row.Epoch && before.Owner == row.Owner))
        && (isNew || store.OwnerOf(shard.No, row.Epoch) is not { } owner || owner == row.Owner);

    /// <summary>One entity while its rows are gone through in order.</summary>
    private sealed class Entity
    {
        private readonly IReadOnlyDictionary<long, JournalRow> _stored;
        private readonly HashSet<CommandId> _commands;
        private readonly long _first;
        private bool _conflicts;

        public Entity(IReappendTarget store, string key, IReadOnlyCollection<JournalRow> rows)
        {
            Head = store.Head(key);
            _first = store.First(key);
            _stored = store.Stored(key, [.. rows.Select(r => r.EntitySeq).Where(s => s <= Head)]);
            _commands = [.. store.Commands(key, Head - WindowRows, [.. rows.Where(r => r.EntitySeq > Head).Select(r => r.Command).OfType<CommandId>()])];
        }

        public long Head { get; private set; }

        /// <summary>Appended where it continues the journal by its number.</summary>
        public ReappendFate Judge(JournalRow row)
        {
            if (_conflicts) return ReappendFate.Conflicting;
            if (row.EntitySeq > Head + 1) return ReappendFate.Missing;
            if (row.EntitySeq < 1) return Conflict();
            if (row.EntitySeq < _first) return ReappendFate.Present; // It was truncated.
            if (row.EntitySeq <= Head) return _stored.TryGetValue(row.EntitySeq, out var there) && IsSame(there, row) ? ReappendFate.Present : Conflict();
            return row.Command is { } command && _commands.Contains(command) ? Conflict() : ReappendFate.Appended;
        }

        public ReappendFate Conflict()
        {
            _conflicts = true;
            return ReappendFate.Conflicting;
        }

        public void Take(JournalRow row)
        {
            Head = row.EntitySeq;
            if (row.Command is { } command) _commands.Add(command);
        }
    }
}

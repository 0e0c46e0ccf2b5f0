using ActorCluster.Persistence;
using ActorCluster.Sql;
using Npgsql;

namespace ActorCluster.Bench.Yardsticks;

/// <summary>Bare inserts into a database: one prepared statement of arrays a commit, the fastest way in that is not COPY, on a connection of its own.</summary>
internal sealed class RawPostgresJournal : RawJournal
{
    private const string Schema = "raw";

    private readonly NpgsqlConnection _db;

    /// <summary>Makes the schema and the shards.</summary>
    /// <param name="connectionString">Of the server that ours uses too.</param>
    /// <param name="rooms">Store keys of the rooms.</param>
    /// <param name="shardOf">For each room the number of its shard.</param>
    /// <param name="payload">Of every row.</param>
    public static async Task<RawPostgresJournal> MakeAsync(string connectionString, string[] rooms, long[] shardOf, byte[] payload)
    {
        var options = new PostgresStoreOptions { ConnectionString = connectionString, Schema = Schema };
        await using (var store = new PostgresStore(options))
        {
            var opened = await store.OpenAsync(new StoreSeed(""), CancellationToken.None).ConfigureAwait(false);
            if (!opened.IsOk) throw new InvalidOperationException(opened.Reason);
        }
        var raw = new RawPostgresJournal(new NpgsqlConnection(options.Complete().ConnectionString), rooms, shardOf, payload);
        await raw._db.OpenAsync().ConfigureAwait(false);
        using var command = raw.Command(
            "INSERT INTO shard(shard_no, type, key, epoch, owner_inc, state, next_seq) SELECT n, 'ledger', n::text, 1, $2, 'owned', 1 FROM unnest($1) n",
            shardOf.Distinct().ToArray(), Owner);
        await command.ExecuteNonQueryAsync().ConfigureAwait(false);
        return raw;
    }

    private RawPostgresJournal(NpgsqlConnection db, string[] rooms, long[] shardOf, byte[] payload)
        : base(rooms, shardOf, payload) => _db = db;

    public override void Dispose() => _db.Dispose();

    protected override void Commit(int[] picked, long at)
    {
        var shards = picked.Select(ShardAt).Distinct().ToArray();
        var batches = shards.ToDictionary(s => s, _ => Guid.NewGuid());
        var (shardSeqs, roomSeqs, clients) = (new long[picked.Length], new long[picked.Length], new byte[picked.Length][]);
        for (var i = 0; i < picked.Length; i++)
        {
            (shardSeqs[i], roomSeqs[i], clients[i]) = (TakeOfShard(ShardAt(picked[i])), NextOfRoom(picked[i]), new byte[16]);
            BitConverter.TryWriteBytes(clients[i], picked[i] + 1L);
        }
        using var command = Command(
            """
            WITH j AS (
                INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at)
                SELECT shard_no, shard_seq, entity, entity_seq, 1, $9, batch_id, client_id, entity_seq, kind, payload, result, $10
                FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $14) r(shard_no, shard_seq, entity, entity_seq, batch_id, client_id, kind, payload, result))
            UPDATE shard s SET next_seq=u.next_seq, last_batch=u.batch_id FROM unnest($11, $12, $13) u(shard_no, next_seq, batch_id) WHERE s.shard_no=u.shard_no
            """,
            picked.Select(ShardAt).ToArray(), shardSeqs, picked.Select(RoomAt).ToArray(), roomSeqs, picked.Select(p => batches[ShardAt(p)]).ToArray(), clients,
            Enumerable.Repeat(Ledger.EntryKind, picked.Length).ToArray(), Enumerable.Repeat(Payload, picked.Length).ToArray(), Owner, at,
            shards, shards.Select(NextOfShard).ToArray(), shards.Select(s => batches[s]).ToArray(), Enumerable.Repeat(Payload[..8], picked.Length).ToArray());
        command.ExecuteNonQuery();
    }

    private NpgsqlCommand Command(string sql, params object[] values)
    {
        var command = new NpgsqlCommand(sql, _db);
        foreach (var value in values) command.Parameters.Add(new NpgsqlParameter { Value = value });
        return command; // Prepared by the connection at its second use.
    }
}

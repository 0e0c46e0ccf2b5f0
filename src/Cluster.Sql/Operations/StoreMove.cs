using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using Npgsql;
using NpgsqlTypes;

namespace ActorCluster.Sql.Operations;

/// <summary>What was copied of one table, the same on both sides.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Rows">How many rows.</param>
/// <param name="Hash">Sum of the rows' hashes, so that the order of reading does not matter.</param>
internal sealed record MovedTable(string Table, long Rows, UInt128 Hash);

/// <summary>
/// Takes a stopped cluster's data from an SQLite file to an empty PostgreSQL schema. All of it is one transaction of the target, so whatever ends the move
/// before its commit leaves nothing there; the file is only read.
/// </summary>
/// <remarks>Nodes of the file cannot write meanwhile: the move holds their turnstile.</remarks>
internal sealed class StoreMove(string file, PostgresStoreOptions target, TimeSpan leaseWatch)
{
    /// <summary>Longer than any lease lives unless its times were changed.</summary>
    public static readonly TimeSpan LeaseWatch = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan TurnstileLimit = TimeSpan.FromSeconds(2);

    /// <param name="copied">Told of each table when it is copied and compared; not committed yet.</param>
    /// <param name="cancel">Leaves nothing in the target.</param>
    /// <exception cref="StoreUnusableException">Nothing was written, or, where the message says so, it is unknown whether all was; one line names the mend.</exception>
    public async Task<ImmutableArray<MovedTable>> RunAsync(Func<MovedTable, Task> copied, CancellationToken cancel)
    {
        var members = await RequireStoppedAsync(cancel).ConfigureAwait(false);
        using var turnstile = new SqliteTurnstile(file + ".turnstile");
        await EnterAsync(turnstile, cancel).ConfigureAwait(false);
        try
        {
            var source = SqliteStoreReader.Open(file);
            await using (source.ConfigureAwait(false))
            {
                if (!(await LiveAsync(source).ConfigureAwait(false)).SequenceEqual(members)) throw Running("a node has joined or renewed its lease just now");
                return await CopyAsync(source, copied, cancel).ConfigureAwait(false);
            }
        }
        finally
        {
            turnstile.Leave();
        }
    }

    private async Task<ImmutableArray<MovedTable>> CopyAsync(SqliteStoreReader source, Func<MovedTable, Task> copied, CancellationToken cancel)
    {
        var connection = await PostgresStoreReader.ConnectAsync(target, cancel).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var committing = false;
            try
            {
                var db = new PostgresSession(connection);
                var transaction = await connection.BeginTransactionAsync(cancel).ConfigureAwait(false);
                if (PostgresSchema.Begin(db, target.Schema) is { } refusal) throw new StoreUnusableException(refusal);
                if (PostgresSchema.Count(db, target.Schema) is > 0 and var held)
                    throw new StoreUnusableException($"The schema {target.Schema} is not empty: it has {held} tables and indexes. Name another in Search Path, or, if nothing in it is needed: DROP SCHEMA \"{target.Schema}\" CASCADE;");
                PostgresSchema.Create(db, target.Schema);
                var tables = ImmutableArray.CreateBuilder<MovedTable>();
                foreach (var table in Tables(db))
                {
                    var sent = await CopyTableAsync(source, connection, table, cancel).ConfigureAwait(false);
                    var arrived = await ReadBackAsync(connection, table, cancel).ConfigureAwait(false);
                    if (sent != arrived)
                        throw new StoreUnusableException($"The table {table.Name} arrived as {arrived.Rows} rows of hash {arrived.Hash:x32}, but was {sent.Rows} rows of hash {sent.Hash:x32}. Nothing was written. Check the memory and disks of both machines, and tell us.");
                    tables.Add(sent);
                    await copied(sent).ConfigureAwait(false);
                }
                committing = true;
                await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
                return tables.DrainToImmutable();
            }
            catch (Exception e) when (PostgresFailure.IsOfStore(e) && !cancel.IsCancellationRequested)
            {
                var outcome = committing && e is not PostgresException
                    ? "It is unknown whether the commit came through: look with status; either all is there or nothing"
                    : "Nothing was written";
                throw new StoreUnusableException($"PostgreSQL failed: {PostgresFailure.Words(e)} {outcome}.", e);
            }
        }
    }

    /// <summary>Counts and types are the target's, values the source's: SQLite keeps identifiers as 16 bytes and truth as 0 or 1.</summary>
    private static async Task<MovedTable> CopyTableAsync(SqliteStoreReader source, NpgsqlConnection connection, Table table, CancellationToken cancel)
    {
        var sum = new TableSum(table.Name);
        var import = await connection.BeginBinaryImportAsync($"COPY \"{table.Name}\" ({string.Join(", ", table.Columns.Select(c => $"\"{c.Name}\""))}) FROM STDIN (FORMAT BINARY)", cancel).ConfigureAwait(false);
        await using (import.ConfigureAwait(false))
        {
            // In brackets, since SQLite takes an unknown name in quotes for a text.
            await foreach (var row in source.QueryAsync($"SELECT {string.Join(", ", table.Columns.Select(c => Source(table.Name, c.Name)))} FROM [{table.Name}]").ConfigureAwait(false))
            {
                await import.StartRowAsync(cancel).ConfigureAwait(false);
                for (var i = 0; i < row.Length; i++)
                {
                    var (column, type) = table.Columns[i];
                    row[i] = As(type, row[i]);
                    if (row[i] is string text && text.Contains('\0', StringComparison.Ordinal))
                        throw new StoreUnusableException($"A row of {table.Name} has a NUL in {column} ('{text.Replace("\0", "\\0", StringComparison.Ordinal)}'), which PostgreSQL's texts cannot hold. Nothing was written.");
                    if (row[i] is { } value)
                        await import.WriteAsync(value, type, cancel).ConfigureAwait(false);
                    else
                        await import.WriteNullAsync(cancel).ConfigureAwait(false);
                }
                sum.Add(row);
            }
            await import.CompleteAsync(cancel).ConfigureAwait(false);
        }
        return sum.Total;
    }

    private static async Task<MovedTable> ReadBackAsync(NpgsqlConnection connection, Table table, CancellationToken cancel)
    {
        var sum = new TableSum(table.Name);
        using var command = new NpgsqlCommand($"SELECT {string.Join(", ", table.Columns.Select(c => $"\"{c.Name}\""))} FROM \"{table.Name}\"", connection);
        var read = await command.ExecuteReaderAsync(cancel).ConfigureAwait(false);
        await using (read.ConfigureAwait(false))
        {
            var row = new object?[table.Columns.Length];
            while (await read.ReadAsync(cancel).ConfigureAwait(false))
            {
                for (var i = 0; i < row.Length; i++) row[i] = read.GetValue(i) is var value and not DBNull ? value : null;
                sum.Add(row);
            }
        }
        return sum.Total;
    }

    private List<Table> Tables(PostgresSession db) =>
    [
        .. db.Read(
            r => (Table: r.GetString(0), Column: r.GetString(1), Type: TypeOf(r.GetString(2))),
            """
            SELECT c.relname::text, a.attname::text, t.typname::text FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace
            JOIN pg_attribute a ON a.attrelid=c.oid AND a.attnum>0 AND NOT a.attisdropped JOIN pg_type t ON t.oid=a.atttypid
            WHERE n.nspname=$1 AND c.relkind='r' AND c.relname<>'schema_version' ORDER BY c.relname, a.attnum
            """, target.Schema).GroupBy(c => c.Table).Select(t => new Table(t.Key, [.. t.Select(c => (c.Column, c.Type))])),
    ];

    /// <summary>The one column that SQLite keeps otherwise: it has no NULL there, and says beside it whether the empty one is a reply (earlier releases did not).</summary>
    private static string Source(string table, string column) =>
        (table, column) == ("journal", "result") ? "CASE WHEN coalesce(has_result, length(result)>0) THEN result END" : $"[{column}]";

    private static NpgsqlDbType TypeOf(string name) => name switch
    {
        "int8" => NpgsqlDbType.Bigint,
        "text" => NpgsqlDbType.Text,
        "uuid" => NpgsqlDbType.Uuid,
        "bytea" => NpgsqlDbType.Bytea,
        "bool" => NpgsqlDbType.Boolean,
        "float8" => NpgsqlDbType.Double,
        _ => throw new NotSupportedException($"The schema has a column of type {name}, which the move does not know."),
    };

    private static object? As(NpgsqlDbType type, object? value) => (type, value) switch
    {
        (_, null) => null,
        (NpgsqlDbType.Uuid, _) => StoreReader.GuidOf(value),
        (NpgsqlDbType.Boolean, long number) => number != 0,
        (NpgsqlDbType.Double, long number) => (double)number,
        _ => value,
    };

    private async Task EnterAsync(SqliteTurnstile turnstile, CancellationToken cancel)
    {
        for (var waited = TimeSpan.Zero; !turnstile.TryEnter(); waited += TimeSpan.FromMilliseconds(10))
        {
            if (waited > TurnstileLimit) throw Running(turnstile.DescribeHolder());
            await Task.Delay(10, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Every member must be down, or proved dead by its lock file, or, where that proves nothing here, silent for longer than a lease lives.</summary>
    private async Task<ImmutableArray<Live>> RequireStoppedAsync(CancellationToken cancel)
    {
        var members = await LiveAsync().ConfigureAwait(false);
        foreach (var member in members)
            if (member.Lock is { } proof && NodeLock.IsOfThisBoot(proof) && !NodeLock.IsFree(proof)) throw Running($"the process of {member.Name}#{member.Inc} holds {proof.Path}, or that file is not there any more");
        if (members.All(m => m.Lock is { } proof && NodeLock.IsOfThisBoot(proof))) return members;
        for (var watched = TimeSpan.Zero; watched < leaseWatch; watched += TimeSpan.FromMilliseconds(250))
        {
            await Task.Delay(250, cancel).ConfigureAwait(false);
            var now = await LiveAsync().ConfigureAwait(false);
            if (now.Except(members).FirstOrDefault() is { } moved) throw Running($"{moved.Name}#{moved.Inc} has renewed its lease");
            members = now;
        }
        return members;
    }

    private async Task<ImmutableArray<Live>> LiveAsync()
    {
        var store = SqliteStoreReader.Open(file);
        await using (store.ConfigureAwait(false)) return await LiveAsync(store).ConfigureAwait(false);
    }

    private static async Task<ImmutableArray<Live>> LiveAsync(SqliteStoreReader store) =>
    [
        .. (await store.ListAsync(
            "SELECT inc, name, lease_seq, lock_path, lock_boot_id, lock_device, lock_inode, lock_nonce FROM member WHERE status<>'down' ORDER BY inc").ConfigureAwait(false))
            .Select(m => new Live(
                (long)m[0]!, (string)m[1]!, (long)m[2]!,
                m[3] is null ? null : new NodeLockProof((string)m[3]!, (string)m[4]!, (long)m[5]!, (long)m[6]!, (string)m[7]!))),
    ];

    private StoreUnusableException Running(string why) =>
        new($"A cluster runs on {file}: {why}. Stop all of its nodes in good order (SIGTERM), then move. Nothing was written.");

    private sealed record Live(long Inc, string Name, long LeaseSeq, NodeLockProof? Lock);

    private sealed record Table(string Name, ImmutableArray<(string Name, NpgsqlDbType Type)> Columns);

    /// <summary>Sums rows of values that are typed as the target types them.</summary>
    private sealed class TableSum(string table)
    {
        private readonly MemoryStream _row = new();
        private long _rows;
        private UInt128 _hash;

        public MovedTable Total => new(table, _rows, _hash);

        public void Add(object?[] values)
        {
            _row.SetLength(0);
            using (var writer = new BinaryWriter(_row, Encoding.UTF8, leaveOpen: true))
                foreach (var value in values) Write(writer, value);
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(_row.GetBuffer().AsSpan(0, (int)_row.Length), hash);
            _rows++;
            _hash = unchecked(_hash + System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash));
        }

        private static void Write(BinaryWriter writer, object? value)
        {
            switch (value)
            {
                case null:
                    writer.Write((byte)0);
                    break;
                case long number:
                    writer.Write((byte)1);
                    writer.Write(number);
                    break;
                case string text:
                    writer.Write((byte)2);
                    writer.Write(text);
                    break;
                case byte[] bytes:
                    writer.Write((byte)3);
                    writer.Write(bytes.Length);
                    writer.Write(bytes);
                    break;
                case Guid id:
                    writer.Write((byte)4);
                    writer.Write(id.ToByteArray());
                    break;
                case bool truth:
                    writer.Write((byte)5);
                    writer.Write(truth);
                    break;
                case double real:
                    writer.Write((byte)6);
                    writer.Write(real);
                    break;
                default:
                    throw new NotSupportedException($"A value of type {value.GetType()} has no place in a store.");
            }
        }
    }
}

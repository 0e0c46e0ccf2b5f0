using System.Data;
using ActorCluster.Persistence;
using Npgsql;

namespace ActorCluster.Sql.Operations;

/// <summary>Reads a PostgreSQL store in one transaction that may not write.</summary>
internal sealed class PostgresStoreReader : StoreReader
{
    private readonly NpgsqlConnection _connection;
    private readonly string _schema;

    private PostgresStoreReader(NpgsqlConnection connection, string schema) => (_connection, _schema) = (connection, schema);

    public override string Description => $"PostgreSQL {_connection.Host}:{_connection.Port}/{_connection.Database} schema {_schema}";

    public static async Task<PostgresStoreReader> OpenAsync(PostgresStoreOptions options, CancellationToken cancel)
    {
        var connection = await ConnectAsync(options, cancel).ConfigureAwait(false);
        var reader = new PostgresStoreReader(connection, options.Schema);
        try
        {
            await reader.RunAsync("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").ConfigureAwait(false);
            if (await reader.NumberAsync($"SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname='{options.Schema}' AND c.relname='schema_version'").ConfigureAwait(false) == 0)
                throw new StoreUnusableException($"{reader.Description} holds no cluster. Name its Database and, in Search Path, its schema.");
            var version = await reader.NumberAsync("SELECT version FROM schema_version").ConfigureAwait(false);
            if (version != PostgresSchema.Version)
                throw new StoreUnusableException($"{reader.Description} has version {version}; this build reads {PostgresSchema.Version}. {(version < PostgresSchema.Version ? "Start a node of this release on it once, which brings it up to date." : "Use the newer release.")}");
            return reader;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A connection of its own without the nodes' time limits: an operator's statement may take as long as it takes.</summary>
    /// <exception cref="StoreUnusableException">The server refuses or cannot be reached.</exception>
    public static async Task<NpgsqlConnection> ConnectAsync(PostgresStoreOptions options, CancellationToken cancel)
    {
        var text = options.Complete();
        var connection = new NpgsqlConnection(text.ConnectionString);
        try
        {
            await connection.OpenAsync(cancel).ConfigureAwait(false);
            using var unlimited = new NpgsqlCommand("SET statement_timeout=0; SET lock_timeout=0; SET idle_in_transaction_session_timeout=0", connection);
            await unlimited.ExecuteNonQueryAsync(cancel).ConfigureAwait(false);
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            if (PostgresFailure.Unusable(e, text, options.Schema) is { } mend) throw mend;
            if (!PostgresFailure.IsOfStore(e) || cancel.IsCancellationRequested) throw;
            throw new StoreUnusableException($"PostgreSQL at {text.Host}:{text.Port} cannot be reached: {PostgresFailure.Words(e)}", e);
        }
    }

    public override Task<long> NowUnixMsAsync() => NumberAsync($"SELECT {PostgresControl.NowMs}");

    public override async IAsyncEnumerable<object?[]> QueryAsync(string sql)
    {
        using var command = new NpgsqlCommand(sql, _connection);
        var read = await AttemptAsync(() => command.ExecuteReaderAsync(CommandBehavior.SequentialAccess)).ConfigureAwait(false);
        await using (read.ConfigureAwait(false))
        {
            while (await AttemptAsync(read.ReadAsync).ConfigureAwait(false))
            {
                var row = new object?[read.FieldCount];
                for (var i = 0; i < row.Length; i++) row[i] = read.GetValue(i) is var value and not DBNull ? value : null;
                yield return row;
            }
        }
    }

    public override ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async Task RunAsync(string sql)
    {
        using var command = new NpgsqlCommand(sql, _connection);
        await AttemptAsync(command.ExecuteNonQueryAsync).ConfigureAwait(false);
    }

    private async Task<T> AttemptAsync<T>(Func<Task<T>> step)
    {
        try
        {
            return await step().ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresFailure.IsOfStore(e))
        {
            throw new StoreUnusableException($"{Description} cannot be read: {PostgresFailure.Words(e)}", e);
        }
    }
}

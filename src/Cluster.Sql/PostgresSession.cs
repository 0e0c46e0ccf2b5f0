using System.Data;
using ActorCluster.Persistence;
using Npgsql;
using NpgsqlTypes;

namespace ActorCluster.Sql;

/// <summary>One connection, used by one call at a time.</summary>
internal sealed class PostgresSession(NpgsqlConnection connection)
{
    private bool _isBroken;

    public NpgsqlConnection Connection => connection;

    /// <summary>Not to be used again. Npgsql closes a connection by itself after some errors, a full disk's among them.</summary>
    public bool IsBroken => _isBroken || connection.State != ConnectionState.Open;

    /// <summary>The server warned during the call; after a commit that means that it may not be on every disk it should be on.</summary>
    public string? Warning { get; set; }

    public static async Task<PostgresSession> OpenAsync(NpgsqlDataSource source, CancellationToken cancel)
    {
        var connection = source.CreateConnection();
        try
        {
            await connection.OpenAsync(cancel).ConfigureAwait(false);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        var session = new PostgresSession(connection);
        connection.Notice += (_, notice) =>
        {
            if (notice.Notice.InvariantSeverity == "WARNING") session.Warning = notice.Notice.MessageText;
        };
        return session;
    }

    public NpgsqlCommand Command(string sql) => new(sql, connection);

    /// <summary>Runs a statement and returns how many rows it changed.</summary>
    public async Task<int> RunAsync(string sql, params object?[] values)
    {
        var command = Command(sql).With(values);
        await using (command.ConfigureAwait(false))
            return await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    /// <summary>The first column of the first row; null when there is no row or it is NULL.</summary>
    public async Task<T?> ScalarAsync<T>(string sql, params object?[] values) where T : struct
    {
        var command = Command(sql).With(values);
        await using (command.ConfigureAwait(false))
            return await command.ExecuteScalarAsync().ConfigureAwait(false) is T value ? value : null;
    }

    /// <summary>The rows of a query.</summary>
    public async Task<List<T>> ReadAsync<T>(Func<NpgsqlDataReader, T> row, string sql, params object?[] values)
    {
        var rows = new List<T>();
        var command = Command(sql).With(values);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync().ConfigureAwait(false)) rows.Add(row(reader));
            }
        }
        return rows;
    }

    /// <summary>Commits what the operation wrote when its verdict is Ok, else undoes it. Each statement sees what was committed before it began.</summary>
    public async Task<StoreResult<T>> InTransactionAsync<T>(Func<PostgresSession, Task<StoreResult<T>>> operation)
    {
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            StoreResult<T> result;
            try
            {
                result = await operation(this).ConfigureAwait(false);
            }
            catch (PostgresException e) when (!PostgresFailure.EndsSession(e))
            {
                await RollBackAsync(transaction).ConfigureAwait(false);
                throw;
            }
            if (result.IsOk)
                await transaction.CommitAsync().ConfigureAwait(false);
            else
                await RollBackAsync(transaction).ConfigureAwait(false);
            return result;
        }
    }

    /// <summary>Closes the connection, however long that takes; never throws.</summary>
    public async Task CloseAsync()
    {
        _isBroken = true;
        try
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException)
        {
            // It was broken before.
        }
    }

    /// <summary>Without a commit nothing was written, so a rollback that fails costs the connection and not the verdict.</summary>
    private async Task RollBackAsync(NpgsqlTransaction transaction)
    {
        try
        {
            await transaction.RollbackAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException)
        {
            _isBroken = true;
        }
    }
}

/// <summary>Values of statements, by position.</summary>
internal static class PostgresValues
{
    public static NpgsqlCommand With(this NpgsqlCommand command, params object?[] values)
    {
        Add(command.Parameters, values);
        return command;
    }

    public static NpgsqlBatchCommand With(this NpgsqlBatchCommand command, params object?[] values)
    {
        Add(command.Parameters, values);
        return command;
    }

    private static void Add(NpgsqlParameterCollection parameters, object?[] values)
    {
        foreach (var value in values)
        {
            parameters.Add(value switch
            {
                null => throw new ArgumentNullException(nameof(values), "A null needs its type: use Null."),
                Null none => new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = none.Type },
                string text => new NpgsqlParameter { Value = text, NpgsqlDbType = NpgsqlDbType.Text },
                byte[]?[] many => new NpgsqlParameter { Value = many, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea },
                string[] many => new NpgsqlParameter { Value = many, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                long?[] many => new NpgsqlParameter { Value = many, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint },
                int number => new NpgsqlParameter { Value = (long)number, NpgsqlDbType = NpgsqlDbType.Bigint },
                _ => new NpgsqlParameter { Value = value },
            });
        }
    }

    public static object OrNull(this long? value) => value is { } number ? number : new Null(NpgsqlDbType.Bigint);

    public static object OrNull(this string? value) => value is null ? new Null(NpgsqlDbType.Text) : value;

    private sealed record Null(NpgsqlDbType Type);
}

using System.Data;
using ActorCluster.Persistence;
using Npgsql;
using NpgsqlTypes;

namespace ActorCluster.Sql;

/// <summary>One connection, used by one call at a time, on a thread that may block.</summary>
internal sealed class PostgresSession(NpgsqlConnection connection)
{
    private bool _isBroken;

    /// <summary>Not to be used again. Npgsql closes a connection by itself after some errors, a full disk's among them.</summary>
    public bool IsBroken => _isBroken || connection.State != ConnectionState.Open;

    /// <summary>The server warned during the call; after a commit that means that it may not be on every disk it should be on.</summary>
    public string? Warning { get; set; }

    public static PostgresSession Open(NpgsqlDataSource source)
    {
        var connection = source.CreateConnection();
        try
        {
            connection.Open();
        }
        catch
        {
            connection.Dispose();
            throw;
        }
        var session = new PostgresSession(connection);
        connection.Notice += (_, notice) =>
        {
            if (notice.Notice.InvariantSeverity == "WARNING") session.Warning = notice.Notice.MessageText;
        };
        return session;
    }

    /// <summary>Runs a statement and returns how many rows it changed.</summary>
    public int Run(string sql, params object?[] values)
    {
        using var command = Command(sql, values);
        return command.ExecuteNonQuery();
    }

    /// <summary>The first column of the first row; null when there is no row or it is NULL.</summary>
    public T? Scalar<T>(string sql, params object?[] values) where T : struct
    {
        using var command = Command(sql, values);
        return command.ExecuteScalar() is T value ? value : null;
    }

    /// <summary>The rows of a query.</summary>
    public List<T> Read<T>(Func<NpgsqlDataReader, T> row, string sql, params object?[] values)
    {
        var rows = new List<T>();
        using var command = Command(sql, values);
        using var reader = command.ExecuteReader();
        while (reader.Read()) rows.Add(row(reader));
        return rows;
    }

    /// <summary>Commits what the operation wrote when its verdict is Ok, else undoes it. Each statement sees what was committed before it began.</summary>
    public StoreResult<T> InTransaction<T>(Func<PostgresSession, StoreResult<T>> operation)
    {
        using var transaction = connection.BeginTransaction(IsolationLevel.ReadCommitted);
        StoreResult<T> result;
        try
        {
            result = operation(this);
        }
        catch (PostgresException e) when (!PostgresFailure.EndsSession(e))
        {
            RollBack(transaction);
            throw;
        }
        if (result.IsOk)
            transaction.Commit();
        else
            RollBack(transaction);
        return result;
    }

    /// <summary>Closes the connection, however long that takes; never throws.</summary>
    public void Close()
    {
        _isBroken = true;
        try
        {
            connection.Dispose();
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException)
        {
            // It was broken before.
        }
    }

    /// <summary>Without a commit nothing was written, so a rollback that fails costs the connection and not the verdict.</summary>
    private void RollBack(NpgsqlTransaction transaction)
    {
        try
        {
            transaction.Rollback();
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException)
        {
            _isBroken = true;
        }
    }

    private NpgsqlCommand Command(string sql, object?[] values)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
        {
            command.Parameters.Add(value switch
            {
                null => throw new ArgumentNullException(nameof(values), "A null needs its type: use OrNull."),
                PostgresNull none => new NpgsqlParameter { Value = DBNull.Value, NpgsqlDbType = none.Type },
                string text => new NpgsqlParameter { Value = text, NpgsqlDbType = NpgsqlDbType.Text },
                byte[]?[] many => new NpgsqlParameter { Value = many, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea },
                string[] many => new NpgsqlParameter { Value = many, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                long?[] many => new NpgsqlParameter { Value = many, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint },
                int number => new NpgsqlParameter { Value = (long)number, NpgsqlDbType = NpgsqlDbType.Bigint },
                _ => new NpgsqlParameter { Value = value },
            });
        }
        return command;
    }
}

/// <summary>A NULL, with the type that PostgreSQL wants to know.</summary>
internal sealed record PostgresNull(NpgsqlDbType Type);

/// <summary>Values that may be NULL.</summary>
internal static class PostgresValues
{
    public static object OrNull(this long? value) => value is { } number ? number : new PostgresNull(NpgsqlDbType.Bigint);

    public static object OrNull(this string? value) => value is null ? new PostgresNull(NpgsqlDbType.Text) : value;
}

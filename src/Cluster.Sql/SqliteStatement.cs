using System.Buffers.Binary;
using SQLitePCL;

namespace ActorCluster.Sql;

/// <summary>A prepared statement that is reused. Bind all of its parameters, then <see cref="Run"/> it or <see cref="Step"/> through its rows.</summary>
internal sealed class SqliteStatement(sqlite3 db, sqlite3_stmt statement) : IDisposable
{
    public SqliteStatement Bind(int index, long value)
    {
        Check(raw.sqlite3_bind_int64(statement, index, value));
        return this;
    }

    public SqliteStatement Bind(int index, long? value)
    {
        Check(value is { } given ? raw.sqlite3_bind_int64(statement, index, given) : raw.sqlite3_bind_null(statement, index));
        return this;
    }

    public SqliteStatement Bind(int index, double value)
    {
        Check(raw.sqlite3_bind_double(statement, index, value));
        return this;
    }

    public SqliteStatement Bind(int index, string? value)
    {
        Check(value is null ? raw.sqlite3_bind_null(statement, index) : raw.sqlite3_bind_text(statement, index, value));
        return this;
    }

    public SqliteStatement Bind(int index, ReadOnlySpan<byte> value)
    {
        // An empty span has no address, and SQLite takes a blob without one for NULL.
        Check(value.IsEmpty ? raw.sqlite3_bind_zeroblob(statement, index, 0) : raw.sqlite3_bind_blob(statement, index, value));
        return this;
    }

    public SqliteStatement Bind(int index, Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        return Bind(index, bytes);
    }

    public SqliteStatement BindBigEndian(int index, UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        return Bind(index, bytes);
    }

    /// <summary>Moves to the next row; false at the end, where the statement is reset.</summary>
    public bool Step()
    {
        var code = raw.sqlite3_step(statement);
        if (code == raw.SQLITE_ROW) return true;
        if (code == raw.SQLITE_DONE)
        {
            Reset();
            return false;
        }
        var message = raw.sqlite3_errmsg(db).utf8_to_string();
        Reset();
        throw new SqliteFailure(code & 0xff, message);
    }

    /// <summary>Runs to the end and returns how many rows the statement changed.</summary>
    public int Run()
    {
        while (Step())
        {
        }
        return raw.sqlite3_changes(db);
    }

    /// <summary>Runs and returns the first column of the first row, or null when there is none.</summary>
    public long? Scalar()
    {
        if (!Step()) return null;
        var value = GetNullableLong(0);
        Reset();
        return value;
    }

    /// <summary>Runs a statement with RETURNING to its end and returns the first column of its first row, or null when it changed none.</summary>
    public long? RunForScalar()
    {
        long? value = null;
        while (Step()) value ??= GetNullableLong(0);
        return value;
    }

    /// <summary>To be called when the rows were not read to the end: an open statement keeps its transaction alive.</summary>
    public void Reset() => _ = raw.sqlite3_reset(statement); // Repeats the error that the step has reported.

    public int Columns => raw.sqlite3_column_count(statement);

    /// <summary>The value as SQLite keeps it: long, double, string, byte[] or null.</summary>
    public object? GetValue(int column) => raw.sqlite3_column_type(statement, column) switch
    {
        raw.SQLITE_INTEGER => GetLong(column),
        raw.SQLITE_FLOAT => GetDouble(column),
        raw.SQLITE_TEXT => System.Text.Encoding.UTF8.GetString(raw.sqlite3_column_blob(statement, column)), // Whole, also with a NUL inside.
        raw.SQLITE_BLOB => GetBlob(column),
        _ => null,
    };

    public bool IsNull(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL;

    public long GetLong(int column) => raw.sqlite3_column_int64(statement, column);

    public long? GetNullableLong(int column) => IsNull(column) ? null : GetLong(column);

    public double GetDouble(int column) => raw.sqlite3_column_double(statement, column);

    public string GetText(int column) => raw.sqlite3_column_text(statement, column).utf8_to_string() ?? "";

    public byte[] GetBlob(int column) => raw.sqlite3_column_blob(statement, column).ToArray();

    public Guid GetGuid(int column) => raw.sqlite3_column_blob(statement, column) is { Length: 16 } bytes ? new Guid(bytes, bigEndian: true) : Guid.Empty;

    public UInt128 GetUInt128(int column) => BinaryPrimitives.ReadUInt128BigEndian(raw.sqlite3_column_blob(statement, column));

    public void Dispose() => statement.Dispose();

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK) throw new SqliteFailure(code & 0xff, raw.sqlite3_errmsg(db).utf8_to_string());
    }
}

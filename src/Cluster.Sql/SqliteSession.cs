using SQLitePCL;

namespace ActorCluster.Sql;

/// <summary>One connection with its prepared statements. No busy handler: waiting is the caller's business. One thread at a time.</summary>
internal sealed class SqliteSession : IDisposable
{
    private readonly sqlite3 _db;
    private readonly Dictionary<string, SqliteStatement> _statements = new(StringComparer.Ordinal);

    private SqliteSession(sqlite3 db) => _db = db;

    /// <summary>SQLite opened the file without the right to write.</summary>
    public bool IsReadOnly => raw.sqlite3_db_readonly(_db, "main") == 1;

    /// <summary>A transaction is open.</summary>
    public bool InTransaction => raw.sqlite3_get_autocommit(_db) == 0;

    /// <exception cref="SqliteFailure">The file cannot be opened.</exception>
    public static SqliteSession Open(string path, bool readOnly = false)
    {
        Batteries_V2.Init();
        var rights = readOnly ? raw.SQLITE_OPEN_READONLY : raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE;
        var code = raw.sqlite3_open_v2(path, out var db, rights | raw.SQLITE_OPEN_NOMUTEX, null);
        if (code == raw.SQLITE_OK) return new SqliteSession(db);
        var failure = new SqliteFailure(code & 0xff, raw.sqlite3_errmsg(db).utf8_to_string());
        db.Dispose();
        throw failure;
    }

    /// <summary>The statement for a text, prepared at its first use.</summary>
    public SqliteStatement Get(string sql)
    {
        if (_statements.TryGetValue(sql, out var known)) return known;
        var code = raw.sqlite3_prepare_v3(_db, sql, raw.SQLITE_PREPARE_PERSISTENT, out var prepared);
        if (code != raw.SQLITE_OK) throw new SqliteFailure(code & 0xff, raw.sqlite3_errmsg(_db).utf8_to_string());
        var statement = new SqliteStatement(_db, prepared);
        _statements.Add(sql, statement);
        return statement;
    }

    /// <summary>Runs one statement, or several separated by semicolons, that is not worth keeping.</summary>
    public void Execute(string sql)
    {
        var code = raw.sqlite3_exec(_db, sql);
        if (code != raw.SQLITE_OK) throw new SqliteFailure(code & 0xff, raw.sqlite3_errmsg(_db).utf8_to_string());
    }

    /// <summary>Ends an open transaction without its writes; false when even that failed and the connection must go.</summary>
    public bool TryRollback()
    {
        if (!InTransaction) return true; // SQLite rolls back by itself on a full disk or a failed read.
        try
        {
            Get("ROLLBACK").Run();
        }
        catch (SqliteFailure)
        {
            return false;
        }
        return !InTransaction;
    }

    public void Dispose()
    {
        foreach (var statement in _statements.Values) statement.Dispose();
        _statements.Clear();
        _db.Dispose();
    }
}

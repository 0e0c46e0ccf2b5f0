using SQLitePCL;

namespace ActorCluster.Sql;

/// <summary>SQLite refused a statement.</summary>
/// <param name="code">The primary result code.</param>
/// <param name="message">SQLite's words.</param>
internal sealed class SqliteFailure(int code, string message) : Exception($"SQLite error {code}: {message}")
{
    public int Code => code;

    public bool IsBusy => code is raw.SQLITE_BUSY or raw.SQLITE_LOCKED;

    public bool IsConstraint => code == raw.SQLITE_CONSTRAINT;
}

namespace ActorCluster.Sql.Operations;

/// <summary>
/// Reads a store's tables as they were at one moment, beside a running cluster or without one, and changes nothing. The tables have the same names and
/// columns in both databases, and the queries are written in what both understand: sums are cast to BIGINT.
/// </summary>
/// <remarks>One query at a time. While it is open the database keeps what the moment needs: SQLite's log grows, PostgreSQL's dead rows stay.</remarks>
internal abstract class StoreReader : IAsyncDisposable
{
    /// <summary>Kind and place, no secret.</summary>
    public abstract string Description { get; }

    /// <summary>The store's clock: that of the machine for SQLite, of the server for PostgreSQL.</summary>
    public abstract Task<long> NowUnixMsAsync();

    /// <summary>The rows of a query: long, double, string, byte[], Guid (PostgreSQL's; SQLite has 16 bytes), bool (PostgreSQL's; SQLite has 0 and 1) or null.</summary>
    /// <exception cref="Persistence.StoreUnusableException">The store was lost on the way.</exception>
    public abstract IAsyncEnumerable<object?[]> QueryAsync(string sql);

    public abstract ValueTask DisposeAsync();

    public async Task<List<object?[]>> ListAsync(string sql)
    {
        var rows = new List<object?[]>();
        await foreach (var row in QueryAsync(sql).ConfigureAwait(false)) rows.Add(row);
        return rows;
    }

    /// <summary>The number in the only row of a query.</summary>
    public async Task<long> NumberAsync(string sql) => (long)(await ListAsync(sql).ConfigureAwait(false)).Single()[0]!;

    public static Guid GuidOf(object? value) => value is byte[] { Length: 16 } bytes ? new Guid(bytes, bigEndian: true) : (Guid)value!;
}

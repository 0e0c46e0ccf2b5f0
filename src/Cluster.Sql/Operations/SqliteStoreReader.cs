using ActorCluster.Persistence;

namespace ActorCluster.Sql.Operations;

/// <summary>Reads an SQLite store. It writes neither the file nor its log, and holds only the lock of a reader, which no writer waits for.</summary>
internal sealed class SqliteStoreReader : StoreReader
{
    private readonly SqliteSession _session;
    private readonly string _path;

    private SqliteStoreReader(SqliteSession session, string path) => (_session, _path) = (session, path);

    public override string Description => $"SQLite {_path}";

    public static SqliteStoreReader Open(string path)
    {
        if (!File.Exists(path)) throw new StoreUnusableException($"There is no file {path}. Name the cluster's database, for example sqlite:data/cluster.db.");
        LocalFileSystem.Require(Path.GetDirectoryName(path)!);
        SqliteSession? session = null;
        try
        {
            session = SqliteSession.Open(path, readOnly: true);
            // Only the first reader after a crash, and the last of a closing cluster, stand in a reader's way, and not for long.
            session.Execute("PRAGMA busy_timeout=5000; BEGIN");
            var application = session.Get("PRAGMA application_id").Scalar() ?? 0;
            var version = session.Get("PRAGMA user_version").Scalar() ?? 0;
            _ = session.Get("SELECT count(*) FROM sqlite_schema").Scalar(); // The first read is the moment.
            if (application != SqliteSchema.ApplicationId) throw new StoreUnusableException($"{path} is not a cluster's database (application id {application}). Name another file.");
            if (version != SqliteSchema.Version)
                throw new StoreUnusableException($"{path} has schema version {version}; this build reads {SqliteSchema.Version}. {(version < SqliteSchema.Version ? "Start a node of this release on it once, which brings it up to date." : "Use the newer release.")}");
            return new SqliteStoreReader(session, path);
        }
        catch (SqliteFailure e)
        {
            session?.Dispose();
            throw Lost(path, e);
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    public override Task<long> NowUnixMsAsync() => Task.FromResult(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    public override async IAsyncEnumerable<object?[]> QueryAsync(string sql)
    {
        var read = Attempt(() => _session.Get(sql));
        try
        {
            while (Attempt(read.Step))
            {
                var row = new object?[read.Columns];
                for (var i = 0; i < row.Length; i++) row[i] = read.GetValue(i);
                yield return row;
            }
        }
        finally
        {
            read.Reset();
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    public override ValueTask DisposeAsync()
    {
        _session.TryRollback();
        _session.Dispose();
        return ValueTask.CompletedTask;
    }

    private T Attempt<T>(Func<T> step)
    {
        try
        {
            return step();
        }
        catch (SqliteFailure e)
        {
            throw Lost(_path, e);
        }
    }

    private static StoreUnusableException Lost(string path, SqliteFailure e) => new($"{path} cannot be read: {e.Message}. Check the file's rights and the disk; the folder must be writable for the lock of a reader.", e);
}

namespace ActorCluster.Sql.Tests;

/// <summary>A folder that is gone after the test.</summary>
public sealed class TempFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("actorcluster-sql-");

    public string File(string name = "cluster.db") => System.IO.Path.Combine(_folder.FullName, name);

    public SqliteStore Store(string name = "cluster.db", bool clientIndex = false, TimeSpan? callTimeout = null) =>
        new(new SqliteStoreOptions { Path = File(name), ClientIndex = clientIndex, CallTimeout = callTimeout ?? TimeSpan.FromSeconds(10) });

    public void Dispose() => _folder.Delete(recursive: true);
}

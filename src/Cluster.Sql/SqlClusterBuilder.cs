using ActorCluster.Hosting;

namespace ActorCluster.Sql;

/// <summary>Chooses a SQL store for a node.</summary>
public static class SqlClusterBuilder
{
    /// <summary>Keeps the cluster in one SQLite file that all nodes of the machine share; <c>Cluster:Store:Sqlite</c> wins over <paramref name="path"/>.</summary>
    /// <param name="builder">The node's builder.</param>
    /// <param name="path">The file, on a local file system; made if missing. Null: only configuration names it.</param>
    public static ActorClusterBuilder WithSqlite(this ActorClusterBuilder builder, string? path = null)
    {
        if (path is not null) builder.Configure(options => options.Store.Sqlite = path);
        return builder.WithStore((_, options) => options.Store.Sqlite.Length == 0 ? null : new SqliteStore(new SqliteStoreOptions { Path = options.Store.Sqlite }));
    }
}

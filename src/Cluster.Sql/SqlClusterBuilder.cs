using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

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
        return builder.WithStore((_, options) => Choose(options.Store, PostgresStoreOptions.DefaultSchema));
    }

    /// <summary>Keeps the cluster in a PostgreSQL database that all nodes reach; <c>Cluster:Store:Postgres</c> wins over <paramref name="connectionString"/>.</summary>
    /// <param name="builder">The node's builder.</param>
    /// <param name="connectionString">Npgsql's form, see <see cref="PostgresStoreOptions.ConnectionString"/>. Null: only configuration names it.</param>
    /// <param name="schema">Schema that the tables lie in, see <see cref="PostgresStoreOptions.Schema"/>: one cluster, one schema.</param>
    public static ActorClusterBuilder WithPostgres(this ActorClusterBuilder builder, string? connectionString = null, string schema = PostgresStoreOptions.DefaultSchema)
    {
        if (connectionString is not null) builder.Configure(options => options.Store.Postgres = connectionString);
        return builder.WithStore((_, options) => Choose(options.Store, schema));
    }

    /// <summary>Whichever the settings name, so that configuration alone moves a host from one store to the other.</summary>
    private static IClusterStore? Choose(StoreOptions store, string schema)
    {
        if (store.Postgres.Length == 0) return store.Sqlite.Length == 0 ? null : new SqliteStore(new SqliteStoreOptions { Path = store.Sqlite });
        var options = new PostgresStoreOptions { ConnectionString = store.Postgres, Schema = schema };
        return options.Fault() is { } fault ? throw new ClusterStartException(ExitCodes.Refused, $"Cluster:Store:Postgres: {fault}") : new PostgresStore(options);
    }
}

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
        return builder.WithStore((_, options) => Choose(options, PostgresStoreOptions.DefaultSchema));
    }

    /// <summary>Keeps the cluster in a PostgreSQL database that all nodes reach; <c>Cluster:Store:Postgres</c> wins over <paramref name="connectionString"/>.</summary>
    /// <param name="builder">The node's builder.</param>
    /// <param name="connectionString">Npgsql's form, see <see cref="PostgresStoreOptions.ConnectionString"/>. Null: only configuration names it.</param>
    /// <param name="schema">Schema that the tables lie in, see <see cref="PostgresStoreOptions.Schema"/>: one cluster, one schema. One that the connection string names as
    /// <c>Search Path</c> wins over it, for nodes as for the operator's command line.</param>
    public static ActorClusterBuilder WithPostgres(this ActorClusterBuilder builder, string? connectionString = null, string schema = PostgresStoreOptions.DefaultSchema)
    {
        if (connectionString is not null) builder.Configure(options => options.Store.Postgres = connectionString);
        return builder.WithStore((_, options) => Choose(options, schema));
    }

    /// <summary>Whichever the settings name, so that configuration alone moves a host from one store to the other.</summary>
    private static IClusterStore? Choose(ClusterOptions options, string schema)
    {
        if (options.Store.Postgres.Length == 0) return options.Store.Sqlite.Length == 0 ? null : new SqliteStore(SqliteOf(options));
        var postgres = PostgresOf(options, schema);
        return postgres.Fault() is { } fault ? throw new ClusterStartException(ExitCodes.Refused, $"Cluster:Store:Postgres: {fault}") : new PostgresStore(postgres);
    }

    /// <summary>The time-out is the one that the rules between the node's times were checked with.</summary>
    internal static SqliteStoreOptions SqliteOf(ClusterOptions options) => new() { Path = options.Store.Sqlite, CallTimeout = options.Times.CallTimeout };

    internal static PostgresStoreOptions PostgresOf(ClusterOptions options, string schema) => PostgresStoreOptions.Of(options.Store.Postgres, schema) with { CallTimeout = options.Times.CallTimeout };
}

using System.Text.Json;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql;

namespace ActorCluster.Bench.Nodes;

/// <summary>What the nodes of a row host beside counters, and on what; alike on all of them, each in a process of its own.</summary>
/// <param name="Postgres">Connection string of the store, null for the file in the folder.</param>
/// <param name="Ledgers">Shards of the ledgers.</param>
/// <param name="TellsOfLoads">Each ledger that is loaded is a step.</param>
/// <param name="Heavy">Name of the node that carries a thousand times what the others do; null for none.</param>
/// <param name="Balances">Shards move for balance after 1 s; else never.</param>
internal sealed record Hosted(string? Postgres, int Ledgers, bool TellsOfLoads, bool Balances, string? Heavy = null)
{
    public void SetUp(ActorClusterBuilder cluster)
    {
        cluster.WithEntity<Ledger>("ledger", Ledger.Register, Ledgers);
        if (Heavy is not null) cluster.WithPlacedEntity<Call>("call", Counter.Register);
        cluster.Configure(options =>
        {
            if (Heavy is not null) options.Node.Capacity = options.Node.Name == Heavy ? 100 : 0.1;
            if (Postgres is not null) (options.Store.Sqlite, options.Store.Postgres) = ("", Postgres);
            if (!Balances) options.Times = new ProtocolTimes { RebalanceDelay = TimeSpan.FromDays(1) };
        });
    }

    /// <summary>The store of the nodes, beside them.</summary>
    public async Task<IClusterStore> OpenStoreAsync(string folder)
    {
        IClusterStore store = Postgres is null ? new SqliteStore(new SqliteStoreOptions { Path = Path.Combine(folder, "cluster.db") }) : new PostgresStore(new PostgresStoreOptions { ConnectionString = Postgres });
        await store.OpenAsync(new StoreSeed(""), CancellationToken.None).ConfigureAwait(false);
        return store;
    }

    public string ToLine() => JsonSerializer.Serialize(this, BenchJson.Default.Hosted);

    public static Hosted FromLine(string line) => JsonSerializer.Deserialize(line, BenchJson.Default.Hosted)!;
}

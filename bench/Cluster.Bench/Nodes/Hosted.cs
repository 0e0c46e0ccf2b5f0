using System.Text.Json;
using ActorCluster.Hosting;
using ActorCluster.Primitives;

namespace ActorCluster.Bench.Nodes;

/// <summary>What the nodes of a row host beside counters, and on what; alike on all of them, each in a process of its own.</summary>
/// <param name="Postgres">Connection string of the store, null for the file in the folder.</param>
/// <param name="Ledgers">Shards of the ledgers.</param>
/// <param name="TellsOfLoads">Each ledger that is loaded is a step.</param>
/// <param name="Balances">Shards move for balance after 1 s; else never.</param>
internal sealed record Hosted(string? Postgres, int Ledgers, bool TellsOfLoads, bool Balances)
{
    public void SetUp(ActorClusterBuilder cluster)
    {
        cluster.WithEntity<Ledger>("ledger", Ledger.Register, Ledgers);
        cluster.Configure(options =>
        {
            if (Postgres is not null) (options.Store.Sqlite, options.Store.Postgres) = ("", Postgres);
            if (!Balances) options.Times = new ProtocolTimes { RebalanceDelay = TimeSpan.FromDays(1) };
        });
    }

    public string ToLine() => JsonSerializer.Serialize(this, BenchJson.Default.Hosted);

    public static Hosted FromLine(string line) => JsonSerializer.Deserialize(line, BenchJson.Default.Hosted)!;
}

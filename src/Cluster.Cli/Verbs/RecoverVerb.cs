using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Cli.Verbs;

/// <summary>Lets a cluster live on with a store that was restored or has lost commits: what is in it counts, what is missing is gone.</summary>
internal sealed class RecoverVerb : Verb
{
    private const int Attempts = 5;

    /// <summary>Nodes wait for those that they cannot reach as long as these may act, but for members alone, and a recovery puts all of them down.</summary>
    private const string GoOn = "nodes that miss the store may go on by each other's word, acting outside it, for that long since they last reached one, and whoever joins anew does not wait for them.";

    public override string Name => "recover";

    public override string Summary => "Decides for a store that was restored or has lost commits: a new generation, in which nodes join anew.";

    public override IReadOnlyList<VerbOption> Options =>
    [
        StoreOption.Store,
        new("generation", "N", "The new generation, as a node's message asks for it; the next one by default."),
        new("yes", null, "Does it; without it nothing is changed."),
    ];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        var generation = arguments.Number("generation", 0, 1, 1 << 30);
        var address = StoreOption.AddressOf(arguments);
        StoreStatus before;
        var reader = await address.ReadAsync(stopping).ConfigureAwait(false); // Refuses what is no store: opening one would make it.
        await using (reader.ConfigureAwait(false)) before = await StoreStatus.ReadAsync(reader).ConfigureAwait(false);
        if (generation > 0 && generation <= before.Cluster.StoreGeneration)
            throw new UsageException($"--generation is {generation}, but the store is at generation {before.Cluster.StoreGeneration}; give a larger one.");
        if (!arguments.Has("yes"))
            throw new UsageException($"{before.Store} is at generation {before.Cluster.StoreGeneration}, view {before.Cluster.View}. What was acknowledged and is not in it is lost, but for what nodes have in acked-*.jsonl (stop all nodes first, and see actorcluster reappend), and every node and client would begin anew.{(before.AllowsFailsafe ? $" Cluster:Downing:Failsafe is {before.Failsafe}: {GoOn} Stop all nodes first; of a machine that you cannot reach, wait {before.Failsafe} since its node was last at any copy of the store." : "")} Nothing was changed; to do it, give --yes.");

        var after = await RecoverAsync(address, generation, stopping).ConfigureAwait(false);
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"""
            {before.Store}
            generation {before.Cluster.StoreGeneration} to {after.StoreGeneration}, view {before.Cluster.View} to {after.View}
            {before.Members.Count(m => m.Status != "down")} members are down, {before.Shards.Sum(s => s.Count)} shards are free; every epoch and the next incarnation are raised by {after.StoreGeneration - before.Cluster.StoreGeneration} * 2^32.
            Nodes that run join again by themselves within seconds; start the others. Have every client begin anew: reload pages, start programs again.
            What nodes had acknowledged last, and may be missing, they have written to acked-*.jsonl in their data folders (nodes/NAME). To give it back, while no node runs: actorcluster reappend FOLDER; see docs/operations.md.{(before.AllowsFailsafe ? $"\nCluster:Downing:Failsafe is {before.Failsafe}: {GoOn} Stop those that do not join anew now." : "")}{string.Concat(FilesBeside(address).Select(f => $"\n{f}"))}
            """)).ConfigureAwait(false);
        return 0;
    }

    /// <summary>Nodes of an SQLite file have their folders on this machine, mostly beside it.</summary>
    private static IEnumerable<string> FilesBeside(StoreAddress address)
    {
        if (address is not StoreAddress.Sqlite(var file)) return [];
        var nodes = Path.Combine(Path.GetDirectoryName(file)!, "nodes");
        return Directory.Exists(nodes) ? Directory.EnumerateFiles(nodes, "acked-*.jsonl", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Take(100) : [];
    }

    private static async Task<ClusterRow> RecoverAsync(StoreAddress address, long generation, CancellationToken stopping)
    {
        var store = address.Store();
        await using (store.ConfigureAwait(false))
        {
            var opened = await store.OpenAsync(new StoreSeed(""), stopping).ConfigureAwait(false);
            if (!opened.IsOk) throw new StoreUnusableException($"{store.Description} cannot be written: {opened.Reason} Nothing was changed.");
            var (id, last) = (Guid.NewGuid(), default(StoreResult<ClusterRow>));
            for (var attempt = 0; attempt < Attempts; attempt++) // By one id: however often it is sent, it happens once.
            {
                last = await ((IStoreRecovery)store).RecoverAsync(id, generation, "recovered by the operator").ConfigureAwait(false);
                if (last.IsOk) return last.Value!;
            }
            throw new StoreUnusableException($"{store.Description} did not take the recovery: {last.Reason} {(last.Verdict == StoreVerdict.InDoubt ? "It may have; status tells by the generation." : "Nothing was changed.")}");
        }
    }
}

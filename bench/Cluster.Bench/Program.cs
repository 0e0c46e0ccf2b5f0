using System.Globalization;
using ActorCluster.Bench;
using ActorCluster.Bench.Nodes;
using ActorCluster.Bench.Rows;

var rows = new Dictionary<string, Func<BenchOptions, TempFolder, Task<Figure>>>(StringComparer.Ordinal)
{
    ["ask-local"] = AskLocal.RunAsync,
    ["ask-remote"] = AskRemote.RunAsync,
    ["tell-remote"] = TellRemote.RunAsync,
    ["activate-memory"] = ActivateMemory.RunAsync,
    ["activate-rate"] = ActivateRate.RunAsync,
    ["persist-sqlite"] = Persist.SqliteAsync,
    ["persist-postgres"] = Persist.PostgresAsync,
    ["fan-out"] = FanOut.RunAsync,
    ["failover"] = Failover.SqliteAsync,
    ["failover-postgres"] = Failover.PostgresAsync,
    ["rehome"] = Rehome.SqliteAsync,
    ["rehome-postgres"] = Rehome.PostgresAsync,
    ["gateway"] = Gateway.RunAsync,
};

switch (args)
{
    case ["list"]:
        foreach (var row in rows.Keys) Console.WriteLine(row);
        return 0;
    case [PeerProcess.Command, var shared, var peer, .. var more]:
        await PeerProcess.ServeAsync(shared, peer, more);
        return 0;
    case [LoadProcess.Command, var url, var idle, var active]:
        await LoadProcess.RunAsync(new Uri(url), int.Parse(idle, CultureInfo.InvariantCulture), int.Parse(active, CultureInfo.InvariantCulture));
        return 0;
}

BenchOptions options;
try
{
    options = BenchOptions.Parse(args);
    if (options.Name != "all" && !rows.ContainsKey(options.Name)) throw new ArgumentException($"There is no bench '{options.Name}'; there are {string.Join(", ", rows.Keys)} and all.");
}
catch (ArgumentException wrong)
{
    Console.Error.WriteLine($"bench: {wrong.Message} Usage: {BenchOptions.Usage}");
    return 2;
}

foreach (var (name, run) in rows)
{
    if (options.Name != "all" && options.Name != name) continue;
    using var folder = new TempFolder();
    if (!options.Json) Console.Error.WriteLine($"{name}: {options.Runs} runs of {options.Seconds} s");
    Console.WriteLine((await run(options, folder)).ToJson());
}
return 0;

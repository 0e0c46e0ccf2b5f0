using System.Globalization;
using ActorCluster.Demo.Nodes;
using ActorCluster.Sql;

namespace ActorCluster.MultiNode.Tests.Nodes;

/// <summary>Nodes of one cluster on this machine, in a folder of their own; whatever happens, no process and no file is left.</summary>
internal sealed class SampleCluster : IAsyncDisposable
{
    public const string Secret = "the secret of the tests";
    private const int FirstClientPort = 8380;
    private const int FirstLinkPort = 9380;
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(60);
    private readonly List<SampleNode> _all = [];
    private readonly string? _postgres;

    /// <summary>Chooses ports and names node1, node2, …; starts nothing.</summary>
    /// <param name="count">How many nodes.</param>
    /// <param name="store">The store's file; null: in the cluster's folder.</param>
    /// <param name="postgres">Connection string of the store, instead of a file.</param>
    public SampleCluster(int count, string? store = null, string? postgres = null)
    {
        _postgres = postgres;
        Store = store ?? Folder.At("cluster.db");
        for (var i = 1; i <= count; i++) Nodes.Add(Add(string.Create(CultureInfo.InvariantCulture, $"node{i}")));
    }

    public TestFolder Folder { get; } = new();

    public string Store { get; }

    public List<SampleNode> Nodes { get; } = [];

    public SampleNode this[int index] => Nodes[index];

    /// <summary>Another node, not started. Arguments given later win over the usual ones; null leaves one out.</summary>
    public SampleNode Add(string name, params string?[] with)
    {
        var (clients, link) = (Free(FirstClientPort), Free(FirstLinkPort));
        var log = string.Create(CultureInfo.InvariantCulture, $"{name}.{_all.Count + 1}.log");
        var node = new SampleNode(name, new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{clients}")), link, Folder.At(log), [.. Arguments(name, clients, link, with)]);
        _all.Add(node);
        return node;
    }

    /// <summary>Starts all, each when the one before is ready, so that the first is the oldest.</summary>
    public async Task StartAsync()
    {
        foreach (var node in Nodes)
        {
            await node.StartAsync();
            await node.ReadyAsync(ReadyLimit);
        }
    }

    /// <summary>Waits until every node sees all of them up and owns at least a third of its share of the rooms.</summary>
    public async Task<TimeSpan> SpreadAsync(TimeSpan limit, params SampleNode[] without)
    {
        var nodes = Nodes.Except(without).ToList();
        var names = string.Join(' ', nodes.Select(n => n.Name).Order(StringComparer.Ordinal));
        return await Await.UntilAsync($"{names} up and sharing the rooms", limit, HoldsAsync, () => nodes[0].DescribeAsync());

        async Task<bool> HoldsAsync()
        {
            foreach (var node in nodes)
                if (await node.MembersUpAsync() != names) return false;
            if (await nodes[0].StatusAsync() is not { } status) return false;
            var owned = status.GetProperty("shards").EnumerateArray().Where(s => s.GetProperty("type").GetString() == "room")
                .ToDictionary(s => s.GetProperty("owner").GetString()!, s => s.GetProperty("count").GetInt32());
            return owned.GetValueOrDefault("") == 0 && nodes.All(n => owned.GetValueOrDefault(n.Name) * nodes.Count * 3 >= owned.Values.Sum());
        }
    }

    /// <summary>Pauses a node (SIGSTOP) while it writes nothing, or in the middle of a write: one SQLite file has one writer, so a node
    /// stopped there stops every writer of the machine (protocol 11.4). Which of the two a blind pause hits is chance.</summary>
    public async Task PauseAsync(SampleNode node, bool inWrite = false)
    {
        using var turnstile = new SqliteTurnstile(Store + ".turnstile");
        for (var attempt = 1; ; attempt++)
        {
            await node.PauseAsync();
            var isFree = turnstile.TryEnter();
            if (isFree) turnstile.Leave();
            // Another node's write looks the same for a moment; one that lasts is that of the node that stands still.
            for (var look = 0; !isFree && look < 100 && !turnstile.DescribeHolder().Contains(string.Create(CultureInfo.InvariantCulture, $"process {node.Process.Id} "), StringComparison.Ordinal); look++)
            {
                await Task.Delay(1);
                isFree = turnstile.TryEnter();
                if (isFree) turnstile.Leave();
            }
            if (isFree != inWrite) return;
            node.Resume();
            Assert.True(attempt < 2_000, $"{node.Name} was {(isFree ? "never" : "always")} found in a write.");
            await Task.Delay(attempt % 7);
        }
    }

    /// <summary>Stops all that run in an orderly way, the youngest first; returns what was not right.</summary>
    public async Task<string> StopAsync()
    {
        var faults = new List<string>();
        foreach (var node in Nodes.AsEnumerable().Reverse())
            if (await node.StopAsync() is var code && code != 0) faults.Add($"{node.Name} answered SIGTERM with {code?.ToString(CultureInfo.InvariantCulture) ?? "nothing"}");
        return string.Join(", ", faults);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _all) await node.DisposeAsync();
        Folder.Dispose();
    }

    private int Free(int first) => FreePorts.From(first, _all.Count + 1).First(p => _all.All(n => n.LinkPort != p && n.Clients.Port != p));

    private IEnumerable<string> Arguments(string name, int clients, int link, string?[] with)
    {
        string[] usual =
        [
            "--urls", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{clients}"),
            "--Cluster:Node:Name", name,
            "--Cluster:Node:Link", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{link}"),
            "--Cluster:Node:Clients", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{clients}"),
            _postgres is null ? "--Cluster:Store:Sqlite" : "--Cluster:Store:Postgres", _postgres ?? Store,
            "--Cluster:Data", Folder.Path,
            "--Cluster:Secret", Secret,
            "--Cluster:Times:RebalanceDelay", "00:00:01",
        ];
        for (var i = 0; i < usual.Length; i += 2)
            if (Array.IndexOf(with, usual[i]) < 0) yield return $"{usual[i]}={usual[i + 1]}";
        for (var i = 0; i < with.Length; i += 2) if (with[i + 1] is { } value) yield return $"{with[i]}={value}";
    }
}

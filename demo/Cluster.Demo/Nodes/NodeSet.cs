using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;

namespace ActorCluster.Demo.Nodes;

/// <summary>The node processes of one run: started one after another, so that the first is the oldest member.</summary>
/// <remarks>Calls for one node do not overlap; calls for different nodes may. Disposing kills whatever still runs.</remarks>
internal sealed class NodeSet : IAsyncDisposable
{
    private const int FirstClientPort = 8080;
    private const int FirstLinkPort = 9080;
    private static readonly TimeSpan s_readyLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);

    private readonly string _sample;
    private readonly string _data;
    private readonly string _secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
    private readonly Node[] _nodes;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(2) };

    /// <summary>Chooses ports and names; starts nothing.</summary>
    /// <param name="count">How many nodes.</param>
    /// <param name="sample">The sample server's assembly.</param>
    /// <param name="data">Folder of the store and the logs.</param>
    public NodeSet(int count, string sample, string data)
    {
        if (!File.Exists(sample)) throw new CouldNotRunException($"The sample server is not at {sample}; build src/Cluster.Sample, or start by demo.sh, which does.");
        (_sample, _data) = (sample, data);
        var (clients, links) = (FreePorts.From(FirstClientPort, count), FreePorts.From(FirstLinkPort, count));
        _nodes = new Node[count];
        for (var i = 0; i < count; i++)
            _nodes[i] = new(new(string.Create(CultureInfo.InvariantCulture, $"node{i + 1}"), clients[i], links[i]));
    }

    private enum NodeState
    {
        Down,
        Starting,
        Up,
        Stopping,
        Killed,
    }

    public int Count => _nodes.Length;

    public NodeAddress this[int index] => _nodes[index].Address;

    public string StoreFile => Path.Combine(_data, "cluster.db");

    /// <summary>The nodes' states in one line, for progress.</summary>
    public string States()
    {
        var states = new string[_nodes.Length];
        for (var i = 0; i < states.Length; i++)
        {
            var node = _nodes[i];
            var state = node.State == NodeState.Up && node.Process!.HasExited ? "gone" : node.State.ToString().ToLowerInvariant();
            states[i] = $"{node.Address.Name} {state}";
        }
        return string.Join(", ", states);
    }

    /// <summary>Nodes that should be up and have exited, with their exit codes; null if all is well.</summary>
    public string? UnexpectedExits()
    {
        var gone = new List<string>();
        foreach (var node in _nodes)
            if (node.State == NodeState.Up && node.Process!.HasExited) gone.Add($"{node.Address.Name} exited with code {node.Process.ExitCode}");
        return gone.Count == 0 ? null : string.Join(", ", gone);
    }

    /// <summary>Starts all nodes in order, each when the one before is ready.</summary>
    public async Task StartAllAsync(CancellationToken stopping)
    {
        for (var i = 0; i < _nodes.Length; i++) await StartAsync(i, stopping).ConfigureAwait(false);
    }

    /// <summary>Waits until every node serves at least half its share of the rooms: only then does a kill hit something.</summary>
    /// <exception cref="CouldNotRunException">The shards were not spread within 60 s.</exception>
    public async Task WaitForSpreadAsync(CancellationToken stopping)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var owned = await RoomShardsAsync(stopping).ConfigureAwait(false);
            var all = owned.Values.Sum();
            if (all > 0 && owned.GetValueOrDefault("") == 0 && _nodes.All(n => 2 * _nodes.Length * owned.GetValueOrDefault(n.Address.Name) >= all)) return;
            if (Stopwatch.GetElapsedTime(started) > s_readyLimit)
                throw new CouldNotRunException($"The shards were not spread over the nodes within {s_readyLimit.TotalSeconds} s: {string.Join(", ", owned.Select(o => $"{o.Key} {o.Value}"))}.");
            await Task.Delay(s_poll, stopping).ConfigureAwait(false);
        }
    }

    private async Task<Dictionary<string, int>> RoomShardsAsync(CancellationToken stopping)
    {
        var owned = new Dictionary<string, int>(StringComparer.Ordinal);
        try
        {
            using var status = JsonDocument.Parse(await _http.GetStringAsync(new Uri(_nodes[0].Address.Clients, "/cluster/status"), stopping).ConfigureAwait(false));
            foreach (var line in status.RootElement.GetProperty("shards").EnumerateArray())
                if (line.GetProperty("type").GetString() == "room") owned[line.GetProperty("owner").GetString()!] = line.GetProperty("count").GetInt32();
        }
        catch (Exception e) when (IsNoAnswer(e, stopping))
        {
            // Asked again; a node that is gone shows in the limit.
        }
        return owned;
    }

    /// <summary>Starts a node that is down, with its old name, ports and data, and waits until it is ready.</summary>
    /// <exception cref="CouldNotRunException">It exited, or was not ready within 60 s; the end of its log is in the message.</exception>
    public async Task StartAsync(int index, CancellationToken stopping)
    {
        var node = _nodes[index];
        if (node.Process is { } old) await old.DisposeAsync().ConfigureAwait(false);
        var log = LogFile(node);
        node.Process = NodeProcess.Start(Arguments(node.Address), log);
        node.State = NodeState.Starting;
        var started = Stopwatch.GetTimestamp();
        while (!await IsReadyAsync(node, stopping).ConfigureAwait(false))
        {
            if (node.Process.HasExited)
                throw new CouldNotRunException($"{node.Address.Name} exited with code {node.Process.ExitCode} before it was ready. {LastLine(log)}");
            if (Stopwatch.GetElapsedTime(started) > s_readyLimit)
                throw new CouldNotRunException($"{node.Address.Name} was not ready within {s_readyLimit.TotalSeconds} s. {LastLine(log)}");
            await Task.Delay(s_poll, stopping).ConfigureAwait(false);
        }
        node.State = NodeState.Up;
    }

    /// <summary>SIGKILLs a node.</summary>
    public Task KillAsync(int index)
    {
        _nodes[index].State = NodeState.Killed;
        return _nodes[index].Process!.KillAsync();
    }

    /// <summary>Stops a node in an orderly way.</summary>
    /// <returns>Null if it exited with 0, else what it did instead.</returns>
    public async Task<string?> StopAsync(int index)
    {
        var node = _nodes[index];
        if (node.Process is not { } process || node.State == NodeState.Killed) return null;
        node.State = NodeState.Stopping;
        var code = await process.StopAsync(s_stopLimit).ConfigureAwait(false);
        node.State = NodeState.Down;
        return code switch
        {
            0 => null,
            null => $"{node.Address.Name} did not stop within {s_stopLimit.TotalSeconds} s of SIGTERM and was killed",
            _ => $"{node.Address.Name} answered SIGTERM with exit code {code} instead of 0",
        };
    }

    /// <summary>Stops all nodes in an orderly way, the youngest first.</summary>
    /// <returns>What went wrong, empty if all exited with 0.</returns>
    public async Task<IReadOnlyList<string>> StopAllAsync()
    {
        var faults = new List<string>();
        for (var i = _nodes.Length - 1; i >= 0; i--)
            if (await StopAsync(i).ConfigureAwait(false) is { } fault) faults.Add(fault);
        return faults;
    }

    /// <summary>Writes each node's view of the cluster beside its log, for who looks into a failure.</summary>
    public async Task SaveStatusAsync()
    {
        foreach (var node in _nodes)
        {
            try
            {
                var status = await _http.GetStringAsync(new Uri(node.Address.Clients, "/cluster/status")).ConfigureAwait(false);
                await File.WriteAllTextAsync(Path.Combine(_data, $"{node.Address.Name}.status.json"), status).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException || IsNoAnswer(e, CancellationToken.None))
            {
                // A node that cannot say how it is has its log.
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            if (node.Process is { } process) await process.DisposeAsync().ConfigureAwait(false);
        _http.Dispose();
    }

    private string LogFile(Node node) => Path.Combine(_data, $"{node.Address.Name}.log");

    private IEnumerable<string> Arguments(NodeAddress address)
    {
        var names = new List<string>();
        foreach (var node in _nodes) names.Add(node.Address.Name);
        return
        [
            _sample, "--urls", address.Clients.GetLeftPart(UriPartial.Authority),
            "--Cluster:Node:Name", address.Name,
            "--Cluster:Node:Link", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{address.LinkPort}"),
            "--Cluster:Node:Clients", address.Clients.GetLeftPart(UriPartial.Authority),
            "--Cluster:Hosts", string.Join(',', names),
            "--Cluster:Store:Sqlite", StoreFile, "--Cluster:Data", _data, "--Cluster:Secret", _secret,
        ];
    }

    private async Task<bool> IsReadyAsync(Node node, CancellationToken stopping)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(node.Address.Clients, "/health/ready"), stopping).ConfigureAwait(false);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception e) when (IsNoAnswer(e, stopping))
        {
            return false;
        }
    }

    /// <remarks>A connection that ends just as it was made comes out of the client as the socket's own exception.</remarks>
    private static bool IsNoAnswer(Exception e, CancellationToken stopping) =>
        e is HttpRequestException or SocketException || (e is TaskCanceledException && !stopping.IsCancellationRequested);

    private static string LastLine(string log)
    {
        var last = "Its log is empty.";
        try
        {
            using var reader = new StreamReader(new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            while (reader.ReadLine() is { } line)
                if (line.Length > 0) last = $"Its log ends: {line.Trim()}";
        }
        catch (IOException e)
        {
            last = e.Message;
        }
        return last;
    }

    private sealed class Node(NodeAddress address)
    {
        public NodeAddress Address { get; } = address;
        public NodeProcess? Process { get; set; }
        public volatile NodeState State;
    }
}

using System.Globalization;
using ActorCluster.Demo;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>
/// One network namespace for each node and one for the store, on a bridge in ours, where the clients are. Links and store use 10.77.0.0/24. Clients use
/// 127.77.0.0/24, routed over the same bridge: the sample believes a user's name from loopback addresses only.
/// </summary>
internal sealed class NamespaceNetwork : NemesisNetwork
{
    private const string StoreAddress = "10.77.0.200";
    private const int LinkPort = 8091;
    private readonly Dictionary<string, string> _notInjected = new()
    {
        ["delay"] = "no netem in this kernel; the simulator delays",
        ["reorder"] = "no netem in this kernel; the simulator reorders",
        ["duplicate"] = "no netem in this kernel; the simulator duplicates",
    };
    private readonly int _nodes;

    private NamespaceNetwork(int nodes) => _nodes = nodes;

    public override string Kind => "namespaces";

    public override IReadOnlyDictionary<string, string> NotInjected => _notInjected;

    public override string StoreHost => StoreAddress;

    public override int StorePort => 5432;

    public override IReadOnlyList<string> WithinStore => ["ip", "netns", "exec", "store"];

    public override NodePlace this[int node] => new(
        string.Create(CultureInfo.InvariantCulture, $"{LinkAddress(node)}:{LinkPort}"), new($"http://{ClientAddress(node)}:8080"), new($"http://{ClientAddress(node)}:8080"),
        StoreAddress, StorePort, ["ip", "netns", "exec", Name(node)]);

    /// <summary>Makes the bridge and all namespaces, and tries every fault once.</summary>
    public static async Task<NamespaceNetwork> BuildAsync(int nodes, string folder)
    {
        var network = new NamespaceNetwork(nodes);
        try
        {
            await Shell.RunAsync(
                """
                ip link set lo up; ip link add bridge type bridge; ip link set bridge up
                ip addr add 10.77.0.254/24 dev bridge; ip addr add 127.77.0.254/24 dev bridge
                """ + "\n" + OwnLoopback(""));
            for (var node = 0; node < nodes; node++) await AddAsync(Name(node), LinkAddress(node), ClientAddress(node));
            await AddAsync("store", StoreAddress, "127.77.0.200");
            await network.ProbeAsync();
            (network.WallClock, var missing) = await WallClock.BuildAsync(folder);
            if (missing is not null) network._notInjected[FaultKinds.WallClock] = missing;
            return network;
        }
        catch (InvalidOperationException cause)
        {
            throw new CouldNotRunException($"The namespaces cannot be furnished: {cause.Message}");
        }
    }

    public override async Task<Func<Task>> CutAsync(int node, Cut cut)
    {
        var rules = new List<string>();
        foreach (var address in Addresses(node, cut.Of, cut.Peers))
        {
            var share = cut.Share < 1 ? string.Create(CultureInfo.InvariantCulture, $"-m statistic --mode random --probability {cut.Share:0.00} ") : "";
            var verdict = cut.Reset ? "-p tcp -j REJECT --reject-with tcp-reset" : $"{share}-j DROP";
            if (cut.Way.HasFlag(Way.In)) rules.Add($"INPUT -s {address} {verdict}");
            if (cut.Way.HasFlag(Way.Out)) rules.Add($"OUTPUT -d {address} {verdict}");
        }
        return await FilterAsync(node, rules);
    }

    public override Task<Func<Task>> LinkDownAsync(int node) => DoAsync($"ip link set to-{Name(node)} down", $"ip link set to-{Name(node)} up");

    public override Task<Func<Task>> RateAsync(int node, int kbit)
    {
        var limit = string.Create(CultureInfo.InvariantCulture, $"root tbf rate {kbit}kbit burst 8kb latency 400ms");
        return DoAsync(
            $"tc qdisc add dev to-{Name(node)} {limit}; ip netns exec {Name(node)} tc qdisc add dev eth0 {limit}",
            $"tc qdisc del dev to-{Name(node)} root; ip netns exec {Name(node)} tc qdisc del dev eth0 root");
    }

    public override Task<Func<Task>> BlackholeAsync(int node, Traffic traffic)
    {
        var addresses = Addresses(node, traffic, null).ToList();
        return DoAsync(
            string.Join('\n', addresses.Select(a => $"ip -n {Name(node)} route add blackhole {a}/32")),
            string.Join('\n', addresses.Select(a => $"ip -n {Name(node)} route del blackhole {a}/32")));
    }

    public override async Task<Func<Task>> ChannelDropAsync(int node, int peer, Random random)
    {
        // State, queues, own address and port, the other's.
        var connections = (await Shell.RunAsync($"ip netns exec {Name(node)} ss -Htn state established dst {LinkAddress(peer)}")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (connections.Length == 0) return () => Task.CompletedTask;
        var ends = connections[random.Next(connections.Length)].Split(' ', StringSplitOptions.RemoveEmptyEntries).TakeLast(2).Select(e => e[(e.LastIndexOf(':') + 1)..]).ToArray();
        return await FilterAsync(node,
        [
            $"INPUT -p tcp -s {LinkAddress(peer)} --sport {ends[1]} --dport {ends[0]} -j DROP",
            $"OUTPUT -p tcp -d {LinkAddress(peer)} --sport {ends[0]} --dport {ends[1]} -j DROP",
        ]);
    }

    /// <summary>The kernel takes it all down with this process.</summary>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async Task AddAsync(string name, string linkAddress, string clientAddress) => await Shell.RunAsync(
        $"""
        ip netns add {name}; ip link add to-{name} type veth peer name eth0 netns {name}
        ip link set to-{name} master bridge up; ip -n {name} link set lo up; ip -n {name} link set eth0 up
        ip -n {name} addr add {linkAddress}/24 dev eth0; ip -n {name} addr add {clientAddress}/24 dev eth0
        """ + "\n" + OwnLoopback(name));

    // All of 127.0.0.0/8 is this host's by default; here only one address is.
    private static string OwnLoopback(string name)
    {
        var (ip, exec) = name.Length == 0 ? ("ip", "") : ($"ip -n {name}", $"ip netns exec {name} ");
        return $"{exec}sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet'; {ip} addr del 127.0.0.1/8 dev lo; {ip} addr add 127.0.0.1/32 dev lo";
    }

    private async Task ProbeAsync()
    {
        await NeedAsync("iptables -w -A OUTPUT -p tcp --dport 9 -j DROP; iptables -w -D OUTPUT -p tcp --dport 9 -j DROP", "no packet filter; install iptables", FaultKinds.ByDrop);
        await NeedAsync("iptables -w -A OUTPUT -p tcp --dport 9 -j REJECT --reject-with tcp-reset; iptables -w -F OUTPUT", "the packet filter cannot reset", FaultKinds.ByReset);
        await NeedAsync("iptables -w -A OUTPUT -p tcp --dport 9 -m statistic --mode random --probability 0.5 -j DROP; iptables -w -F OUTPUT", "the packet filter has no chance", FaultKinds.ByChance);
        await NeedAsync("ss -Htn >/dev/null", "no ss; install iproute2", FaultKinds.ChannelDrop);
        await NeedAsync("tc qdisc add dev lo root tbf rate 100kbit burst 8kb latency 400ms; tc qdisc del dev lo root", "no tbf in this kernel", FaultKinds.Rate);
        await NeedAsync("unshare -T --boottime 1000 true", "no time namespaces in this kernel", FaultKinds.BootClock);
        if ((await Shell.TryAsync("ip netns exec node1 tc qdisc add dev lo root netem delay 1ms")).Code == 0)
            foreach (var kind in new[] { "delay", "reorder", "duplicate" }) _notInjected[kind] = "left to the simulator";
    }

    private async Task NeedAsync(string script, string reason, params IEnumerable<string> kinds)
    {
        if ((await Shell.TryAsync($"ip netns exec node1 sh -ec '{script}'")).Code == 0) return;
        foreach (var kind in kinds) _notInjected.TryAdd(kind, reason);
    }

    private IEnumerable<string> Addresses(int node, Traffic traffic, IReadOnlyList<int>? peers)
    {
        if (traffic.HasFlag(Traffic.Links))
            foreach (var peer in peers ?? [.. Enumerable.Range(0, _nodes)])
                if (peer != node) yield return LinkAddress(peer);
        if (traffic.HasFlag(Traffic.Store)) yield return StoreAddress;
        if (traffic.HasFlag(Traffic.Clients)) yield return "127.77.0.254";
    }

    private static Task<Func<Task>> FilterAsync(int node, IReadOnlyList<string> rules)
    {
        string Script(string what) => $"ip netns exec {Name(node)} sh -ec '{string.Join("; ", rules.Select(r => $"iptables -w {what} {r}"))}'";
        return DoAsync(Script("-A"), Script("-D"));
    }

    private static async Task<Func<Task>> DoAsync(string inject, string heal)
    {
        await Shell.RunAsync(inject);
        return () => Shell.RunAsync(heal);
    }

    private static string Name(int node) => string.Create(CultureInfo.InvariantCulture, $"node{node + 1}");

    private static string LinkAddress(int node) => string.Create(CultureInfo.InvariantCulture, $"10.77.0.{node + 1}");

    private static string ClientAddress(int node) => string.Create(CultureInfo.InvariantCulture, $"127.77.0.{node + 1}");
}

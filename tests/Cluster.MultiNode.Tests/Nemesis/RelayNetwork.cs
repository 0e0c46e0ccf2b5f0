using System.Globalization;
using ActorCluster.Demo.Nodes;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>
/// Where no namespaces are allowed: nodes on ports of the loopback, each with a relay of its own to the store and one from its clients. The links are not
/// relayed: a node binds the address that the others dial.
/// </summary>
internal sealed class RelayNetwork : NemesisNetwork
{
    private const string NoLinks = "no namespaces here, and a node binds the address that the others dial: no relay fits in between";
    private const string NoFilter = "no namespaces here, so no packet filter";
    private readonly Marker _marker;
    private readonly int[] _links;
    private readonly int[] _clients;
    private readonly Relay[] _toStore;
    private readonly Relay[] _toClients;
    private readonly Dictionary<string, string> _notInjected = new() { ["delay"] = NoFilter, ["reorder"] = NoFilter, ["duplicate"] = NoFilter, [FaultKinds.BootClock] = NoFilter };

    private RelayNetwork(int nodes, Marker marker)
    {
        _marker = marker;
        _links = [.. FreePorts.From(9_480, nodes)];
        _clients = [.. FreePorts.From(8_480, nodes)];
        StorePort = FreePorts.From(7_480, 1)[0];
        _toStore = [.. Enumerable.Range(0, nodes).Select(_ => new Relay(StorePort))];
        _toClients = [.. _clients.Select(port => new Relay(port))];
        string[] links = ["links-drop", "links-one-way", "links-reset", "links-loss", "pair-drop", "links-flap", "isolate", "partition", FaultKinds.ChannelDrop];
        foreach (var kind in links) _notInjected[kind] = NoLinks;
        foreach (var kind in new[] { "store-loss", "loss", "link-down", FaultKinds.Rate, "blackhole-links", "blackhole-store" }) _notInjected[kind] = NoFilter;
    }

    public static async Task<RelayNetwork> BuildAsync(int nodes, Marker marker)
    {
        var network = new RelayNetwork(nodes, marker);
        (network.WallClock, var missing) = await WallClock.BuildAsync(marker.Folder);
        if (missing is not null) network._notInjected[FaultKinds.WallClock] = missing;
        return network;
    }

    public override string Kind => "relays";

    public override IReadOnlyDictionary<string, string> NotInjected => _notInjected;

    public override string StoreHost => "127.0.0.1";

    public override int StorePort { get; }

    public override IReadOnlyList<string> WithinStore => [];

    public override NodePlace this[int node] => new(
        string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_links[node]}"), Url(_clients[node]), Url(_toClients[node].Port), "127.0.0.1", _toStore[node].Port, []);

    public override void Started(int process) => _marker.Note(process);

    public override Task<Func<Task>> CutAsync(int node, Cut cut)
    {
        if (cut.Of is not (Traffic.Store or Traffic.Clients) || cut.Share < 1) throw new InvalidOperationException($"{cut} cannot be injected over relays; no plan contains it.");
        // What the node sends to the store goes into its relay; what it sends to clients comes out of theirs.
        var turned = cut.Of == Traffic.Clients || cut.Way == Way.Both ? cut.Way : cut.Way == Way.In ? Way.Out : Way.In;
        return Task.FromResult((cut.Of == Traffic.Store ? _toStore : _toClients)[node].Cut(turned, cut.Reset));
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var relay in _toStore.Concat(_toClients)) await relay.DisposeAsync();
    }

    private static Uri Url(int port) => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
}

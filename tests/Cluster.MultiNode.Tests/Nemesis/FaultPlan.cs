using System.Globalization;
using ActorCluster.MultiNode.Tests.Nodes;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>What faults act on.</summary>
internal sealed record Arena(NemesisNetwork Network, IReadOnlyList<SampleNode> Nodes, PostgresHost Store)
{
    public Task KillAsync(int node) => Nodes[node].KillAsync();

    public async Task StartAsync(int node)
    {
        await Nodes[node].StartAsync();
        Network.Started(Nodes[node].Process.Id);
    }
}

/// <summary>One fault.</summary>
/// <param name="Kind">One of <see cref="FaultKinds"/>.</param>
/// <param name="Touches">Node or store; faults that overlap touch different ones.</param>
/// <param name="What">All of it, in words.</param>
/// <param name="For">How long it lasts.</param>
/// <param name="InjectAsync">Injects it and returns what heals it.</param>
internal sealed record Fault(string Kind, string Touches, string What, TimeSpan For, Func<Arena, Task<Func<Task>>> InjectAsync);

internal static class FaultKinds
{
    public const string ChannelDrop = "channel-drop";
    public const string Rate = "rate";
    public const string BootClock = "boot-clock";
    public const string WallClock = "wall-clock";
    public const string DiskFull = "disk-full";

    public static readonly string[] ByDrop = ["links-drop", "links-one-way", "pair-drop", "links-flap", "store-drop", "store-replies-drop", "clients-drop", "isolate", "partition", ChannelDrop];
    public static readonly string[] ByReset = ["links-reset", "store-reset", "clients-reset"];
    public static readonly string[] ByChance = ["links-loss", "store-loss", "loss"];

    /// <summary>Every kind that a plan may contain.</summary>
    public static readonly string[] All =
    [
        "kill", "kill-all", "leave", "pause", .. ByDrop, .. ByReset, .. ByChance, "link-down", Rate, "blackhole-links", "blackhole-store",
        "store-immediate", "store-fast", "store-pause", "backend-pause", "table-lock", DiskFull, WallClock,
    ];
}

/// <summary>A seeded row of faults: every kind once before any comes again, in a new order each time.</summary>
internal sealed class FaultPlan(int seed, int nodes, IReadOnlyList<string> kinds, TimeSpan longest)
{
    private readonly Random _random = new(seed);
    private readonly Queue<string> _next = new();
    private Fault? _held;

    /// <summary>One fault, and in a quarter of the cases a second one that overlaps it; each with its delay.</summary>
    public IReadOnlyList<(TimeSpan After, Fault Fault)> Next()
    {
        var first = _held ?? Make();
        _held = null;
        if (_random.Next(4) > 0) return [(TimeSpan.Zero, first)];
        var second = Make();
        if (first.Touches != second.Touches && first.Touches != "all" && second.Touches != "all") return [(TimeSpan.Zero, first), (first.For * _random.NextDouble(), second)];
        _held = second; // Its turn is the next.
        return [(TimeSpan.Zero, first)];
    }

    /// <summary>Time without a fault, after the last one was overcome.</summary>
    public TimeSpan Calm() => TimeSpan.FromSeconds(0.5 + (2 * _random.NextDouble()));

    private Fault Make()
    {
        if (_next.Count == 0)
            foreach (var kind in kinds.OrderBy(_ => _random.Next()).ToList()) _next.Enqueue(kind);
        return Make(_next.Dequeue(), _random.Next(nodes), null);
    }

    /// <summary>One fault of a kind; all but the node and the time is chosen at random.</summary>
    /// <param name="kind">One of <see cref="FaultKinds"/>.</param>
    /// <param name="node">The node that it is about, where it is about one.</param>
    /// <param name="given">How long it lasts; null: drawn.</param>
    public Fault Make(string kind, int node, TimeSpan? given)
    {
        var name = Name(node);
        var peer = (node + 1 + _random.Next(nodes - 1)) % nodes;
        var way = _random.Next(2) == 0 ? Way.In : Way.Out;
        var percent = _random.Next(5, 41);
        var pick = new Random(_random.Next());
        var time = given ?? Time(kind == "pause" ? 0.1 : 0.3, kind == "pause" ? 30 : 12);

        Fault Of(string touches, string what, Func<Arena, Task<Func<Task>>> inject) => new(kind, touches, what, time, inject);
        Fault Cut(string what, Cut cut) => Of(name, $"{name}: {what}", arena => arena.Network.CutAsync(node, cut));

        switch (kind)
        {
            case "kill":
                return Of(name, $"{name} killed", async arena =>
                {
                    await arena.KillAsync(node);
                    return () => arena.StartAsync(node);
                });
            case "kill-all":
                var order = Enumerable.Range(0, nodes).OrderBy(_ => _random.Next()).ToList();
                return Of("all", $"all nodes killed, back as {string.Join(' ', order.Select(Name))}", async arena =>
                {
                    await Task.WhenAll(order.Select(arena.KillAsync));
                    return async () =>
                    {
                        foreach (var one in order) await arena.StartAsync(one);
                    };
                });
            case "leave":
                return Of(name, $"{name} told to stop", async arena =>
                {
                    if (await arena.Nodes[node].StopAsync() is var code && code != 0) throw new InvalidOperationException($"{name} answered SIGTERM with {code?.ToString(CultureInfo.InvariantCulture) ?? "nothing"}.");
                    return () => arena.StartAsync(node);
                });
            case "pause":
                return Of(name, $"{name} stopped (SIGSTOP)", async arena =>
                {
                    await arena.Nodes[node].PauseAsync();
                    return () =>
                    {
                        arena.Nodes[node].Resume();
                        return Task.CompletedTask;
                    };
                });
            case "links-drop": return Cut("links dropped", new(Traffic.Links));
            case "links-one-way": return Cut($"links dropped, {way} only", new(Traffic.Links, way));
            case "links-reset": return Cut("links reset", new(Traffic.Links, Reset: true));
            case "links-loss": return Cut($"{percent} % of the links' packets lost", new(Traffic.Links, Share: percent / 100.0));
            case "pair-drop": return Cut($"link to {Name(peer)} dropped", new(Traffic.Links, Peers: [peer]));
            case FaultKinds.ChannelDrop: return Of(name, $"{name}: one connection to {Name(peer)} dropped", arena => arena.Network.ChannelDropAsync(node, peer, pick));
            case "links-flap": return Of(name, $"{name}: links dropped and back, again and again", arena => FlapAsync(arena, node, pick));
            case "store-drop": return Cut("store dropped", new(Traffic.Store));
            case "store-replies-drop": return Cut($"store dropped, {way} only", new(Traffic.Store, way));
            case "store-reset": return Cut("store reset", new(Traffic.Store, Reset: true));
            case "store-loss": return Cut($"{percent} % of the store's packets lost", new(Traffic.Store, Share: percent / 100.0));
            case "clients-drop": return Cut("clients dropped", new(Traffic.Clients));
            case "clients-reset": return Cut("clients reset", new(Traffic.Clients, Reset: true));
            case "isolate": return Cut("all dropped", new(Traffic.All));
            case "loss": return Cut($"{percent} % of all packets lost", new(Traffic.All, Share: percent / 100.0));
            case "partition": return Partition(Of);
            case "link-down": return Of(name, $"{name}: link down", arena => arena.Network.LinkDownAsync(node));
            case FaultKinds.Rate:
                var kbit = 32 << _random.Next(5);
                return Of(name, $"{name}: {kbit} kbit/s", arena => arena.Network.RateAsync(node, kbit));
            case "blackhole-links": return Of(name, $"{name}: no route to the others", arena => arena.Network.BlackholeAsync(node, Traffic.Links));
            case "blackhole-store": return Of(name, $"{name}: no route to the store", arena => arena.Network.BlackholeAsync(node, Traffic.Store));
            case "store-immediate" or "store-fast":
                return Of("store", $"store stopped, {kind["store-".Length..]}", async arena =>
                {
                    await arena.Store.StopAsync(kind == "store-immediate");
                    return arena.Store.StartAsync;
                });
            case "store-pause": return Of("store", "store stopped (SIGSTOP)", arena => Task.FromResult(arena.Store.Pause()));
            case "backend-pause":
                var most = _random.Next(1, 4);
                return Of("store", $"{most} backends of the store stopped (SIGSTOP)", arena => arena.Store.PauseBackendsAsync(pick, most));
            case "table-lock":
                string[] tables = ["shard", "member", "cluster", "journal"];
                var (table, rowsOnly) = (tables[_random.Next(tables.Length)], _random.Next(2) == 0);
                return Of("store", $"{(rowsOnly ? "all rows of" : "table")} {table} locked", arena => arena.Store.LockAsync(table, rowsOnly));
            case FaultKinds.WallClock:
                var ahead = TimeSpan.FromHours(_random.Next(2) == 0 ? 1 : -1);
                return Of(name, $"{name} killed, back with its wall clock {(ahead > TimeSpan.Zero ? "an hour ahead" : "an hour behind")}, which then jumps", async arena =>
                {
                    await arena.KillAsync(node);
                    arena.Nodes[node].Before = await arena.Network.WallClock!.CommandAsync(name, ahead);
                    await arena.StartAsync(node);
                    return async () =>
                    {
                        arena.Nodes[node].Before = []; // Its next start; this process is put right while it runs.
                        await arena.Network.WallClock.SetAsync(name, TimeSpan.Zero);
                    };
                });
            case FaultKinds.DiskFull:
                return Of("store", "store's disk full", arena =>
                {
                    arena.Store.Disk!.Fill();
                    return Task.FromResult<Func<Task>>(() =>
                    {
                        arena.Store.Disk.Free();
                        return arena.Store.IsRunning ? Task.CompletedTask : arena.Store.StartAsync();
                    });
                });
            default: throw new InvalidOperationException($"No rule for '{kind}'.");
        }
    }

    // Two sides that do not hear each other, and one of them, both or none hears the store.
    private Fault Partition(Func<string, string, Func<Arena, Task<Func<Task>>>, Fault> of)
    {
        var shuffled = Enumerable.Range(0, nodes).OrderBy(_ => _random.Next()).ToList();
        var size = _random.Next(1, nodes);
        var (left, right) = (shuffled.Take(size).Order().ToList(), shuffled.Skip(size).Order().ToList());
        var without = _random.Next(4) switch { 0 => left, 1 => right, 2 => shuffled, _ => [] };
        return of("all", $"{string.Join(' ', left.Select(Name))} | {string.Join(' ', right.Select(Name))}, store not seen by [{string.Join(' ', without.Select(Name))}]", async arena =>
        {
            var heals = new List<Func<Task>>();
            foreach (var node in left) heals.Add(await arena.Network.CutAsync(node, new(Traffic.Links, Peers: right)));
            foreach (var node in without) heals.Add(await arena.Network.CutAsync(node, new(Traffic.Store)));
            return async () =>
            {
                foreach (var heal in heals) await heal();
            };
        });
    }

    private static Task<Func<Task>> FlapAsync(Arena arena, int node, Random random)
    {
        var enough = new CancellationTokenSource();
        async Task FlapAsync()
        {
            while (!enough.IsCancellationRequested)
            {
                var heal = await arena.Network.CutAsync(node, new(Traffic.Links));
                await Task.Delay(random.Next(50, 2_500), enough.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await heal();
                await Task.Delay(random.Next(50, 2_500), enough.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        var flapping = FlapAsync();
        return Task.FromResult<Func<Task>>(async () =>
        {
            await enough.CancelAsync();
            await flapping;
            enough.Dispose();
        });
    }

    // As many short ones as long ones, on a scale of powers.
    private TimeSpan Time(double least, double most)
    {
        most = Math.Min(most, longest.TotalSeconds);
        return TimeSpan.FromSeconds(least * Math.Pow(Math.Max(1, most / least), _random.NextDouble()));
    }

    private static string Name(int node) => string.Create(CultureInfo.InvariantCulture, $"node{node + 1}");
}

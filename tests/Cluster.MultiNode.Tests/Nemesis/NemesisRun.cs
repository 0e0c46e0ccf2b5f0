using System.Diagnostics;
using System.Globalization;
using ActorCluster.Demo;
using ActorCluster.Demo.Checking;
using ActorCluster.MultiNode.Tests.Nodes;
using Npgsql;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>One run: nodes, store and users; faults one after another, each healed and overcome before the next; then the checkers.</summary>
internal sealed class NemesisRun : IAsyncDisposable
{
    /// <summary>I13: after the last fault heals, every command is answered within 10 T_d.</summary>
    private static readonly TimeSpan RecoveryMax = TimeSpan.FromSeconds(15);

    /// <summary>Until a node that was started or let go serves again. Longer than the above: it is no outage, and runtimes start slowly on a busy machine.</summary>
    private static readonly TimeSpan ReadyMax = TimeSpan.FromSeconds(30);

    /// <summary>What needs no store takes no longer without one, a busy machine and a reconnect included.</summary>
    private static readonly TimeSpan ReadMax = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan GiveUp = TimeSpan.FromSeconds(90);
    private const int FaultsMax = 5_000;

    private readonly NemesisOptions _options;
    private readonly string _folder;
    private readonly NemesisNetwork _network;
    private readonly List<string> _findings = [];
    private readonly List<DoneFault> _done = [];
    private readonly long _started = Stopwatch.GetTimestamp();
    private int _violations;
    private ScenarioResult? _scenario;

    private readonly EffectSink _sink;

    private NemesisRun(NemesisOptions options, string folder, NemesisNetwork network, Arena arena, EffectSink sink)
    {
        (_options, _folder, _network, Arena, _sink) = (options, folder, network, arena, sink);
    }

    public Arena Arena { get; }

    /// <returns>0 clean, 1 not.</returns>
    public static async Task<int> RunAsync(NemesisOptions options, string folder, NemesisNetwork network)
    {
        await using (network)
        {
            await using var run = await StartAsync(options, folder, network);
            var report = await run.RunAsync();
            await NemesisJson.SaveAsync(folder, report);
            foreach (var finding in report.Findings) await Console.Error.WriteLineAsync($"nemesis: {finding}");
            Console.WriteLine(options.Json
                ? NemesisJson.OneLine(report)
                : string.Create(CultureInfo.InvariantCulture, $"{report.Faults} faults in {report.Seconds:0} s (seed {report.Seed}): {report.Acknowledged} of {report.Sent} messages acknowledged, {report.Lost} lost, {report.Duplicates} duplicates, {report.OutOfOrder} out of order, {report.SingletonEffects} effects of the singleton in {report.SingletonTerms} terms, {report.OverlappingEffects} overlapping, longest recovery {report.MaxRecoveryMs} ms, {report.Violations} violations."));
            return report.IsClean ? 0 : 1;
        }
    }

    /// <summary>The store and all nodes, each ready before the next is started.</summary>
    public static async Task<NemesisRun> StartAsync(NemesisOptions options, string folder, NemesisNetwork network)
    {
        var store = await PostgresHost.StartNewAsync(network, folder);
        try
        {
            var nodes = new List<SampleNode>();
            var sink = await EffectSink.MakeAsync(folder);
            for (var i = 0; i < options.Nodes; i++) nodes.Add(NodeAt(i, options.Nodes, folder, network, sink));
            var run = new NemesisRun(options, folder, network, new(network, nodes, store), sink);
            for (var i = 0; i < nodes.Count; i++)
            {
                await run.Arena.StartAsync(i);
                await nodes[i].ReadyAsync(TimeSpan.FromSeconds(60));
            }
            return run;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Arena.Nodes) await node.DisposeAsync();
        await Arena.Store.DisposeAsync();
        await _sink.DisposeAsync();
    }

    private static SampleNode NodeAt(int index, int count, string folder, NemesisNetwork network, EffectSink sink)
    {
        var (name, place) = (string.Create(CultureInfo.InvariantCulture, $"node{index + 1}"), network[index]);
        var data = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        return new SampleNode(name, place.Clients, 0, Path.Combine(folder, $"{name}.log"),
        [
            $"--urls={place.Listen.GetLeftPart(UriPartial.Authority)}", $"--Cluster:Node:Name={name}", $"--Cluster:Node:Link={place.Link}", $"--Cluster:Node:Clients={place.Clients.GetLeftPart(UriPartial.Authority)}",
            $"--Cluster:Hosts={string.Join(',', Enumerable.Range(1, count).Select(i => $"node{i}"))}", "--Cluster:AllowPlaintext=true",
            $"--Cluster:Store:Postgres=Host={place.StoreHost};Port={place.StorePort};Username=chat;Database=postgres", $"--Cluster:Data={data}", $"--Cluster:Secret={SampleCluster.Secret}",
            "--Cluster:Times:RebalanceDelay=00:00:02", $"--Sample:Beacon={sink.Path}",
        ], place.Within);
    }

    private async Task<NemesisReport> RunAsync()
    {
        var crowd = await Crowd.GatherAsync([.. Arena.Nodes.Select(n => n.Clients)], _options.Users);
        await using (crowd)
        {
            if (_options.Scenario is null) await DisturbAsync(crowd);
            else await PlayAsync(crowd, ScenarioOf(_options)!);
            return await JudgeAsync(crowd);
        }
    }

    private async Task DisturbAsync(Crowd crowd)
    {
        var kinds = FaultKinds.All.Where(k => !_network.NotInjected.ContainsKey(k) && (k != FaultKinds.DiskFull || Arena.Store.Disk is not null)).ToList();
        if (_options.Only.FirstOrDefault(k => !kinds.Contains(k)) is { } unknown) throw new CouldNotRunException($"--only names '{unknown}', which cannot be injected here; there are {string.Join(", ", kinds)}.");
        if (_options.Only.Count > 0) kinds = [.. _options.Only];
        // A short run has short faults, lest it has but a few.
        var plan = new FaultPlan(_options.Seed, _options.Nodes, kinds, TimeSpan.FromSeconds(Math.Max(1, _options.Time.TotalSeconds / 15)));
        var begun = Stopwatch.GetTimestamp();
        while (_done.Count < FaultsMax && Stopwatch.GetElapsedTime(begun) < _options.Time)
        {
            var episode = plan.Next();
            var from = _done.Count;
            await Task.WhenAll(episode.Select(e => DoAsync(e.After, e.Fault, begun)));
            await OvercomeAsync(crowd, from);
            await NemesisJson.SaveAsync(_folder, new DonePlan(_options.Seed, _options.Nodes, _options.Users, _network.Kind, _done));
            if (_violations > 20) return; // Nothing more to learn.
            await Task.Delay(plan.Calm());
        }
    }

    /// <summary>The scenario that was asked for, null if none was.</summary>
    /// <exception cref="CouldNotRunException">There is none of that name.</exception>
    public static Scenario? ScenarioOf(NemesisOptions options) => options.Scenario is not { } name
        ? null
        : Scenario.All.FirstOrDefault(s => s.Name == name) ?? throw new CouldNotRunException($"--scenario is '{name}'; there are {string.Join(", ", Scenario.All.Select(s => s.Name))}.");

    private async Task PlayAsync(Crowd crowd, Scenario scenario)
    {
        if (_network.NotInjected.TryGetValue(scenario.Kind, out var reason)) throw new CouldNotRunException($"{scenario.Name} needs {scenario.Kind}, which cannot be injected here: {reason}.");
        var plan = new FaultPlan(_options.Seed, Arena.Nodes.Count, [], scenario.For);
        var begun = Stopwatch.GetTimestamp();
        var felt = new List<long>();
        for (var run = 0; run < (_options.Runs > 0 ? _options.Runs : scenario.Runs); run++)
        {
            await SpreadAsync();
            if (scenario.ShiftsClocks)
                for (var i = 0; i < Arena.Nodes.Count; i++) Arena.Nodes[i].Before = await ShiftedAsync(i, run);
            var at = scenario.Node ?? (scenario.Nodes == 2 ? await OldestAsync() : run % Arena.Nodes.Count);
            if (scenario.OfOthers && scenario.Nodes is null && !crowd.IsBeside(Arena.Nodes[at].Name)) at = (at + 1) % Arena.Nodes.Count; // Else there is nobody to wait.
            var fault = plan.Make(scenario.Kind, at, scenario.For);
            var ownership = scenario.NothingMoves ? await SettledAsync() : "";
            await using var reader = scenario.NothingMoves ? await Reader.BeginAsync([.. Arena.Nodes.Select(n => n.Clients)]) : null;
            var from = _done.Count;
            crowd.BeginFault(scenario.OfOthers ? Arena.Nodes[at].Name : null);
            await DoAsync(TimeSpan.Zero, fault, begun);
            var wait = crowd.Felt();
            if (reader is { Longest: var read, Answered: var reads } && (read > ReadMax || reads < scenario.For.TotalSeconds))
                Violate(string.Create(CultureInfo.InvariantCulture, $"{fault.What}: {reads} reads were answered meanwhile, one took {read.TotalMilliseconds:0} ms; {ReadMax.TotalMilliseconds} are allowed."));
            await OvercomeAsync(crowd, from);
            var ms = scenario.WhileItLasts ? (long)wait.TotalMilliseconds : _done[^1].RecoveryMs;
            felt.Add(ms);
            if (ms > scenario.Max.TotalMilliseconds) Violate(string.Create(CultureInfo.InvariantCulture, $"{fault.What}: users waited {ms} ms, {scenario.Max.TotalMilliseconds} are allowed."));
            if (scenario.NothingMoves && await OwnershipAsync() is var now && now != ownership) Violate($"{fault.What}: views and owners moved from {ownership} to {now}.");
            await NemesisJson.SaveAsync(_folder, new DonePlan(_options.Seed, Arena.Nodes.Count, _options.Users, _network.Kind, _done));
        }
        felt.Sort();
        _scenario = new(scenario.Name, felt, felt[felt.Count / 2], felt[^1], (long)scenario.Max.TotalMilliseconds);
        if (scenario.Median is { } median && _scenario.P50Ms > median.TotalMilliseconds) Violate(string.Create(CultureInfo.InvariantCulture, $"{scenario.Name}: the median is {_scenario.P50Ms} ms, {median.TotalMilliseconds} are allowed."));
    }

    // Boot clocks days apart, wall clocks an hour ahead, right and an hour behind; in another order each time.
    private async Task<IReadOnlyList<string>> ShiftedAsync(int node, int run)
    {
        var before = new List<string>();
        if (!_network.NotInjected.ContainsKey(FaultKinds.BootClock)) before.AddRange(["unshare", "-T", "--boottime", string.Create(CultureInfo.InvariantCulture, $"{100_000 * ((node + run) % 3)}")]);
        if (_network.WallClock is { } clock) before.AddRange(await clock.CommandAsync(Arena.Nodes[node].Name, TimeSpan.FromHours(((node + run + 1) % 3) - 1)));
        return before;
    }

    // Only where every node owns something does the fault of any hit somebody.
    private async Task SpreadAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < ReadyMax)
        {
            if (await Arena.Nodes[0].StatusAsync() is { } status)
            {
                var owned = status.GetProperty("shards").EnumerateArray().Where(s => s.GetProperty("type").GetString() == "room").ToDictionary(s => s.GetProperty("owner").GetString()!, s => s.GetProperty("count").GetInt32());
                if (owned.GetValueOrDefault("") == 0 && Arena.Nodes.All(n => owned.GetValueOrDefault(n.Name) * Arena.Nodes.Count * 3 >= owned.Values.Sum())) return;
            }
            // One that learned of its eviction after it had been found ready may wait for half a minute.
            for (var i = 0; i < Arena.Nodes.Count; i++) await BeReadyAsync(i, Stopwatch.GetTimestamp(), "the fault before");
            await Task.Delay(100);
        }
        Violate($"The rooms were not spread over the nodes within {ReadyMax.TotalSeconds} s: {await Arena.Nodes[0].DescribeAsync()}");
    }

    // What was moved for balance before the fault must not count as moved by it.
    private async Task<string> SettledAsync()
    {
        var started = Stopwatch.GetTimestamp();
        for (var before = await OwnershipAsync(); ;)
        {
            await Task.Delay(TimeSpan.FromSeconds(3));
            var now = await OwnershipAsync();
            if (now == before || Stopwatch.GetElapsedTime(started) > ReadyMax) return now;
            before = now;
        }
    }

    private async Task<int> OldestAsync()
    {
        await using var admin = await Arena.Store.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT name FROM member WHERE status='up' ORDER BY up_view LIMIT 1", admin);
        var oldest = (string)(await command.ExecuteScalarAsync())!;
        return Enumerable.Range(0, Arena.Nodes.Count).Single(i => Arena.Nodes[i].Name == oldest);
    }

    private async Task<string> OwnershipAsync()
    {
        await using var admin = await Arena.Store.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT 'view '||(SELECT view FROM cluster)||', '||(SELECT count(*) FROM shard_log)||' acquisitions'", admin);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private async Task DoAsync(TimeSpan after, Fault fault, long begun)
    {
        await Task.Delay(after);
        var at = (long)Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
        try
        {
            var heal = await fault.InjectAsync(Arena);
            await Task.Delay(fault.For);
            await heal();
        }
        catch (InvalidOperationException cause)
        {
            Violate($"{fault.What}: {cause.Message}");
        }
        var done = new DoneFault(fault.Kind, fault.What, at, (long)Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        lock (_done) _done.Add(done);
    }

    // Every user is served, every node is ready, and none has exited that was not made to.
    private async Task OvercomeAsync(Crowd crowd, int from)
    {
        var healed = Stopwatch.GetTimestamp();
        var what = string.Join(" + ", _done.Skip(from).Select(d => d.What));
        var recovered = await crowd.RecoveredAsync(healed, RecoveryMax);
        if (recovered is null)
        {
            Violate(string.Create(CultureInfo.InvariantCulture, $"{RecoveryMax.TotalSeconds} s after '{what}' healed: {crowd.Describe(healed)}"));
            recovered = await crowd.RecoveredAsync(healed, GiveUp) ?? throw new CouldNotRunException($"Nothing is served {GiveUp.TotalSeconds} s after '{what}' healed; see {_folder}. {string.Join(' ', _findings)}");
        }
        foreach (var done in _done.Skip(from)) done.RecoveryMs = (long)recovered.Value.TotalMilliseconds;
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"nemesis: {Stopwatch.GetElapsedTime(_started).TotalSeconds,6:0.0} s  {what}, overcome after {recovered.Value.TotalMilliseconds:0} ms"));

        for (var i = 0; i < Arena.Nodes.Count; i++) await BeReadyAsync(i, healed, what);
    }

    private async Task BeReadyAsync(int index, long healed, string what)
    {
        var node = Arena.Nodes[index];
        var told = 0; // Lines of a process that is gone say nothing of the next one.
        while (!await node.IsReadyAsync())
        {
            if (node.Process.HasExited)
            {
                Violate($"{node.Name} exited with {node.Process.ExitCode} after '{what}': {node.Lines.LastOrDefault()}");
                await Arena.StartAsync(index);
            }
            else if (node.Lines.Skip(told).TakeLast(20).Any(WaitsToRejoin))
            {
                told = node.Lines.Length;
                await node.KillAsync(); // Evicted so often that it waits for half a minute and more: as an operator would, we start it anew.
                await Arena.StartAsync(index);
            }
            else if (Stopwatch.GetElapsedTime(healed) > GiveUp)
            {
                throw new CouldNotRunException($"{node.Name} was not ready {GiveUp.TotalSeconds} s after '{what}' healed: {await node.DescribeAsync()}");
            }
            await Task.Delay(100);
        }
        if (Stopwatch.GetElapsedTime(healed) is var took && took > ReadyMax)
            Violate(string.Create(CultureInfo.InvariantCulture, $"{node.Name} was ready only {took.TotalSeconds:0.0} s after '{what}' healed."));
    }

    private async Task<NemesisReport> JudgeAsync(Crowd crowd)
    {
        if (!await crowd.StopTalkingAsync(RecoveryMax)) Violate($"Commands were not answered at the end: {crowd.Describe(0)}");
        await using (var admin = await Arena.Store.OpenAsync())
            if (!await crowd.ReachAsync(JournalReader.ReadHeads(admin), RecoveryMax)) Violate("Somebody was not delivered all there is at the end.");
        await crowd.DisposeAsync();
        foreach (var node in Arena.Nodes.Reverse())
            if (await node.StopAsync() is var code && code != 0) Violate($"{node.Name} answered SIGTERM with {code?.ToString(CultureInfo.InvariantCulture) ?? "nothing"}.");

        await _sink.DisposeAsync();
        if (_sink.Order.Finding is { } overlap) _findings.Add(overlap);

        await using var store = await Arena.Store.OpenAsync();
        var result = HistoryChecker.Check(crowd.Histories, crowd.Observed, JournalReader.Read(store));
        foreach (var broken in await StoreAudit.RunAsync(store)) Violate(broken);
        if (!result.Clean && result.Lost == 0 && result.Duplicated == 0 && result.OutOfOrder == 0) _violations++; // Its notes say what.
        _findings.AddRange(result.Notes);
        foreach (var error in crowd.Errors.Take(5)) await Console.Error.WriteLineAsync($"nemesis: a command ended unknown: {error}");
        var byKind = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var done in _done) byKind[done.Kind] = byKind.GetValueOrDefault(done.Kind) + 1;
        return new NemesisReport
        {
            Seconds = Math.Round(Stopwatch.GetElapsedTime(_started).TotalSeconds, 1),
            Faults = _done.Count,
            ByKind = byKind,
            NotInjected = [.. _network.NotInjected.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => $"{n.Key}: {n.Value}"), .. Arena.Store.Disk is null ? [$"{FaultKinds.DiskFull}: no right to mount a small disk"] : (string[])[]],
            Sent = result.Sent,
            Acknowledged = result.Acknowledged,
            Lost = result.Lost,
            Duplicates = result.Duplicated,
            OutOfOrder = result.OutOfOrder,
            SingletonEffects = _sink.Order.Effects,
            SingletonTerms = _sink.Order.Terms,
            OverlappingEffects = _sink.Order.Overlapping,
            MaxRecoveryMs = _done.Count == 0 ? 0 : _done.Max(d => d.RecoveryMs),
            Violations = _violations,
            Findings = _findings,
            Seed = _options.Seed,
            Nodes = Arena.Nodes.Count,
            Network = _network.Kind,
            Delivered = result.Delivered,
            LongestWaitMs = (long)crowd.LongestWait.TotalMilliseconds,
            ClientErrors = crowd.Errors.Count,
            Scenario = _scenario,
        };
    }

    private static bool WaitsToRejoin(string line) =>
        line.Contains("Rejoining as a new incarnation in", StringComparison.Ordinal) && !line.Contains("in 00:00:00", StringComparison.Ordinal);

    private void Violate(string finding)
    {
        lock (_findings)
        {
            _violations++;
            _findings.Add(finding);
        }
    }
}

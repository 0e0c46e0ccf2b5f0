using System.Diagnostics;
using System.Globalization;
using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Histories;
using ActorCluster.Demo.Input;
using ActorCluster.Demo.Nodes;
using ActorCluster.Demo.Replay;
using Microsoft.Data.Sqlite;

namespace ActorCluster.Demo;

/// <summary>Replays one window on fresh nodes with a fresh store, and checks it.</summary>
internal sealed class WindowRun(DemoOptions options, ChatWindow window, int victim, string data, TextWriter progress)
{
    private static readonly TimeSpan s_headsLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_stallLimit = TimeSpan.FromSeconds(60);
    private readonly List<string> _faults = [];
    private long _delivered;
    private int _struck;
    private volatile string _phase = "starting nodes";

    /// <summary>Runs it. Whatever happens, no node process is left behind.</summary>
    /// <exception cref="CouldNotRunException">The nodes did not come up.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stopping"/> was raised.</exception>
    public async Task<WindowResult> RunAsync(CancellationToken stopping)
    {
        var nodes = new NodeSet(options.Nodes, options.Sample, data);
        await using (nodes.ConfigureAwait(false))
        {
            using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            var state = new ReplayState((number, user, history) => NewClient(nodes, number, user, history), giveUp.Token);
            var replay = new ChatReplay(window, state);
            progress.WriteLine($"Starting {options.Nodes} nodes from port {nodes[0].ClientPort}, store and logs in {data}");
            await nodes.StartAllAsync(stopping).ConfigureAwait(false);
            progress.WriteLine("Waiting until every node has its share of the shards");
            await nodes.WaitForSpreadAsync(stopping).ConfigureAwait(false);

            using var watched = new CancellationTokenSource();
            var watch = WatchAsync(nodes, state, giveUp, watched.Token);
            var elapsed = TimeSpan.Zero;
            try
            {
                elapsed = await ReplayAsync(nodes, state, replay).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                _faults.Add($"Nothing was answered for {s_stallLimit.TotalSeconds} s: {state.Issued - state.Done} events are open; nodes: {nodes.States()}.");
            }
            catch (CouldNotRunException e) // A node that did not come back: a figure of this run, not a run that could not be.
            {
                _faults.Add(e.Message);
                await giveUp.CancelAsync().ConfigureAwait(false);
            }
            await watched.CancelAsync().ConfigureAwait(false);
            await watch.ConfigureAwait(false);
            await EndAsync(nodes, replay).ConfigureAwait(false);
            return Judge(nodes, state, replay, elapsed);
        }
    }

    private async Task<TimeSpan> ReplayAsync(NodeSet nodes, ReplayState state, ChatReplay replay)
    {
        _phase = "joining members";
        await replay.JoinMembersAsync().ConfigureAwait(false);
        _phase = "replaying";
        var rolling = options.Rolling ? new RollingPlan(nodes, state.Recovery) : null;
        var kill = victim > 0 ? new KillPlan(nodes, victim - 1, state) : null;
        IFaultPlan plan = (IFaultPlan?)rolling ?? (IFaultPlan?)kill ?? new NoFaultPlan();
        var started = Stopwatch.GetTimestamp();
        await replay.RunAsync(plan, options.Speed).ConfigureAwait(false);
        var elapsed = Stopwatch.GetElapsedTime(started);
        _faults.AddRange(rolling?.Faults ?? []);
        _struck = kill?.Struck ?? 0;

        _phase = "waiting for streams";
        try
        {
            await replay.ReachHeadsAsync(JournalReader.ReadHeads(nodes.StoreFile), s_headsLimit).ConfigureAwait(false);
        }
        catch (SqliteException e)
        {
            _faults.Add($"The store {nodes.StoreFile} cannot be read while nodes run: {e.Message}");
        }
        return elapsed;
    }

    private async Task EndAsync(NodeSet nodes, ChatReplay replay)
    {
        if (nodes.UnexpectedExits() is { } exits) _faults.Add($"Unexpected: {exits}.");
        await nodes.SaveStatusAsync().ConfigureAwait(false);
        await replay.CloseAsync().ConfigureAwait(false);
        progress.WriteLine("Stopping nodes and checking");
        _faults.AddRange(await nodes.StopAllAsync().ConfigureAwait(false));
    }

    private WindowResult Judge(NodeSet nodes, ReplayState state, ChatReplay replay, TimeSpan elapsed)
    {
        var journals = new Dictionary<string, RoomJournal>(StringComparer.Ordinal);
        try
        {
            journals = JournalReader.Read(nodes.StoreFile);
        }
        catch (Exception e) when (e is SqliteException or InvalidDataException)
        {
            _faults.Add($"The store {nodes.StoreFile} cannot be read: {e.Message}");
        }
        var check = HistoryChecker.Check(state.Histories, state.Observed, journals);
        _faults.AddRange(state.Errors);
        var (max, felt) = state.Recovery.Waits();
        return new()
        {
            Check = check,
            Users = replay.Users,
            Rooms = journals.Count,
            FailedOver = state.FailedOver,
            ImpliedJoins = state.ImpliedJoins,
            Ignored = state.Ignored,
            ClientErrors = state.ClientErrors,
            RecoveryMs = max,
            FeltMs = felt,
            LongestWait = state.Recovery.Longest,
            LongestBehindMs = state.Histories.Select(history => history.LongestBehindMs).DefaultIfEmpty().Max(),
            KilledNode = victim > 0 ? nodes[victim - 1].Name : null,
            Struck = _struck,
            Seconds = elapsed.TotalSeconds,
            Faults = _faults,
        };
    }

    // Spread over the nodes: each user begins at another one and tries the others in turn.
    private ClusterChatClient NewClient(NodeSet nodes, int number, string user, ClientHistory history)
    {
        var hosts = new Uri[nodes.Count];
        for (var i = 0; i < hosts.Length; i++) hosts[i] = nodes[(number + i) % hosts.Length].Clients;
        return new(user, hosts, history, count => Interlocked.Add(ref _delivered, count));
    }

    // One line a second; and the end of a replay in which nothing moves any more.
    private async Task WatchAsync(NodeSet nodes, ReplayState state, CancellationTokenSource giveUp, CancellationToken watched)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        var (done, moved) = (-1L, Stopwatch.GetTimestamp());
        try
        {
            while (await timer.WaitForNextTickAsync(watched).ConfigureAwait(false))
            {
                progress.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{_phase}: {state.Issued} events, {state.Answered} acked, {Interlocked.Read(ref _delivered)} delivered, {state.Connected} clients; {nodes.States()}"));
                // Slow replays issue nothing for long; only events that are open can stall.
                if (state.Done != done || state.Done == state.Issued) (done, moved) = (state.Done, Stopwatch.GetTimestamp());
                if (Stopwatch.GetElapsedTime(moved) > s_stallLimit) await giveUp.CancelAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The replay is over.
        }
    }
}

using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Counts the (state, event) pairs of the protocol's tables that a run meets: members (1), the split-brain decision (3.4), node modes (4.4), the hand-off (5.3).</summary>
internal sealed class SimCoverage(SimCluster cluster)
{
    private const string Modes = "Joining,Serving,Degraded,Frozen";

    private readonly SortedDictionary<string, long> _hits = new(StringComparer.Ordinal);

    /// <summary>All pairs that the code has.</summary>
    public static ImmutableSortedSet<string> All { get; } =
    [
        .. Pairs("1 none", "joins", "joins over its address", "joins under a dead one's name", "loses the race", "in doubt"),
        .. Pairs("1 joining", "up", "up past a stale voter", "up past a dead voter", "left", "superseded", "dead for a newcomer", "name taken over", "never came up", "loses the race", "in doubt"),
        .. Pairs("1 up", "leaves", "superseded", "name taken over", "stale for a newcomer", "dead for a newcomer", "crashed", "claimed", "claimed by its lease", "claimed undecided", "all down", "released", "loses the race", "in doubt"),
        .. Pairs("1 leaving", "left", "superseded", "stale for a newcomer", "dead for a newcomer", "name taken over", "crashed", "claimed", "claimed by its lease", "claimed undecided", "all down", "released", "loses the race", "in doubt"),
        .. Pairs("1 down", "acquires", "renews", "writes"),
        .. Pairs("3.4 keep-majority", "Now", "Tie", "Late", "undecided"),
        .. Pairs("3.4 static-quorum", "Now", "Stop"),
        .. Pairs("3.4 keep-oldest", "Now", "Late"),
        .. Pairs("3.4 keep-referee", "Now", "Late", "Stop"),
        .. Pairs("3.4 lease-majority", "Now", "Tie"),
        .. Pairs("3.4 down-all", "All"),
        .. Pairs("3.4 any", "crash evident", "loses the race", "in doubt"),
        .. Modes.Split(',').SelectMany(m => Pairs($"4.4 {m}", "renewed", "renewal fails", "own rows read", "is told it is down")),
        .. Pairs("4.4 Joining", "becomes Serving", "becomes Degraded", "becomes Frozen"),
        .. Pairs("4.4 Serving", "becomes Degraded", "becomes Frozen"),
        .. Pairs("4.4 Degraded", "becomes Serving", "becomes Frozen"),
        .. Pairs("4.4 Frozen", "becomes Serving", "becomes Degraded"),
        .. new[] { "Serving", "Degraded", "Frozen" }.SelectMany(m => Pairs($"4.4 {m}", "command", "read", "subscription")),
        .. Pairs("4.4 by assent", "begins Degraded", "begins Frozen", "read", "effect", "a word is missing", "newer view", "ends Serving", "ends otherwise"),
        .. Pairs("5.3 free", "acquired", "acquire in doubt", "acquire refused", "target dies", "retargeted"),
        .. new[] { "planned", "Draining", "Drained", "Releasing" }.SelectMany(p => Pairs($"5.3 {p}", "owner dies", "target dies", "coordinator dies", "lost")),
        .. Pairs("5.3 Serving", "lost", "owner dies", "drain", "release sent"),
        .. Pairs("5.3 Draining", "drained", "reopened"),
        .. Pairs("5.3 Drained", "reopened", "release sent"),
        .. Pairs("5.3 Releasing", "released", "in doubt", "help asked"),
        .. Pairs("6.2 switch", "refused", "there already", "planned", "overtaken", "in doubt", "store away"),
    ];

    public IReadOnlyDictionary<string, long> Hits => _hits;

    private ModelDatabase Database => cluster.Store.Database;

    public void Hit(string state, string met)
    {
        var pair = $"{state}: {met}";
        _hits[pair] = _hits.GetValueOrDefault(pair) + 1;
    }

    /// <summary>A view change came back; <paramref name="before"/> are the members that it met.</summary>
    public void ViewChanged(ViewChange change, StoreVerdict verdict, ImmutableArray<MemberRow> before)
    {
        var own = StateOf(change.By, before);
        if (verdict != StoreVerdict.Ok)
        {
            var how = verdict == StoreVerdict.InDoubt ? "in doubt" : "loses the race";
            if (own != "down") Hit($"1 {own}", how);
            if (change.Members.OfType<MemberChange.Down>().Any(d => ClaimOf(d.Reason) is not null)) Hit("3.4 any", how);
            return;
        }
        var downs = change.Members.OfType<MemberChange.Down>().ToList();
        foreach (var down in downs) Downed(down, StateOf(down.Inc, before));
        foreach (var released in change.Releases) Hit($"1 {StateOf(released.Inc, before)}", "released");
        if (downs.Count > 0 && ClaimOf(downs[0].Reason) is { } claim) Hit(claim == "crash evident" ? "3.4 any" : $"3.4 {cluster.Resolver.Name}", claim);
        foreach (var step in change.Members)
        {
            if (step is MemberChange.Join) Hit("1 none", downs.Count == 0 ? "joins" : downs.Exists(d => d.Reason.StartsWith("superseded", StringComparison.Ordinal)) ? "joins over its address" : "joins under a dead one's name");
            else if (step is MemberChange.Up) Hit("1 joining", downs.Count == 0 ? "up" : downs.Exists(d => d.LeaseSeqSeen is null) ? "up past a dead voter" : "up past a stale voter");
            else if (step is MemberChange.Leave) Hit("1 up", "leaves");
        }
    }

    /// <summary>A side stops itself.</summary>
    public void SideStopped() => Hit($"3.4 {cluster.Resolver.Name}", "Stop");

    public void ModeChanged(NodeMode from, NodeMode to)
    {
        if (to != NodeMode.Fenced && from != NodeMode.Fenced) Hit($"4.4 {from}", $"becomes {to}");
    }

    public void Answered(SimLife life, NodeMode mode, ControlAnswer answer)
    {
        switch (answer.Call)
        {
            case ControlCall.Renew when answer.Verdict == StoreVerdict.Fenced:
                Hit("1 down", "renews");
                break;
            case ControlCall.Renew:
                Hit($"4.4 {mode}", answer.IsOk ? "renewed" : "renewal fails");
                break;
            case ControlCall.ReadPicture when answer.IsOk:
                Hit($"4.4 {mode}", "own rows read");
                break;
            case ControlCall.ReadCluster when answer.IsOk && answer.As<ClusterSnapshot>().Find(life.Inc) is { IsLive: false }:
                Hit($"4.4 {mode}", "is told it is down");
                break;
            case ControlCall.Acquire when answer.IsOk && answer.As<ImmutableArray<AcquiredShard>>().Length > 0:
                Hit("5.3 free", "acquired");
                break;
            case ControlCall.Acquire when answer.Verdict == StoreVerdict.InDoubt:
                Hit("5.3 free", "acquire in doubt");
                break;
            case ControlCall.Acquire when answer.Verdict == StoreVerdict.Fenced:
                Hit("5.3 free", "acquire refused");
                if (Database.Find(life.Inc) is { IsLive: false }) Hit("1 down", "acquires");
                break;
            case ControlCall.Retarget when answer.IsOk && answer.As<ImmutableArray<ShardNo>>().Length > 0:
                Hit("5.3 free", "retargeted");
                break;
            default:
                break;
        }
    }

    /// <summary>A process dies: where its shards, and those on their way to it, stand.</summary>
    public void Dies(SimLife life)
    {
        var coordinates = life.Core.Membership.Snapshot is not null && life.Core.Membership.IsCoordinator(life.Clock);
        foreach (var row in Database.Shards)
        {
            if (row.State == ShardState.Free && row.Target == life.Inc) Hit("5.3 free", "target dies");
            if (row.Owner is not { } owner || cluster.LifeOf(owner) is not { } serves) continue;
            var phase = serves.PhaseOf(row.No);
            if (row.State == ShardState.Handoff && phase == SimPhase.Serving)
            {
                if (owner == life.Inc) Hit("5.3 planned", "owner dies");
                else if (row.Target == life.Inc) Hit("5.3 planned", "target dies");
                else if (coordinates) Hit("5.3 planned", "coordinator dies");
            }
            else if (owner == life.Inc) Hit($"5.3 {phase}", "owner dies");
            else if (phase == SimPhase.Serving) continue;
            else if (row.Target == life.Inc) Hit($"5.3 {phase}", "target dies");
            else if (coordinates) Hit($"5.3 {phase}", "coordinator dies");
        }
    }

    private void Downed(MemberChange.Down down, string state)
    {
        if (state == "down") return; // Only its certificate is new.
        Hit($"1 {state}", down.Reason switch
        {
            "left" or "left while joining" => "left",
            "never came up" => "never came up",
            "lease stale and silent" => "stale for a newcomer",
            "lease stale, name taken over" => "name taken over",
            "dead: its lock file is free" => "dead for a newcomer",
            var reason when reason.StartsWith("superseded", StringComparison.Ordinal) => "superseded",
            var reason => ClaimOf(reason) switch { "crash evident" => "crashed", "Late" => "claimed by its lease", "undecided" => "claimed undecided", "All" => "all down", _ => "claimed" },
        });
    }

    private static string? ClaimOf(string reason) => reason switch
    {
        "crashed" => "crash evident",
        "unreachable and its lease is stale" => "Late",
        "the division stayed undecided" => "undecided",
        _ when reason.Contains("all start anew", StringComparison.Ordinal) => "All",
        _ when reason.EndsWith(" Now", StringComparison.Ordinal) => "Now",
        _ when reason.EndsWith(" Tie", StringComparison.Ordinal) => "Tie",
        _ => null,
    };

    private static string StateOf(Incarnation inc, ImmutableArray<MemberRow> members) =>
        members.FirstOrDefault(m => m.Inc == inc)?.Status switch { null => "none", MemberStatus.Joining => "joining", MemberStatus.Up => "up", MemberStatus.Leaving => "leaving", _ => "down" };

    private static IEnumerable<string> Pairs(string state, params string[] events) => events.Select(e => $"{state}: {e}");
}

/// <summary>Where a shard stands with its owner, as its host sees it.</summary>
internal enum SimPhase
{
    Serving,
    Draining,
    Drained,
    Releasing,
}

using System.Collections.Immutable;
using ActorCluster.Placement;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A bug, and the runs that must find it: a checker that never fails proves nothing.</summary>
/// <param name="Name">What is wrong.</param>
/// <param name="Options">The runs, the bug among them.</param>
/// <param name="Seeds">From seed 1 on, within so many runs.</param>
/// <param name="Breaks">The invariants that it may break; one of them must be the first that is.</param>
internal sealed record PlantedBug(string Name, SimulationOptions Options, int Seeds, ImmutableArray<string> Breaks)
{
    /// <summary>The faults of a seed, where drawn ones would meet too rarely.</summary>
    public Func<ulong, ImmutableArray<PlannedFault>>? Faults { get; init; }

    /// <summary>The run of a seed.</summary>
    public SimulationPlan PlanOf(ulong seed)
    {
        var plan = SimulationPlan.Draw(seed, Options);
        return Faults is null ? plan : plan with { Faults = Faults(seed) };
    }

    /// <summary>The first run that breaks something; null when all passed.</summary>
    public SimulationResult? Find()
    {
        for (ulong seed = 1; seed <= (ulong)Seeds; seed++)
            if (Simulation.Run(PlanOf(seed)) is { Invariant: not null } found) return found;
        return null;
    }
}

/// <summary>The mutation list of protocol section 8, and one bug for every other checker.</summary>
internal static class PlantedBugs
{
    private static SimulationOptions Usual { get; } = new() { Strategy = "keep-majority", Buggify = false, Timers = false, Truncates = false, Regresses = false, Sickens = false, OnCrashEvidence = false, Failsafe = false, FrozenMax = false };

    private static SimulationOptions Pruning { get; } = Usual with { Buggify = true, Nodes = 3, SharedHost = false };

    private static SimulationOptions Many { get; } = SimulationScenario.Many with { Strategy = "keep-majority", Buggify = false, Timers = false, Sickens = false, Nodes = 26, SharedHost = false };

    private static SimulationOptions WithoutStore { get; } = Usual with { Failsafe = true, Nodes = 3, SharedHost = false };

    public static ImmutableArray<PlantedBug> All { get; } =
    [
        new("append without epoch", Usual with { StoreMutation = ModelMutation.AppendIgnoresEpoch, Nodes = 2, Clients = 10 }, 20, ["I2"]) { Faults = SlowlyCutOff },
        Host("acknowledge before commit", SimMutation.AckBeforeCommit, 1, ["I3"]),
        Host("in doubt taken for committed", SimMutation.SkipResolve, 20, ["I3", "I5", "I11", "Exit", "7.6"], SimFault.LostReplies, SimFault.StoreCutOff),
        new("a read check is used again", Usual with { Mutation = SimMutation.ReusesAReadCheck, Nodes = 2, Clients = 8 }, 20, ["I7"]) { Faults = LosesTheStoreAfterTheOthers },
        Host("a lease by the wall clock", SimMutation.WallClockLease, 40, ["I6", "I8", "I12", "I13"], SimFault.WallJump), // I13: one whose clock was put back an hour ends its lease for an hour.
        Host("a lease by a clock that stops in suspension", SimMutation.ClockStopsInSuspend, 120, ["I6", "I8", "I12"], SimFault.Suspend),
        Host("LATE without LeaseStale", SimMutation.LateWithoutLeaseStale, 40, ["I12"], SimFault.Cut, SimFault.StoreCutOff),
        Host("a buffer dropped at a hand-off", SimMutation.DropsTheBufferOnHandoff, 20, ["I14"], SimFault.RollingRestart, SimFault.Kill),
        new("acquire without the member lock", Usual with { StoreMutation = ModelMutation.AcquireWithoutMemberCheck, Nodes = 3 }, 150, ["I13"]) { Faults = ReleasedToWhoIsEvicted },
        Store("eviction by rows read before", ModelMutation.EvictByRowsReadBefore, 30, ["I13"], SimFault.Kill, SimFault.Pause),
        new("a fence by EXISTS", Usual with { Mutation = SimMutation.FencesByExists, Nodes = 2, Clients = 10 }, 40, ["I2"]) { Faults = SlowlyCutOff },
        new("reopen after a sent release", Usual with { Mutation = SimMutation.ReopensAfterASentRelease, Nodes = 3 }, 20, ["5.3"]) { Faults = ReleasesInDoubt },
        new("leave frozen without reading own rows", Usual with { Mutation = SimMutation.LeaveFrozenWithoutReadingOwnRows, Nodes = 3 }, 20, ["4.4"]) { Faults = ReleasedWithoutHelp },
        new("evict without lease_seq", Usual with { StoreMutation = ModelMutation.EvictIgnoresLeaseSeq, Nodes = 3, SharedHost = false, Clients = 1 }, 150, ["I12"]) { Faults = StoreComesBackAtTheTtl },
        Host("a snapshot of speculation", SimMutation.SnapshotOfSpeculation, 20, ["7.6"], SimFault.SlowStore, SimFault.HotRoom),
        Host("no re-subscription", SimMutation.NoResubscription, 3, ["I5"]),
        new("prev_inc overwritten on a free row", Usual with { StoreMutation = ModelMutation.RevokeForgetsPrevious, Nodes = 5 }, 40, ["I12"]) { Faults = OneAfterTheOther },
        new("effects past the lease", Usual with { Mutation = SimMutation.ActsPastTheLease, Nodes = 3, SharedHost = false }, 20, ["I8"]) { Faults = AloneWithoutTheStore },
        Host("stopped before effects have ended", SimMutation.StopsBeforeEffectsEnd, 60, ["I8"], SimFault.Leave, SimFault.RollingRestart),
        new("helped before effects have ended", Usual with { Mutation = SimMutation.AsksBeforeEffectsEnd, Nodes = 3 }, 20, ["I8"]) { Faults = static seed => [new() { Kind = SimFault.StoreCutOff, AtMs = 20_000 + (50 * (long)seed), ForMs = 12_000, Nodes = [0] }] },
        Store("an exclusive shard taken at once", ModelMutation.TakeExclusiveAtOnce, 60, ["I8"], SimFault.Cut, SimFault.StoreCutOff),
        new("crash evidence frees any exclusive shard", Usual with { StoreMutation = ModelMutation.CrashFreesAnyExclusive, Nodes = 3, SharedHost = false }, 20, ["I8"]) { Faults = LooksLikeACrash },
        Store("acquire keeps the epoch", ModelMutation.AcquireKeepsEpoch, 3, ["I1"], SimFault.Kill, SimFault.RollingRestart),
        new("the sweep leaves what an eviction passed over", Usual with { StoreMutation = ModelMutation.SweepRevokesNothing, Calls = 30, Nodes = 3, Buggify = true, Faults = [SimFault.Kill] }, 10, ["I13"]),
        new("what is inherited keeps its epoch", Usual with { StoreMutation = ModelMutation.InheritKeepsEpoch, Calls = 8, Nodes = 3, Faults = [SimFault.Kill] }, 10, ["I1"]),
        new("a row for each who places", Usual with { StoreMutation = ModelMutation.PlaceAgain, Calls = 8, Nodes = 3 }, 10, ["5.1"]),
        Host("no deduplication", SimMutation.NoDeduplication, 20, ["I4"], SimFault.LostReplies, SimFault.Reset),
        Host("client order ignored", SimMutation.IgnoresClientOrder, 60, ["I6"]),
        Host("fan-out before commit", SimMutation.FanOutBeforeCommit, 3, ["I11"]),
        new("types kept to itself", Usual with { Mutation = SimMutation.KeepsItsTypesToItself, ShardsElsewhere = 4 }, 5, ["I13"]),
        Host("a lost shard stays in memory", SimMutation.KeepsWhatItLost, 5, ["I15"], SimFault.RollingRestart, SimFault.Leave),
        new("a timer removed before its effect", Usual with { Mutation = SimMutation.RemovesTimersFirst, Timers = true }, 3, ["I9"]),
        new("timers of an acquired shard left unread", Usual with { Mutation = SimMutation.LeavesTimersUnread, Timers = true, Faults = [SimFault.Kill, SimFault.RollingRestart] }, 10, ["I9"]),
        new("a timer fires without asking its room", Usual with { Mutation = SimMutation.FiresUnasked, Timers = true, Faults = [SimFault.LostReplies, SimFault.StoreCutOff] }, 60, ["I9"]),
        new("a firing leaves its timer", Usual with { StoreMutation = ModelMutation.FiringLeavesItsTimer, Timers = true }, 3, ["I9"]),
        new("a regression is not looked at", Usual with { Mutation = SimMutation.LooksAtNoRegression, Regresses = true, Nodes = 3 }, 5, ["I16"]),
        new("a re-append leaves the shard's next row", Usual with { StoreMutation = ModelMutation.ReappendForgetsNextSeq, Regresses = true, Nodes = 3 }, 5, ["I2", "Exit"]),
        new("truncation up to the newest snapshot", Usual with { StoreMutation = ModelMutation.TruncatesUpToTheNewest, Truncates = true }, 3, ["7.6"]),
        Host("a view with the members of the one before", SimMutation.ShowsOldMembers, 3, ["I10", "Exit"]),
        Host("any lock file counts as free", SimMutation.TakesAnyLockForFree, 30, ["2.5"], SimFault.Cut, SimFault.Isolate, SimFault.Reset),
        new("a prune forgets whom a shard waits for", Pruning with { StoreMutation = ModelMutation.PruneForgetsPrevious }, 20, ["I12", "I13"]) { Faults = AwayForLong },
        new("a prune forgets the numbers that were given", Pruning with { StoreMutation = ModelMutation.PruneForgetsNumbers }, 20, ["I10", "4.4"]) { Faults = AwayForLong },
        new("losses on a half-open link are not told", Usual with { Mutation = SimMutation.KeepsLossesToItself, Nodes = 2, SharedHost = false, Clients = 10 }, 5, ["I13", "I14"]) { Faults = HalfOpen },
        new("beats go through others", Usual with { Mutation = SimMutation.RelaysBeats, Nodes = 3 }, 3, ["2.6"]) { Faults = static _ => [new() { Kind = SimFault.Cut, AtMs = 20_000, ForMs = 30_000, Nodes = [0], Others = [1] }] },
        new("nobody is told that it is down", Usual with { Mutation = SimMutation.TellsNobodyThatItIsDown, Nodes = 3, SharedHost = false }, 3, ["3.6"]) { Faults = EvictedWithoutTheStore },
        new("any session counts as gone", Usual with { Mutation = SimMutation.TakesAnySessionForGone, Nodes = 2, SharedHost = false }, 3, ["2.5"])
        {
            Faults = static _ => [new() { Kind = SimFault.Cut, AtMs = 20_000, ForMs = 5_000, Value = 1, Nodes = [0], Others = [1] }],
        },
        new("a node keeps its own lease times", Usual with { Mutation = SimMutation.KeepsItsOwnTimes, Nodes = 3, SharedHost = false }, 20, ["I8", "I12"]) { Faults = static seed => [new() { Kind = SimFault.StoreCutOff, AtMs = 20_000 + (50 * (long)seed), ForMs = 4_000, Nodes = [0] }, new() { Kind = SimFault.Cut, AtMs = 20_000 + (50 * (long)seed), ForMs = 4_000, Nodes = [0], Others = [1, 2] }] },
        new("clocks of others are not looked at", Usual with { Mutation = SimMutation.KnowsNoOtherClock, Nodes = 3, SharedHost = false }, 10, ["I8"]) { Faults = StoppedWithItsClocks },
        new("whom nobody watches counts as down", Many with { Mutation = SimMutation.TakesUnwatchedForDown, Nodes = 32 }, 6, ["2.2"]) { Faults = AtOtherTimes },
        new("no full mesh when somebody is missed", Many with { Mutation = SimMutation.WatchesNobodyMore, Nodes = 48 }, 3, ["3.4"])
        {
            Faults = static _ => [new() { Kind = SimFault.Isolate, AtMs = 14_000, ForMs = 15_000, Nodes = [0], Others = [.. Enumerable.Range(1, 47)] }],
        },
        new("a quorum's word is enough", WithoutStore with { Mutation = SimMutation.GoesOnByAQuorum }, 5, ["I8", "I12"]) { Faults = OneOfThreeIsCutOffAndHasTheStore },
        new("a word's age counts from its arrival", WithoutStore with { Mutation = SimMutation.CountsAWordFromItsArrival }, 20, ["I6", "I8", "I12"]) { Faults = StandsStillOnTheLastWord },
        new("a newcomer does not wait for those who may go on by a word", WithoutStore with { Mutation = SimMutation.NewcomerDoesNotWait }, 5, ["I8", "I12"]) { Faults = ANewcomerHasTheStore },
        new("a word is broken", WithoutStore with { Mutation = SimMutation.BreaksItsWord }, 40, ["I6", "I8", "I12"]) { Faults = BackAtTheStoreForTheSecondTime },
        new("a sick node is given shards", Usual with { Mutation = SimMutation.GivesSickShards, Nodes = 4, SharedHost = false }, 5, ["2.4"]) { Faults = static seed => [Hangs(3), new() { Kind = SimFault.Kill, AtMs = 35_000 + (100 * (long)seed), ForMs = 15_000, Nodes = [1] }] },
        new("the last host of a type is drained", Usual with { Mutation = SimMutation.DrainsLastHosts, Nodes = 5, SharedHost = false, ShardsElsewhere = 4, ElsewhereHosts = 2 }, 5, ["2.4"]) { Faults = static seed => [Hangs(3, 4), new() { Kind = SimFault.Kill, AtMs = 35_000 + (100 * (long)seed), ForMs = 25_000, Nodes = [3] }] },
        new("a singleton is switched to a sick node", Usual with { Mutation = SimMutation.SwitchesToTheSick, Nodes = 4, SharedHost = false, Singleton = SingletonMode.Sticky }, 5, ["2.4"]) { Faults = static seed => [Hangs(3), new() { Kind = SimFault.Switch, AtMs = 35_000 + (100 * (long)seed), ForMs = 1, Nodes = [3], Others = [0] }] },
        new("too many are relieved", Usual with { Mutation = SimMutation.RelievesHoweverMany, Nodes = 3 }, 5, ["2.4"]) { Faults = static _ => [Hangs(1, 2)] },
        new("frozen time of earlier times counts", Usual with { Mutation = SimMutation.CountsFromTheFirstFreeze, FrozenMax = true, Nodes = 3 }, 3, ["Exit"])
        {
            Faults = static _ => [new() { Kind = SimFault.StoreCutOff, AtMs = 20_000, ForMs = 10_000, Nodes = [0] }, new() { Kind = SimFault.StoreCutOff, AtMs = 40_000, ForMs = 10_000, Nodes = [0] }],
        },
        new("a refused view change is asked for at once", Usual with { Mutation = SimMutation.AsksAgainAtOnce, Nodes = 3 }, 5, ["1"]) { Faults = static _ => [new() { Kind = SimFault.StoreErrors, AtMs = 0, ForMs = 20_000, Value = 0.5 }] },
        new("a policy by which every side claims", Usual with { Resolver = new PlantedUsers.EverySide(), Nodes = 3, Faults = [SimFault.Isolate, SimFault.Cut] }, 10, ["3.3"]),
        new("a user's entity changes its state when it decides", Usual with { Entity = PlantedUsers.Hasty, Faults = [SimFault.Kill, SimFault.Isolate] }, 10, ["Replay"]),
        new("a user's entity counts past its limit", Usual with { Entity = PlantedUsers.Limitless }, 3, ["Checker"]),
        new("nobody claims", Usual with { Mutation = SimMutation.NobodyClaims, Nodes = 2 }, 5, ["I17"]) { Faults = static _ => [new() { Kind = SimFault.Cut, AtMs = 8_000, ForMs = 30_000, Nodes = [0], Others = [1] }] },
    ];

    /// <summary>A firewall begins to reject a node's links when it has no session with the store.</summary>
    private static ImmutableArray<PlannedFault> LooksLikeACrash(ulong seed) =>
    [
        new() { Kind = SimFault.StoreCutOff, AtMs = 20_000 + (50 * (long)seed), ForMs = 15_000, Nodes = [0] },
        new() { Kind = SimFault.Cut, AtMs = 20_100 + (50 * (long)seed), ForMs = 15_000, Value = 1, Nodes = [0], Others = [1, 2] },
    ];

    /// <summary>Long enough to be sick, and not so far behind that the nodes freeze.</summary>
    private static PlannedFault Hangs(params int[] nodes) => new() { Kind = SimFault.PoolHang, AtMs = 8_000, ForMs = 60_000, Value = 2_000, Nodes = [.. nodes] };

    private static PlantedBug Host(string name, SimMutation mutation, int seeds, ImmutableArray<string> breaks, params SimFault[] faults) =>
        new(name, Usual with { Mutation = mutation, Faults = [.. faults] }, seeds, breaks);

    private static PlantedBug Store(string name, ModelMutation mutation, int seeds, ImmutableArray<string> breaks, params SimFault[] faults) =>
        new(name, Usual with { StoreMutation = mutation, Faults = [.. faults], Clients = 8 }, seeds, breaks);

    private static PlannedFault NoStore(long atMs, long forMs, params int[] nodes) => new() { Kind = SimFault.StoreDown, AtMs = atMs, ForMs = forMs, Nodes = [.. nodes] };

    /// <summary>Two go on without the store; the third, which nobody hears, gets it back and takes over by their leases.</summary>
    private static ImmutableArray<PlannedFault> OneOfThreeIsCutOffAndHasTheStore(ulong seed) =>
    [
        NoStore(20_000 + (50 * (long)seed), 40_000, 0, 1),
        NoStore(20_000 + (50 * (long)seed), 12_000, 2),
        new() { Kind = SimFault.Isolate, AtMs = 31_000, ForMs = 25_000, Nodes = [2], Others = [0, 1] },
    ];

    /// <summary>Two of three stand still when words have come that they have not looked at; the third, which gave one, reaches the store again, unheard, and takes over.</summary>
    private static ImmutableArray<PlannedFault> StandsStillOnTheLastWord(ulong seed) =>
    [
        NoStore(20_000, 40_000, 0, 2),
        NoStore(20_000, 6_000, 1),
        new() { Kind = SimFault.Pause, AtMs = 25_300 + (20 * (long)seed), ForMs = 14_000, Nodes = [0, 2] },
        new() { Kind = SimFault.Isolate, AtMs = 25_950, ForMs = 20_000, Nodes = [1], Others = [0, 2] },
    ];

    /// <summary>One is gone and evicted, the others lose the store, and it comes back where nobody hears it.</summary>
    private static ImmutableArray<PlannedFault> ANewcomerHasTheStore(ulong seed) =>
    [
        new() { Kind = SimFault.Kill, AtMs = 14_000, ForMs = 10_000, Nodes = [2] },
        NoStore(22_000 + (50 * (long)seed), 40_000, 0, 1),
        new() { Kind = SimFault.Isolate, AtMs = 23_000, ForMs = 30_000, Nodes = [2], Others = [0, 1] },
    ];

    /// <summary>One reaches the store for a moment, in which it sees that another is frozen, and again when it may release the other's shards at once.</summary>
    private static ImmutableArray<PlannedFault> BackAtTheStoreForTheSecondTime(ulong seed) =>
        [NoStore(20_000, 40_000, 0, 2), NoStore(20_000, 9_000, 1), NoStore(30_500, 9_500 + (50 * (long)seed), 1)];

    /// <summary>Long enough to be evicted and pruned before it wakes; and while it sleeps, its exclusive shards wait for its lease.</summary>
    private static ImmutableArray<PlannedFault> AwayForLong(ulong seed) => [new() { Kind = SimFault.Pause, AtMs = 20_000 + (100 * (long)seed), ForMs = 25_000, Nodes = [2] }];

    /// <summary>The race is narrow (a renewal between the last look at a lease and the eviction that rests on it), so the seeds come back to the store around the TTL.</summary>
    private static ImmutableArray<PlannedFault> StoreComesBackAtTheTtl(ulong seed) =>
    [
        new() { Kind = SimFault.Cut, AtMs = 20_000, ForMs = 15_000, Nodes = [0, 1], Others = [2] },
        new() { Kind = SimFault.StoreCutOff, AtMs = 20_000, ForMs = 6_000 + (20 * (long)seed), Nodes = [0] },
        new() { Kind = SimFault.StoreCutOff, AtMs = 20_000, ForMs = 15_000, Nodes = [1] },
        new() { Kind = SimFault.SlowStore, AtMs = 20_000, ForMs = 15_000, Value = 200 },
    ];

    /// <summary>The store is slow while the younger is evicted, so that its last appends land behind the eviction.</summary>
    private static ImmutableArray<PlannedFault> SlowlyCutOff(ulong seed) =>
    [
        new() { Kind = SimFault.SlowStore, AtMs = 19_000, ForMs = 8_000, Value = 60 + (4 * (double)seed) },
        new() { Kind = SimFault.Cut, AtMs = 20_000, ForMs = 10_000, Nodes = [1], Others = [0] },
    ];

    /// <summary>The younger misses the older, asks the store about its reads, then misses the store too and does not hear that it was evicted.</summary>
    private static ImmutableArray<PlannedFault> LosesTheStoreAfterTheOthers(ulong seed) =>
    [
        new() { Kind = SimFault.Cut, AtMs = 20_000, ForMs = 10_000, Nodes = [1], Others = [0] },
        new() { Kind = SimFault.StoreCutOff, AtMs = 21_500 + (40 * (long)seed), ForMs = 8_000, Nodes = [1] },
    ];

    /// <summary>The data channel stays away, so that all is asked over the control channel, and answered into nothing.</summary>
    private static ImmutableArray<PlannedFault> HalfOpen(ulong seed) =>
    [
        new() { Kind = SimFault.HalfOpen, AtMs = 20_000 + (7 * (long)seed), ForMs = 1, Nodes = [0], Others = [1] },
        new() { Kind = SimFault.CutChannel, AtMs = 20_001 + (7 * (long)seed), ForMs = 4_000, Nodes = [0], Others = [1], Value = 1 },
    ];

    /// <summary>One is evicted while it reaches nobody; then it reaches the others, but not the store.</summary>
    private static ImmutableArray<PlannedFault> EvictedWithoutTheStore(ulong seed) =>
    [
        new() { Kind = SimFault.StoreCutOff, AtMs = 20_000, ForMs = 25_000, Nodes = [1] },
        new() { Kind = SimFault.Isolate, AtMs = 20_000 + (20 * (long)seed), ForMs = 6_000, Nodes = [1], Others = [0, 2] },
    ];

    /// <summary>While the store is slow, one that was stopped with all of its clocks hears the others before it hears that it was evicted.</summary>
    private static ImmutableArray<PlannedFault> StoppedWithItsClocks(ulong seed) =>
    [
        new() { Kind = SimFault.StandStill, AtMs = 20_000 + (100 * (long)seed), ForMs = 15_000, Nodes = [0] },
        new() { Kind = SimFault.SlowStore, AtMs = 34_000, ForMs = 5_000, Value = 700 },
    ];

    /// <summary>One does not reach the store, and the others do not for long enough on end to be asked for help; so its shards are released when it was frozen for long.</summary>
    private static ImmutableArray<PlannedFault> ReleasedWithoutHelp(ulong seed) =>
    [
        new() { Kind = SimFault.StoreCutOff, AtMs = 20_000 + (50 * (long)seed), ForMs = 20_000, Nodes = [0] },
        new() { Kind = SimFault.StoreErrors, AtMs = 20_000, ForMs = 22_000, Value = 0.4 },
    ];

    private static ImmutableArray<PlannedFault> AloneWithoutTheStore(ulong seed) =>
    [
        new() { Kind = SimFault.Isolate, AtMs = 20_000 + (50 * (long)seed), ForMs = 15_000, Nodes = [0], Others = [1, 2] },
        new() { Kind = SimFault.StoreCutOff, AtMs = 20_000 + (50 * (long)seed), ForMs = 15_000, Nodes = [0] },
    ];

    /// <summary>Nothing but time until the run is judged: what comes and goes with the full mesh is there at another moment in each.</summary>
    private static ImmutableArray<PlannedFault> AtOtherTimes(ulong seed) => [new() { Kind = SimFault.Duplicates, AtMs = 5_000, ForMs = 2_000 * (long)seed }];

    private static ImmutableArray<PlannedFault> ReleasesInDoubt(ulong seed) =>
    [
        new() { Kind = SimFault.LostReplies, AtMs = 18_000, ForMs = 12_000, Value = 0.5 },
        new() { Kind = SimFault.Leave, AtMs = 20_000 + (50 * (long)seed), ForMs = 8_000, Nodes = [0] },
    ];

    /// <summary>A node that leaves gives its shards to one that is being evicted; with a slow store and late copies the acquire lands behind the eviction.</summary>
    private static ImmutableArray<PlannedFault> ReleasedToWhoIsEvicted(ulong seed) =>
    [
        new() { Kind = SimFault.SlowStore, AtMs = 16_000, ForMs = 15_000, Value = 150 },
        new() { Kind = SimFault.LateCopies, AtMs = 16_000, ForMs = 15_000, Value = 0.8 },
        new() { Kind = SimFault.Isolate, AtMs = 17_000 + (20 * (long)seed), ForMs = 12_000, Nodes = [1], Others = [0, 2] },
        new() { Kind = SimFault.Leave, AtMs = 20_000, ForMs = 12_000, Nodes = [0] },
    ];

    /// <summary>The second dies while it is to take over from the first.</summary>
    private static ImmutableArray<PlannedFault> OneAfterTheOther(ulong seed) =>
    [
        new() { Kind = SimFault.Kill, AtMs = 20_000, ForMs = 10_000, Nodes = [1] },
        new() { Kind = SimFault.Kill, AtMs = 20_000 + (25 * (long)seed), ForMs = 10_000, Nodes = [2] },
    ];
}

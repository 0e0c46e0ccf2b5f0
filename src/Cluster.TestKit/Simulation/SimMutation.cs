namespace ActorCluster.TestKit.Simulation;

/// <summary>Bugs that the simulated node's host can be told to have, so that the checkers can be shown to find them.</summary>
public enum SimMutation
{
    /// <summary>The host as specified.</summary>
    None,

    /// <summary>What the store shows is passed over where it is less than what it showed before.</summary>
    LooksAtNoRegression,

    /// <summary>A command is answered when its turn has run, not when its row has committed.</summary>
    AckBeforeCommit,

    /// <summary>A lost reply to an append counts as committed.</summary>
    SkipResolve,

    /// <summary>A relay subscribes once and never again.</summary>
    NoResubscription,

    /// <summary>A renewal alone ends the frozen state, and memory is kept through it.</summary>
    LeaveFrozenWithoutReadingOwnRows,

    /// <summary>The window of command ids is not asked: a repeat runs again.</summary>
    NoDeduplication,

    /// <summary>A node does not say which types it hosts.</summary>
    KeepsItsTypesToItself,

    /// <summary>The gate of effects does not look at the lease.</summary>
    ActsPastTheLease,

    /// <summary>A shard counts as drained or stopped while effects of it are under way.</summary>
    StopsBeforeEffectsEnd,

    /// <summary>Shards are given up with the help of another member while effects of them are under way.</summary>
    AsksBeforeEffectsEnd,

    /// <summary>A command runs although an earlier one of its client has not.</summary>
    IgnoresClientOrder,

    /// <summary>A confirmation that the store gave for one read serves later reads too.</summary>
    ReusesAReadCheck,

    /// <summary>Rows are fanned out when their turn has run.</summary>
    FanOutBeforeCommit,

    /// <summary>What waits for a shard is dropped when the shard moves.</summary>
    DropsTheBufferOnHandoff,

    /// <summary>The core is told the wall clock's time.</summary>
    WallClockLease,

    /// <summary>The core is told the time of a clock that stands still while the machine is suspended.</summary>
    ClockStopsInSuspend,

    /// <summary>A lease counts as stale after 0.3 s.</summary>
    LateWithoutLeaseStale,

    /// <summary>An append is preceded by a check of epoch and owner, instead of carrying it.</summary>
    FencesByExists,

    /// <summary>A shard whose release is in doubt is opened again.</summary>
    ReopensAfterASentRelease,

    /// <summary>A snapshot is taken of the state that turns have reached, not of what has committed.</summary>
    SnapshotOfSpeculation,

    /// <summary>A lost shard's rooms stay in memory.</summary>
    KeepsWhatItLost,

    /// <summary>A view is shown with the members of the one before.</summary>
    ShowsOldMembers,

    /// <summary>A lock file counts as free whoever has it.</summary>
    TakesAnyLockForFree,

    /// <summary>A session counts as gone whoever has it.</summary>
    TakesAnySessionForGone,

    /// <summary>No side of a split ever claims.</summary>
    NobodyClaims,

    /// <summary>A timer is removed when it is due, and its effect is recorded then.</summary>
    RemovesTimersFirst,

    /// <summary>Whoever acquires a shard does not read its timers.</summary>
    LeavesTimersUnread,

    /// <summary>A timer that is due takes effect without a look at whether the room still has it.</summary>
    FiresUnasked,

    /// <summary>A node that is down is neither told so on its links nor when it dials.</summary>
    TellsNobodyThatItIsDown,

    /// <summary>A node that loses one of two channels says nothing of it on the other.</summary>
    KeepsLossesToItself,

    /// <summary>A node goes by its own lease times instead of the cluster's.</summary>
    KeepsItsOwnTimes,

    /// <summary>A node does not look at the clocks that come with beats.</summary>
    KnowsNoOtherClock,

    /// <summary>Beats go through other nodes too.</summary>
    RelaysBeats,

    /// <summary>Whom a row says nothing of counts as down for its writer.</summary>
    TakesUnwatchedForDown,

    /// <summary>Of many members each goes on watching its own few when somebody is missed.</summary>
    WatchesNobodyMore,

    /// <summary>A node without the store goes on by the word of more than half of the members, itself counted.</summary>
    GoesOnByAQuorum,

    /// <summary>The age of another's word counts from when it came.</summary>
    CountsAWordFromItsArrival,

    /// <summary>A node that starts takes a silent member out when its lease is stale, although that one may go on by the word of others.</summary>
    NewcomerDoesNotWait,

    /// <summary>Whoever has given its word changes the view as soon as it reaches the store.</summary>
    BreaksItsWord,

    /// <summary>A node does not look at what others say of their thread pools.</summary>
    GivesSickShards,

    /// <summary>Sick members are to have nothing, be they the only ones that host a type.</summary>
    DrainsLastHosts,

    /// <summary>Users may switch a singleton to any node that lives.</summary>
    SwitchesToTheSick,

    /// <summary>Sick members are relieved however many of them there are.</summary>
    RelievesHoweverMany,

    /// <summary>A view change that the store refused is asked for again at once.</summary>
    AsksAgainAtOnce,

    /// <summary>A node counts from when it was first frozen, whatever it was since.</summary>
    CountsFromTheFirstFreeze,

    /// <summary>A draw that the seed does not decide.</summary>
    DrawsOutsideTheSeed,
}

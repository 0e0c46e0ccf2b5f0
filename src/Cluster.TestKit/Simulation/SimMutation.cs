namespace ActorCluster.TestKit.Simulation;

/// <summary>Bugs that the simulated node's host can be told to have, so that the checkers can be shown to find them.</summary>
public enum SimMutation
{
    /// <summary>The host as specified.</summary>
    None,

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

    /// <summary>A command runs although an earlier one of its client has not.</summary>
    IgnoresClientOrder,
}

namespace ActorCluster.TestKit;

/// <summary>Bugs that a <see cref="ModelDatabase"/> can be told to have, so that a checker can be shown to find them.</summary>
public enum ModelMutation
{
    /// <summary>The store as specified.</summary>
    None,

    /// <summary>An append looks at the shard's next sequence only, not at the fencing token (epoch and owner).</summary>
    AppendIgnoresEpoch,

    /// <summary>An eviction revokes the rows that its victim had at the previous view change, not those that it has now.</summary>
    EvictByRowsReadBefore,

    /// <summary>An acquire does not ask whether the member is still up.</summary>
    AcquireWithoutMemberCheck,

    /// <summary>An eviction or release that rests on a stale lease succeeds although the lease has moved.</summary>
    EvictIgnoresLeaseSeq,

    /// <summary>A shard of an exclusive type is taken over although its former owner may still act.</summary>
    TakeExclusiveAtOnce,

    /// <summary>Evidence of a crash frees shards of every exclusive type.</summary>
    CrashFreesAnyExclusive,

    /// <summary>An acquire keeps the shard's epoch.</summary>
    AcquireKeepsEpoch,

    /// <summary>What is inherited of a member that is down keeps its epoch.</summary>
    InheritKeepsEpoch,

    /// <summary>A revoke of a free row forgets the owner of before.</summary>
    RevokeForgetsPrevious,

    /// <summary>An individually placed entity that two nodes place differently gets a row for each.</summary>
    PlaceAgain,

    /// <summary>A recovery does not raise epochs and incarnations, so that lost ones are given again.</summary>
    RecoverWithoutRaise,

    /// <summary>A recovery leaves snapshots of rows that the journal has not.</summary>
    RecoverKeepsSnapshotsOfLostRows,

    /// <summary>The sweep revokes nothing.</summary>
    SweepRevokesNothing,

    /// <summary>A prune deletes members that a shard still names as its previous owner.</summary>
    PruneForgetsPrevious,

    /// <summary>A prune does not note the incarnations that it deletes.</summary>
    PruneForgetsNumbers,

    /// <summary>Truncation goes up to the newest snapshot, not to the one before.</summary>
    TruncatesUpToTheNewest,

    /// <summary>A commit that ends a timer leaves it in the table.</summary>
    FiringLeavesItsTimer,

    /// <summary>A re-append does not mind that members are live.</summary>
    ReappendAmongTheLiving,

    /// <summary>A re-append looks at numbers only, not at who wrote the journal's last rows and under which epoch.</summary>
    ReappendIgnoresEpochs,

    /// <summary>A re-append takes a command that took effect elsewhere in its entity's journal.</summary>
    ReappendRepeatsCommands,

    /// <summary>A re-append leaves timers as they are.</summary>
    ReappendLeavesTimers,

    /// <summary>A re-append does not raise the shard's next sequence.</summary>
    ReappendForgetsNextSeq,
}

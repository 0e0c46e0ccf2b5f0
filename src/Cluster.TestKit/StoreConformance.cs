using ActorCluster.Persistence;

namespace ActorCluster.TestKit;

/// <summary>
/// What every <see cref="IClusterStore"/> must do, one case a sentence of the contract. Free of any test framework: run each case with a
/// factory and let <see cref="StoreConformanceException"/> through.
/// </summary>
/// <remarks>Give each case a fresh, empty database. The factory returns a new handle on that database, not yet opened; the case opens and
/// disposes it.</remarks>
public static class StoreConformance
{
    /// <summary>The cases, in a fixed order; the names are unique.</summary>
    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        .. MembershipConformance.Cases,
        .. OwnershipConformance.Cases,
        .. JournalConformance.Cases,
        .. TimerConformance.Cases,
        .. RecoveryConformance.Cases,
        .. ReappendConformance.Cases,
        .. PruneConformance.Cases,
        .. SettingsConformance.Cases,
        .. RandomConformance.Cases,
    ];

    /// <summary>A damaged snapshot is passed over for the older one, and stops truncation when it is the older one itself.</summary>
    /// <param name="open">As for <see cref="Cases"/>.</param>
    /// <param name="damage">Spoils the stored snapshot of an entity at a sequence, behind the store's back.</param>
    public static Task RunDamagedSnapshotAsync(Func<Task<IClusterStore>> open, Func<string, long, Task> damage) =>
        JournalConformance.DamagedSnapshotAsync(open, damage);
}

using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on <see cref="IControlStore.PruneAsync"/>. Whatever has happened is older than no time at all.</summary>
internal static class PruneConformance
{
    private static readonly TimeSpan Old = TimeSpan.Zero;
    private static readonly TimeSpan Young = TimeSpan.FromHours(1);

    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("Nothing young is pruned", open => RunAsync(open, async b =>
        {
            for (var i = 0; i < 40; i++) await b.ViewAsync().ConfigureAwait(false);
            await ThreeOwnersAsync(b).ConfigureAwait(false);
            var before = await b.ClusterAsync().ConfigureAwait(false);
            Equal(default, await PruneAsync(b, Young, Young).ConfigureAwait(false), "All of it is a moment old.");
            Equal(before.Members.Length, (await b.ClusterAsync().ConfigureAwait(false)).Members.Length, "All members are there.");
        })),
        ("A member that went down is pruned once no shard names it, and never joins again", open => RunAsync(open, async b =>
        {
            var (first, second, third) = await ThreeOwnersAsync(b).ConfigureAwait(false);
            await b.ViewAsync(new MemberChange.Down(third, "gone")).ConfigureAwait(false);
            Equal(2, (await PruneAsync(b, Young, Old).ConfigureAwait(false)).Members, "The last owner is named as the previous one.");
            var left = await b.ClusterAsync().ConfigureAwait(false);
            Sequence([third], left.Members.Select(m => m.Inc), "It alone stays.");
            Equal(second, left.Cluster.Forgotten, "The highest number that was pruned.");
            Equal(default, await PruneAsync(b, Young, Old).ConfigureAwait(false), "What is gone is gone.");
            foreach (var inc in new[] { first, second })
            {
                Verdict(StoreVerdict.Fenced, await b.Store.RenewAsync(inc).ConfigureAwait(false), "A pruned member has no lease.");
                Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Join(Row(inc))).ConfigureAwait(false), "An incarnation joins once.");
            }
            var fourth = await b.MemberAsync().ConfigureAwait(false);
            await b.AcquireAllAsync(fourth).ConfigureAwait(false);
            Equal(1, (await PruneAsync(b, Young, Old).ConfigureAwait(false)).Members, "Nobody waits for it any more.");
            Equal(MemberStatus.Up, (await b.MemberRowAsync(fourth).ConfigureAwait(false)).Status, "Who is up stays.");
        })),
        ("The last views stay, whatever their age, and a pruned change is not found", open => RunAsync(open, async b =>
        {
            var ids = new List<Guid>();
            for (var i = 0; i < 40; i++)
            {
                var change = await b.ChangeAsync().ConfigureAwait(false);
                Ok(await b.Store.ChangeViewAsync(change).ConfigureAwait(false), "ChangeViewAsync");
                ids.Add(change.OpId);
            }
            Equal(5, (await PruneAsync(b, Old, Young, limit: 5).ConfigureAwait(false)).Views, "A batch.");
            Equal(3, (await PruneAsync(b, Old, Young, limit: 5).ConfigureAwait(false)).Views, "The rest beyond 32.");
            Equal(0, (await PruneAsync(b, Old, Young).ConfigureAwait(false)).Views, "Nothing more.");
            for (var i = 0; i < ids.Count; i++)
                Equal(i < 8 ? 0L : i + 1, Ok(await b.Store.FindViewAsync(ids[i]).ConfigureAwait(false), "FindViewAsync"), "Only what is kept is found.");
            var late = new ViewChange { OpId = ids[0], By = new Incarnation(1), BasedOn = 0, Reason = "test" };
            Verdict(StoreVerdict.Conflict, await b.Store.ChangeViewAsync(late).ConfigureAwait(false), "A late copy of it changes nothing: its view has passed.");
            Equal(41L, await b.ViewAsync().ConfigureAwait(false), "Views go on.");
        })),
        ("An epoch is pruned only when the journal has no row of it and its shard has a later one", open => RunAsync(open, async b =>
        {
            await ThreeOwnersAsync(b).ConfigureAwait(false);
            // Each of 4 shards has 3 epochs: of the first two of each, one had a row written under it.
            var (gone, after, pages) = (0, (LoggedEpoch?)null, 0);
            do
            {
                var pruned = await PruneAsync(b, Old, Young, limit: 5, after).ConfigureAwait(false);
                Equal(true, pruned.Next is not { } next || after is not { } last || (next.Shard, next.Epoch).CompareTo((last.Shard, last.Epoch)) > 0, "Each page begins behind the one before.");
                (gone, after, pages) = (gone + pruned.Epochs, pruned.Next, pages + 1);
            }
            while (after is not null);
            Equal((7, 3), (gone, pages), "All without rows, in pages of five of the twelve.");
            Equal(0, (await PruneAsync(b, Old, Young).ConfigureAwait(false)).Epochs, "The newest and those with rows stay.");
        })),
        ("A batch has 1 to 10,000 rows, an age is not negative", open => RunAsync(open, async b =>
        {
            foreach (var (logs, down, limit) in new[] { (Old, Old, 0), (Old, Old, 10_001), (-Young, Old, 1), (Old, -Young, 1) })
            {
                try
                {
                    await b.Store.PruneAsync(logs, down, limit).ConfigureAwait(false);
                }
                catch (ArgumentOutOfRangeException)
                {
                    continue;
                }
                throw new StoreConformanceException($"PruneAsync({logs}, {down}, {limit}) must throw ArgumentOutOfRangeException.");
            }
        })),
    ];

    /// <summary>Three members own all four shards one after the other; the first writes to one of them.</summary>
    private static async Task<(Incarnation First, Incarnation Second, Incarnation Third)> ThreeOwnersAsync(StoreBench b)
    {
        var owners = ImmutableArray.CreateBuilder<Incarnation>();
        for (var i = 0; i < 3; i++)
        {
            if (i > 0) await b.ViewAsync(new MemberChange.Down(owners[i - 1], "test")).ConfigureAwait(false);
            owners.Add(await b.MemberAsync().ConfigureAwait(false));
            var shards = await b.AcquireAllAsync(owners[i]).ConfigureAwait(false);
            if (i == 0) await b.AppendAsync(b.Batch(shards[0], owners[0], 1, "room/a", 1)).ConfigureAwait(false);
        }
        await b.ViewAsync().ConfigureAwait(false);
        await b.ViewAsync().ConfigureAwait(false);
        return (owners[0], owners[1], owners[2]);
    }

    private static async Task<PrunedRows> PruneAsync(StoreBench b, TimeSpan logs, TimeSpan downMembers, int limit = 100, LoggedEpoch? after = null) =>
        Ok(await b.Store.PruneAsync(logs, downMembers, limit, after).ConfigureAwait(false), "PruneAsync");
}

using ActorCluster.Persistence;
using ActorCluster.Primitives;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on the cluster row, types, members, leases and views.</summary>
internal static class MembershipConformance
{
    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("Opening twice returns the same cluster", open => RunAsync(open, async b =>
        {
            var other = await b.AnotherAsync().ConfigureAwait(false);
            var again = (await other.OpenAsync(new StoreSeed("another digest"), CancellationToken.None).ConfigureAwait(false)).Value!;
            var first = (await b.ClusterAsync().ConfigureAwait(false)).Cluster;
            Equal(first, again, "An existing store keeps its row.");
            Equal("digest", again.ConfigDigest, "An existing store keeps its own digest.");
            Equal(0L, again.View, "The view is 0 before the first join.");
            Equal(StableHash.Version, again.HashVersion, "The hash version is this build's.");
        })),
        ("A call before opening is a fault of the caller", async open =>
        {
            await using var store = await open().ConfigureAwait(false);
            try
            {
                await store.NextIncarnationAsync().ConfigureAwait(false);
            }
            catch (InvalidOperationException)
            {
                return;
            }
            throw new StoreConformanceException("A call before OpenAsync must throw InvalidOperationException.");
        }),
        ("A disposed handle answers NotSent and may be disposed again", open => RunAsync(open, async b =>
        {
            var other = await b.AnotherAsync().ConfigureAwait(false);
            await other.DisposeAsync().ConfigureAwait(false);
            await other.DisposeAsync().ConfigureAwait(false);
            Verdict(StoreVerdict.NotSent, await other.NextIncarnationAsync().ConfigureAwait(false), "A closed store takes no writes.");
            Verdict(StoreVerdict.NotSent, await other.ReadShardsAsync().ConfigureAwait(false), "A closed store answers no reads.");
            Ok(await b.Store.NextIncarnationAsync().ConfigureAwait(false), "NextIncarnationAsync on the other handle");
        })),
        ("The first registration of a type fixes its shard count", open => RunAsync(open, async b =>
        {
            Equal(4, Ok(await b.Store.RegisterTypeAsync("a", 4).ConfigureAwait(false), "RegisterTypeAsync"), "The count is the one given.");
            Equal(4, Ok(await b.Store.RegisterTypeAsync("a", 9).ConfigureAwait(false), "RegisterTypeAsync"), "A later count does not change it.");
            Equal(2, Ok(await b.Store.RegisterTypeAsync("b", 2).ConfigureAwait(false), "RegisterTypeAsync"), "Types do not share a count.");
            var rows = await b.ShardsAsync().ConfigureAwait(false);
            Sequence(["a:0", "a:1", "a:2", "a:3", "b:0", "b:1"], rows.Select(r => $"{r.Type}:{r.Key}"), "A row per shard, by number.");
            Sequence([1L, 2, 3, 4, 5, 6], rows.Select(r => r.No.Value), "Numbers go up from 1.");
            foreach (var row in rows)
                Equal(new ShardRow(row.No, row.Type, row.Key, new Epoch(0), null, null, null, ShardState.Free, 1), row, "A new row is free, untargeted, at epoch 0.");
        }, shards: 0)),
        ("Incarnations grow over all handles", open => RunAsync(open, async b =>
        {
            var other = await b.AnotherAsync().ConfigureAwait(false);
            var given = new List<Incarnation>();
            for (var i = 0; i < 6; i++) given.Add(Ok(await (i % 2 == 0 ? b.Store : other).NextIncarnationAsync().ConfigureAwait(false), "NextIncarnationAsync"));
            Sequence(given.Distinct().Order(), given, "Each incarnation is larger than all before it.");
        })),
        ("A member row is kept as it joined", open => RunAsync(open, async b =>
        {
            var inc = await b.MemberAsync(up: false).ConfigureAwait(false);
            var found = await b.MemberRowAsync(inc).ConfigureAwait(false);
            var given = Row(inc);
            Sequence(given.Roles, found.Roles, "Roles are kept in order.");
            Sequence(given.Types!.Value, found.Types!.Value, "Types are kept in order.");
            Equal(given, found with { Roles = given.Roles, Types = given.Types }, "Everything else is kept too.");
        })),
        ("A view change based on another view conflicts and writes nothing", open => RunAsync(open, async b =>
        {
            var inc = await b.MemberAsync(up: false).ConfigureAwait(false);
            var stale = await b.ChangeAsync(new MemberChange.Up(inc)).ConfigureAwait(false) with { BasedOn = 0 };
            Verdict(StoreVerdict.Conflict, await b.Store.ChangeViewAsync(stale).ConfigureAwait(false), "The view has moved on.");
            Verdict(StoreVerdict.Conflict, await b.Store.ChangeViewAsync(stale with { BasedOn = 2 }).ConfigureAwait(false), "The view is not there yet.");
            Equal(MemberStatus.Joining, (await b.MemberRowAsync(inc).ConfigureAwait(false)).Status, "Nothing was written.");
            Equal(1L, (await b.ClusterAsync().ConfigureAwait(false)).Cluster.View, "The view did not move.");
        })),
        ("A view change repeated with its id answers the view of the first", open => RunAsync(open, async b =>
        {
            var inc = await b.MemberAsync(up: false).ConfigureAwait(false);
            var up = await b.ChangeAsync(new MemberChange.Up(inc)).ConfigureAwait(false);
            Equal(0L, Ok(await b.Store.FindViewAsync(up.OpId).ConfigureAwait(false), "FindViewAsync"), "Not committed yet.");
            Equal(2L, Ok(await b.Store.ChangeViewAsync(up).ConfigureAwait(false), "ChangeViewAsync"), "The view goes up by one.");
            await b.ViewAsync().ConfigureAwait(false);
            Equal(2L, Ok(await b.Store.ChangeViewAsync(up).ConfigureAwait(false), "ChangeViewAsync"), "The repeat answers the first view.");
            Equal(2L, Ok(await b.Store.FindViewAsync(up.OpId).ConfigureAwait(false), "FindViewAsync"), "It is found by its id.");
            Equal(3L, (await b.ClusterAsync().ConfigureAwait(false)).Cluster.View, "The repeat moved nothing.");
        })),
        ("A change that fails half-way leaves nothing", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync().ConfigureAwait(false);
            var shards = await b.AcquireAllAsync(a).ConfigureAwait(false);
            var refused = await b.TryViewAsync(new MemberChange.Down(a, "test"), new MemberChange.Up(new Incarnation(99))).ConfigureAwait(false);
            Verdict(StoreVerdict.Conflict, refused, "An unknown member cannot come up.");
            Equal(MemberStatus.Up, (await b.MemberRowAsync(a).ConfigureAwait(false)).Status, "The earlier step was undone.");
            Equal(a, (await b.ShardAsync(shards[0].No).ConfigureAwait(false)).Owner, "So was its revoke.");
        })),
        ("A live name or address is unique, and free again once its member is down", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync().ConfigureAwait(false);
            var c = new Incarnation(50);
            var sameName = new MemberChange.Join(Row(c, name: $"node{a.Value}"));
            var sameAddress = new MemberChange.Join(Row(c, address: $"10.0.0.{a.Value}:8091"));
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(sameName).ConfigureAwait(false), "The name is taken.");
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(sameAddress).ConfigureAwait(false), "The address is taken.");
            await b.ViewAsync(new MemberChange.Down(a, "superseded"), sameAddress).ConfigureAwait(false);
            Equal(MemberStatus.Joining, (await b.MemberRowAsync(c).ConfigureAwait(false)).Status, "The same change may down the holder first.");
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Join(Row(a))).ConfigureAwait(false), "An incarnation joins once.");
        })),
        ("Status goes joining, up, leaving, down and never back", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync(up: false).ConfigureAwait(false);
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Leave(a)).ConfigureAwait(false), "A joining member cannot leave.");
            var upView = await b.ViewAsync(new MemberChange.Up(a)).ConfigureAwait(false);
            Equal(upView, (await b.MemberRowAsync(a).ConfigureAwait(false)).UpView, "UpView is the view that made it up.");
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Up(a)).ConfigureAwait(false), "It is up already.");
            await b.ViewAsync(new MemberChange.Leave(a)).ConfigureAwait(false);
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Leave(a)).ConfigureAwait(false), "It is leaving already.");
            var downView = await b.ViewAsync(new MemberChange.Down(a, "left", DeadProof: true)).ConfigureAwait(false);
            var down = await b.MemberRowAsync(a).ConfigureAwait(false);
            Equal((MemberStatus.Down, downView, "left", new Incarnation(1), true), (down.Status, down.DownView, down.DownReason, down.DownBy, down.DeadProof), "How it went down.");
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Up(a)).ConfigureAwait(false), "Down is final.");
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Leave(a)).ConfigureAwait(false), "Down is final.");
            Verdict(StoreVerdict.Fenced, await b.Store.RenewAsync(a).ConfigureAwait(false), "A down member has no lease.");
            await b.ViewAsync(new MemberChange.Down(a, "again", LeaseSeqSeen: 77)).ConfigureAwait(false);
            Equal(down, await b.MemberRowAsync(a).ConfigureAwait(false) with { Roles = down.Roles, Types = down.Types }, "Downing again has no effect.");
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Down(new Incarnation(99), "test")).ConfigureAwait(false), "Nobody has this incarnation.");
        })),
        ("A renewal raises the lease and tells the view", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync(up: false).ConfigureAwait(false);
            Equal(new Renewal(1, 1), Ok(await b.Store.RenewAsync(a).ConfigureAwait(false), "RenewAsync"), "The first renewal.");
            Equal(new Renewal(2, 1), Ok(await b.Store.RenewAsync(a).ConfigureAwait(false), "RenewAsync"), "The second renewal.");
            Equal(2L, (await b.MemberRowAsync(a).ConfigureAwait(false)).LeaseSeq, "Others see it.");
            Verdict(StoreVerdict.Fenced, await b.Store.RenewAsync(new Incarnation(99)).ConfigureAwait(false), "An unknown member has no lease.");
        })),
        ("An eviction or release that rests on a lease fails once the lease has moved", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync().ConfigureAwait(false);
            var shards = await b.AcquireAllAsync(a).ConfigureAwait(false);
            await b.Store.RenewAsync(a).ConfigureAwait(false);
            Verdict(StoreVerdict.Conflict, await b.TryViewAsync(new MemberChange.Down(a, "stale", LeaseSeqSeen: 0)).ConfigureAwait(false), "The lease moved (down).");
            var release = await b.ChangeAsync().ConfigureAwait(false) with { Releases = [new LeaseSeen(a, 0)] };
            Verdict(StoreVerdict.Conflict, await b.Store.ChangeViewAsync(release).ConfigureAwait(false), "The lease moved (release).");
            Equal(a, (await b.ShardAsync(shards[0].No).ConfigureAwait(false)).Owner, "Nothing was revoked.");
            Ok(await b.Store.ChangeViewAsync(release with { Releases = [new LeaseSeen(a, 1)] }).ConfigureAwait(false), "A release with the lease as it is");
            var row = await b.ShardAsync(shards[0].No).ConfigureAwait(false);
            Equal((null, null, a, ShardState.Free), (row.Owner, row.Target, row.Previous, row.State), "Its shards are revoked.");
            Equal(MemberStatus.Up, (await b.MemberRowAsync(a).ConfigureAwait(false)).Status, "It stays up.");
            Ok(await b.TryViewAsync(new MemberChange.Down(a, "stale", LeaseSeqSeen: 1)).ConfigureAwait(false), "An eviction with the lease as it is");
            var late = await b.ChangeAsync().ConfigureAwait(false) with { Releases = [new LeaseSeen(a, 1)] };
            Verdict(StoreVerdict.Conflict, await b.Store.ChangeViewAsync(late).ConfigureAwait(false), "Nothing can be released from a down member.");
        })),
        ("Of changes that race on one view exactly one commits", open => RunAsync(open, async b =>
        {
            var other = await b.AnotherAsync().ConfigureAwait(false);
            for (var round = 0; round < 10; round++)
            {
                var changes = new List<ViewChange>();
                for (var i = 0; i < 6; i++) changes.Add(await b.ChangeAsync(new MemberChange.Join(Row(new Incarnation(100 + (round * 10) + i)))).ConfigureAwait(false));
                var results = await Task.WhenAll(changes.Select((c, i) => Task.Run(async () => await (i % 2 == 0 ? b.Store : other).ChangeViewAsync(c).ConfigureAwait(false)))).ConfigureAwait(false);
                Equal(1, results.Count(r => r.IsOk), "One change per view.");
                Equal(5, results.Count(r => r.Verdict == StoreVerdict.Conflict), "The others conflict.");
            }
            Equal(10L, (await b.ClusterAsync().ConfigureAwait(false)).Cluster.View, "One view per round.");
        })),
    ];
}

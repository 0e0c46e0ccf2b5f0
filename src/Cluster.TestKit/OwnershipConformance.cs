using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on shard rows: acquire, revoke, hand-off, sweep.</summary>
internal static class OwnershipConformance
{
    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("An acquire takes the free rows aimed at it and raises their epoch", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            await AimAsync(b, (1, a), (2, c), (4, a)).ConfigureAwait(false);
            var won = Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync");
            Sequence([new AcquiredShard(new ShardNo(1), TypeName, "0", new Epoch(1), 1), new AcquiredShard(new ShardNo(4), TypeName, "3", new Epoch(1), 1)], won, "By number.");
            Equal(0, Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync").Length, "A second acquire finds nothing.");
            var row = await b.ShardAsync(new ShardNo(1)).ConfigureAwait(false);
            Equal((a, a, null, ShardState.Owned), (row.Owner, row.Target, row.Previous, row.State), "The row says so.");
            Equal(null, (await b.ShardAsync(new ShardNo(2)).ConfigureAwait(false)).Owner, "The row of the other target is left alone.");
        })),
        ("An acquire leaves the rows of types that the member does not host", open => RunAsync(open, async b =>
        {
            Ok(await b.Store.RegisterTypeAsync("count", 1).ConfigureAwait(false), "RegisterTypeAsync"); // The first type's name contains this one's.
            var a = await b.MemberAsync(types: [TypeName, "other"]).ConfigureAwait(false);
            await AimAsync(b, (1, a), (5, a)).ConfigureAwait(false);
            Sequence([1L], Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync").Select(w => w.No.Value), "Its own type only.");
            var left = await b.ShardAsync(new ShardNo(5)).ConfigureAwait(false);
            Equal((null, a, new Epoch(0), ShardState.Free), (left.Owner, left.Target, left.Epoch, left.State), "The other row is as it was.");
            var none = await b.MemberAsync(types: []).ConfigureAwait(false);
            await AimAsync(b, (2, none)).ConfigureAwait(false);
            Equal(0, Ok(await b.Store.AcquireAsync(none).ConfigureAwait(false), "AcquireAsync").Length, "A member without types takes nothing.");
        })),
        ("An exclusive shard waits until its former owner has stopped, is proved dead, or its lease is stale and has not moved", open => RunAsync(open, async b =>
        {
            const string Kind = "mixer";
            Ok(await b.Store.RegisterTypeAsync(Kind, 4, exclusive: true).ConfigureAwait(false), "RegisterTypeAsync");
            Verdict(StoreVerdict.Conflict, await b.Store.RegisterTypeAsync(Kind, 4).ConfigureAwait(false), "Whether it is exclusive is fixed.");
            var (a, c) = (await b.MemberAsync(types: [TypeName, Kind]).ConfigureAwait(false), await b.MemberAsync(types: [TypeName, Kind]).ConfigureAwait(false));
            await AimAsync(b, (1, a), (5, a), (6, a), (7, a)).ConfigureAwait(false);
            Equal(4, Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync").Length, "A row without a former owner is taken at once.");
            var lease = Ok(await b.Store.RenewAsync(a).ConfigureAwait(false), "RenewAsync").LeaseSeq;
            var release = await b.ChangeAsync().ConfigureAwait(false) with
            {
                Releases = [new LeaseSeen(a, lease)],
                Targets = [.. new[] { 1, 5, 6, 7 }.Select(i => new ShardTarget(new ShardNo(i), c))],
            };
            Ok(await b.Store.ChangeViewAsync(release).ConfigureAwait(false), "ChangeViewAsync");
            Sequence([1L], Won(await b.Store.AcquireAsync(c).ConfigureAwait(false)), "Only the fenced type's.");
            Ok(await b.Store.ClearPreviousAsync(a, [(new ShardNo(5), new Epoch(1))]).ConfigureAwait(false), "ClearPreviousAsync");
            Sequence([5L], Won(await b.Store.AcquireAsync(c).ConfigureAwait(false)), "Its former owner has stopped.");
            Ok(await b.Store.RenewAsync(a).ConfigureAwait(false), "RenewAsync");
            Sequence([], Won(await b.Store.AcquireAsync(c, [new LeaseSeen(a, lease)]).ConfigureAwait(false)), "The lease has moved.");
            await AimAsync(b, (7, a)).ConfigureAwait(false);
            Sequence([6L], Won(await b.Store.AcquireAsync(c, [new LeaseSeen(c, 0), new LeaseSeen(a, lease + 1)]).ConfigureAwait(false)), "A stale lease frees what is aimed at the caller.");
            await b.ViewAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false);
            await AimAsync(b, (7, c)).ConfigureAwait(false);
            Sequence([], Won(await b.Store.AcquireAsync(c).ConfigureAwait(false)), "Down alone proves nothing.");
            await b.ViewAsync(new MemberChange.Down(a, "its lock file is free", DeadProof: true)).ConfigureAwait(false);
            Sequence([7L], Won(await b.Store.AcquireAsync(c).ConfigureAwait(false)), "Proved dead, also after it went down.");

            static IEnumerable<long> Won(StoreResult<ImmutableArray<AcquiredShard>> result) => Ok(result, "AcquireAsync").Select(w => w.No.Value);
        })),
        ("Evidence of a crash frees an exclusive shard for a member that takes its type over on it, and for nobody else", open => RunAsync(open, async b =>
        {
            const string Kind = "mixer";
            Ok(await b.Store.RegisterTypeAsync(Kind, 4, exclusive: true).ConfigureAwait(false), "RegisterTypeAsync"); // 5 to 8.
            var (a, waits, takes) = (await b.MemberAsync(types: [TypeName, Kind]).ConfigureAwait(false), await b.MemberAsync(types: [TypeName, Kind]).ConfigureAwait(false),
                await b.MemberAsync(types: [TypeName, Kind, Kind + MemberRow.OnCrashEvidence]).ConfigureAwait(false));
            await AimAsync(b, (5, a), (6, a), (7, takes)).ConfigureAwait(false);
            Equal(2, Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync").Length, "Nobody had them before.");
            Equal(1, Ok(await b.Store.AcquireAsync(takes).ConfigureAwait(false), "AcquireAsync").Length, "Nobody had it before.");
            await b.ViewAsync(new MemberChange.Down(a, MemberRow.CrashedReason)).ConfigureAwait(false);
            await AimAsync(b, (5, waits), (6, takes)).ConfigureAwait(false);
            Equal(0, Ok(await b.Store.AcquireAsync(waits).ConfigureAwait(false), "AcquireAsync").Length, "Who did not opt in waits.");
            Sequence([6L], Ok(await b.Store.AcquireAsync(takes).ConfigureAwait(false), "AcquireAsync").Select(w => w.No.Value), "Who did takes it.");
            await b.ViewAsync(new MemberChange.Down(takes, "unreachable")).ConfigureAwait(false);
            var last = await b.MemberAsync(types: [TypeName, Kind, Kind + MemberRow.OnCrashEvidence]).ConfigureAwait(false);
            await AimAsync(b, (7, last)).ConfigureAwait(false);
            Equal(0, Ok(await b.Store.AcquireAsync(last).ConfigureAwait(false), "AcquireAsync").Length, "Down for another reason is no evidence.");
        })),
        ("Only a member that is up acquires", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync(up: false).ConfigureAwait(false);
            await AimAsync(b, (1, a)).ConfigureAwait(false);
            Verdict(StoreVerdict.Fenced, await b.Store.AcquireAsync(a).ConfigureAwait(false), "A joining member owns nothing.");
            await b.ViewAsync(new MemberChange.Up(a)).ConfigureAwait(false);
            await b.ViewAsync(new MemberChange.Leave(a)).ConfigureAwait(false);
            Verdict(StoreVerdict.Fenced, await b.Store.AcquireAsync(a).ConfigureAwait(false), "A leaving member takes nothing more.");
            await b.ViewAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false);
            await AimAsync(b, (2, a)).ConfigureAwait(false);
            Verdict(StoreVerdict.Fenced, await b.Store.AcquireAsync(a).ConfigureAwait(false), "A down member takes nothing.");
            Verdict(StoreVerdict.Fenced, await b.Store.AcquireAsync(new Incarnation(99)).ConfigureAwait(false), "Nor does a stranger.");
            Equal(null, (await b.ShardAsync(new ShardNo(2)).ConfigureAwait(false)).Owner, "Nothing was written.");
        })),
        ("An eviction revokes in its own commit what its victim has at that moment", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            await AimAsync(b, (1, a), (2, a), (3, c), (4, a)).ConfigureAwait(false);
            Ok(await b.Store.AcquireAsync(c).ConfigureAwait(false), "AcquireAsync");
            var change = await b.ChangeAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false) with { Targets = [new ShardTarget(new ShardNo(1), c), new ShardTarget(new ShardNo(3), a)] };
            Equal(3, Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync").Length, "An acquire after the change was decided.");
            await AimAsync(b, (4, a)).ConfigureAwait(false);
            Ok(await b.Store.ReleaseAsync(a, [new ShardRelease(new ShardNo(4), new Epoch(1), null)]).ConfigureAwait(false), "ReleaseAsync");
            Ok(await b.Store.ChangeViewAsync(change).ConfigureAwait(false), "ChangeViewAsync");
            var rows = await b.ShardsAsync().ConfigureAwait(false);
            Sequence(
            [
                (null, c, a, ShardState.Free, 1),     // Owned by the victim; the plan names a successor.
                (null, null, a, ShardState.Free, 1),  // Owned by the victim; not in the plan.
                (c, c, null, ShardState.Owned, 1),    // Another's row: a target does not touch it.
                (null, null, null, ShardState.Free, 1), // Free and aimed at the victim: nobody has run it since its release.
            ], rows.Select(r => (r.Owner, r.Target, r.Previous, r.State, (int)r.Epoch.Value)), "The rows after the eviction.");
            var won = Ok(await b.Store.AcquireAsync(c).ConfigureAwait(false), "AcquireAsync");
            Sequence([(1L, 2L)], won.Select(w => (w.No.Value, w.Epoch.Value)), "The successor gets a higher epoch.");
            Equal(null, (await b.ShardAsync(new ShardNo(1)).ConfigureAwait(false)).Previous, "An acquire clears the previous owner.");
        })),
        ("A second revoke keeps the previous owner that is still named", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            await b.AcquireAllAsync(a).ConfigureAwait(false);
            var first = await b.ChangeAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false) with { Targets = [new ShardTarget(new ShardNo(1), c)] };
            Ok(await b.Store.ChangeViewAsync(first).ConfigureAwait(false), "ChangeViewAsync");
            await b.ViewAsync(new MemberChange.Down(c, "test")).ConfigureAwait(false);
            var row = await b.ShardAsync(new ShardNo(1)).ConfigureAwait(false);
            Equal((null, null, a), (row.Owner, row.Target, row.Previous), "The free row of a dead target still names who ran it.");
        })),
        ("A view change gives targets to free rows without a live one, and leaves the others", open => RunAsync(open, async b =>
        {
            var (a, c, gone) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            await b.ViewAsync(new MemberChange.Down(gone, "test")).ConfigureAwait(false);
            await AimAsync(b, (1, a), (2, gone)).ConfigureAwait(false);
            var change = await b.ChangeAsync().ConfigureAwait(false) with { Targets = [.. Enumerable.Range(1, 3).Select(i => new ShardTarget(new ShardNo(i), c))] };
            Ok(await b.Store.ChangeViewAsync(change).ConfigureAwait(false), "ChangeViewAsync");
            Sequence([a, c, c, null], (await b.ShardsAsync().ConfigureAwait(false)).Select(r => r.Target), "A live target stays; a dead or missing one is replaced.");
        })),
        ("A hand-off goes through plan, release and acquire, each only from the state before it", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            await AimAsync(b, (1, a)).ConfigureAwait(false);
            var (no, epoch) = (new ShardNo(1), new Epoch(1));
            Equal(0, Ok(await b.Store.PlanHandoffAsync([new ShardRetarget(no, new Epoch(0), a, c)]).ConfigureAwait(false), "Plan").Length, "A free row cannot be planned.");
            Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync");
            Equal(0, Ok(await b.Store.PlanHandoffAsync([new ShardRetarget(no, new Epoch(0), a, c)]).ConfigureAwait(false), "Plan").Length, "Another epoch was read.");
            Equal(0, Ok(await b.Store.PlanHandoffAsync([new ShardRetarget(no, epoch, null, c)]).ConfigureAwait(false), "Plan").Length, "Another target was read.");
            Sequence([no], Ok(await b.Store.PlanHandoffAsync([new ShardRetarget(no, epoch, a, c)]).ConfigureAwait(false), "Plan"), "As it was read.");
            var planned = await b.ShardAsync(no).ConfigureAwait(false);
            Equal((a, c, epoch, ShardState.Handoff), (planned.Owner, planned.Target, planned.Epoch, planned.State), "The plan changes neither owner nor epoch.");
            Equal(0, Ok(await b.Store.AcquireAsync(c).ConfigureAwait(false), "AcquireAsync").Length, "The target waits for the release.");
            Equal(AppendOutcome.Committed, await b.AppendAsync(b.Batch(new AcquiredShard(no, TypeName, "0", epoch, 1), a, 1, "counter/x", 1)).ConfigureAwait(false), "The owner still writes.");

            Equal(0, Ok(await b.Store.RevertHandoffAsync(c, [(no, epoch)]).ConfigureAwait(false), "Revert").Length, "Only the owner reverts.");
            Equal(0, Ok(await b.Store.RevertHandoffAsync(a, [(no, new Epoch(2))]).ConfigureAwait(false), "Revert").Length, "Only at its epoch.");
            Sequence([no], Ok(await b.Store.RevertHandoffAsync(a, [(no, epoch)]).ConfigureAwait(false), "Revert"), "Back to owned.");
            Equal(0, Ok(await b.Store.RevertHandoffAsync(a, [(no, epoch)]).ConfigureAwait(false), "Revert").Length, "Once.");
            Sequence([no], Ok(await b.Store.PlanHandoffAsync([new ShardRetarget(no, epoch, c, c)]).ConfigureAwait(false), "Plan"), "Planned again.");

            Equal(0, Ok(await b.Store.ReleaseAsync(c, [new ShardRelease(no, epoch, null)]).ConfigureAwait(false), "Release").Length, "Only the owner releases.");
            Equal(0, Ok(await b.Store.ReleaseAsync(a, [new ShardRelease(no, new Epoch(2), null)]).ConfigureAwait(false), "Release").Length, "Only at its epoch.");
            Sequence([no], Ok(await b.Store.ReleaseAsync(a, [new ShardRelease(no, epoch, null)]).ConfigureAwait(false), "Release"), "Released.");
            var free = await b.ShardAsync(no).ConfigureAwait(false);
            Equal((null, c, null, ShardState.Free), (free.Owner, free.Target, free.Previous, free.State), "Free, its target kept, nobody to wait for.");
            Equal(0, Ok(await b.Store.ReleaseAsync(a, [new ShardRelease(no, epoch, null)]).ConfigureAwait(false), "Release").Length, "A repeat finds nothing.");
            Sequence([(no, new Epoch(2), 2L)], Ok(await b.Store.AcquireAsync(c).ConfigureAwait(false), "AcquireAsync").Select(w => (w.No, w.Epoch, w.NextSeq)), "The new owner goes on where the old one ended.");
        })),
        ("A release may name another target", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            await AimAsync(b, (1, a)).ConfigureAwait(false);
            await b.Store.AcquireAsync(a).ConfigureAwait(false);
            Ok(await b.Store.ReleaseAsync(a, [new ShardRelease(new ShardNo(1), new Epoch(1), c)]).ConfigureAwait(false), "ReleaseAsync");
            Equal(c, (await b.ShardAsync(new ShardNo(1)).ConfigureAwait(false)).Target, "The target named.");
        })),
        ("A former owner clears only the epoch that it lost", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            await AimAsync(b, (1, a)).ConfigureAwait(false);
            await b.Store.AcquireAsync(a).ConfigureAwait(false);
            var release = await b.ChangeAsync().ConfigureAwait(false) with { Releases = [new LeaseSeen(a, 0)] };
            Ok(await b.Store.ChangeViewAsync(release).ConfigureAwait(false), "ChangeViewAsync");
            var no = new ShardNo(1);
            Equal(0, Ok(await b.Store.ClearPreviousAsync(c, [(no, new Epoch(1))]).ConfigureAwait(false), "Clear"), "Another member is not the one named.");
            Equal(0, Ok(await b.Store.ClearPreviousAsync(a, [(no, new Epoch(0))]).ConfigureAwait(false), "Clear"), "Another epoch is not the one lost.");
            Equal(1, Ok(await b.Store.ClearPreviousAsync(a, [(no, new Epoch(1))]).ConfigureAwait(false), "Clear"), "Cleared.");
            Equal(null, (await b.ShardAsync(no).ConfigureAwait(false)).Previous, "Nobody to wait for.");
        })),
        ("Individually placed entities get one row each, made by the first who places them", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync(types: [TypeName, "call"]).ConfigureAwait(false), await b.MemberAsync(types: [TypeName, "call"]).ConfigureAwait(false));
            Equal(0, Ok(await b.Store.RegisterTypeAsync("call", 0).ConfigureAwait(false), "RegisterTypeAsync"), "No shards of its own.");
            Verdict(StoreVerdict.Conflict, await b.Store.PlaceAsync([new ShardPlacement(TypeName, "9", a)]).ConfigureAwait(false), "A hashed type's rows are not made so.");
            var made = Ok(await b.Store.PlaceAsync([new ShardPlacement("call", "x", a), new ShardPlacement("call", "y", c)]).ConfigureAwait(false), "PlaceAsync");
            Sequence([("x", a, new Epoch(0), ShardState.Free), ("y", c, new Epoch(0), ShardState.Free)], made.Select(r => (r.Key, r.Target!.Value, r.Epoch, r.State)), "Made as asked.");
            Equal(true, made[0].No != made[1].No && made.All(r => r.No.Value > 4), "Numbers of their own.");
            var found = Ok(await b.Store.PlaceAsync([new ShardPlacement("call", "y", a), new ShardPlacement("call", "z", a), new ShardPlacement("call", "x", c)]).ConfigureAwait(false), "PlaceAsync");
            Sequence([(made[1].No, c), (found[1].No, a), (made[0].No, a)], found.Select(r => (r.No, r.Target!.Value)), "Found as the first made them, in order.");
            var before = Ok(await b.Store.ReadPictureAsync(a).ConfigureAwait(false), "ReadPictureAsync");
            Sequence([1L, 2, 3, 4, made[0].No.Value, made[1].No.Value, found[1].No.Value], before.Rows.Select(r => r.No.Value), "Free ones are in the picture.");
            var won = Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync");
            Sequence(["x", "z"], won.Select(w => w.Key), "Acquired like any other.");
            var picture = Ok(await b.Store.ReadPictureAsync(a).ConfigureAwait(false), "ReadPictureAsync");
            Equal((5, 2L, won.Sum(w => ShardPicture.Mark(w.No, w.Epoch))), (picture.Rows.Length, picture.Own, picture.OwnMarks), "Owned ones are counted.");
            Sequence(["x", "z"], Ok(await b.Store.ReadOwnAsync(a).ConfigureAwait(false), "ReadOwnAsync").Select(r => r.Key), "By their owner.");
            Equal((0L, 0), (Ok(await b.Store.ReadPictureAsync(c).ConfigureAwait(false), "ReadPictureAsync").Own, Ok(await b.Store.ReadOwnAsync(c).ConfigureAwait(false), "ReadOwnAsync").Length), "Another owns none.");
        })),
        ("An eviction deals the individually placed entities of its victim to the heirs, by number", open => RunAsync(open, async b =>
        {
            var (a, c, d) = (await b.MemberAsync(types: ["call"]).ConfigureAwait(false), await b.MemberAsync(types: ["call"]).ConfigureAwait(false), await b.MemberAsync(types: ["call"]).ConfigureAwait(false));
            Ok(await b.Store.RegisterTypeAsync("call", 0).ConfigureAwait(false), "RegisterTypeAsync");
            await AimAsync(b, (1, a)).ConfigureAwait(false);
            var made = Ok(await b.Store.PlaceAsync([.. Enumerable.Range(0, 6).Select(i => new ShardPlacement("call", $"c{i}", i == 5 ? c : a))]).ConfigureAwait(false), "PlaceAsync");
            Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync");
            Ok(await b.Store.AcquireAsync(c).ConfigureAwait(false), "AcquireAsync");
            var change = await b.ChangeAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false) with { Heirs = [c, d, d] };
            Ok(await b.Store.ChangeViewAsync(change).ConfigureAwait(false), "ChangeViewAsync");
            var rows = Ok(await b.Store.ReadShardsAsync([.. made.Select(r => r.No)]).ConfigureAwait(false), "ReadShardsAsync");
            Incarnation[] heirs = [c, d, d];
            Equal(true, rows.Take(5).All(r => r.Owner == a && r.State == ShardState.Owned && r.Epoch == new Epoch(1)), "They stay in its name until their heirs take them.");
            Equal(0, Ok(await b.Store.RevokeOfDownAsync([c, d], [c, d]).ConfigureAwait(false), "RevokeOfDownAsync"), "The sweep leaves them to heirs that are trusted.");
            foreach (var heir in new[] { c, d })
            {
                var its = rows.Take(5).Where(r => heirs[r.No.Value % 3] == heir).Select(r => (r.No, r.Type, r.Key, new Epoch(2), 1L));
                Sequence(its, Ok(await b.Store.AcquireAsync(heir).ConfigureAwait(false), "AcquireAsync").Select(w => (w.No, w.Type, w.Key, w.Epoch, w.NextSeq)), "Its share, under a new epoch.");
                Equal(0, Ok(await b.Store.AcquireAsync(heir).ConfigureAwait(false), "AcquireAsync").Length, "Once.");
            }
            var taken = Ok(await b.Store.ReadShardsAsync([.. made.Select(r => r.No)]).ConfigureAwait(false), "ReadShardsAsync");
            Sequence(taken.Take(5).Select(r => ((Incarnation?)heirs[r.No.Value % 3], (Incarnation?)heirs[r.No.Value % 3], (Incarnation?)null, ShardState.Owned)), taken.Take(5).Select(r => (r.Owner, r.Target, r.Previous, r.State)), "The rows say so.");
            Equal((c, ShardState.Owned), (rows[5].Owner, rows[5].State), "Another's stay.");
            Equal(null, (await b.ShardAsync(new ShardNo(1)).ConfigureAwait(false)).Target, "Hashed rows are the plan's.");
            var none = await b.ChangeAsync(new MemberChange.Down(c, "test")).ConfigureAwait(false);
            Ok(await b.Store.ChangeViewAsync(none).ConfigureAwait(false), "ChangeViewAsync");
            Equal(((Incarnation?)null, (Incarnation?)null), ((await b.ShardAsync(rows[5].No).ConfigureAwait(false)).Owner, (await b.ShardAsync(rows[5].No).ConfigureAwait(false)).Target), "Without heirs: no target.");
        })),
        ("What heirs do not inherit, or do not take, is revoked", open => RunAsync(open, async b =>
        {
            string[] types = [TypeName, "call", "studio"];
            var (a, c, d) = (await b.MemberAsync(types: types).ConfigureAwait(false), await b.MemberAsync(types: types).ConfigureAwait(false), await b.MemberAsync(types: [TypeName, "studio"]).ConfigureAwait(false));
            Ok(await b.Store.RegisterTypeAsync("call", 0).ConfigureAwait(false), "RegisterTypeAsync");
            Ok(await b.Store.RegisterTypeAsync("studio", 0, exclusive: true).ConfigureAwait(false), "RegisterTypeAsync");
            await b.Store.PlaceAsync([new ShardPlacement("call", "owned", a), new ShardPlacement("call", "moves", a), new ShardPlacement("studio", "owned", a)]).ConfigureAwait(false);
            var won = Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync");
            Equal(1, Ok(await b.Store.PlanHandoffAsync([new ShardRetarget(won[1].No, won[1].Epoch, a, c)]).ConfigureAwait(false), "PlanHandoffAsync").Length, "On its way.");
            var aimed = Ok(await b.Store.PlaceAsync([new ShardPlacement("call", "aimed", a)]).ConfigureAwait(false), "PlaceAsync")[0].No;
            Equal(0, Ok(await b.Store.AcquireAsync(d).ConfigureAwait(false), "AcquireAsync").Length, "Nothing is inherited of the living.");
            var change = await b.ChangeAsync(new MemberChange.Down(a, "test")).ConfigureAwait(false) with { Heirs = [d] };
            Ok(await b.Store.ChangeViewAsync(change).ConfigureAwait(false), "ChangeViewAsync");
            Sequence([(a, "call"), (a, "call"), (null, "studio"), (null, "call")], Ok(await b.Store.ReadShardsAsync([.. won.Select(w => w.No), aimed]).ConfigureAwait(false), "ReadShardsAsync").Select(r => (r.Owner, r.Type)), "Exclusive and free rows go with the eviction.");
            Equal(0, Ok(await b.Store.AcquireAsync(d).ConfigureAwait(false), "AcquireAsync").Length, "No row of a type that the heir does not host, nor an exclusive one before its time.");
            Equal(0, Ok(await b.Store.AcquireAsync(c).ConfigureAwait(false), "AcquireAsync").Length, "Only heirs inherit.");
            Equal(2, Ok(await b.Store.RevokeOfDownAsync([c], [c]).ConfigureAwait(false), "RevokeOfDownAsync"), "The heir is not trusted any more.");
            Sequence(["owned", "moves"], Ok(await b.Store.AcquireAsync(c).ConfigureAwait(false), "AcquireAsync").Select(w => w.Key), "Freed and aimed at another.");
        })),
        ("An individually placed entity that has ended is acquired no more, and its row goes when it is old", open => RunAsync(open, async b =>
        {
            var a = await b.MemberAsync(types: [TypeName, "call"]).ConfigureAwait(false);
            Ok(await b.Store.RegisterTypeAsync("call", 0).ConfigureAwait(false), "RegisterTypeAsync");
            await AimAsync(b, (1, a)).ConfigureAwait(false);
            var no = Ok(await b.Store.PlaceAsync([new ShardPlacement("call", "x", a)]).ConfigureAwait(false), "PlaceAsync")[0].No;
            Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync");
            Equal(0, Ok(await b.Store.EndAsync(a, [(no, new Epoch(2)), (new ShardNo(1), new Epoch(1))]).ConfigureAwait(false), "EndAsync").Length, "Only at its epoch, and no hashed shard.");
            Sequence([no], Ok(await b.Store.EndAsync(a, [(no, new Epoch(1))]).ConfigureAwait(false), "EndAsync"), "Ended.");
            Equal(0, Ok(await b.Store.EndAsync(a, [(no, new Epoch(1))]).ConfigureAwait(false), "EndAsync").Length, "Once.");
            var row = Ok(await b.Store.PlaceAsync([new ShardPlacement("call", "x", a)]).ConfigureAwait(false), "PlaceAsync")[0];
            Equal((no, new Epoch(1), null, null, ShardState.Ended), (row.No, row.Epoch, row.Owner, row.Target, row.State), "Found as it is.");
            Equal(0, Ok(await b.Store.RetargetAsync([new ShardRetarget(no, new Epoch(1), null, a)]).ConfigureAwait(false), "RetargetAsync").Length, "Nobody gets it.");
            Equal(0, Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync").Length, "Nobody takes it.");
            Equal(0, Ok(await b.Store.PruneEndedAsync(TimeSpan.FromHours(1)).ConfigureAwait(false), "PruneEndedAsync"), "Not old yet.");
            await Task.Delay(20).ConfigureAwait(false); // The store's own clock goes on.
            Equal(2, Ok(await b.Store.PruneEndedAsync(TimeSpan.Zero).ConfigureAwait(false), "PruneEndedAsync"), "Old: its row and that of its epoch.");
            Equal(0, Ok(await b.Store.ReadShardsAsync([no]).ConfigureAwait(false), "ReadShardsAsync").Length, "Gone.");
        })),
        ("With an entity that ends go its timers, and with its row its journal and snapshots, in slices", open => RunAsync(open, async b =>
        {
            const string Key = "call/x";
            var a = await b.MemberAsync(types: [TypeName, "call"]).ConfigureAwait(false);
            Ok(await b.Store.RegisterTypeAsync("call", 0).ConfigureAwait(false), "RegisterTypeAsync");
            Ok(await b.Store.PlaceAsync([new ShardPlacement("call", "x", a), new ShardPlacement("call", "y", a)]).ConfigureAwait(false), "PlaceAsync");
            var (x, y) = Ok(await b.Store.AcquireAsync(a).ConfigureAwait(false), "AcquireAsync") is [var first, var second] ? (first, second) : default;
            for (var seq = 1; seq <= 1_201; seq += 400)
                Equal(AppendOutcome.Committed, await b.AppendAsync(TimerConformance.With(b.Batch(x, a, seq, Key, seq, rows: 400), 0, TimerConformance.Set("k", seq * 64, 10))).ConfigureAwait(false), "Its owner writes.");
            await b.AppendAsync(TimerConformance.With(b.Batch(y, a, 1, "call/y", 1), 0, TimerConformance.Set("k", 64, 20))).ConfigureAwait(false);
            Ok(await b.Store.SaveSnapshotAsync(x.No, x.Epoch, a, new EntitySnapshot(Key, 400, "s.v1", new byte[] { 1 })).ConfigureAwait(false), "SaveSnapshotAsync");

            Ok(await b.Store.EndAsync(a, [(x.No, x.Epoch)]).ConfigureAwait(false), "EndAsync");
            Equal(0, Ok(await b.Store.ReadTimersAsync(x.No, Key).ConfigureAwait(false), "ReadTimersAsync").Timers.Length, "Nothing of it is due any more.");
            Equal(1, Ok(await b.Store.ReadTimersAsync(y.No, "call/y").ConfigureAwait(false), "ReadTimersAsync").Timers.Length, "Another's timers stay.");
            Equal(0, Ok(await b.Store.PruneEndedAsync(TimeSpan.FromHours(1)).ConfigureAwait(false), "PruneEndedAsync"), "Not old yet.");
            Equal(1_000, Ok(await b.Store.ReadJournalAsync(Key, 1, 1_000).ConfigureAwait(false), "ReadJournalAsync").Length, "So it can still be read.");

            await Task.Delay(20).ConfigureAwait(false); // The store's own clock goes on.
            Equal(1_000, Ok(await b.Store.PruneEndedAsync(TimeSpan.Zero).ConfigureAwait(false), "PruneEndedAsync"), "A slice.");
            Equal(1_001L, Ok(await b.Store.ReadJournalAsync(Key, 1, 1).ConfigureAwait(false), "ReadJournalAsync")[0].EntitySeq, "The oldest rows first.");
            Equal(ShardState.Ended, Ok(await b.Store.ReadShardsAsync([x.No]).ConfigureAwait(false), "ReadShardsAsync")[0].State, "What is half gone is found as ended.");
            Equal(603, Ok(await b.Store.PruneEndedAsync(TimeSpan.Zero).ConfigureAwait(false), "PruneEndedAsync"), "The rest: 600 rows, a snapshot, an epoch and the row itself.");
            Equal(0, Ok(await b.Store.PruneEndedAsync(TimeSpan.Zero).ConfigureAwait(false), "PruneEndedAsync"), "Nothing more.");
            Equal((0, 0, null), (Ok(await b.Store.ReadShardsAsync([x.No]).ConfigureAwait(false), "ReadShardsAsync").Length, Ok(await b.Store.ReadJournalAsync(Key, 1, 1).ConfigureAwait(false), "ReadJournalAsync").Length,
                Ok(await b.Store.LoadAsync([Key], 1).ConfigureAwait(false), "LoadAsync")[0].Snapshot), "All of it is gone.");
            Equal((ShardState.Owned, 1), (Ok(await b.Store.ReadShardsAsync([y.No]).ConfigureAwait(false), "ReadShardsAsync")[0].State, Ok(await b.Store.ReadJournalAsync("call/y", 1, 9).ConfigureAwait(false), "ReadJournalAsync").Length), "The other is as it was.");
        })),
        ("The sweep retargets free rows that are as they were read", open => RunAsync(open, async b =>
        {
            var (a, c) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync().ConfigureAwait(false));
            var no = new ShardNo(1);
            Sequence([no], Ok(await b.Store.RetargetAsync([new ShardRetarget(no, new Epoch(0), null, a)]).ConfigureAwait(false), "Retarget"), "As it was read.");
            Equal(0, Ok(await b.Store.RetargetAsync([new ShardRetarget(no, new Epoch(0), null, c)]).ConfigureAwait(false), "Retarget").Length, "The target has changed.");
            Equal(0, Ok(await b.Store.RetargetAsync([new ShardRetarget(no, new Epoch(1), a, c)]).ConfigureAwait(false), "Retarget").Length, "Another epoch.");
            await b.Store.AcquireAsync(a).ConfigureAwait(false);
            Equal(0, Ok(await b.Store.RetargetAsync([new ShardRetarget(no, new Epoch(1), a, c)]).ConfigureAwait(false), "Retarget").Length, "An owned row is not retargeted.");
            Equal(0, Ok(await b.Store.RetargetAsync([new ShardRetarget(new ShardNo(99), new Epoch(0), null, c)]).ConfigureAwait(false), "Retarget").Length, "No such row.");
            Equal(0, Ok(await b.Store.RevokeOfDownAsync([]).ConfigureAwait(false), "RevokeOfDownAsync"), "Evictions leave nothing for the sweep.");
            Equal(a, (await b.ShardAsync(no).ConfigureAwait(false)).Owner, "A live owner is left alone.");
        })),
        ("Rows are read by number, unknown ones left out", open => RunAsync(open, async b =>
        {
            var rows = Ok(await b.Store.ReadShardsAsync([new ShardNo(3), new ShardNo(99), new ShardNo(1), new ShardNo(3)]).ConfigureAwait(false), "ReadShardsAsync");
            Sequence([1L, 3L], rows.Select(r => r.No.Value), "Each once, by number.");
        })),
    ];

    private static async Task AimAsync(StoreBench b, params (int No, Incarnation Target)[] aims)
    {
        foreach (var (no, target) in aims)
        {
            var row = await b.ShardAsync(new ShardNo(no)).ConfigureAwait(false);
            await b.Store.RetargetAsync([new ShardRetarget(row.No, row.Epoch, row.Target, target)]).ConfigureAwait(false);
        }
    }
}

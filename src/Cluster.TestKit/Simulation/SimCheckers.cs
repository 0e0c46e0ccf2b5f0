using System.Collections.Immutable;
using ActorCluster.ChatRooms;
using ActorCluster.Downing;
using ActorCluster.Entities;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>The invariants of protocol section 8, judged while a run goes on and at its end.</summary>
internal sealed class SimCheckers(SimCluster cluster)
{
    /// <summary>Longer than any claim waits for its answer: who has had a session for so long had it when it was asked for.</summary>
    private static readonly TimeSpan SessionKept = TimeSpan.FromSeconds(10);

    private readonly SortedDictionary<string, List<JournalRow>> _rooms = new(StringComparer.Ordinal);
    private readonly SortedDictionary<(string Room, Incarnation By), long> _delivered = [];
    private readonly SortedDictionary<string, List<(TimeSpan At, long Seq)>> _acked = new(StringComparer.Ordinal);
    private readonly SortedDictionary<ShardNo, (long Seq, Epoch Epoch)> _shards = [];
    private readonly SortedDictionary<ShardNo, Epoch> _acted = [];
    private readonly HashSet<(string Room, CommandId Id)> _commands = []; // Only asked, never iterated.
    private readonly Dictionary<(string Room, long Seq), long> _storedAt = []; // Only asked, never iterated.
    private readonly SortedDictionary<string, long> _truncated = new(StringComparer.Ordinal);
    private readonly SortedDictionary<ShardNo, Epoch> _epochs = [];
    private readonly SortedDictionary<ShardNo, (Incarnation? Owner, Epoch Epoch, TimeSpan Since)> _owners = [];
    private (Guid OpId, string What)? _movedLease;
    private (ViewChange Change, ImmutableArray<MemberRow> Before)? _changing;
    private readonly SortedDictionary<ShardNo, (Epoch Epoch, Incarnation Previous)> _free = [];
    private readonly SortedDictionary<(string Room, string Key), DurableTimer> _timers = []; // As the journal has it.
    private readonly HashSet<(string Room, long No)> _idleTimers = []; // Only asked, never iterated.
    private readonly SortedDictionary<Incarnation, TimeSpan> _downSince = [];
    private readonly SortedSet<Incarnation> _takenForCrashed = []; // Although they live.
    private readonly SimSickness _sickness = new(cluster);
    private readonly Dictionary<Incarnation, TimeSpan> _refused = []; // Only asked, never iterated.
    private readonly SimUserChecker? _users = cluster.Plan.Entity is { } entity ? new SimUserChecker(cluster.World, entity) : null;
    private int _journalSeen;
    private int _rowsAtLoss;
    private readonly HashSet<Incarnation> _down = []; // Only asked, never iterated.
    private int _shardLogSeen;
    private int _viewLogSeen;

    public long Acks { get; private set; }

    public long Effects { get; private set; }

    public long LateEffects { get; private set; }

    public long Fired { get; private set; }

    public long UnmarkedReads { get; private set; }

    public long Deliveries { get; private set; }

    private SimWorld World => cluster.World;

    private ModelDatabase Database => cluster.Store.Database;

    /// <summary>Before a view change takes effect: an eviction that rests on a stale lease must not meet a live one (I12).</summary>
    public void ViewChanging(ViewChange change)
    {
        if (cluster.LostAt is not null) return;
        _changing = (change, [.. Database.Members]);
        if (change.BasedOn != Database.ViewLog.Count) return; // It will be a conflict.
        foreach (var (lost, seq) in change.Members.OfType<MemberChange.Down>().Select(d => (d.Inc, d.LeaseSeqSeen)).Concat(change.Releases.Select(r => (r.Inc, (long?)r.LeaseSeq))))
            if (cluster.LifeOf(lost) is { AssentedUntil: { } until } life && change.By != lost && !IsBehind(life) && (seq is null || seq == Database.Find(lost)?.LeaseSeq))
                World.Violated("I12", $"{change.By} takes the shards of {lost}, which goes on by the word of all until {until}, now {life.Clock}.");
        if (SimPolicyChecker.FaultOf(cluster, change) is { } fault) World.Violated("3.3", fault);
        foreach (var down in change.Members.OfType<MemberChange.Down>())
        {
            CheckClaim(change, down);
            if (down.Reason == DowningDecision.Crashed && cluster.LifeOf(down.Inc) is not null) _takenForCrashed.Add(down.Inc);
            if (down.DeadProof && cluster.LifeOf(down.Inc) is { } alive && change.By != alive.Inc && !down.Reason.StartsWith("superseded", StringComparison.Ordinal))
                World.Violated("2.5", $"{change.By} has a death certificate of {down.Inc}, which lives.");
            if (down is { Reason: DowningDecision.Crashed, DeadProof: false } && cluster.LifeOf(down.Inc) is { } kept && cluster.Store.SessionOf(kept.Node, kept.Inc) > SessionKept)
                World.Violated("2.5", $"{change.By} takes {down.Inc} for crashed, which lives and has its session.");
            if (down.LeaseSeqSeen is not { } seen || Database.Find(down.Inc) is not { IsLive: true } row) continue;
            if (row.LeaseSeq != seen)
            {
                _movedLease = (change.OpId, $"{change.By} evicts {down.Inc} by lease {seen}, which has moved to {row.LeaseSeq}.");
                continue; // The store must refuse.
            }
            if (cluster.LifeOf(down.Inc) is { } life && life.Core.Membership.Lease.IsLive(life.Clock) && !IsBehind(life))
                World.Violated("I12", $"{change.By} calls the lease of {down.Inc} stale, which serves until {life.Core.Membership.Lease.Deadline}, now {life.Clock}.");
        }
    }

    /// <summary>The store has forgotten something: from here on what was judged by its history cannot be, and it must be noticed (I16).</summary>
    public void Lost() => _rowsAtLoss = Database.Journal.Count;

    /// <summary>After the loss nobody records anything that rests on less than it remembers itself.</summary>
    private void WrittenAfterLoss()
    {
        for (; _rowsAtLoss < Database.Journal.Count; _rowsAtLoss++)
        {
            var entry = Database.Journal[_rowsAtLoss];
            if (cluster.LifeOf(entry.Owner)?.Core.Ownership.Rows.FirstOrDefault(r => r.No == entry.Shard) is { } known && (known.Epoch > entry.Epoch || (known.Epoch == entry.Epoch && known.NextSeq > entry.ShardSeq + 1)))
                World.Violated("I16", $"{entry.Owner} writes row {entry.ShardSeq} of shard {entry.Shard} at epoch {entry.Epoch}, and has seen epoch {known.Epoch}, row {known.NextSeq - 1}.");
        }
    }

    /// <summary>Long after a loss, with all faults healed: whoever remembers more than the store shows, or hears from somebody who does, stands still.</summary>
    public void AfterLoss()
    {
        var view = Database.ReadCluster().Value!.Cluster.View;
        var awake = cluster.Lives.Where(l => !l.IsEnded && l.Core.Membership.Snapshot is not null).ToArray();
        var seen = awake.Where(l => l.Core.Membership.SelfRow.Status != MemberStatus.Joining).Select(l => l.Core.Membership.View).DefaultIfEmpty().Max();
        foreach (var life in awake.Where(l => l.Core.Membership.StoreRegressed is null))
        {
            if (life.Core.Membership.View > view) World.Violated("I16", $"{life.Inc} has seen view {life.Core.Membership.View}, the store shows {view}, and {life.Inc} is {life.Mode}.");
            foreach (var row in life.Core.Ownership.Rows)
                if (Database.Find(row.No) is { } shows && (shows.Epoch < row.Epoch || shows.NextSeq < row.NextSeq))
                    World.Violated("I16", $"{life.Inc} has seen shard {row.No} at epoch {row.Epoch}, row {row.NextSeq - 1}, the store shows epoch {shows.Epoch}, row {shows.NextSeq - 1}, and {life.Inc} is {life.Mode}.");
            if (seen > view && life.Mode == NodeMode.Serving && awake.FirstOrDefault(p => p.Core.Membership.View == seen && cluster.Network.AreConnected(p.Node.Index, life.Node.Index) && life.Core.Membership.Detector.IsUp(p.Inc)) is { } other)
                World.Violated("I16", $"{life.Inc} serves by view {life.Core.Membership.View} beside {other.Inc}, which has seen view {seen}; the store shows {view}.");
        }
    }

    /// <summary>Its clock stands, or has stood and no renewal since then has begun: its deadline is later than it knows, or it knows.</summary>
    private static bool IsBehind(SimLife life) => life.Node is { StandsStill: true } or { Hidden: not null } || (life.Node.Standstills > 0 && !life.Core.Membership.Lease.IsTrusted);

    /// <summary>After every write to the store.</summary>
    public void Written(string call)
    {
        if (cluster.LostAt is not null)
        {
            WrittenAfterLoss();
            return;
        }
        if (_movedLease is { } moved && Database.ViewLog.Count > 0 && Database.ViewLog[^1].OpId == moved.OpId)
        {
            World.Violated("I12", moved.What);
            _movedLease = null;
        }
        if (_changing is { } changing)
        {
            if (Database.ViewLog.Count > 0 && Database.ViewLog[^1].OpId == changing.Change.OpId) cluster.Coverage.ViewChanged(changing.Change, StoreVerdict.Ok, changing.Before);
            _changing = null;
        }
        _sickness.Review(call);
        if (call == "Renew") CheckSplit();
        if (call == "Renew") CheckTold();
        if (call == "Renew") CheckEdges();
        if (call == "Renew") CheckMissed();
        for (; _shardLogSeen < Database.ShardLog.Count; _shardLogSeen++)
        {
            var raised = Database.ShardLog[_shardLogSeen];
            if (_epochs.TryGetValue(raised.Shard, out var epoch) && raised.Epoch <= epoch) World.Violated("I1", $"Shard {raised.Shard} was given epoch {raised.Epoch} after {epoch}.");
            _epochs[raised.Shard] = raised.Epoch;
        }
        for (; _viewLogSeen < Database.ViewLog.Count; _viewLogSeen++)
        {
            foreach (var member in Database.ViewLog[_viewLogSeen].Members)
            {
                if (!member.IsLive) _down.Add(member.Inc);
                else if (_down.Contains(member.Inc)) World.Violated("I10", $"{member} is live in view {Database.ViewLog[_viewLogSeen].View}, and was down before.");
            }
        }
        foreach (var row in Database.Shards)
        {
            if (_free.TryGetValue(row.No, out var free) && row.State == ShardState.Free && row.Epoch == free.Epoch && row.Previous != free.Previous && call != "ClearPrevious")
                World.Violated("I12", $"{call}: shard {row.No} forgets its former owner {free.Previous}, which has not said that it stopped.");
            if (row is { State: ShardState.Free, Previous: { } previous }) _free[row.No] = (row.Epoch, previous);
            else _free.Remove(row.No);
            if (row.State == ShardState.Ended) cluster.EndedCalls.Add(row.Key);
            if (!_owners.TryGetValue(row.No, out var had) || had.Owner != row.Owner || had.Epoch != row.Epoch) _owners[row.No] = (row.Owner, row.Epoch, World.Now);
            // Placed ones beyond an eviction's slice are the sweep's; at the end none of them may be left either.
            if (row.Type != SimCluster.CallType && row.Owner is { } owner && Database.Find(owner) is { IsLive: false } dead) World.Violated("I13", $"{call}: shard {row.No} is owned by {dead}.");
        }
        for (; _journalSeen < Database.Journal.Count; _journalSeen++) Committed(Database.Journal[_journalSeen]);
        if (cluster.Plan.Timers) CheckTimers(call);
        if (call == "Truncate") CheckTruncated();
    }

    public long Truncated { get; private set; }

    /// <summary>What was deleted is not needed to load a room, not even with its newest snapshot damaged, and is not young by the store's clock (7.6).</summary>
    private void CheckTruncated()
    {
        foreach (var room in cluster.Rooms)
        {
            var (first, snapshots) = Database.Kept(room);
            var before = _truncated.GetValueOrDefault(room);
            if (first - 1 <= before) continue;
            if (snapshots.Length < 2 || first > snapshots[0]) World.Violated("7.6", $"{room} begins at {first}, but its snapshots are of {string.Join(" and ", snapshots)}.");
            var youngest = _storedAt[(room, first - 1)];
            if (cluster.Store.NowUnixMs - youngest < SimRooms.Kept.Youngest.TotalMilliseconds) World.Violated("7.6", $"{room} {first - 1} was deleted {cluster.Store.NowUnixMs - youngest} ms after it was stored.");
            Truncated += first - 1 - before;
            _truncated[room] = first - 1;
        }
    }

    /// <summary>A relay goes on behind rows that are not kept.</summary>
    public void Skipped(SimLife life, string room, long last, long upTo)
    {
        if (cluster.LostAt is not null) return;
        if (upTo > _truncated.GetValueOrDefault(room)) World.Violated("I5", $"{life.Inc} passes over {room} {last + 1} to {upTo}, which are kept.");
        _delivered[(room, life.Inc)] = upTo;
    }

    /// <summary>A room had nothing to do when a timer was due, and all that it knew had committed.</summary>
    public void TimerIdle(string room, long no) => _idleTimers.Add((room, no));

    /// <summary>The table is what the journal's rows have made of it, less what ended without an effect (I9).</summary>
    private void CheckTimers(string call)
    {
        var held = Database.Timers.ToDictionary(t => (t.Entity, t.Timer.Key), t => t.Timer.No);
        foreach (var ((room, key), timer) in _timers.ToArray())
        {
            if (held.Remove((room, key), out var no) && no == timer.No) continue;
            if (!_idleTimers.Contains((room, timer.No))) World.Violated("I9", $"{call}: timer {key} {timer.No} of {room} is gone, and no commit has ended it.");
            _timers.Remove((room, key));
        }
        foreach (var ((room, key), no) in held) World.Violated("I9", $"{call}: timer {key} {no} of {room} is there, and no commit has set it, or one has ended it.");
    }

    /// <summary>A firing's row ends the timer that it is of, which must still be there; its time must have come.</summary>
    private void CheckFiring(JournalRow row, CommandId id)
    {
        Fired++;
        var timer = _timers.FirstOrDefault(t => t.Key.Room == row.Entity && t.Value.No == id.Sequence).Value;
        if (timer is null) World.Violated("I9", $"Timer {id.Sequence} of {row.Entity} took effect, but it was ended before.");
        else if (timer.DueUnixMs - cluster.Store.NowUnixMs > 5_000 && !cluster.Plan.Faults.Any(f => f.Kind is SimFault.StoreClockJump or SimFault.ClockRate))
            World.Violated("I9", $"Timer {timer.Key} of {row.Entity} took effect {timer.DueUnixMs - cluster.Store.NowUnixMs} ms before it was due.");
    }

    /// <summary>A life ended its frozen state holding a shard: what it lost long before, it must have read by then (4.4).</summary>
    public void Thawed(SimLife life, ShardNo shard, Epoch epoch)
    {
        if (cluster.LostAt is not null) return;
        if (_owners.TryGetValue(shard, out var now) && (now.Owner != life.Inc || now.Epoch != epoch) && World.Now - now.Since > TimeSpan.FromSeconds(1.6))
            World.Violated("4.4", $"{life.Inc} left the frozen state with shard {shard} epoch {epoch}, lost at {now.Since} to {now.Owner} epoch {now.Epoch}.");
    }

    /// <summary>A store that refuses is not asked as fast as it can refuse (1).</summary>
    public void Asks(SimLife life, ControlCall call)
    {
        if (call is ControlCall.ChangeView or ControlCall.FindView && _refused.TryGetValue(life.Inc, out var at) && life.Clock - at < Membership.Membership.RefusedPause)
            World.Violated("1", $"{life.Inc} asks for {call.GetType().Name} {(life.Clock - at).TotalMilliseconds:0} ms after it was refused.");
    }

    public void Refused(SimLife life, ControlAnswer answer)
    {
        if (answer is { Call: ControlCall.ChangeView or ControlCall.FindView, Verdict: StoreVerdict.NotSent }) _refused[life.Inc] = life.Clock;
    }

    /// <summary>A node has taken a view in (I10).</summary>
    public void ViewApplied(SimLife life, ClusterSnapshot snapshot)
    {
        if (cluster.LostAt is not null) return;
        static string Digest(IEnumerable<MemberRow> members) => string.Join(' ', members.Where(m => m.IsLive).Select(m => $"{m.Inc}{m.Status}{m.UpView}"));
        if (snapshot.Cluster.View == 0) return;
        var logged = Digest(Database.ViewLog[(int)snapshot.Cluster.View - 1].Members);
        if (Digest(snapshot.Members) != logged) World.Violated("I10", $"{life.Inc} sees view {snapshot.Cluster.View} as {Digest(snapshot.Members)}, the log as {logged}.");
        World.Trace($"{life.Inc} sees view {snapshot.Cluster.View}: {logged}");
    }

    /// <summary>A relay got a row (I5, I11).</summary>
    public void Delivered(SimLife life, string room, JournalRow row)
    {
        if (cluster.LostAt is not null) return;
        Deliveries++;
        var last = _delivered.GetValueOrDefault((room, life.Inc));
        if (row.EntitySeq != last + 1) World.Violated("I5", $"{life.Inc} got {room} {row.EntitySeq} after {last}.");
        _delivered[(room, life.Inc)] = row.EntitySeq;
        var rows = RowsOf(room);
        if (rows.Count < row.EntitySeq || !rows[(int)row.EntitySeq - 1].Payload.Span.SequenceEqual(row.Payload.Span))
            World.Violated("I11", $"{life.Inc} got {room} {row.EntitySeq}, which the journal does not have so.");
    }

    /// <summary>The outer world was acted upon in the name of a shard (I8): never by a former owner after a later one.</summary>
    /// <param name="life">Who acted.</param>
    /// <param name="shard">For which shard.</param>
    /// <param name="epoch">As its owner under this epoch.</param>
    /// <param name="isExcused">The process stood still inside the effect, which no gate can prevent (protocol 4.5), or its machine did and no sign of it has come (protocol, section 11).</param>
    public void Acted(SimLife life, ShardNo shard, Epoch epoch, bool isExcused)
    {
        if (cluster.LostAt is not null) return;
        Effects++;
        var newest = _acted.GetValueOrDefault(shard);
        // The risk of a type that is taken over on crash evidence: that of somebody who lives (protocol 4.5).
        isExcused |= _takenForCrashed.Contains(life.Inc) && Database.Find(shard) is { } row && cluster.Types.OnCrashEvidence.Contains(row.Type);
        if (epoch > newest) _acted[shard] = epoch;
        else if (epoch < newest && isExcused) LateEffects++;
        else if (epoch < newest) World.Violated("I8", $"{life.Inc} acted for shard {shard} under epoch {epoch}, after an effect under {newest}.");
    }

    /// <summary>A client is about to send a command.</summary>
    public void Sending(SimOp op) => _users?.Sending(op.Room, op.Id, op.Command);

    /// <summary>A client was told that its command took effect (I3).</summary>
    public void Acked(SimOp op)
    {
        if (cluster.LostAt is not null) return;
        Acks++;
        if (op.Seq == 0) return; // Leaving a room without being in it.
        var rows = RowsOf(op.Room);
        if (rows.Count < op.Seq) World.Violated("I3", $"{op.Id} was acknowledged at {op.Room} {op.Seq}, the journal ends at {rows.Count}.");
        else if (op.HasOwnRow && rows[(int)op.Seq - 1].Command != op.Id) World.Violated("I3", $"{op.Id} was acknowledged at {op.Room} {op.Seq}, where the journal has {rows[(int)op.Seq - 1].Command}.");
        if (!_acked.TryGetValue(op.Room, out var acks)) _acked.Add(op.Room, acks = []);
        acks.Add((World.Now, Math.Max(op.Seq, acks.Count > 0 ? acks[^1].Seq : 0)));
    }

    /// <summary>A read was answered: unmarked ones are at most 2 s old (I6).</summary>
    public void WasRead(string room, RoomAnswer answer, TimeSpan asked)
    {
        if (cluster.LostAt is not null) return;
        if (answer.End != RoomEnd.Done || answer.Marked) return;
        UnmarkedReads++;
        if (!_acked.TryGetValue(room, out var acks)) return;
        if (answer.Confirmed)
        {
            var before = acks.FindLastIndex(a => a.At < asked);
            if (before >= 0 && answer.Seq < acks[before].Seq) World.Violated("I7", $"A confirmed read of {room}, asked at {asked}, saw {answer.Seq}, but {acks[before].Seq} was acknowledged at {acks[before].At}.");
            return;
        }
        var bound = answer.At - TimeSpan.FromSeconds(2);
        var at = acks.FindLastIndex(a => a.At <= bound);
        if (at >= 0 && answer.Seq < acks[at].Seq) World.Violated("I6", $"A read of {room} saw {answer.Seq} at {answer.At}, but {acks[at].Seq} was acknowledged at {acks[at].At}.");
    }

    /// <summary>A snapshot was written (7.6).</summary>
    public void SnapshotSaved(SimLife life, string room, long seq)
    {
        if (cluster.LostAt is not null) return;
        if (RowsOf(room).Count < seq) World.Violated("7.6", $"{life.Inc} saved a snapshot of {room} up to {seq}, the journal ends at {RowsOf(room).Count}.");
    }

    /// <summary>Two components whose members are all up and reach the store, long after the last fault began: nobody decided (I17).</summary>
    private void CheckSplit()
    {
        if (World.Now - cluster.UpsetAt < TimeSpan.FromSeconds(22)) return;
        var voters = cluster.Lives.Where(l => !l.IsEnded && Database.Find(l.Inc) is { IsVoter: true }).ToList();
        if (voters.Exists(l => l.Node.IsPaused || !cluster.Store.IsReached(l.Node.Index)) || voters.Count == 0) return;
        if (ComponentOf(voters[0], voters).Count < voters.Count) World.Violated("I17", $"22 s after the last fault began, {string.Join(", ", voters.Select(v => v.Inc))} are all members and do not reach each other.");
    }

    /// <summary>Whoever is reached through others only is not heard (2.6).</summary>
    private void CheckEdges()
    {
        if (World.Now - cluster.UpsetAt < TimeSpan.FromSeconds(15)) return;
        foreach (var life in cluster.Lives.Where(l => l.Node is { IsPaused: false, StandsStill: false })) // Else it still believes what was so when it was stopped.
            if (cluster.Lives.FirstOrDefault(p => life.Core.Membership.Detector.IsUp(p.Inc) && !cluster.Network.AreConnected(life.Node.Index, p.Node.Index)) is { } other)
                World.Violated("2.6", $"{life.Inc} takes {other.Inc} for connected, which no link has reached for 15 s.");
    }

    /// <summary>Not all watch all. With fewer, faults are drawn that make beats rare although all is connected.</summary>
    private bool AreMany => cluster.Nodes.Length > WatchPlan.MeshMax;

    /// <summary>A member that is there and is reached is missed, or an edge that works is called broken (2.2): where nobody watches, nobody is missed.</summary>
    private void CheckMissed()
    {
        if (!AreMany || World.Now - cluster.UpsetAt < TimeSpan.FromSeconds(15) || !IsNetworkAsUsual) return;
        foreach (var life in cluster.Lives.Where(l => l.Node is { IsPaused: false, StandsStill: false }))
        {
            if (life.Core.Membership.Missing.FirstOrDefault(m => AreLinked(life.Inc, m)) is { Value: > 0 } other) World.Violated("2.2", $"{life.Inc} misses {other}, which its links have reached for 15 s.");
            if (life.Core.Membership.BrokenEdges.FirstOrDefault(e => AreLinked(e.A, e.B)) is { A.Value: > 0 } edge) World.Violated("2.2", $"{life.Inc} calls the edge of {edge.A} and {edge.B} broken, which their links have crossed for 15 s.");
        }
    }

    private bool AreLinked(Incarnation a, Incarnation b) => cluster.LifeOf(a) is { Node: { IsPaused: false, StandsStill: false } } one && cluster.LifeOf(b) is { Node: { IsPaused: false, StandsStill: false } } other && cluster.Network.AreConnected(one.Node.Index, other.Node.Index);

    /// <summary>Whoever claims as the larger side is on it (3.4), as far as what divides them has stood long enough to be known.</summary>
    private void CheckClaim(ViewChange change, MemberChange.Down down)
    {
        if (!AreMany || cluster.Resolver is not KeepMajority || !down.Reason.EndsWith(" Now", StringComparison.Ordinal) || World.Now - cluster.UpsetAt < TimeSpan.FromSeconds(4) || !IsNetworkAsUsual) return;
        var voters = cluster.Lives.Where(l => !l.Node.IsPaused && Database.Find(l.Inc) is { IsVoter: true }).ToList();
        if (voters.Find(l => l.Inc == change.By) is not { } claims) return;
        var side = ComponentOf(claims, voters);
        if (2 * side.Count < voters.Count) World.Violated("3.4", $"{change.By} claims as the larger side, but reaches {side.Count} of {voters.Count} members that are there.");
    }

    private HashSet<int> ComponentOf(SimLife life, List<SimLife> voters)
    {
        var component = new HashSet<int> { life.Node.Index };
        while (voters.FirstOrDefault(v => !component.Contains(v.Node.Index) && component.Any(c => cluster.Network.AreConnected(c, v.Node.Index))) is { } next) component.Add(next.Node.Index);
        return component;
    }

    private bool IsNetworkAsUsual => cluster.Network is { Loss: 0, Spikes: 0 } && cluster.Network.Delay == SimNetwork.UsualDelay;

    /// <summary>Somebody who is down lives on beside a member that knows it (3.6).</summary>
    private void CheckTold()
    {
        foreach (var row in Database.Members)
            if (!row.IsLive) _downSince.TryAdd(row.Inc, World.Now);
        if (World.Now - cluster.UpsetAt < TimeSpan.FromSeconds(12) || !IsNetworkAsUsual) return;
        foreach (var life in cluster.Lives.Where(l => !l.IsEnded && !l.Node.IsPaused && _downSince.TryGetValue(l.Inc, out var since) && World.Now - since >= TimeSpan.FromSeconds(12)))
            if (cluster.Lives.FirstOrDefault(p => p != life && !p.IsEnded && !p.Node.IsPaused && p.KnowsDown(life.Inc) && life.Core.Membership.Snapshot?.Find(p.Inc) is { IsLive: true }
                && cluster.Network.AreConnected(p.Node.Index, life.Node.Index)) is { } knows)
                World.Violated("3.6", $"12 s after the last fault began, {life.Inc} is down and lives, although it reaches {knows.Inc}, which knows it.");
    }

    /// <summary>The journal's order as witness: who was answered before another began stands before it (I7).</summary>
    private void CheckOrder(IEnumerable<SimOp> acked)
    {
        foreach (var room in acked.GroupBy(o => o.Room))
        {
            var begun = TimeSpan.MinValue;
            SimOp? latest = null;
            foreach (var op in room.OrderBy(o => o.Seq))
            {
                if (op.AnsweredAt < begun) World.Violated("I7", $"{op.Id} stands at {op.Room} {op.Seq} behind {latest!.Id} at {latest.Seq}, but was answered at {op.AnsweredAt}, before that one began at {begun}.");
                if (op.At > begun) (begun, latest) = (op.At, op);
            }
        }
    }

    /// <summary>When all is quiet again.</summary>
    public void AtEnd()
    {
        var all = cluster.Clients.SelectMany(c => c.History).Concat(cluster.ByHand).ToArray();
        foreach (var op in all)
        {
            if (op.State == SimOpState.Open) World.Violated("I14", $"{op.Id} {op.Command} to {op.Room} of {op.At}, {op.Attempts} attempts, is still open.");
            if (op is { State: SimOpState.Refused, Attempts: 1 } && _commands.Contains((op.Room, op.Id))) World.Violated("I3", $"{op.Id} was refused, but took effect.");
            if (op is { State: SimOpState.Acked, Seq: 0, Attempts: 1, Command: not RoomCommand } && _commands.Contains((op.Room, op.Id))) World.Violated("I3", $"{op.Id} was answered without an effect, but took effect.");
            if (op is { State: SimOpState.Acked, Seq: > 0, HasOwnRow: true } && !_commands.Contains((op.Room, op.Id))) World.Violated("I3", $"{op.Id} was acknowledged, but the journal does not have it.");
        }
        foreach (var late in Database.Timers.Where(t => t.Timer.DueUnixMs < cluster.Store.NowUnixMs - 8_000))
        {
            // Whoever met a step of the store's clock waits until the new time has stood; who has not read it since goes by the old one.
            if (Database.Find(late.Shard)?.Owner is { } owner && cluster.LifeOf(owner)?.Timers is { } book
                && (book.IsHeld || Math.Abs(book.NowUnixMs - cluster.Store.NowUnixMs) > StoreClock.StepMax.TotalMilliseconds)) continue;
            World.Violated("I9", $"Timer {late.Timer.Key} {late.Timer.No} of {late.Entity} was due {cluster.Store.NowUnixMs - late.Timer.DueUnixMs} ms ago and has not fired.");
        }
        CheckOrder(all.Where(o => o is { State: SimOpState.Acked, HasOwnRow: true }));
        foreach (var said in all.Where(o => o is { State: SimOpState.Acked, HasOwnRow: true }).GroupBy(o => (o.Id.Client, o.Room)))
        {
            var seqs = said.OrderBy(o => o.Id.Sequence).Select(o => o.Seq).ToArray();
            for (var i = 1; i < seqs.Length; i++)
                if (seqs[i] <= seqs[i - 1]) World.Violated("I6", $"{said.Key.Client} said {seqs[i]} in {said.Key.Room} after {seqs[i - 1]}.");
        }
        _users?.AtEnd(all, RowsOf);
        foreach (var twins in Database.Shards.GroupBy(r => (r.Type, r.Key)).Where(g => g.Count() > 1))
            World.Violated("5.1", $"{twins.Key} has {twins.Count()} rows.");
        foreach (var life in cluster.Lives)
        {
            foreach (var (shard, epoch) in life.Calls.Held)
                if (Database.Find(shard) is not { } row || row.Owner != life.Inc || row.Epoch != epoch) World.Violated("I15", $"{life.Inc} has shard {shard} epoch {epoch} in memory, which {Database.Find(shard)?.Owner} owns.");
            foreach (var room in cluster.Rooms)
                if (_delivered.GetValueOrDefault((room, life.Inc)) is var got && got != RowsOf(room).Count)
                    World.Violated("I5", $"{life.Inc} got {room} up to {got}, the journal ends at {RowsOf(room).Count}.");
            foreach (var (shard, epoch) in life.Rooms.Held)
                if (Database.Find(shard) is not { } row || row.Owner != life.Inc || row.Epoch != epoch) World.Violated("I15", $"{life.Inc} has shard {shard} epoch {epoch} in memory, which {Database.Find(shard)?.Owner} owns.");
            if (life.Gateway.Pending > 0 || !life.Gateway.OutboxesEmpty || life.Rooms.Waiting > 0)
                World.Violated("I14", $"{life.Inc} still holds {life.Gateway.Pending} requests [{life.Gateway.PendingText}], outboxes empty: {life.Gateway.OutboxesEmpty}, {life.Rooms.Waiting} rows.");
        }
    }

    private void Committed(ModelJournalEntry entry)
    {
        var (seq, epoch) = _shards.GetValueOrDefault(entry.Shard);
        if (entry.ShardSeq != seq + 1) World.Violated("I2", $"Shard {entry.Shard} has row {entry.ShardSeq} after {seq}.");
        if (entry.Epoch < epoch) World.Violated("I2", $"Shard {entry.Shard} row {entry.ShardSeq} has epoch {entry.Epoch} after {epoch}.");
        _shards[entry.Shard] = (entry.ShardSeq, entry.Epoch);
        var shard = Database.Find(entry.Shard)!;
        if (shard.Owner != entry.Owner || shard.Epoch != entry.Epoch) World.Violated("I2", $"{entry.Owner} wrote shard {entry.Shard} at epoch {entry.Epoch}, owned by {shard.Owner} at {shard.Epoch}.");
        var rows = RowsOf(entry.Row.Entity);
        if (entry.Row.EntitySeq != rows.Count + 1) World.Violated("I5", $"{entry.Row.Entity} has row {entry.Row.EntitySeq} after {rows.Count}.");
        rows.Add(entry.Row);
        _users?.Committed(entry.Row);
        _storedAt[(entry.Row.Entity, entry.Row.EntitySeq)] = cluster.Store.NowUnixMs;
        if (entry.Row.Command is { } by && by.Client == DurableTimer.Client) CheckFiring(entry.Row, by);
        foreach (var (key, timer) in entry.Row.Timers)
        {
            if (timer is null) _timers.Remove((entry.Row.Entity, key));
            else _timers[(entry.Row.Entity, key)] = timer;
        }
        if (entry.Row.Command is { } id && !_commands.Add((entry.Row.Entity, id))) World.Violated("I4", $"{id} took effect twice in {entry.Row.Entity}.");
    }

    public List<JournalRow> RowsOf(string room)
    {
        if (!_rooms.TryGetValue(room, out var rows)) _rooms.Add(room, rows = []);
        return rows;
    }
}

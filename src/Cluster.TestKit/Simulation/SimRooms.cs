using System.Collections.Immutable;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.TestKit.Simulation;

/// <summary>The shards that a life serves and the rooms in them; one journal lane for all.</summary>
internal sealed class SimRooms(SimCluster cluster, SimLife life)
{
    private static readonly TimeSpan TruncateEvery = TimeSpan.FromSeconds(2);

    private readonly SortedDictionary<ShardNo, Served> _served = [];
    private readonly ShardInbox _inbox = new();
    private readonly SortedSet<(Incarnation Sender, ShardNo Shard)> _untold = [];
    private readonly JournalLane _lane = new(life.Node.Ids.Id);
    private TimeSpan _nextTruncation;
    private bool _frozen;

    /// <summary>Much less than anybody would keep, so that a run of a minute shows what a year would.</summary>
    public static JournalLimits Kept { get; } = new(TimeSpan.FromSeconds(20), 30, TimeSpan.FromSeconds(5));

    public IEnumerable<ShardNo> Open => _served.Where(s => s.Value.IsOpen).Select(s => s.Key);

    public int Waiting => _lane.Waiting;

    /// <summary>What is in memory.</summary>
    public IEnumerable<(ShardNo Shard, Epoch Epoch)> Held => _served.Select(s => (s.Key, s.Value.Epoch));

    public void Start(ImmutableArray<AcquiredShard> shards)
    {
        foreach (var shard in shards)
        {
            if (!cluster.TypesOf(life.Node).Contains(shard.Type)) continue;
            _lane.Open(shard.No, shard.Epoch, life.Inc, shard.NextSeq);
            _served[shard.No] = new Served(shard.Epoch);
            cluster.World.Trace($"{life.Inc} serves shard {shard.No} epoch {shard.Epoch}");
            life.Timers.Acquired();
        }
    }

    public void Drain(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (shard, epoch) in shards)
        {
            if (!_served.TryGetValue(shard, out var served) || served.Epoch != epoch) continue;
            served.IsOpen = false;
            foreach (var room in served.Rooms.Values) room.RefuseWaiting();
            cluster.World.Trace($"{life.Inc} drains shard {shard} epoch {epoch}");
        }
    }

    public void Reopen(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (shard, epoch) in shards)
        {
            if (!_served.TryGetValue(shard, out var served) || served.Epoch != epoch) continue;
            served.IsOpen = true;
            cluster.World.Trace($"{life.Inc} reopens shard {shard} epoch {epoch}");
        }
    }

    public void Stop(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (shard, epoch) in shards)
        {
            _lane.Close(shard, epoch);
            if (!_served.TryGetValue(shard, out var served) || served.Epoch != epoch || cluster.Plan.Mutation == SimMutation.KeepsWhatItLost) continue;
            _served.Remove(shard);
            served.Drop();
            cluster.World.Trace($"{life.Inc} stops shard {shard} epoch {epoch}");
        }
    }

    public void StopAll() => Stop([.. _served.Select(s => (s.Key, s.Value.Epoch))]);

    public void Vanish() => _served.Clear();

    /// <summary>To be called after each input: the mode may have changed, the lane may have work.</summary>
    public void Review()
    {
        var frozen = life.Mode == NodeMode.Frozen;
        if (frozen && !_frozen && cluster.Plan.Mutation != SimMutation.LeaveFrozenWithoutReadingOwnRows)
        {
            cluster.World.Trace($"{life.Inc} is frozen");
            foreach (var (shard, served) in _served)
            {
                if (cluster.Plan.Failsafe && _lane.IsClear(shard, served.Epoch) && !served.Rooms.Values.Any(r => r.IsBusy)) continue; // As the product does: reads may go on.
                served.Drop();
                served.Generation = _lane.Abandon(shard, served.Epoch);
            }
        }
        if (_frozen && !frozen)
            foreach (var (shard, served) in _served)
                if (life.PhaseOf(shard) != SimPhase.Releasing) cluster.Checkers.Thawed(life, shard, served.Epoch); // What it gives up itself it serves no more, whenever it hears that it is rid of it.
        _frozen = frozen;
        Pump();
    }

    public void Tick()
    {
        if (cluster.Plan.Truncates) Truncate();
        foreach (var (sender, shard) in _untold.ToArray())
        {
            if (cluster.LifeOf(sender) is not null) Tell(sender, shard);
            else _untold.Remove((sender, shard));
        }
        foreach (var (shard, served) in _served.ToArray())
        {
            foreach (var room in served.Rooms.Values) room.Load();
            if (served.IsOpen || !_lane.IsClear(shard, served.Epoch) || served.Rooms.Values.Any(r => r.IsBusy)) continue;
            life.After(TimeSpan.Zero, () => life.Tell(new NodeInput.Drained(shard, served.Epoch)));
        }
    }

    /// <summary>As the product's driver: what is found is cut by the owner of its shard, fenced.</summary>
    private void Truncate()
    {
        if (life.Clock < _nextTruncation || life.Mode != NodeMode.Serving) return;
        _nextTruncation = life.Clock + TruncateEvery;
        cluster.Store.Data(life, "FindOldRows", false, () => cluster.Store.Database.FindOldRows(Kept, "", 100, cluster.Store.NowUnixMs), found =>
        {
            if (!found.IsOk) return;
            foreach (var (room, shard) in found.Value!.Entities)
                if (_served.TryGetValue(shard, out var served))
                    cluster.Store.Data(life, "Truncate", true, () => cluster.Store.Database.Truncate(shard, served.Epoch, life.Inc, room, Kept, cluster.Store.NowUnixMs), static _ => { });
        });
    }

    /// <summary>A message of a stream: taken, refused or passed over; what is taken is answered.</summary>
    public void Arrived(Incarnation sender, SimFrame.Deliver message)
    {
        var (shard, epoch, number, request) = message;
        var open = _served.TryGetValue(shard, out var served) && served.Epoch == epoch && served.IsOpen && life.Mode != NodeMode.Fenced;
        var verdict = _inbox.Arrived(sender, shard, epoch, number, open);
        if (verdict == StreamVerdict.Ignore) return;
        Tell(sender, shard);
        if (verdict == StreamVerdict.Take && life.PhaseOf(shard) == SimPhase.Releasing) cluster.World.Violated("5.3", $"{life.Inc} serves shard {shard} epoch {epoch}, whose release it has sent.");
        if (verdict == StreamVerdict.Take && request is not null) Handle(served!, shard, request);
    }

    /// <summary>Says what became of a stream; what the link does not take is said again at a later tick.</summary>
    private void Tell(Incarnation sender, ShardNo shard)
    {
        _untold.Add((sender, shard));
        if (_inbox.OwedRefusal(sender, shard) is var (refused, from))
        {
            if (!Reply(sender, new SimFrame.Refused(shard, refused, from, _served.TryGetValue(shard, out var served) ? served.Epoch : refused))) return;
            _inbox.Refused(sender, shard);
        }
        var (epoch, upTo) = _inbox.Taken(sender, shard);
        if (upTo == 0 || Reply(sender, new SimFrame.Taken(shard, epoch, upTo))) _untold.Remove((sender, shard));
    }

    public void Subscribed(Incarnation relay, SimFrame.Subscribe subscribe)
    {
        cluster.Coverage.Hit($"4.4 {life.Mode}", "subscription");
        if (!_served.TryGetValue(subscribe.Shard, out var served) || served.Epoch != subscribe.Epoch || life.Mode is NodeMode.Frozen or NodeMode.Fenced) return;
        RoomOf(served, subscribe.Shard, subscribe.Room).Subscribe(relay, subscribe.LastSeq);
    }

    public bool Add(ShardNo shard, Epoch epoch, JournalRow row, IRowOwner owner)
    {
        var added = _served.TryGetValue(shard, out var served) && _lane.Add(shard, epoch, served.Generation, row, owner);
        if (added) life.After(TimeSpan.FromMilliseconds(1), Pump);
        return added;
    }

    public bool MayLoad(ShardNo shard, Epoch epoch) => life.Mode is NodeMode.Serving or NodeMode.Degraded && _lane.IsClear(shard, epoch);

    public bool Reply(Incarnation to, SimFrame frame)
    {
        if (to != life.Inc) return life.Send(to, frame);
        life.After(TimeSpan.Zero, () => life.Gateway.Handle(frame));
        return true;
    }

    private void Handle(Served served, ShardNo shard, RoomRequest request)
    {
        cluster.Coverage.Hit($"4.4 {life.Mode}", request.CommandId is null ? "read" : "command");
        if (life.Mode is NodeMode.Frozen && request.CommandId is null && life.AssentedUntil is not null && served.Rooms.TryGetValue(request.Room, out var room) && room.IsLoaded)
        {
            cluster.Coverage.Hit("4.4 by assent", "read");
            room.Handle(request);
        }
        else if (life.Mode is NodeMode.Frozen) Reply(request.Gateway, new SimFrame.Answer(request.Id, new RoomAnswer(RoomEnd.StoreUnavailable, 0, true, cluster.World.Now)));
        else RoomOf(served, shard, request.Room).Handle(request);
    }

    /// <summary>False when the timer's shard is not served here.</summary>
    public bool Fire(TimerRow due, Action<TimerEnd> ended)
    {
        if (!_served.TryGetValue(due.Shard, out var served)) return false;
        if (!served.IsOpen || life.Mode is NodeMode.Frozen or NodeMode.Fenced) ended(TimerEnd.Again);
        else RoomOf(served, due.Shard, due.Entity).Fire(due, ended);
        return true;
    }

    private SimRoom RoomOf(Served served, ShardNo shard, string name)
    {
        if (!served.Rooms.TryGetValue(name, out var room))
        {
            served.Rooms.Add(name, room = new SimRoom(cluster, life, this, name, shard, served.Epoch));
            room.Load();
        }
        return room;
    }

    private void Pump()
    {
        if (life.IsEnded || _lane.Next() is not { } call) return;
        switch (call)
        {
            case JournalCall.Append append when cluster.Plan.Mutation == SimMutation.FencesByExists:
                AppendAfterACheck(append);
                break;
            case JournalCall.Append append:
                cluster.Store.Data(life, "Append", true, () => Append(append), result =>
                {
                    if (cluster.Plan.Mutation == SimMutation.SkipResolve && result.Verdict == StoreVerdict.InDoubt)
                        result = StoreResult.Ok<ImmutableArray<AppendOutcome>>([.. append.Batches.Select(_ => AppendOutcome.Committed)]);
                    Done(news => _lane.Appended(append, result, news));
                });
                break;
            case JournalCall.Resolve resolve:
                cluster.Store.Data(life, "Resolve", false, () => cluster.Store.Database.Resolve(resolve.Batch), result =>
                    Done(news => _lane.Resolved(resolve, result, news)));
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"No rule for {call}.");
        }
    }

    private StoreResult<ImmutableArray<AppendOutcome>> Append(JournalCall.Append append)
    {
        var result = cluster.Store.Database.Append(append.Batches, cluster.Store.NowUnixMs);
        if (result.IsOk) cluster.RefusedAppends += result.Value.Count(o => o == AppendOutcome.Unexpected);
        return result;
    }

    private void AppendAfterACheck(JournalCall.Append append) =>
        cluster.Store.Data(life, "Confirm", false, () => cluster.Store.Database.Confirm(life.Inc, [.. append.Batches.Select(b => (b.Shard, b.Epoch))]), confirmed =>
        {
            if (confirmed.IsOk && confirmed.Value.Length == append.Batches.Length)
                cluster.Store.Data(life, "Append", true, () => cluster.Store.Database.Append(append.Batches, cluster.Store.NowUnixMs), result => Done(news => _lane.Appended(append, result, news)));
            else
                Done(news => _lane.Appended(append, StoreResult.Ok<ImmutableArray<AppendOutcome>>([.. append.Batches.Select(_ => AppendOutcome.Unexpected)]), news));
        });

    private void Done(Action<List<JournalNews>> told)
    {
        var news = new List<JournalNews>();
        told(news);
        foreach (var item in news)
        {
            if (life.IsEnded) return;
            switch (item)
            {
                case JournalNews.Committed(_, _, var rows):
                    foreach (var (row, owner) in rows) owner.RowCommitted(row.EntitySeq);
                    break;
                case JournalNews.TimersChanged(var shard, var rows):
                    life.Timers.Committed(shard, rows);
                    break;
                case JournalNews.Fenced(var shard, var epoch):
                    cluster.FencedWrites++;
                    if (cluster.Store.Database.Find(life.Inc) is { IsLive: false }) cluster.Coverage.Hit("1 down", "writes");
                    life.Tell(new NodeInput.Fenced(shard, epoch));
                    break;
                case JournalNews.Repeated(var shard, var epoch):
                    if (_served.TryGetValue(shard, out var served) && served.Epoch == epoch) served.Drop();
                    break;
                case JournalNews.Broken(ExitCodes.StoreMismatch, var reason):
                    if (cluster.Plan.Mutation != SimMutation.LooksAtNoRegression) life.Tell(new NodeInput.Regressed(reason));
                    break;
                case JournalNews.Broken(var exitCode, var reason):
                    life.End(exitCode, reason);
                    break;
                default:
                    break;
            }
        }
        Review();
    }

    private sealed class Served(Epoch epoch)
    {
        /// <summary>Which memory of the shard is valid; rows of an earlier one are not journaled.</summary>
        public int Generation { get; set; }

        public Epoch Epoch => epoch;

        public bool IsOpen { get; set; } = true;

        public SortedDictionary<string, SimRoom> Rooms { get; } = new(StringComparer.Ordinal);

        /// <summary>Forgets the rooms; whoever waits in them is told that the outcome is unknown.</summary>
        public void Drop()
        {
            foreach (var room in Rooms.Values) room.Drop();
            Rooms.Clear();
        }
    }
}

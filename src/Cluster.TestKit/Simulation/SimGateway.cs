using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A life's front door: the requests of its clients, an outbox per shard, and a relay per room.</summary>
internal sealed class SimGateway(SimCluster cluster, SimLife life) : IOutboxPort<SimMessage>
{
    private static readonly TimeSpan ResubscribeEvery = TimeSpan.FromSeconds(2);

    private readonly SortedDictionary<long, SimMessage> _requests = [];
    private readonly SortedDictionary<ShardNo, ShardOutbox<SimMessage>> _outboxes = [];
    private readonly SortedDictionary<ShardNo, ShardRoute> _routes = [];
    private readonly SortedDictionary<string, SimRelay> _relays = new(StringComparer.Ordinal);

    public string PendingText => string.Join("; ", _requests.Values.Select(m => m.Request.ToString()));

    public int Pending => _requests.Count;

    public bool OutboxesEmpty => _outboxes.Values.All(o => o.IsEmpty);

    /// <summary>Takes a client's request; the answer comes once, or never if the process dies.</summary>
    public void Accept(RoomRequest request, Action<RoomAnswer> answered)
    {
        var message = new SimMessage(request, answer =>
        {
            _requests.Remove(request.Id);
            answered(answer);
        }, () => cluster.World.Now);
        _requests.Add(request.Id, message);
        var shard = cluster.ShardOf(request.Room);
        if (!OutboxOf(shard).Post(message, life.Clock)) message.Fail(Undelivered.Busy);
    }

    public void Handle(SimFrame frame)
    {
        switch (frame)
        {
            case SimFrame.Taken(var shard, var epoch, var upTo):
                if (_outboxes.TryGetValue(shard, out var box)) box.Taken(epoch, upTo);
                break;
            case SimFrame.Refused(var shard, var epoch, var from, var known):
                if (_outboxes.TryGetValue(shard, out var refusing)) refusing.Refused(epoch, from, known, life.Clock);
                break;
            case SimFrame.Answer(var id, var what):
                if (_requests.TryGetValue(id, out var message)) message.Answered(what);
                break;
            case SimFrame.FanOut fan:
                FannedOut(fan);
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"No rule for {frame}.");
        }
    }

    public void Learn(IEnumerable<ShardRoute> routes)
    {
        foreach (var route in routes)
        {
            if (_routes.TryGetValue(route.Shard, out var known) && known.Epoch >= route.Epoch) continue;
            _routes[route.Shard] = route;
            if (cluster.Plan.Mutation == SimMutation.DropsTheBufferOnHandoff) _outboxes.Remove(route.Shard);
            if (_outboxes.TryGetValue(route.Shard, out var box)) box.Routed(route.Epoch, route.Owner, life.Clock);
            foreach (var relay in _relays.Values)
                if (relay.Shard == route.Shard) relay.Due = TimeSpan.Zero; // Another epoch: what was lost around the change shows only to who asks.
        }
    }

    public void LinkUp(Incarnation peer)
    {
        foreach (var box in _outboxes.Values) box.LinkUp(peer, life.Clock);
    }

    public void LinkLost(Incarnation peer)
    {
        foreach (var box in _outboxes.Values) box.LinkLost(peer);
        foreach (var relay in _relays.Values)
            if (_routes.TryGetValue(relay.Shard, out var route) && route.Owner == peer) relay.Due = TimeSpan.Zero;
    }

    public void Tick()
    {
        foreach (var box in _outboxes.Values) box.Tick(life.Clock);
        foreach (var room in cluster.Rooms)
        {
            if (!_relays.TryGetValue(room, out var relay)) _relays.Add(room, relay = new SimRelay(room, cluster.ShardOf(room)));
            if (relay.Subscribed && cluster.Plan.Mutation == SimMutation.NoResubscription) continue;
            if (life.Clock < relay.Due || !_routes.TryGetValue(relay.Shard, out var route)) continue;
            relay.Due = life.Clock + ResubscribeEvery;
            relay.Subscribed = true;
            var subscribe = new SimFrame.Subscribe(room, relay.Shard, route.Epoch, relay.Last);
            if (route.Owner == life.Inc) life.After(TimeSpan.Zero, () => life.Rooms.Subscribed(life.Inc, subscribe));
            else life.Send(route.Owner, subscribe);
        }
    }

    /// <summary>The life ends in good order: whoever waits is told.</summary>
    public void StopAll()
    {
        foreach (var message in _requests.Values.ToArray()) message.Answered(new RoomAnswer(RoomEnd.Unavailable, 0, true, cluster.World.Now));
    }

    public void Vanish() => _requests.Clear();

    bool IOutboxPort<SimMessage>.Send(Incarnation owner, ShardNo shard, Epoch epoch, long number, SimMessage? message)
    {
        var frame = new SimFrame.Deliver(shard, epoch, number, message?.Request);
        if (owner != life.Inc) return life.Send(owner, frame);
        life.After(TimeSpan.Zero, () => life.Rooms.Arrived(life.Inc, frame));
        return true;
    }

    void IOutboxPort<SimMessage>.RouteWanted(ShardNo shard) => life.After(TimeSpan.Zero, () =>
    {
        if (_routes.TryGetValue(shard, out var route) && _outboxes.TryGetValue(shard, out var box)) box.Routed(route.Epoch, route.Owner, life.Clock);
        life.Tell(new Hosting.NodeInput.RouteWanted());
    });

    private ShardOutbox<SimMessage> OutboxOf(ShardNo shard)
    {
        if (!_outboxes.TryGetValue(shard, out var box)) _outboxes.Add(shard, box = new ShardOutbox<SimMessage>(shard, this));
        return box;
    }

    private void FannedOut(SimFrame.FanOut fan)
    {
        if (!_relays.TryGetValue(fan.Room, out var relay) || fan.Epoch < relay.Epoch) return; // A former owner.
        relay.Epoch = fan.Epoch;
        if (fan.Head <= relay.Last) return;
        if (fan.Rows.IsEmpty || fan.Rows[0].EntitySeq > relay.Last + 1) FillGap(relay);
        else Take(relay, fan.Rows);
    }

    private void FillGap(SimRelay relay)
    {
        if (relay.IsFilling) return;
        relay.IsFilling = true;
        cluster.Store.Data(life, "ReadJournal", false, () => cluster.Store.Database.ReadJournal(relay.Room, relay.Last + 1, 10_000), rows =>
        {
            relay.IsFilling = false;
            if (!rows.IsOk) return;
            // What was truncated is not shown any more; whoever was away for so long goes on behind it.
            if (rows.Value is [{ EntitySeq: var first }, ..] && first > relay.Last + 1)
            {
                cluster.Checkers.Skipped(life, relay.Room, relay.Last, first - 1);
                relay.Last = first - 1;
            }
            Take(relay, rows.Value);
        });
    }

    private void Take(SimRelay relay, IEnumerable<JournalRow> rows)
    {
        foreach (var row in rows)
        {
            if (row.EntitySeq <= relay.Last) continue;
            if (row.EntitySeq > relay.Last + 1) break;
            relay.Last = row.EntitySeq;
            cluster.Checkers.Delivered(life, relay.Room, row);
        }
    }
}

/// <summary>What one life has of one room's log.</summary>
internal sealed class SimRelay(string room, ShardNo shard)
{
    public string Room => room;

    public ShardNo Shard => shard;

    public long Last { get; set; }

    public Epoch Epoch { get; set; }

    public TimeSpan Due { get; set; }

    public bool Subscribed { get; set; }

    public bool IsFilling { get; set; }
}

/// <summary>A request on its way from a gateway to an owner.</summary>
internal sealed class SimMessage(RoomRequest request, Action<RoomAnswer> answered, Func<TimeSpan> now) : Outgoing
{
    private bool _done;

    public RoomRequest Request => request;

    public override bool IsRepeatable => request.CommandId is not null;

    public override int Size => 100;

    public override bool AwaitsReply => !_done;

    public override void Fail(Undelivered why) => Answered(new RoomAnswer(RoomEnd.Unavailable, 0, true, now()));

    public void Answered(RoomAnswer answer)
    {
        if (_done) return;
        _done = true;
        answered(answer);
    }
}

using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>This node's front door to all entities: finds the shard and its owner, delivers here or sends there, holds what waits while a shard moves.</summary>
/// <remarks>Thread-safe; one short lock per shard. Order per sender and entity is that of <see cref="Post(Envelope)"/> as long as the sender posts from one thread at a time.</remarks>
internal sealed partial class RegionDriver : IFanout
{
    private static readonly TimeSpan ReviewEvery = TimeSpan.FromSeconds(1);

    /// <summary>Longer than any ask may wait: an answer that has not come by then was lost.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromMinutes(6);

    private readonly EntityHost _entities;
    private readonly INodeLinks _links;
    private readonly Incarnation _self;
    private readonly FrozenDictionary<string, Region> _regions;
    private readonly FrozenDictionary<ShardNo, Slot> _slots;
    private readonly ConcurrentDictionary<ShardNo, Slot> _placed = new();
    private readonly ConcurrentQueue<Slot> _busy = new();
    private readonly FrozenDictionary<string, IFanoutListener> _listeners;
    private readonly ConcurrentDictionary<long, OutgoingMessage> _awaiting = new();
    private readonly ConcurrentDictionary<Incarnation, PeerStreams> _streams = new();
    private readonly Action<OutgoingMessage> _forget;
    private long _correlation;
    private readonly RoomGate _room = new();
    private readonly Acknowledging _acknowledging;
    private int _isAcknowledging;
    private int _underWay;
    private long _tellsDropped;
    private TimeSpan _nextReview;
    private volatile bool _closed;

    public RegionDriver(Incarnation self, IEnumerable<EntityType> types, ImmutableArray<ShardRow> rows, EntityHost entities, INodeLinks links, IEnumerable<IFanoutListener> listeners)
    {
        (_self, _entities, _links) = (self, entities, links);
        _forget = Forget;
        _acknowledging = new Acknowledging(this);
        entities.RoomAgain = HasRoomAgain;
        _listeners = listeners.ToFrozenDictionary(l => l.Topic);
        var slots = new Dictionary<ShardNo, Slot>();
        var regions = new Dictionary<string, Region>();
        foreach (var type in types)
        {
            var shards = new Slot[type.ShardCount];
            foreach (var row in rows.Where(r => r.Type == type.Name))
            {
                var slot = slots[row.No] = new Slot(row.No, type, this);
                shards[int.Parse(row.Key, CultureInfo.InvariantCulture)] = slot;
            }
            regions[type.Name] = new Region(type, shards, StableHash.OfType(type.Name));
        }
        _slots = slots.ToFrozenDictionary();
        _regions = regions.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>Shards whose owner is known, and all.</summary>
    public (int Known, int All) Routed => (_slots.Values.Count(s => s.Outbox.Owner is not null), _slots.Count);

    /// <summary>Raised when a shard's epoch or owner is learned to have changed: (type, shard, epoch, owner).</summary>
    public event Action<string, ShardNo, Epoch, Incarnation>? Moved;

    /// <summary>Tells that could not be kept, since the life began.</summary>
    public long TellsDropped => Interlocked.Read(ref _tellsDropped);

    /// <summary>Most bytes of a message's content in one frame.</summary>
    public int PayloadBytesMax => _links.PayloadBytesMax;

    /// <summary>Messages whose answer is awaited from elsewhere.</summary>
    public int Awaiting => _awaiting.Count;

    /// <summary>The entity type is registered on this node.</summary>
    public bool Hosts(string type) => _regions.ContainsKey(type);

    /// <summary>Sends a message on its way. The answer, or a failure, reaches its sink; a tell that cannot be kept is dropped and counted.</summary>
    /// <exception cref="ArgumentException">The entity's type is not registered on this node, or its id is not 1 to 255 bytes long.</exception>
    public void Post(Envelope envelope) => Post(SlotOf(envelope.Target), envelope);

    /// <summary>As <see cref="Post(Envelope)"/>, a message that nobody awaits an answer to.</summary>
    /// <exception cref="ArgumentException">As there.</exception>
    public void Tell(EntityId target, object message) => Tell(SlotOf(target), target, message);

    private void Tell(Slot slot, EntityId target, object message)
    {
        // An envelope is the node of a mailbox; what goes elsewhere needs none.
        if (slot.Local is not null || slot.Type.Messages.Find(message.GetType()) is not { } type) Post(slot, new Envelope(target, message, null));
        else Send(slot, new OutgoingMessage(target, message, type, _forget), null);
    }

    private void Post(Slot slot, Envelope envelope)
    {
        if (slot.Type.Messages.Find(envelope.Message.GetType()) is not { } type)
        {
            if (envelope.Sink is { } sink) sink.Fail(EntityFailure.Unknown(envelope.Target.StoreKey, envelope.Message.GetType().Name));
            else Interlocked.Increment(ref _tellsDropped);
            return;
        }
        // The fast way: served here, and nothing of an earlier owner waits to be delivered first.
        if (slot.Local is { } local && local.TryDeliver(envelope)) return;
        Send(slot, new OutgoingMessage(envelope, slot.Type, type, _forget) { Correlation = envelope.Sink is null ? 0 : Interlocked.Increment(ref _correlation) }, envelope);
    }

    private void Send(Slot slot, OutgoingMessage outgoing, Envelope? envelope)
    {
        if (!Fits(outgoing)) return;
        var now = MonotonicClock.Now;
        outgoing.PostedAt = now;
        bool kept;
        lock (slot.Lock)
        {
            if (slot.Local is { } here && here.TryDeliver(envelope ?? outgoing.HandOver())) return;
            // Not before: whoever goes over those that are awaited may fail them, and the envelope may be another ask's once an entity has answered it.
            if (outgoing.Correlation != 0)
            {
                _awaiting[outgoing.Correlation] = outgoing;
                Interlocked.Increment(ref _underWay);
            }
            kept = !slot.HasEnded && slot.Outbox.Post(outgoing, now);
            if (kept) Watch(slot);
        }
        if (!kept)
        {
            if (outgoing.Correlation == 0) Interlocked.Increment(ref _tellsDropped);
            if (slot.HasEnded) outgoing.Fail(EntityFailure.Ended(outgoing.Target.StoreKey));
            else outgoing.Fail(Undelivered.Busy);
        }
        else if (_closed)
        {
            outgoing.Fail(Undelivered.Unknown); // Whoever closed may not have seen it.
        }
    }

    /// <summary>As <see cref="Tell(EntityId, object)"/>, but waits while the entity's mailbox, or what waits for its shard, is more than half full.</summary>
    /// <exception cref="EntityException">There was no room within <paramref name="limit"/>; nothing was sent.</exception>
    public ValueTask TellAsync(EntityId target, object message, TimeSpan limit, CancellationToken cancel)
    {
        var slot = SlotOf(target);
        if (!HasRoom(slot, target.Id)) return WaitAndTellAsync(slot, target, message, limit, cancel);
        Tell(slot, target, message);
        return ValueTask.CompletedTask;
    }

    /// <summary>The shard and what is known of where it is served.</summary>
    public (ShardNo Shard, Epoch Epoch, Incarnation? Owner) RouteOf(EntityId entity)
    {
        var slot = SlotOf(entity);
        lock (slot.Lock) return (slot.No, slot.Outbox.Epoch, slot.Outbox.Owner);
    }

    public void Start(ImmutableArray<AcquiredShard> shards)
    {
        foreach (var acquired in shards)
        {
            if (SlotOf(acquired) is not { } slot) continue; // Of a type that this node does not host: the store gives it none.
            var local = _entities.Start(slot.Type, acquired);
            lock (slot.Lock)
            {
                slot.Serving = local;
                slot.Outbox.Routed(acquired.Epoch, _self, MonotonicClock.Now); // What waited goes first,
                slot.Outbox.LinkUp(_self, MonotonicClock.Now); // also when the rows told of the new epoch before,
                slot.Local = local; // then the fast way opens.
            }
            Moved?.Invoke(slot.Type.Name, acquired.No, acquired.Epoch, _self);
        }
    }

    /// <returns>Completes when no effect outside the store is under way any more.</returns>
    public Task Stop(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        List<Task>? effects = null;
        foreach (var (no, epoch) in shards)
        {
            if (TryFind(no, out var slot))
            {
                lock (slot.Lock)
                {
                    if (slot.Serving is { } serving && serving.Epoch == epoch)
                    {
                        slot.Serving = slot.Local = null;
                        slot.Outbox.LinkLost(_self);
                    }
                }
            }
            if (_entities.Stop(no, epoch) is { IsCompleted: false } underWay) (effects ??= []).Add(underWay);
        }
        return effects is null ? Task.CompletedTask : Task.WhenAll(effects);
    }

    public void Drain(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards, TimeSpan limit, Action<ShardNo, Epoch> drained)
    {
        foreach (var (no, epoch) in shards)
        {
            if (!TryFind(no, out var slot) || _entities.Find(no, epoch) is not { } local) continue;
            int intake;
            lock (slot.Lock)
            {
                slot.Local = null;
                intake = local.CloseIntake(); // Under the lock: a message of another node is taken and delivered, or refused.
            }
            _ = DrainAsync(local, intake, limit, drained);
        }
    }

    public void Reopen(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (no, epoch) in shards)
        {
            if (!TryFind(no, out var slot) || _entities.Find(no, epoch) is not { } local) continue;
            lock (slot.Lock)
            {
                local.Open();
                slot.Outbox.LinkUp(_self, MonotonicClock.Now);
                slot.Local = local;
            }
        }
    }

    public void Learn(ImmutableArray<ShardRoute> routes)
    {
        foreach (var route in routes)
        {
            if (!TryFind(route.Shard, out var slot)) continue;
            if (route.Owner == default)
            {
                bool isOld; // Of an owner before the one that is known, or that this node is.
                lock (slot.Lock) isOld = route.Epoch < slot.Outbox.Epoch || slot.Serving?.Epoch > route.Epoch;
                if (!isOld && slot.Key is { } key) End(_regions[slot.Type.Name], key);
                continue;
            }
            bool moved;
            lock (slot.Lock)
            {
                moved = route.Epoch > slot.Outbox.Epoch;
                if (route.Owner != _self || slot.Serving is not null) slot.Outbox.Routed(route.Epoch, route.Owner, MonotonicClock.Now);
            }
            if (moved) Moved?.Invoke(slot.Type.Name, route.Shard, route.Epoch, route.Owner);
        }
    }

    public void LinkUp(Incarnation peer)
    {
        foreach (var slot in All)
            lock (slot.Lock) slot.Outbox.LinkUp(peer, MonotonicClock.Now);
    }

    public void LinkLost(Incarnation peer)
    {
        foreach (var slot in All)
            lock (slot.Lock) slot.Outbox.LinkLost(peer);
    }

    /// <summary>A node went down for good: what it sent will not be continued.</summary>
    public void Forget(Incarnation peer)
    {
        foreach (var slot in All)
            lock (slot.Lock) slot.Inbox.Forget(peer);
        _streams.TryRemove(peer, out _);
    }

    /// <summary>To be called a few times a second.</summary>
    public void Tick()
    {
        var now = MonotonicClock.Now;
        foreach (var (peer, streams) in _streams) Acknowledge(peer, streams); // What could wait until now, or its link did not take.
        for (var looks = _busy.Count; looks > 0 && _busy.TryDequeue(out var slot); looks--)
        {
            lock (slot.Lock)
            {
                slot.Outbox.Tick(now);
                slot.IsBusy = !slot.Outbox.IsEmpty;
                if (slot.IsBusy) _busy.Enqueue(slot);
            }
        }
        if (now < _nextReview) return;
        _nextReview = now + ReviewEvery;
        foreach (var message in _awaiting.Values)
        {
            if (!message.AwaitsReply) Forget(message); // Nobody waits any more.
            else if (now - message.PostedAt > AnswerLimit) message.Fail(EntityFailure.TimedOut(message.Target.StoreKey, AnswerLimit));
        }
    }

    /// <summary>The life ends: whoever still waits is told, and whoever posts from now on too.</summary>
    public void Close()
    {
        _closed = true;
        foreach (var message in _awaiting.Values) message.Fail(EntityFailure.Lost(message.Target.StoreKey));
    }

    private bool DeliverHere(Slot slot, Epoch epoch, long number, OutgoingMessage? message)
    {
        if (slot.Serving is not { } local || local.Epoch != epoch) return false;
        // One that is not taken now may go to another node later: it stays among those whose answer is awaited.
        if (message is not null && !local.TryDeliver(message.HandOver())) return false;
        slot.Outbox.Taken(epoch, number);
        return true;
    }

    private static async Task DrainAsync(LocalShard shard, int intake, TimeSpan limit, Action<ShardNo, Epoch> drained)
    {
        if (await shard.DrainAsync(intake, limit).ConfigureAwait(false)) drained(shard.No, shard.Epoch);
    }

    private static bool HasRoom(Slot slot, string entity) => slot.Local is { } local ? local.HasRoom(entity) : slot.Outbox.HasRoom;

    private async ValueTask WaitAndTellAsync(Slot slot, EntityId target, object message, TimeSpan limit, CancellationToken cancel)
    {
        var until = MonotonicClock.Now + limit;
        for (var looks = 1; !HasRoom(slot, target.Id); looks++)
        {
            cancel.ThrowIfCancellationRequested();
            if (MonotonicClock.Now >= until) throw new EntityException(EntityFailure.Busy(target.StoreKey));
            // Here: behind the turns that make room, unless they wait for something themselves. Elsewhere: until its node has taken something.
            if (slot.Local is not null && looks % 8 != 0) await TurnQueue.Yield();
            else if (slot.Local is not null) await Task.Delay(1, cancel).ConfigureAwait(false);
            else await _room.WaitAsync().ConfigureAwait(false);
        }
        Tell(slot, target, message);
    }

    private void Forget(OutgoingMessage message)
    {
        if (message.Correlation != 0 && _awaiting.TryRemove(message.Correlation, out _)) Interlocked.Decrement(ref _underWay);
    }

    private Slot SlotOf(EntityId entity)
    {
        if (!_regions.TryGetValue(entity.Type, out var region)) throw new ArgumentException($"Entity type '{entity.Type}' is not registered on this node; add it with WithEntity.");
        entity.Check();
        return region.Type.IsPlaced ? PlacedSlot(region, entity.Id) : region.Shards[StableHash.ShardOf(region.Hash, entity.Id, region.Shards.Length)];
    }

    /// <summary>Encodes it, here on the caller's stack where its faults belong; false when it failed.</summary>
    private bool Fits(OutgoingMessage outgoing)
    {
        var limit = _links.PayloadBytesMax;
        try
        {
            var bytes = outgoing.Payload.Length;
            if (bytes <= limit) return true;
            Refuse(outgoing, EntityFailure.TooLarge(outgoing.Target.StoreKey, outgoing.Type.Name, bytes, limit, noEffect: true));
        }
        catch (Exception cause)
        {
            Refuse(outgoing, EntityFailure.Faulted($"Encoding {outgoing.Type.Name} for {outgoing.Target.StoreKey}", cause, noEffect: true));
        }
        return false;
    }

    private void Refuse(OutgoingMessage outgoing, EntityFailure failure)
    {
        if (outgoing.Correlation == 0) Interlocked.Increment(ref _tellsDropped);
        outgoing.Fail(failure);
    }

    /// <param name="Type">The entity type.</param>
    /// <param name="Shards">One for each shard.</param>
    /// <param name="Hash">The type's part of the hash of its entities.</param>
    private sealed record Region(EntityType Type, Slot[] Shards, ulong Hash)
    {
        /// <summary>The individually placed entities that this node serves or has had messages for.</summary>
        public ConcurrentDictionary<string, Slot> Placed { get; } = new(StringComparer.Ordinal);
    }

    private sealed class Slot : IOutboxPort<OutgoingMessage>
    {
        private readonly RegionDriver _driver;

        public Slot(ShardNo no, EntityType type, RegionDriver driver, string? key = null)
        {
            (No, Type, Key, _driver) = (no, type, key, driver);
            Outbox = new ShardOutbox<OutgoingMessage>(no, this);
        }

        public Lock Lock { get; } = new();

        /// <summary>Of an individually placed entity 0 until its row was looked up; nothing is sent before.</summary>
        public ShardNo No { get; set; }

        public EntityType Type { get; }

        /// <summary>The entity's id if it is placed individually.</summary>
        public string? Key { get; }

        /// <summary>The individually placed entity has ended: nothing is taken for it any more.</summary>
        public bool HasEnded { get; set; }

        /// <summary>Its outbox is looked at by the tick.</summary>
        public bool IsBusy { get; set; }

        public ShardOutbox<OutgoingMessage> Outbox { get; }

        public ShardInbox Inbox { get; } = new();

        /// <summary>The sender that was heard last, and its streams.</summary>
        public (Incarnation Peer, PeerStreams Streams)? Heard { get; set; }

        /// <summary>In which collection of news the shard is already, and whose.</summary>
        public (PeerStreams Of, int Round)? Touched { get; set; }

        /// <summary>The shard as served here, also while it drains.</summary>
        public LocalShard? Serving { get; set; }

        /// <summary>Set while messages may go straight into it.</summary>
        public volatile LocalShard? Local;

        bool IOutboxPort<OutgoingMessage>.Send(Incarnation owner, ShardNo shard, Epoch epoch, long number, OutgoingMessage? message) =>
            owner == _driver._self ? _driver.DeliverHere(this, epoch, number, message) : _driver.SendTo(owner, No, epoch, number, message);

        void IOutboxPort<OutgoingMessage>.RouteWanted(ShardNo shard)
        {
            if (Key is null) _driver._links.RouteWanted();
            else _driver._links.EntityWanted(new EntityId(Type.Name, Key));
        }
    }

    /// <summary>The streams of one node that news is owed of.</summary>
    private sealed class PeerStreams
    {
        private const int MessagesMax = 32;
        private const int BytesMax = 64 * 1024;

        private readonly Lock _lock = new();
        private HashSet<Slot> _touched = [];
        private List<Slot> _spare = [];
        private int _round;
        private int _messages;
        private int _bytes;
        private bool _isAwaited;

        /// <summary>So much has come that its sender may be waiting for room, or it holds others back until it hears.</summary>
        public bool IsUrgent
        {
            get { lock (_lock) return _isAwaited || _messages >= MessagesMax || _bytes >= BytesMax; }
        }

        /// <summary>Under the lock of the slot.</summary>
        public void Touch(Slot slot, int bytes, bool isAwaited)
        {
            lock (_lock)
            {
                if (slot.Touched is not { } touched || touched.Round != _round || touched.Of != this)
                {
                    _touched.Add(slot);
                    slot.Touched = (this, _round);
                }
                _messages++;
                _bytes += bytes;
                _isAwaited |= isAwaited;
            }
        }

        /// <summary>All that were touched; to be given back.</summary>
        public List<Slot> Take()
        {
            lock (_lock)
            {
                (_messages, _bytes, _isAwaited) = (0, 0, false);
                _round++;
                var taken = _spare;
                _spare = [];
                taken.AddRange(_touched);
                _touched.Clear();
                return taken;
            }
        }

        public void Return(List<Slot> taken)
        {
            taken.Clear();
            lock (_lock) _spare = taken;
        }
    }

    /// <summary>Wakes those who wait for room each time that some may have come; they look again.</summary>
    private sealed class RoomGate
    {
        private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(50);
        private TaskCompletionSource? _waiting;

        public async Task WaitAsync()
        {
            var gate = Volatile.Read(ref _waiting);
            if (gate is null)
            {
                var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                gate = Interlocked.CompareExchange(ref _waiting, mine, null) ?? mine;
            }
            await gate.Task.WaitAsync(LookAgain).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // The shard may have moved, or opened here.
        }

        public void Open()
        {
            if (Volatile.Read(ref _waiting) is not null) Interlocked.Exchange(ref _waiting, null)?.SetResult();
        }
    }
}

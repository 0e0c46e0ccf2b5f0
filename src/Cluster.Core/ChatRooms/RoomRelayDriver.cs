using System.Collections.Concurrent;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sharding;
using Google.Protobuf;

namespace ActorCluster.ChatRooms;

/// <summary>Somebody on this node who follows a room.</summary>
internal interface IRoomFollower
{
    /// <summary>The room has news, or its stream became readable. Called under no lock of the room, on a thread that works off turns: others wait behind it.</summary>
    void RoomChanged(RoomRelay room);
}

/// <summary>All rooms that sessions of this node follow: one subscription per room, however many sessions.</summary>
/// <remarks>Thread-safe. Belongs to one life.</remarks>
internal sealed class RoomRelayDriver : IDisposable
{
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, RoomRelay> _rooms = new(StringComparer.Ordinal);
    private readonly RegionDriver _regions;
    private readonly IJournalStore _store;
    private readonly Incarnation _self;
    private readonly ConcurrentDictionary<string, byte> _unreadable = [];
    private readonly Action<string> _tellUnreadable;
    private readonly Timer _renew;

    /// <param name="regions">Reaches the rooms.</param>
    /// <param name="store">Has their journals.</param>
    /// <param name="self">The life that this belongs to.</param>
    /// <param name="tellUnreadable">Called once for each event that this node cannot read.</param>
    public RoomRelayDriver(RegionDriver regions, IJournalStore store, Incarnation self, Action<string> tellUnreadable)
    {
        (_regions, _store, _self, _tellUnreadable) = (regions, store, self, tellUnreadable);
        _renew = new Timer(_ => Renew(), null, RenewEvery, RenewEvery);
        regions.Moved += Moved;
    }

    /// <summary>Follows a room; the follower is called whenever there may be something to read.</summary>
    public RoomRelay Follow(string room, IRoomFollower follower)
    {
        while (true)
        {
            var relay = _rooms.GetOrAdd(room, static (name, driver) => new RoomRelay(name, driver.ShardOf(name), driver), this);
            if (relay.Add(follower)) return relay;
        }
    }

    public void Received(string room, Epoch epoch, RoomNews news)
    {
        if (_rooms.TryGetValue(room, out var relay)) relay.Pushed(epoch, news);
    }

    public void Dispose()
    {
        _regions.Moved -= Moved;
        _renew.Dispose();
    }

    internal void Forget(RoomRelay relay) => _rooms.TryRemove(new KeyValuePair<string, RoomRelay>(relay.Name, relay));

    internal void Subscribe(RoomRelay relay) =>
        _regions.Post(new Envelope(new EntityId(RoomEntity.TypeName, relay.Name), new RoomQuestion("", _self), relay));

    /// <summary>A page of a room's history: from memory where somebody on this node follows the room and the newest items hold it, else from the journal; null when that is needed and away.</summary>
    /// <param name="room">The room.</param>
    /// <param name="after">Sequence before the first item.</param>
    /// <param name="limit">At most so many items.</param>
    /// <param name="head">Newest sequence that the owner has named to the reader: the page must not end before it.</param>
    /// <exception cref="InvalidDataException">As of <see cref="ReadAsync"/>.</exception>
    internal async Task<IReadOnlyList<RoomItem>?> PageAsync(string room, long after, int limit, long head)
    {
        var items = new List<RoomItem>();
        if (_rooms.TryGetValue(room, out var relay) && relay.TryPage(after, items, limit, head)) return items;
        var rows = await ReadAsync(room, after, limit).ConfigureAwait(false);
        if (rows is not null) relay?.Preceded(rows);
        return rows;
    }

    /// <summary>Reads items after a sequence from the journal; null when the store is away.</summary>
    /// <exception cref="InvalidDataException">The journal holds an event that this release does not know; the message says so, and the mend.</exception>
    internal async Task<IReadOnlyList<RoomItem>?> ReadAsync(string room, long after, int limit)
    {
        if (after >= long.MaxValue - 1) return []; // Nothing is behind the last number there is, and the next one is none.
        var rows = await _store.ReadJournalAsync(new EntityId(RoomEntity.TypeName, room).StoreKey, after + 1, limit).ConfigureAwait(false);
        if (!rows.IsOk) return null;
        return [.. rows.Value.Select(row => ItemOf(room, row))];
    }

    private RoomItem ItemOf(string room, JournalRow row)
    {
        try
        {
            return new RoomItem(row.EntitySeq, RoomEventCodec.Instance.Decode(row.Kind, row.Payload.Span), row.AtUnixMs);
        }
        catch (Exception cause) when (cause is InvalidDataException or InvalidProtocolBufferException)
        {
            var reason = $"Room {room}: event {row.EntitySeq}, '{row.Kind}', cannot be read by this node; a newer release wrote it. Update the node.";
            if (_unreadable.TryAdd(reason, 0)) _tellUnreadable(reason); // Once, though it is tried again and again.
            throw new InvalidDataException(reason, cause);
        }
    }

    private ShardNo ShardOf(string room) => _regions.RouteOf(new EntityId(RoomEntity.TypeName, room)).Shard;

    /// <summary>A message that committed just before its owner died must not wait for the next one: every relay of the shard asks again.</summary>
    private void Moved(string type, ShardNo shard, Epoch epoch, Incarnation owner)
    {
        if (type != RoomEntity.TypeName) return;
        foreach (var relay in _rooms.Values)
            if (relay.Shard == shard) relay.Renew();
    }

    private void Renew()
    {
        foreach (var relay in _rooms.Values) relay.Renew();
    }
}

/// <summary>Some items of a room as clients get them, made by one follower for all that stand where it stood.</summary>
/// <param name="After">Sequence that a client must have.</param>
/// <param name="Last">Sequence that it has then.</param>
/// <param name="Bytes">Ready to send; never changed.</param>
internal sealed record RoomFrame(long After, long Last, ReadOnlyMemory<byte> Bytes);

/// <summary>One room as this node follows it.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class RoomRelay(string name, ShardNo shard, RoomRelayDriver driver) : IReplySink
{
    private const int FillRows = 1000;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly RoomStream _stream = new();
    private readonly List<FollowerGroup> _groups = [];
    private volatile FollowerGroup[] _groupsCopy = [];
    private volatile RoomFrame? _frame;
    private long _newest;
    private bool _filling;
    private bool _later;
    private bool _laterEvenIfLive;
    private bool _dead;

    public string Name { get; } = name;

    public ShardNo Shard { get; } = shard;

    /// <summary>Sequence of the newest item here. Followers are told after it has grown.</summary>
    public long Newest => Volatile.Read(ref _newest);

    /// <summary>More than one follower.</summary>
    public bool HasSeveral => _groupsCopy is [_, _, ..] or [{ IsSingle: false }];

    /// <summary>The frame that was made last.</summary>
    public RoomFrame? Frame
    {
        get => _frame;
        set => _frame = value;
    }

    public bool Add(IRoomFollower follower)
    {
        bool first;
        FollowerGroup group;
        lock (_lock)
        {
            if (_dead) return false;
            first = _groups.Count == 0;
            group = _groups.Find(g => !g.IsFull) ?? AddGroup();
            group.Add(follower);
        }
        if (first) driver.Subscribe(this);
        else group.Schedule();
        return true;
    }

    public void Remove(IRoomFollower follower)
    {
        lock (_lock)
        {
            if (_groups.Find(g => g.Remove(follower)) is { IsEmpty: true } empty)
            {
                _groups.Remove(empty);
                _groupsCopy = [.. _groups];
            }
            if (_groups.Count > 0) return;
            _dead = true;
        }
        driver.Forget(this);
    }

    public void Renew() => driver.Subscribe(this);

    public void Pushed(Epoch epoch, RoomNews news)
    {
        RoomStreamWish wish;
        lock (_lock)
        {
            wish = _stream.Pushed(epoch, news);
            Grown();
        }
        Act(wish);
    }

    /// <summary>Copies items after a cursor; false when they must be read from the journal (<see cref="ReadAsync"/>), or nothing is known yet.</summary>
    /// <param name="after">Sequence that the reader has.</param>
    /// <param name="into">Gets them.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="last">Sequence of the newest item here; null while nothing is known of the room.</param>
    public bool TryRead(long after, List<RoomItem> into, int max, out long? last)
    {
        lock (_lock)
        {
            last = _stream.IsLive ? _stream.Last : null;
            return _stream.TryRead(after, into, max);
        }
    }

    /// <inheritdoc cref="RoomStream.TryPage" />
    public bool TryPage(long after, List<RoomItem> into, int max, long head)
    {
        lock (_lock) return _stream.TryPage(after, into, max, head);
    }

    /// <inheritdoc cref="RoomStream.Preceded" />
    public void Preceded(IReadOnlyList<RoomItem> items)
    {
        lock (_lock) _stream.Preceded(items);
    }

    /// <inheritdoc cref="RoomRelayDriver.ReadAsync" />
    public Task<IReadOnlyList<RoomItem>?> ReadAsync(long after, int limit) => driver.ReadAsync(Name, after, limit);

    void IReplySink.Reply(object reply)
    {
        var answer = (RoomAnswer)reply;
        RoomStreamWish wish;
        lock (_lock)
        {
            wish = _stream.Subscribed(answer.Epoch, answer.Head, answer.Members);
            Grown();
        }
        Act(wish);
    }

    void IReplySink.Fail(EntityFailure failure) => _ = SubscribeLaterAsync(evenIfLive: false); // A live stream is renewed by the clock anyway.

    /// <summary>Once for all who wish it meanwhile: each answer may bring the next wish, so that several would go on for as long as the room.</summary>
    private async Task SubscribeLaterAsync(bool evenIfLive)
    {
        lock (_lock)
        {
            _laterEvenIfLive |= evenIfLive;
            if (_later) return;
            _later = true;
        }
        await Task.Delay(RetryAfter).ConfigureAwait(false);
        bool wanted;
        lock (_lock)
        {
            wanted = !_dead && (_laterEvenIfLive || !_stream.IsLive);
            _later = _laterEvenIfLive = false;
        }
        if (wanted) driver.Subscribe(this);
    }

    private void Act(RoomStreamWish wish)
    {
        if (wish == RoomStreamWish.SubscribeLater) _ = SubscribeLaterAsync(evenIfLive: true); // Not at once: until the route is learned the same one would answer.
        else if (wish == RoomStreamWish.Fill) Fill();
        TellAll();
    }

    private void Grown() => Volatile.Write(ref _newest, _stream.Last);

    private void TellAll()
    {
        foreach (var group in _groupsCopy) group.Schedule();
    }

    private FollowerGroup AddGroup()
    {
        var group = new FollowerGroup(this);
        _groups.Add(group);
        _groupsCopy = [.. _groups];
        return group;
    }

    private void Fill()
    {
        lock (_lock)
        {
            if (_filling || _dead) return;
            _filling = true;
        }
        _ = FillAsync();
    }

    private async Task FillAsync()
    {
        while (true)
        {
            long last;
            lock (_lock) last = _stream.Last;
            IReadOnlyList<RoomItem>? items = null;
            try { items = await driver.ReadAsync(Name, last, FillRows).ConfigureAwait(false); }
            catch (InvalidDataException) { } // It was told; read again, as while the store is away.
            var wish = RoomStreamWish.Fill;
            lock (_lock)
            {
                if (items is not null) wish = _stream.Filled(items);
                Grown();
                if (_dead || wish != RoomStreamWish.Fill)
                {
                    _filling = false;
                    break;
                }
            }
            TellAll();
            if (items is null || items.Count == 0) await Task.Delay(RetryAfter).ConfigureAwait(false);
        }
        TellAll();
    }

    /// <summary>Some followers that are told as one item of the <see cref="TurnQueue"/>: to queue each of a thousand would cost more than what they do.</summary>
    private sealed class FollowerGroup(RoomRelay room) : IThreadPoolWorkItem
    {
        private const int Size = 32; // What waits behind a group waits for its sends, a few microseconds each.

        private volatile IRoomFollower[] _followers = [];
        private int _isScheduled;

        public bool IsFull => _followers.Length >= Size;

        public bool IsEmpty => _followers.Length == 0;

        public bool IsSingle => _followers.Length == 1;

        public void Add(IRoomFollower follower) => _followers = [.. _followers, follower];

        public bool Remove(IRoomFollower follower)
        {
            var before = _followers;
            var at = Array.IndexOf(before, follower);
            if (at < 0) return false;
            _followers = [.. before.AsSpan(0, at), .. before.AsSpan(at + 1)];
            return true;
        }

        public void Schedule()
        {
            if (Volatile.Read(ref _isScheduled) == 0 && Interlocked.Exchange(ref _isScheduled, 1) == 0) TurnQueue.Deal(this);
        }

        void IThreadPoolWorkItem.Execute()
        {
            Interlocked.Exchange(ref _isScheduled, 0); // First: what comes while the followers look is told again.
            foreach (var follower in _followers) follower.RoomChanged(room);
        }
    }
}

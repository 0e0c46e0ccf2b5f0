using ActorCluster.Entities;
using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.Presence;

/// <summary>Tells the presence buckets whom this node holds connected: soon after a change, when a bucket moved, and every 20 s.</summary>
/// <remarks>Thread-safe. Belongs to one life.</remarks>
internal sealed class PresenceDriver : IDisposable
{
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Dictionary<EntityId, SortedDictionary<string, int>> _held = [];
    private readonly HashSet<EntityId> _changed = [];
    private readonly RegionDriver _regions;
    private readonly Incarnation _self;
    private readonly Timer _clock;
    private TimeSpan _nextRepeat;
    private long _version;
    private int _announcing;

    public PresenceDriver(RegionDriver regions, Incarnation self)
    {
        (_regions, _self) = (regions, self);
        regions.Moved += Moved;
        _clock = new Timer(_ => AnnounceAlone(), null, Gather, Gather);
    }

    public void Connected(string user) => Change(user, +1);

    public void Disconnected(string user) => Change(user, -1);

    public void Dispose()
    {
        _regions.Moved -= Moved;
        _clock.Dispose();
    }

    private void Change(string user, int by)
    {
        var bucket = PresenceEntity.BucketOf(user);
        lock (_lock)
        {
            if (!_held.TryGetValue(bucket, out var users)) users = _held[bucket] = new SortedDictionary<string, int>(StringComparer.Ordinal);
            var count = users.GetValueOrDefault(user) + by;
            if (count > 0) users[user] = count;
            else users.Remove(user);
            // Another session of a user who is here already is no news.
            if (by > 0 ? count == 1 : count == 0) _changed.Add(bucket);
        }
    }

    private void Moved(string type, ShardNo shard, Epoch epoch, Incarnation owner)
    {
        if (type != PresenceEntity.TypeName) return;
        lock (_lock)
        {
            foreach (var bucket in _held.Keys)
                if (_regions.RouteOf(bucket).Shard == shard) _changed.Add(bucket);
        }
    }

    /// <summary>One at a time: a slow one's news must not be posted behind those of the next.</summary>
    private void AnnounceAlone()
    {
        if (Interlocked.Exchange(ref _announcing, 1) != 0) return;
        try { Announce(); }
        finally { Volatile.Write(ref _announcing, 0); }
    }

    private void Announce()
    {
        List<PresenceAnnouncement> said = [];
        List<EntityId> to = [];
        lock (_lock)
        {
            var now = MonotonicClock.Now;
            if (now >= _nextRepeat)
            {
                _nextRepeat = now + (PresenceDirectory.SilenceMax / 3);
                foreach (var (bucket, users) in _held)
                    if (users.Count > 0) _changed.Add(bucket);
            }
            foreach (var bucket in _changed)
            {
                to.Add(bucket);
                said.Add(new PresenceAnnouncement(_self, ++_version, [.. _held[bucket].Keys]));
                if (_held[bucket].Count == 0) _held.Remove(bucket);
            }
            _changed.Clear();
        }
        for (var i = 0; i < to.Count; i++) _regions.Post(new Envelope(to[i], said[i], null));
    }
}

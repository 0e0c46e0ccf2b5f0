using System.Collections.Immutable;
using ActorCluster.Links;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Which peers this node hears, which hear it, and what others say of each other.</summary>
/// <remarks>Not thread-safe: one core owns it. A channel alone never raises suspicion while the other lives (protocol 2.1, 2.3).</remarks>
internal sealed class FailureDetector(Incarnation self, ProtocolTimes times)
{
    private readonly SortedDictionary<Incarnation, Peer> _peers = [];

    /// <summary>Own health, 0 (well) to 8: stretches the patience with others, never a deadline of one's own (Lifeguard; protocol 2.4).</summary>
    public int Health { get; private set; }

    private double Patience => 1 + Health;

    /// <param name="peers">All live members.</param>
    /// <param name="asked">A new one is watched from now on, and heard of no later than the others; else only when it is asked for.</param>
    public void SetPeers(IEnumerable<Incarnation> peers, bool asked = true)
    {
        var wanted = new SortedSet<Incarnation>(peers);
        wanted.Remove(self);
        foreach (var gone in _peers.Keys.Where(p => !wanted.Contains(p)).ToList()) _peers.Remove(gone);
        foreach (var peer in wanted)
            if (!_peers.ContainsKey(peer)) _peers.Add(peer, new Peer(times) { IsAsked = asked, IsJudged = asked });
    }

    /// <summary>Says who is watched (protocol 2.2). Whoever begins to be has a while to be heard, and whoever ceases to be is beaten a while longer, since the other end learns of it at another time.</summary>
    public void Ask(Func<Incarnation, bool> whom, TimeSpan longer, TimeSpan now)
    {
        foreach (var (inc, peer) in _peers)
        {
            var asked = whom(inc);
            if (asked && !peer.IsAsked) peer.AskedSince = now;
            if (asked) peer.BeatUntil = now + longer;
            peer.IsAsked = asked;
            peer.IsJudged = Judge(peer, now);
        }
    }

    public void Heard(Heartbeat beat, LinkChannel channel, TimeSpan now)
    {
        if (!_peers.TryGetValue(beat.From, out var peer)) return; // A late beat of an earlier incarnation proves nothing.
        peer.Channels[(int)channel].Arrived(now);
        peer.LinkFactor = peer.LockFree = peer.SessionGone = false; // Whoever beats has not crashed.
        if (peer.Last is { } last && beat.Seq < last.Seq) return; // The other channel was faster: only the arrival is new.
        if (beat.StoreOk && peer.Last is not { StoreOk: true }) peer.StoreOkSince = now;
        peer.Last = beat;
        peer.LastAt = now;
        peer.MissesSomebody = beat.Row.Any(static entry => !entry.Up);
    }

    public void Probed(Incarnation inc, bool linkGone)
    {
        if (!_peers.TryGetValue(inc, out var peer)) return;
        peer.LinkFactor = linkGone;
        if (!linkGone) peer.SessionGone = false;
    }

    /// <summary>What the store said of a peer's session counts only beside a link that is gone: one without the other is an outage, of the store or of the network.</summary>
    public void SessionProbed(Incarnation inc, bool gone)
    {
        if (_peers.TryGetValue(inc, out var peer)) peer.SessionGone = gone && peer.LinkFactor;
    }

    public void LockProbed(Incarnation inc, bool free)
    {
        if (_peers.TryGetValue(inc, out var peer)) peer.LockFree = free;
    }

    /// <summary>Own timers were late by this much: others are excused for that time.</summary>
    public void OwnPause(TimeSpan late)
    {
        Health = Math.Min(8, Health + 1);
        foreach (var peer in _peers.Values)
        {
            foreach (var channel in peer.Channels) channel.Excuse(late);
            peer.LastAt += late;
            peer.AskedSince += late;
        }
    }

    public void CleanSecond() => Health = Math.Max(0, Health - 1);

    /// <summary>Reviews every edge; to be called at each tick, before anything is asked.</summary>
    public void Review(TimeSpan now)
    {
        foreach (var peer in _peers.Values)
        {
            // Proof of a crash need not wait for suspicion to rise.
            peer.Hears = !peer.Crashed && peer.Channels.Any(c => c.Phi(now, Patience) < times.PhiDown);
            var up = peer.Hears && peer.Last is { HearsYou: true };
            if (peer.Up && !up && peer.IsAsked) peer.WentDown(now);
            if (!peer.Up && up) peer.UpSince = now;
            peer.Up = up;
            peer.IsJudged = Judge(peer, now);
        }
    }

    private bool Judge(Peer peer, TimeSpan now) => peer.Crashed || (peer.IsAsked && (peer.Up || now - peer.AskedSince >= times.RowFresh));

    /// <summary>Whether this node says anything of the edge to a peer: only where both ends exchange beats, and have had the time to.</summary>
    public bool IsJudged(Incarnation inc) => _peers.TryGetValue(inc, out var peer) && peer.IsJudged;

    /// <summary>Whether a peer is sent beats.</summary>
    public bool IsBeaten(Incarnation inc, TimeSpan now) => _peers.TryGetValue(inc, out var peer) && (peer.IsAsked || now < peer.BeatUntil);

    /// <summary>Connected, or not watched and thus well for all that is known.</summary>
    public bool IsReached(Incarnation inc) => _peers.TryGetValue(inc, out var peer) && (peer.Up || !peer.IsJudged);

    /// <summary>As <see cref="IsReached"/>, and it does not say that it misses the store.</summary>
    public bool IsWell(Incarnation inc, TimeSpan now) => _peers.TryGetValue(inc, out var peer) && (!peer.IsJudged || (peer.Up && StoreOk(inc, now)));

    /// <summary>Somebody is missed, by this node or by one whose row counts, or somebody says that it misses the store or is sick.</summary>
    public bool SeesTrouble(TimeSpan now) => _peers.Any(p =>
        (p.Value.IsJudged && !IsUpForDecisions(p.Key, now))
        || (p.Value.Last is { } last && now - p.Value.LastAt <= times.RowFresh && (!last.StoreOk || last.IsSick || (p.Value.MissesSomebody && last.Health < 3))));

    public bool Hears(Incarnation inc) => _peers.TryGetValue(inc, out var peer) && peer.Hears;

    /// <summary>Both directions work right now.</summary>
    public bool IsUp(Incarnation inc) => _peers.TryGetValue(inc, out var peer) && peer.Up;

    /// <summary>As <see cref="IsUp"/>, but an edge that flapped 3 times in 60 s must first be up for 10 s on end.</summary>
    public bool IsUpForDecisions(Incarnation inc, TimeSpan now) =>
        _peers.TryGetValue(inc, out var peer) && peer.Up && !(peer.Flaps(now) && now - peer.UpSince < TimeSpan.FromSeconds(10));

    /// <summary>The link is gone for certain, and its process is proved dead or has lost its session with the store (protocol 2.5).</summary>
    public bool IsCrashEvident(Incarnation inc) =>
        _peers.TryGetValue(inc, out var peer) && peer.Crashed;

    /// <summary>Its lock file was held by us: only the kernel gives that away.</summary>
    public bool IsProvedDead(Incarnation inc) => _peers.TryGetValue(inc, out var peer) && peer.LockFree;

    public Heartbeat? LastBeat(Incarnation inc) => _peers.TryGetValue(inc, out var peer) ? peer.Last : null;

    /// <summary>The own row of the reachability graph, by incarnation; without those that it says nothing of.</summary>
    public ImmutableArray<ReachEntry> OwnRow(TimeSpan now) => [.. _peers.Where(p => p.Value.IsJudged).Select(p => new ReachEntry(p.Key, IsUpForDecisions(p.Key, now)))];

    /// <summary>The row of a peer if it counts: fresh, and its writer is well.</summary>
    public ImmutableArray<ReachEntry>? CountingRow(Incarnation inc, TimeSpan now) =>
        _peers.TryGetValue(inc, out var peer) && peer.Last is { Health: < 3 } last && now - peer.LastAt <= times.RowFresh ? last.Row : null;

    /// <summary>The store reached a peer at its last beat, and the beat is fresh.</summary>
    public bool StoreOk(Incarnation inc, TimeSpan now) =>
        _peers.TryGetValue(inc, out var peer) && peer.Last is { StoreOk: true } && now - peer.LastAt <= times.RowFresh;

    /// <summary>As <see cref="StoreOk(Incarnation, TimeSpan)"/>, and every beat has said so for that long.</summary>
    public bool StoreOk(Incarnation inc, TimeSpan now, TimeSpan lasting) => StoreOk(inc, now) && now - _peers[inc].StoreOkSince >= lasting;

    /// <summary>A peer saw the witnesses at its last beat, and the beat is fresh.</summary>
    public bool WitnessOk(Incarnation inc, TimeSpan now) =>
        _peers.TryGetValue(inc, out var peer) && peer.Last is { WitnessOk: true } && now - peer.LastAt <= times.RowFresh;

    private sealed class Peer(ProtocolTimes times)
    {
        private readonly Queue<TimeSpan> _downs = new();

        public PhiAccrual[] Channels { get; } = [new(times), new(times)];

        public Heartbeat? Last { get; set; }

        public TimeSpan LastAt { get; set; }

        public TimeSpan StoreOkSince { get; set; }

        /// <summary>Its last row says of somebody that it is not up.</summary>
        public bool MissesSomebody { get; set; }

        public bool IsAsked { get; set; }

        /// <summary>Long ago for those that were asked when they became known.</summary>
        public TimeSpan AskedSince { get; set; } = TimeSpan.FromDays(-1);

        public TimeSpan BeatUntil { get; set; }

        public bool IsJudged { get; set; }

        public bool Hears { get; set; }

        public bool Up { get; set; }

        public TimeSpan UpSince { get; set; }

        public bool LinkFactor { get; set; }

        public bool LockFree { get; set; }

        public bool SessionGone { get; set; }

        public bool Crashed => LinkFactor && (LockFree || SessionGone);

        public void WentDown(TimeSpan now)
        {
            _downs.Enqueue(now);
            if (_downs.Count > 3) _downs.Dequeue();
        }

        public bool Flaps(TimeSpan now) => _downs.Count == 3 && now - _downs.Peek() < TimeSpan.FromSeconds(60);
    }
}

using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Membership;

/// <summary>Going on without the store by the word of all members (protocol 4.4, decision 25).</summary>
internal sealed partial class Membership
{
    private readonly SortedDictionary<Incarnation, TimeSpan> _knowsOfMe = [];
    private Assents? _assents;
    private TimeSpan _viewSince;
    private long _joinedView;
    private TimeSpan? _unsureSince;

    /// <summary>Whether and for how long members without the store go on by each other's word.</summary>
    public FailsafeRules Failsafe { get; init; } = FailsafeRules.Off;

    /// <summary>When the rows were asked for with which this node last compared what it runs.</summary>
    public TimeSpan OwnRowsAskedAt { get; set; }

    private Assents Assents => _assents ??= new Assents(Failsafe, times);

    private IEnumerable<Incarnation> Others => Snapshot!.Members.Where(m => m.IsLive && m.Inc != Self).Select(m => m.Inc);

    /// <summary>Until when this node, which does not reach the store, serves reads from memory and acts for types that want it so: all other members of its view have said
    /// that they do not reach it either and change no view meanwhile. Null while they have not.</summary>
    public TimeSpan? AssentedUntil(TimeSpan now) =>
        RestsOnView(now) && Missing.IsEmpty && Assents.Until(Others, View, Lease.Deadline - times.ServeLimit, now) is var until && until > now ? until : null;

    /// <summary>Members whose word is missing while this node asks for it; empty when it has all, or does not ask.</summary>
    public ImmutableArray<Incarnation> AssentsMissing(TimeSpan now) => Asks(now) ? [.. Assents.Missing(Others, View, now)] : [];

    /// <summary>The gate of effects of types that go on by the word of all.</summary>
    public bool MayActByAssent(TimeSpan limit, TimeSpan now) => AssentedUntil(now) is { } until && Lease.Covers(until, now, limit, times);

    /// <summary>All that this node serves was its own in the view that it has read, and it knows of no newer one, nor of a reason why there may be one.</summary>
    private bool RestsOnView(TimeSpan now) =>
        Failsafe.IsOn && Mode(now) is NodeMode.Degraded or NodeMode.Frozen && SelfRow.IsVoter && StoreRegressed is null && _toldDownBy is null && Lease.IsTrusted && KnowsTheView && OwnRowsAskedAt >= _viewSince;

    /// <summary>Nobody has announced a newer view, and no change of this node's own may have made one.</summary>
    private bool KnowsTheView => AnnouncedView <= View && _pending is null && _unsureSince is null;

    /// <summary>The store has answered as if there were a newer view; only a read that is asked for from now on tells.</summary>
    private void DoubtView(TimeSpan now) => _unsureSince = now;

    /// <summary>For some time the store has not answered; a call that failed alone is no reason to bind others.</summary>
    private bool MissesTheStore(TimeSpan now) => _storeFailed && now - _lastStoreOk >= times.CallTimeout;

    private bool Asks(TimeSpan now) => MissesTheStore(now) && RestsOnView(now);

    /// <summary>This node's word for a peer that asks, which is its question's time; zero for none.</summary>
    private TimeSpan AssentTo(Incarnation peer, TimeSpan now)
    {
        if (!Failsafe.IsOn || !MissesTheStore(now) || StoreRegressed is not null || _toldDownBy is not null || !KnowsTheView || !SelfRow.IsLive || Snapshot!.Find(Self) is null) return TimeSpan.Zero;
        if (_detector.LastBeat(peer) is not { Asks: true } question || question.View != View || !_detector.IsUp(peer)) return TimeSpan.Zero;
        Assents.Gave(now);
        return question.Clock;
    }

    private void NoteAssent(Heartbeat beat, TimeSpan now)
    {
        if (!Failsafe.IsOn) return;
        if (_peers.ContainsKey(beat.From)) Assents.Heard(beat.From, beat.Seq, beat.View, beat.Assents);
        if (_joinedView > 0 && beat.Announced >= _joinedView) _knowsOfMe.TryAdd(beat.From, now);
    }

    private void NoteView(ClusterSnapshot? before, ClusterSnapshot snapshot, TimeSpan now)
    {
        if (_readAsked >= _unsureSince) _unsureSince = null;
        if (before?.Cluster.View != snapshot.Cluster.View) _viewSince = now;
        if (_joinedView == 0 && snapshot.Find(Self) is not null) _joinedView = snapshot.Cluster.View;
        Assents.Keep(_peers.ContainsKey);
    }

    /// <summary>Whether a node that is not up may take a silent member out by its lease: not while that one may still live on the word of others, who know nothing of this node.</summary>
    private bool IsStaleForNewcomer(Incarnation inc) => Failsafe.IsOn ? _leases.IsStale(inc, Assents.NewcomersWait) : _leases.IsStale(inc);

    /// <summary>A member that is connected has said that it knows of a view with this node in it, so that it lives on nobody's word of an earlier one, and its last effect by such a word has ended.</summary>
    private bool KnowsOfMe(Incarnation inc, TimeSpan now) => !Failsafe.IsOn || (_knowsOfMe.TryGetValue(inc, out var since) && now - since >= Assents.EffectsEnd);
}

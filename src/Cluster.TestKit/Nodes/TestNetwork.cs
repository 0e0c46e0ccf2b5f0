using System.Collections.Concurrent;
using System.Collections.Immutable;
using ActorCluster.Links;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>Which ways between the nodes of a test carry nothing.</summary>
/// <remarks>Thread-safe: asked by the links' threads for each receive. A cut stalls, as a cut cable does: what was sent waits. Healed before TCP gives the connection up, it arrives; else it is lost with the
/// connection, which <see cref="TestCluster"/> breaks at both ends.</remarks>
internal sealed class TestNetwork
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<Incarnation, string> _names = new();
    private volatile ImmutableDictionary<(string From, string To), long> _cuts = ImmutableDictionary<(string, string), long>.Empty;
    private volatile ImmutableHashSet<string> _paused = [];
    private long _lastCut;

    /// <summary>The ways that are cut, in order.</summary>
    public IEnumerable<(string From, string To)> Cuts => _cuts.Keys.Order();

    /// <summary>Tells whose life an incarnation is; before anybody can link with it.</summary>
    public void Name(Incarnation inc, string node) => _names[inc] = node;

    /// <summary>Cuts one way; null when it was cut already, else what <see cref="IsStill"/> wants.</summary>
    public long? Cut(string from, string to)
    {
        lock (_lock)
        {
            if (_cuts.ContainsKey((from, to))) return null;
            _cuts = _cuts.Add((from, to), ++_lastCut);
            return _lastCut;
        }
    }

    /// <summary>The way has been cut ever since.</summary>
    public bool IsStill(string from, string to, long cut) => _cuts.TryGetValue((from, to), out var now) && now == cut;

    /// <summary>Heals every way, or those from and to one node.</summary>
    public void Heal(string? node)
    {
        lock (_lock) _cuts = node is null ? _cuts.Clear() : _cuts.RemoveRange(_cuts.Keys.Where(c => c.From == node || c.To == node));
    }

    /// <summary>A paused node neither reads nor answers, and what leaves it arrives when it goes on.</summary>
    public void Pause(string node, bool paused)
    {
        lock (_lock) _paused = paused ? _paused.Add(node) : _paused.Remove(node);
    }

    private bool IsHeld(string from, string to) => _cuts.ContainsKey((from, to)) || _paused.Contains(from) || _paused.Contains(to);

    /// <summary>The network as one life of a node's process meets it.</summary>
    public sealed class Port(TestNetwork network, string self) : ILinkFilter
    {
        private volatile bool _isDead;

        /// <summary>From now on nothing leaves: what a killed process had still to say is not said.</summary>
        public void Die() => _isDead = true;

        public bool Passes(Incarnation peer, LinkChannel connection, LinkDirection direction) => !_isDead;

        public bool Holds(Incarnation peer, LinkChannel connection, LinkDirection direction) => !_isDead && network._names.TryGetValue(peer, out var other)
            && (direction == LinkDirection.Outgoing ? network.IsHeld(self, other) : network.IsHeld(other, self));
    }
}

using ActorCluster.Primitives;

namespace ActorCluster.Presence;

/// <summary>Who of one group of users is connected, as the nodes that hold the connections say.</summary>
/// <remarks>Not thread-safe. Per node the higher version wins (protocol 7.5); a node that is gone, or silent for too long, has nobody.</remarks>
internal sealed class PresenceDirectory
{
    /// <summary>Nodes repeat what they hold three times in this time.</summary>
    public static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(60);

    private readonly SortedDictionary<Incarnation, Holding> _nodes = [];

    public bool IsEmpty => _nodes.Count == 0;

    public void Announced(Incarnation node, long version, IEnumerable<string> users, TimeSpan now)
    {
        if (_nodes.TryGetValue(node, out var known) && known.Version > version) return;
        var held = users.ToHashSet(StringComparer.Ordinal);
        if (held.Count == 0) _nodes.Remove(node);
        else _nodes[node] = new Holding(version, held, now);
    }

    public IReadOnlyList<string> OnlineOf(IEnumerable<string> users, Func<Incarnation, bool> isLive, TimeSpan now)
    {
        foreach (var (node, _) in _nodes.Where(n => !isLive(n.Key) || now - n.Value.At > SilenceMax).ToList()) _nodes.Remove(node);
        return [.. users.Where(user => _nodes.Values.Any(n => n.Users.Contains(user)))];
    }

    private sealed record Holding(long Version, HashSet<string> Users, TimeSpan At);
}

using ActorCluster.Primitives;

namespace ActorCluster.Presence;

/// <summary>Who of one group of users is connected, as the nodes that hold the connections say.</summary>
/// <remarks>Not thread-safe. Per node the higher version wins (protocol 7.5); a node that is gone, or silent for too long, has nobody.</remarks>
internal sealed class PresenceDirectory
{
    /// <summary>Nodes repeat what they hold three times in this time.</summary>
    public static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(60);

    private readonly SortedDictionary<Incarnation, Holding> _nodes = [];

    /// <summary>Takes what a node holds, in place of what it held before; drops what is known of nodes that are gone.</summary>
    public void Announced(Incarnation node, long version, IEnumerable<string> users, Func<Incarnation, bool> isLive, TimeSpan now)
    {
        DropGone(isLive, now);
        if (_nodes.TryGetValue(node, out var known) && known.Version > version) return;
        // Also when it has nobody left: an announcement of before that comes late is known by the version.
        _nodes[node] = new Holding(version, users.ToHashSet(StringComparer.Ordinal), now);
    }

    public IReadOnlyList<string> OnlineOf(IEnumerable<string> users, Func<Incarnation, bool> isLive, TimeSpan now)
    {
        DropGone(isLive, now);
        return [.. users.Where(user => _nodes.Values.Any(n => n.Users.Contains(user)))];
    }

    /// <summary>Somebody is connected.</summary>
    public bool HasAnyone(Func<Incarnation, bool> isLive, TimeSpan now) => _nodes.Any(n => n.Value.Users.Count > 0 && !IsGone(n.Key, n.Value, isLive, now));

    private void DropGone(Func<Incarnation, bool> isLive, TimeSpan now)
    {
        foreach (var (node, _) in _nodes.Where(n => IsGone(n.Key, n.Value, isLive, now)).ToList()) _nodes.Remove(node);
    }

    private static bool IsGone(Incarnation node, Holding holding, Func<Incarnation, bool> isLive, TimeSpan now) => !isLive(node) || now - holding.At > SilenceMax;

    private sealed record Holding(long Version, HashSet<string> Users, TimeSpan At);
}

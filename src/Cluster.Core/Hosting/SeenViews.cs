using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>The newest (cluster, generation, view) that this node has seen, kept in its data folder: a restored store is noticed even if every node was restarted.</summary>
internal static class SeenViews
{
    public static void Check(ClusterOptions options, ClusterRow cluster)
    {
        if (Read(options) is not { } seen || seen.Uuid != cluster.Uuid) return; // A new cluster: nothing is known of it.
        if ((cluster.StoreGeneration, cluster.View).CompareTo((seen.Generation, seen.View)) >= 0) return;
        throw new ClusterStartException(
            ExitCodes.StoreMismatch,
            string.Create(CultureInfo.InvariantCulture, $"The store is at generation {cluster.StoreGeneration}, view {cluster.View}, but this node has seen generation {seen.Generation}, view {seen.View} of the same cluster: the store was restored or has lost commits. Point the node at the right store, or run: actorcluster recover --generation {seen.Generation + 1}"));
    }

    /// <summary>Best effort: a file that cannot be written costs the alarm, not the service.</summary>
    public static void Note(ClusterOptions options, ClusterRow cluster)
    {
        var path = PathOf(options);
        try
        {
            File.WriteAllText(path + ".new", string.Create(CultureInfo.InvariantCulture, $"{cluster.Uuid} {cluster.StoreGeneration} {cluster.View}"));
            File.Move(path + ".new", path, overwrite: true);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // A full or locked disk: the alarm of an older view still stands.
        }
    }

    private static (Guid Uuid, long Generation, long View)? Read(ClusterOptions options)
    {
        string[] parts;
        try { parts = File.ReadAllText(PathOf(options)).Split(' '); }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException) { return null; } // No such file, or none that tells anything.
        return parts.Length == 3 && Guid.TryParse(parts[0], out var uuid)
            && long.TryParse(parts[1], CultureInfo.InvariantCulture, out var generation) && long.TryParse(parts[2], CultureInfo.InvariantCulture, out var view)
            ? (uuid, generation, view)
            : null;
    }

    private static string PathOf(ClusterOptions options) => Path.Combine(options.Data, "nodes", options.Node.Name, "seen");
}

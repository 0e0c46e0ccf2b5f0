using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>Writes what the store had acknowledged to a file in the node's data folder, when the store turns out to have forgotten something: a line of JSON a row (protocol 4.6).</summary>
internal static class AckedExport
{
    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="folder">The node's folder.</param>
    /// <param name="cluster">Whose rows, and of which generation.</param>
    /// <param name="node">The node's name.</param>
    /// <param name="self">Who acknowledged.</param>
    /// <param name="now">For the file's name.</param>
    /// <param name="batches">Oldest first.</param>
    /// <returns>Its full path.</returns>
    /// <exception cref="IOException">It could not be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static string Write(string folder, ClusterRow cluster, string node, Incarnation self, DateTimeOffset now, ImmutableArray<ShardBatch> batches)
    {
        var path = Path.GetFullPath(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"acked-{now.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{self.Value}.jsonl")));
        using (var file = new FileStream(path + ".new", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
        {
            var text = new AckedText();
            file.Write(text.Header(new AckedHeader(cluster.Uuid, cluster.StoreGeneration, node, self, batches.Sum(b => (long)b.Rows.Length))));
            foreach (var batch in batches)
                for (var i = 0; i < batch.Rows.Length; i++) file.Write(text.Row(batch, i));
            file.Flush(flushToDisk: true);
        }
        File.Move(path + ".new", path, overwrite: true);
        return path;
    }
}

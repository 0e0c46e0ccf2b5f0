using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>Writes what the store had acknowledged to a file in the node's data folder, when the store turns out to have forgotten something: one line of JSON a row (protocol 4.6).</summary>
internal static class AckedExport
{
    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="folder">The node's folder.</param>
    /// <param name="self">Who acknowledged.</param>
    /// <param name="now">For the file's name.</param>
    /// <param name="batches">Oldest first.</param>
    /// <returns>Its full path.</returns>
    /// <exception cref="IOException">It could not be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static string Write(string folder, Incarnation self, DateTimeOffset now, ImmutableArray<ShardBatch> batches)
    {
        var path = Path.GetFullPath(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"acked-{now.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{self.Value}.jsonl")));
        using (var file = new FileStream(path + ".new", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
        {
            using var json = new Utf8JsonWriter(file);
            foreach (var batch in batches)
            {
                for (var i = 0; i < batch.Rows.Length; i++)
                {
                    WriteRow(json, batch, i);
                    json.Flush();
                    json.Reset();
                    file.WriteByte((byte)'\n');
                }
            }
            file.Flush(flushToDisk: true);
        }
        File.Move(path + ".new", path, overwrite: true);
        return path;
    }

    private static void WriteRow(Utf8JsonWriter json, ShardBatch batch, int index)
    {
        var row = batch.Rows[index];
        json.WriteStartObject();
        json.WriteString("entity", row.Entity);
        json.WriteNumber("entitySeq", row.EntitySeq);
        json.WriteString("kind", row.Kind);
        json.WriteString("at", DateTimeOffset.FromUnixTimeMilliseconds(row.AtUnixMs));
        if (row.Command is { } command)
        {
            json.WriteString("client", command.Client.Value.ToString("x32", CultureInfo.InvariantCulture));
            json.WriteNumber("clientSeq", command.Sequence);
        }
        json.WriteNumber("shard", batch.Shard.Value);
        json.WriteNumber("shardSeq", batch.ExpectedSeq + index);
        json.WriteNumber("epoch", batch.Epoch.Value);
        json.WriteBase64String("payload", row.Payload.Span);
        if (row.Result is { } result) json.WriteBase64String("result", result.Span);
        json.WriteEndObject();
    }
}

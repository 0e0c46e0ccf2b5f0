using System.Text.Json;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class AckedBatchesTests
{
    private static readonly ClusterRow Cluster = new(Guid.NewGuid(), 3, 9, 1, "digest");

    private readonly AckedBatches _acked = new();

    [Fact]
    public void What_is_older_than_ten_seconds_is_forgotten()
    {
        for (var second = 0; second < 30; second++) _acked.Add(Batch(second), TimeSpan.FromSeconds(second));
        Assert.Equal(Enumerable.Range(19, 11), _acked.Latest(TimeSpan.FromSeconds(29)).Select(b => (int)b.ExpectedSeq));
        Assert.Equal([29], _acked.Latest(TimeSpan.FromSeconds(39)).Select(b => (int)b.ExpectedSeq));
        Assert.Empty(_acked.Latest(TimeSpan.FromSeconds(40)));
    }

    [Fact]
    public void Of_more_than_the_file_may_hold_the_newest_is_kept()
    {
        var large = Batch(0, bytes: 1024 * 1024);
        for (var i = 0; i < 100; i++) _acked.Add(large with { ExpectedSeq = i }, TimeSpan.Zero);
        var kept = _acked.Latest(TimeSpan.Zero);
        Assert.Equal(99, kept[^1].ExpectedSeq);
        Assert.InRange(kept.Length, 40, 50); // Base 64.
        var folder = Directory.CreateTempSubdirectory("acked");
        try
        {
            Assert.InRange(new FileInfo(AckedExport.Write(folder.FullName, Cluster, "n1", new Incarnation(7), DateTimeOffset.UnixEpoch, kept)).Length, AckedBatches.BytesMax / 2, AckedBatches.BytesMax);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_file_has_a_line_for_each_row_with_all_that_it_held()
    {
        var folder = Directory.CreateTempSubdirectory("acked");
        try
        {
            var bare = new JournalRow("room/ü", 6, null, "said.v1", ReadOnlyMemory<byte>.Empty, null, 0);
            var batch = Batch(41) with { Rows = [Batch(41).Rows[0], bare] };
            var path = AckedExport.Write(folder.FullName, Cluster, "n1", new Incarnation(7), new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), [batch]);
            Assert.Equal(Path.Combine(folder.FullName, "acked-20260102T030405Z-7.jsonl"), path);
            Assert.Single(folder.GetFiles());
            var lines = File.ReadAllLines(path);
            Assert.Equal(3, lines.Length);
            Assert.StartsWith($$"""{"format":"actorcluster.acked","version":2,"cluster":"{{Cluster.Uuid}}","generation":3,"node":"n1","incarnation":7,"rows":2,"crc32c":""", lines[0], StringComparison.Ordinal);
            Assert.StartsWith($$"""{"entity":"room/a","entitySeq":5,"kind":"said.v1","at":"1970-01-01T00:00:01+00:00","client":"0000000000000000000000000000002a","clientSeq":9,"shard":3,"shardSeq":41,"epoch":2,"batch":"{{batch.BatchId}}","payload":"AQ==","result":"Ag==","crc32c":""", lines[1], StringComparison.Ordinal);
            var bareLine = JsonDocument.Parse(lines[2]).RootElement;
            Assert.Equal((42, "", false), (bareLine.GetProperty("shardSeq").GetInt64(), bareLine.GetProperty("payload").GetString(), bareLine.TryGetProperty("client", out _)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static ShardBatch Batch(long expected, int bytes = 1)
    {
        var payload = new byte[bytes];
        payload[0] = 1;
        return new ShardBatch(new ShardNo(3), new Epoch(2), new Incarnation(7), expected, Guid.NewGuid(), [new JournalRow("room/a", 5, new CommandId(new ClientId(42), 9), "said.v1", payload, new byte[] { 2 }, 1_000)]);
    }
}

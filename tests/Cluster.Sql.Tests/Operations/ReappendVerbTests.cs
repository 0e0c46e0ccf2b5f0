using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests.Operations;

public class ReappendVerbTests(PostgresServer server)
{
    private const string Type = "type1";

    [Fact]
    public async Task What_was_acknowledged_and_lost_is_given_back_once_and_the_store_is_clean()
    {
        using var folder = new TempFolder();
        await using var sqlite = folder.Store();
        var schema = PostgresServer.NewSchema();
        await using var postgres = server.Store(schema);
        foreach (var (store, address) in new (IClusterStore, string)[] { (sqlite, $"sqlite:{folder.File()}"), (postgres, $"postgres:{server.ConnectionString};Search Path={schema}") })
        {
            var acked = Directory.CreateDirectory(folder.File($"acked-of-{store.GetType().Name}")).FullName;
            var (owner, cluster) = await ServeAsync(store);
            // The first batch of each entity is in the store, the others it has forgotten; each shard's rows go on through all of them.
            var batches = Enumerable.Range(0, 3).SelectMany(i => Entities(40, owner).Select(e => Batch(owner, e, (i * 2) + 1, 2))).ToList();
            var next = owner.Shards.ToDictionary(s => s.No, _ => 1L);
            for (var i = 0; i < batches.Count; i++)
            {
                batches[i] = batches[i] with { ExpectedSeq = next[batches[i].Shard] };
                next[batches[i].Shard] += 2;
                if (i < 40) Assert.Equal(AppendOutcome.Committed, ClusterHistory.Ok(await owner.AppendAsync(batches[i])));
            }
            AckedExport.Write(acked, cluster, "n1", owner.Inc, DateTimeOffset.UtcNow, [.. batches]);

            var (early, _, refusal) = await StoreVerbsTests.Run("reappend", "--store", address, acked);
            Assert.Equal(ExitCodes.Refused, early);
            Assert.Contains("run actorcluster recover first", refusal, StringComparison.Ordinal); // Of the store's own generation: the file is not used.
            Assert.Equal(0, (await StoreVerbsTests.Run("recover", "--yes", "--store", address)).Code);
            var (dry, said, error) = await StoreVerbsTests.Run("reappend", "--dry-run", "--store", address, acked);
            Assert.Equal((0, ""), (dry, error));
            Assert.Contains("40 entities: 160 rows would be appended, 80 present, 0 conflicting, 0 behind missing ones, 0 without a shard", said, StringComparison.Ordinal);
            Assert.Equal((0, 160, 80), await RunAsync(address, acked));
            Assert.Equal((0, 0, 240), await RunAsync(address, acked));
            Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", address)).Output, StringComparison.Ordinal);

            foreach (var entity in Entities(40, owner))
            {
                var rows = ClusterHistory.Ok(await store.ReadJournalAsync(entity, 1, 100));
                Assert.Equal(Enumerable.Range(1, 6).Select(i => (long)i), rows.Select(r => r.EntitySeq));
                Assert.All(rows, row => Assert.True(ReappendRules.IsSame(row, Row(entity, row.EntitySeq))));
            }
            var later = await Owner.JoinAsync(store, Type);
            Assert.Equal(240, later.Shards.Sum(s => s.NextSeq - 1));
            var (running, _, why) = await StoreVerbsTests.Run("reappend", "--store", address, acked);
            Assert.Equal(ExitCodes.Refused, running);
            Assert.Contains("Stop all nodes", why, StringComparison.Ordinal);
            Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", address)).Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task More_rows_than_a_slice_holds_are_given_back_over_several_and_files_of_several_nodes_are_one_history()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        var (owner, cluster) = await ServeAsync(store);
        var entity = Entities(1, owner)[0];
        var acked = Directory.CreateDirectory(folder.File("acked")).FullName;
        // Three terms: the same shard under three owners, each of whom wrote its rows to its own file.
        var first = Batch(owner, entity, 1, 1_200);
        var second = Batch(owner, entity, 1_201, 1_200) with { ExpectedSeq = 1_201, Epoch = new Epoch(first.Epoch.Value + 1), Owner = new Incarnation(owner.Inc.Value + 1) };
        var third = Batch(owner, entity, 2_401, 5) with { ExpectedSeq = 2_401, Epoch = new Epoch(first.Epoch.Value + 2), Owner = owner.Inc };
        AckedExport.Write(acked, cluster, "n1", owner.Inc, DateTimeOffset.UtcNow, [first, third]);
        AckedExport.Write(acked, cluster, "n2", second.Owner, DateTimeOffset.UtcNow, [second]);
        AckedExport.Write(acked, cluster, "n2", second.Owner, DateTimeOffset.UtcNow.AddSeconds(1), [second]); // Twice the same.
        await StoreVerbsTests.Run("recover", "--yes", "--store", $"sqlite:{folder.File()}");
        Assert.Equal((0, 2_405, 0), await RunAsync($"sqlite:{folder.File()}", acked, "--dry-run"));
        Assert.Equal((0, 2_405, 0), await RunAsync($"sqlite:{folder.File()}", acked));
        Assert.Equal((0, 0, 2_405), await RunAsync($"sqlite:{folder.File()}", acked));
        Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", $"sqlite:{folder.File()}")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("garbage", 1, 0, "line 1 is left out: no check value")]
    [InlineData("empty", 1, 0, "it does not begin as a file of acknowledged rows")]
    [InlineData("of an earlier release", 1, 0, "line 1 is left out: no check value")]
    [InlineData("of another cluster", 1, 0, "nothing of it is taken")]
    [InlineData("half a line", 1, 3, "line 5 is left out: half a line, the last one")]
    [InlineData("a changed byte", 1, 1, "line 3 is left out: a check value that does not fit")]
    [InlineData("a huge line", 1, 1, "line 3 is left out: more than 134217728 bytes")]
    [InlineData("another row of the same number", 1, 1, "conflicting")]
    [InlineData("a gap", 1, 2, "behind missing rows 3 to 3")]
    [InlineData("of an earlier generation beside it", 0, 4, "passed over")]
    public async Task What_cannot_be_trusted_is_left_out_and_told(string what, int code, int appended, string told)
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        var (owner, cluster) = await ServeAsync(store);
        var entity = Entities(1, owner)[0];
        var acked = Directory.CreateDirectory(folder.File("acked")).FullName;
        var batch = Batch(owner, entity, 1, 4);
        if (what == "a gap") batch = batch with { Rows = batch.Rows.RemoveAt(2) };
        if (what == "of another cluster") cluster = cluster with { Uuid = Guid.NewGuid() };
        var generations = what.StartsWith("of an earlier generation", StringComparison.Ordinal) ? 2 : 1;
        if (generations == 2)
            AckedExport.Write(acked, cluster, "n2", new Incarnation(99), DateTimeOffset.UtcNow, [batch with { Rows = [Row(entity, 1) with { Kind = "other.v1" }] }]);
        for (var i = 0; i < generations; i++) Assert.Equal(0, (await StoreVerbsTests.Run("recover", "--yes", "--store", $"sqlite:{folder.File()}")).Code);
        var path = AckedExport.Write(acked, cluster with { StoreGeneration = generations }, "n1", owner.Inc, DateTimeOffset.UtcNow, [batch]);
        var bytes = await File.ReadAllBytesAsync(path);
        var lines = Encoding.UTF8.GetString(bytes).Split('\n');
        switch (what)
        {
            case "garbage": bytes = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * 7))]; break;
            case "empty": bytes = []; break;
            case "of an earlier release": bytes = Encoding.UTF8.GetBytes("""{"entity":"room/a","entitySeq":5,"kind":"said.v1","at":"1970-01-01T00:00:01+00:00","shard":3,"shardSeq":41,"epoch":2,"payload":"AQ=="}""" + "\n"); break;
            case "half a line": bytes = bytes[..^20]; break;
            case "a changed byte": bytes = Encoding.UTF8.GetBytes(string.Join('\n', lines.Select((l, i) => i == 2 ? l.Replace("said.v1", "sbid.v1", StringComparison.Ordinal) : l))); break;
            case "a huge line": bytes = Encoding.UTF8.GetBytes(string.Join('\n', lines.Select((l, i) => i == 2 ? new string('x', 140_000_000) : l))); break;
            case "another row of the same number": AckedExport.Write(acked, cluster, "n2", owner.Inc, DateTimeOffset.UtcNow.AddSeconds(1), [batch with { Rows = [Row(entity, 2) with { Kind = "other.v1" }] }]); break;
            default: break;
        }
        await File.WriteAllBytesAsync(path, bytes);

        if (appended == 0)
        {
            var (early, _, refusal) = await StoreVerbsTests.Run("reappend", "--store", $"sqlite:{folder.File()}", acked);
            Assert.Equal(ExitCodes.Refused, early);
            Assert.Contains(told, refusal, StringComparison.Ordinal);
        }
        var (found, output, error) = await StoreVerbsTests.Run(["reappend", "--store", $"sqlite:{folder.File()}", acked, .. appended == 0 ? ["--without-unusable"] : Array.Empty<string>()]);
        Assert.Equal((code, ""), (found, error));
        Assert.Contains(told, output, StringComparison.Ordinal);
        Assert.Equal(appended, ClusterHistory.Ok(await store.ReadJournalAsync(entity, 1, 100)).Length);
        Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", $"sqlite:{folder.File()}")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("the header's generation is another byte")]
    [InlineData("empty")]
    public async Task A_newest_file_whose_header_is_damaged_stops_it_before_an_older_one_is_given_back(string what)
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        var (owner, cluster) = await ServeAsync(store);
        var (entity, address) = (Entities(1, owner)[0], $"sqlite:{folder.File()}");
        var acked = Directory.CreateDirectory(folder.File("acked")).FullName;
        AckedExport.Write(acked, cluster, "n1", owner.Inc, DateTimeOffset.UtcNow, [Batch(owner, entity, 1, 2)]);
        for (var i = 0; i < 2; i++) Assert.Equal(0, (await StoreVerbsTests.Run("recover", "--yes", "--store", address)).Code);
        var newest = AckedExport.Write(acked, cluster with { StoreGeneration = 2 }, "n2", owner.Inc, DateTimeOffset.UtcNow.AddSeconds(1), [Batch(owner, entity, 1, 4)]);
        var text = await File.ReadAllTextAsync(newest);
        await File.WriteAllTextAsync(newest, what == "empty" ? "" : text.Replace("\"generation\":2", "\"generation\":3", StringComparison.Ordinal));
        foreach (var option in new[] { "--dry-run", "--json" })
        {
            var (code, output, error) = await StoreVerbsTests.Run("reappend", option, "--store", address, acked);
            Assert.Equal((ExitCodes.Refused, ""), (code, output));
            Assert.Contains($"1 of 2 files cannot be used:\n  {newest}: ", error, StringComparison.Ordinal);
            Assert.Contains("--without-unusable", error, StringComparison.Ordinal);
            Assert.Empty(ClusterHistory.Ok(await store.ReadJournalAsync(entity, 1, 100)));
        }
        Assert.Equal((1, 2, 0), await RunAsync(address, acked, "--without-unusable"));
        await File.WriteAllTextAsync(newest, text);
        Assert.Equal((0, 2, 2), await RunAsync(address, acked)); // A whole copy turned up.
    }

    [Fact]
    public async Task Without_files_or_a_store_nothing_is_done()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        await ServeAsync(store);
        var address = $"sqlite:{folder.File()}";
        Assert.Contains("name the files", (await StoreVerbsTests.Run("reappend", "--store", address)).Error, StringComparison.Ordinal);
        Assert.Contains("does not exist", (await StoreVerbsTests.Run("reappend", "--store", address, folder.File("nowhere"))).Error, StringComparison.Ordinal);
        Assert.Contains("0 files", (await StoreVerbsTests.Run("reappend", "--store", address, Directory.CreateDirectory(folder.File("none")).FullName)).Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Refused, (await StoreVerbsTests.Run("reappend", "--store", $"sqlite:{folder.File("missing.db")}", folder.File())).Code);
        Assert.False(File.Exists(folder.File("missing.db")));
    }

    private static async Task<(int Code, long Appended, long Present)> RunAsync(string address, string acked, params string[] options)
    {
        var (code, output, _) = await StoreVerbsTests.Run(["reappend", "--json", "--store", address, acked, .. options]);
        using var report = JsonDocument.Parse(output);
        return (code, report.RootElement.GetProperty("appended").GetInt64(), report.RootElement.GetProperty("present").GetInt64());
    }

    /// <summary>A member that serves four shards, and the cluster row.</summary>
    private static async Task<(Owner Owner, ClusterRow Cluster)> ServeAsync(IClusterStore store)
    {
        var owner = await Owner.OfAsync(store, shards: 4);
        Assert.Equal(4, owner.Shards.Length);
        return (owner, ClusterHistory.Ok(await store.ReadClusterAsync()).Cluster);
    }

    private static ImmutableArray<string> Entities(int count, Owner owner) => [.. Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"{owner.Shards[0].Type}/ü{i}"))];

    private static ShardBatch Batch(Owner owner, string entity, long seq, int rows)
    {
        var type = owner.Shards[0].Type;
        var key = StableHash.ShardOf(new EntityId(type, entity[(type.Length + 1)..]), 4).ToString(CultureInfo.InvariantCulture);
        var shard = owner.Shards.First(s => s.Key == key);
        return new ShardBatch(shard.No, shard.Epoch, owner.Inc, seq, Guid.NewGuid(), [.. Enumerable.Range(0, rows).Select(i => Row(entity, seq + i))]);
    }

    private static JournalRow Row(string entity, long seq) =>
        new(entity, seq, new CommandId(new ClientId(UInt128.MaxValue - 5), seq), "said.v1", new byte[] { 1, (byte)seq }, seq % 2 == 0 ? (ReadOnlyMemory<byte>?)new byte[] { 2 } : null, 1_700_000_000_000 + seq);
}

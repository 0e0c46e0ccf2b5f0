using System.Diagnostics;
using System.Globalization;
using ActorCluster.Demo.Checking;
using ActorCluster.MultiNode.Tests.Nodes;
using Microsoft.Data.Sqlite;

namespace ActorCluster.MultiNode.Tests;

/// <summary>The disk under the store tears its last write, and runs full.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class StoreTroubleTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_torn_last_write_leaves_a_committed_prefix_that_is_served()
    {
        await using var cluster = new SampleCluster(2);
        await cluster.StartAsync();
        await using (var user = await RawClient.ConnectAsync(cluster[0], "before"))
        {
            await user.CommandAsync("join", "torn");
            for (var i = 1; i <= 200; i++) await user.SayAsync("torn", Text(i));
            var more = user.SayAsync("torn", "under way");
            await Task.WhenAll(cluster.Nodes.Select(n => n.KillAsync()));
            await more.ContinueWith(static _ => { }, TaskScheduler.Default); // It may have been answered or not.
        }
        var written = JournalReader.ReadHeads(Copy(cluster, "whole"))["torn"];
        Tear(cluster.Store + "-wal");
        var left = JournalReader.ReadHeads(Copy(cluster, "torn"))["torn"];
        output.WriteLine($"{written} rows before the tear, {left} after");
        Assert.InRange(left, written - 30, written - 1); // The tear hit rows, and nothing before them.

        await Task.WhenAll(cluster.Nodes.Select(n => n.StartAsync()));
        foreach (var node in cluster.Nodes) await node.ReadyAsync(TimeSpan.FromSeconds(20));
        await using (var user = await RawClient.ConnectAsync(cluster[1], "after"))
        {
            Assert.Equal(left + 1, (await user.CommandAsync("join", "torn")).GetProperty("seq").GetInt64());
            Assert.Equal(left + 2, await user.SayAsync("torn", "goes on"));
            var items = await user.HistoryAsync("torn", after: 2);
            for (var i = 0; i < items.Count - 2; i++) Assert.Equal(Text(i + 2), items[i]); // Row 1 is the creation, row 2 the first message, or the join.
        }
        Assert.Equal("", await cluster.StopAsync());
        Assert.Equal("ok", Ask(cluster.Store, "PRAGMA integrity_check"));
        Assert.Equal(0, JournalReader.Read(cluster.Store)["torn"].Gaps);
    }

    [Fact]
    public async Task A_full_disk_refuses_commands_and_serves_reads_and_is_forgotten_once_there_is_room()
    {
        using var folder = new TestFolder();
        using var disk = SmallDisk.Mount(folder.Path, megabytes: 4);
        await using var cluster = new SampleCluster(2, disk.At("cluster.db"));
        await cluster.StartAsync();
        await cluster.SpreadAsync(TimeSpan.FromSeconds(40));
        await using var user = await RawClient.ConnectAsync(cluster[0], "user");
        await user.CommandAsync("join", "full");
        var said = 0;
        for (; said < 20; said++) await user.SayAsync("full", Text(said));

        disk.Fill();
        var started = Stopwatch.GetTimestamp();
        var refusal = "";
        while (refusal != "StoreUnavailable")
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30), $"node1 should refuse with StoreUnavailable; it said '{refusal}'. {await cluster[0].DescribeAsync()}");
            var answer = await user.CommandAsync("say", "full", Text(said), orRefusal: true);
            refusal = answer.GetProperty("op").GetString() == "ok" ? "ok" : answer.GetProperty("code").GetString()!;
            if (refusal == "ok") said++;
            else Assert.True(answer.GetProperty("retry").GetBoolean(), answer.ToString());
        }
        output.WriteLine($"StoreUnavailable after {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms, {said} said");
        Assert.Equal(Text(0), (await user.HistoryAsync("full", after: 1))[0]);

        disk.Free();
        var recovering = Stopwatch.GetTimestamp();
        await Await.UntilAsync(
            "node1 takes messages again", TimeSpan.FromSeconds(15),
            async () => (await user.CommandAsync("say", "full", "room again", orRefusal: true)).GetProperty("op").GetString() == "ok", cluster[0].DescribeAsync);
        output.WriteLine($"recovered {Stopwatch.GetElapsedTime(recovering).TotalMilliseconds:0} ms after there was room");
        foreach (var node in cluster.Nodes) await node.ReadyAsync(TimeSpan.FromSeconds(15));
        Assert.Equal("", await cluster.StopAsync());
        Assert.Equal("ok", Ask(cluster.Store, "PRAGMA integrity_check"));
        var journal = JournalReader.Read(cluster.Store)["full"];
        Assert.Equal((0, 0), (journal.Gaps, journal.RepeatedCommands));
        Assert.Equal(journal.Head.ToString(CultureInfo.InvariantCulture), Ask(cluster.Store, "SELECT next_seq-1 FROM shard s WHERE s.shard_no=(SELECT shard_no FROM journal WHERE entity='room/full' LIMIT 1)"));
    }

    private static string Text(int i) => string.Create(CultureInfo.InvariantCulture, $"message {i} {new string('x', 900)}");

    private static string Copy(SampleCluster cluster, string name)
    {
        var copy = cluster.Folder.At(name + ".db");
        File.Copy(cluster.Store, copy);
        if (File.Exists(cluster.Store + "-wal")) File.Copy(cluster.Store + "-wal", copy + "-wal");
        return copy;
    }

    /// <summary>The last write never came to its end, and what the one before it left is noise.</summary>
    private static void Tear(string wal)
    {
        var bytes = File.ReadAllBytes(wal);
        // The log ends with frames of renewals and of messages; a run of 20 frames of 4 KiB holds both.
        var noise = new byte[20 * 4_120];
        new Random(7).NextBytes(noise);
        noise.CopyTo(bytes, bytes.Length - noise.Length);
        File.WriteAllBytes(wal, bytes[..^1_500]);
    }

    private static string Ask(string store, string sql)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = store, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToString(command.ExecuteScalar(), CultureInfo.InvariantCulture)!;
    }
}

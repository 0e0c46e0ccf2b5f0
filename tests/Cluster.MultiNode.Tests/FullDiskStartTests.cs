using ActorCluster.MultiNode.Tests.Nodes;
using ActorCluster.Persistence;
using ActorCluster.Sql;

namespace ActorCluster.MultiNode.Tests;

/// <summary>A node that starts on a full disk says so once, waits, and starts when there is room: a unit that has ended with 64 would stay down.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class FullDiskStartTests
{
    [Fact]
    public async Task A_node_waits_for_room_for_its_store()
    {
        using var folder = new TestFolder();
        using var disk = SmallDisk.Mount(folder.Path, megabytes: 4);
        disk.Fill();
        await using var cluster = new SampleCluster(1, disk.At("cluster.db"));
        await WaitsAsync(cluster, disk, $"The start waits: The disk of {cluster.Store} is full. Free some space.");
    }

    [Theory]
    [InlineData(true)]  // The sample keeps its secret there.
    [InlineData(false)] // The lock file alone.
    public async Task A_node_waits_for_room_in_its_data_folder(bool needsSecret)
    {
        using var folder = new TestFolder();
        using var disk = SmallDisk.Mount(folder.Path, megabytes: 4);
        disk.Fill();
        await using var cluster = new SampleCluster(0);
        cluster.Nodes.Add(cluster.Add("node1", "--Cluster:Data", disk.At("data"), "--Cluster:Secret", needsSecret ? null : SampleCluster.Secret));
        var file = needsSecret ? disk.At("data/secret") : disk.At("data/nodes/node1/node.lock");
        await WaitsAsync(cluster, disk, needsSecret ? $"The start waits: {file} cannot be written, the disk is full. Free some space." : $"The start waits: Cluster:Data: {file} cannot be written, the disk is full (");
    }

    [Fact]
    public async Task Whatever_little_room_is_left_a_store_opens_or_says_that_the_disk_is_full()
    {
        using var folder = new TestFolder();
        using var disk = SmallDisk.Mount(folder.Path, megabytes: 2);
        var (opened, full) = (0, 0);
        for (var room = 0; room < 100; room++)
        {
            disk.Fill();
            using (var ballast = new FileStream(disk.At("ballast"), FileMode.Open)) ballast.SetLength(ballast.Length - (room * 4_096L));
            await using (var store = new SqliteStore(new SqliteStoreOptions { Path = disk.At("cluster.db") }))
            {
                var answer = await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None);
                if (answer.IsOk) opened++;
                else Assert.Equal((StoreVerdict.NotSent, $"The disk of {disk.At("cluster.db")} is full. Free some space."), (answer.Verdict, answer.Reason));
                if (!answer.IsOk) full++;
            }
            foreach (var file in Directory.GetFiles(folder.Path)) File.Delete(file);
        }
        Assert.True(opened > 0 && full > 10, $"{opened} opened, {full} full");
    }

    private static async Task WaitsAsync(SampleCluster cluster, SmallDisk disk, string line)
    {
        var node = cluster[0];
        await node.StartAsync();
        await Await.UntilAsync("node1 says that the disk is full", TimeSpan.FromSeconds(30), () => Task.FromResult(node.Log.Contains(line, StringComparison.Ordinal)), () => Task.FromResult(node.Log));
        // It asks twice a second: by now it has been refused several times, and has neither ended nor said so again.
        await Assert.ThrowsAnyAsync<Exception>(() => node.ReadyAsync(TimeSpan.FromSeconds(2)));
        Assert.Single(node.Lines, l => l.Contains(line, StringComparison.Ordinal));
        disk.Free();
        await node.ReadyAsync(TimeSpan.FromSeconds(30));
        Assert.DoesNotContain("   at ", node.Log, StringComparison.Ordinal);
        Assert.Equal("", await cluster.StopAsync());
    }
}

using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Hosting;

/// <summary>What a node keeps in its data folder: its lock and the newest view it has seen.</summary>
public sealed class NodeFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("actorcluster-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_live_nodes_lock_is_taken_and_a_dead_ones_free()
    {
        NodeLockProof proof;
        using (var held = NodeLock.Take(_folder, "n1"))
        {
            proof = held.Proof!;
            Assert.False(NodeLock.IsFree(proof));
            var refused = Assert.Throws<ClusterStartException>(() => NodeLock.Take(_folder, "n1"));
            Assert.Equal(64, refused.ExitCode);
            Assert.Contains("n1 is in use", refused.Message, StringComparison.Ordinal);
            using var other = NodeLock.Take(_folder, "n2");
            Assert.NotEqual(proof.Nonce, other.Proof!.Nonce);
        }
        Assert.True(NodeLock.IsFree(proof));
        Assert.True(NodeLock.IsFree(proof)); // Looking leaves no trace.
    }

    [Fact]
    public void Another_file_boot_or_life_proves_nothing()
    {
        NodeLockProof proof;
        using (var held = NodeLock.Take(_folder, "n1")) proof = held.Proof!;
        Assert.False(NodeLock.IsFree(proof with { BootId = "another boot" }));
        Assert.False(NodeLock.IsFree(proof with { Nonce = "another life" }));
        Assert.False(NodeLock.IsFree(proof with { Path = proof.Path + ".none" }));
        File.Copy(proof.Path, proof.Path + ".copy");
        File.Move(proof.Path + ".copy", proof.Path, overwrite: true); // The same content under the same name, in another inode.
        Assert.False(NodeLock.IsFree(proof));
    }

    [Fact]
    public async Task A_peer_that_looks_just_then_does_not_keep_a_node_from_starting()
    {
        using (NodeLock.Take(_folder, "n1")) { }
        using var looking = Native.OpenForLock(Path.Combine(_folder, "nodes", "n1", "node.lock"));
        Assert.True(Native.Flock(looking, Native.LockShared | Native.LockNonBlocking));
        var starting = new TaskCompletionSource();
        var start = Task.Run(() =>
        {
            starting.SetResult();
            return NodeLock.Take(_folder, "n1");
        });
        await starting.Task;
        Native.Flock(looking, Native.Unlock);
        using var held = await start;
        Assert.False(NodeLock.IsFree(held.Proof!));
    }

    [Fact]
    public void A_store_that_is_behind_what_was_seen_is_refused_and_another_cluster_is_not()
    {
        var options = new ClusterOptions { Data = _folder, Node = { Name = "n1" } };
        var seen = new ClusterRow(Guid.NewGuid(), 1, 7, StableHash.Version, "digest");
        SeenViews.Check(options, seen); // Nothing seen yet.
        Directory.CreateDirectory(Path.Combine(_folder, "nodes", "n1"));
        SeenViews.Note(options, seen);
        SeenViews.Check(options, seen);
        SeenViews.Check(options, seen with { View = 8 });
        SeenViews.Check(options, seen with { View = 1, StoreGeneration = 2 }); // Recovered by an operator.
        SeenViews.Check(options, seen with { View = 1, Uuid = Guid.NewGuid() });
        var refused = Assert.Throws<ClusterStartException>(() => SeenViews.Check(options, seen with { View = 6 }));
        Assert.Equal(78, refused.ExitCode);
        Assert.Contains("view 6", refused.Message, StringComparison.Ordinal);
        Assert.Contains("view 7", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_written_or_read_costs_the_alarm_alone()
    {
        var options = new ClusterOptions { Data = Path.Combine(_folder, "none"), Node = { Name = "n1" } };
        SeenViews.Note(options, new ClusterRow(Guid.NewGuid(), 1, 7, 1, "digest"));
        options.Data = _folder;
        Directory.CreateDirectory(Path.Combine(_folder, "nodes", "n1"));
        File.WriteAllText(Path.Combine(_folder, "nodes", "n1", "seen"), "torn");
        SeenViews.Check(options, new ClusterRow(Guid.NewGuid(), 1, 1, 1, "digest"));
    }
}

using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Google.Protobuf;

namespace ActorCluster.Tests.Entities;

public class JournaledRecoveryTests
{
    [Fact]
    public async Task An_append_whose_answer_was_lost_is_resolved_and_answered_once()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        node.Store.Lose(StoreVerdict.InDoubt);
        Assert.Equal(5, (await node.Send("a", new Add(5), Id(1)).Is<Total>()).Sum);
        Assert.Equal(1, node.Store.Resolves);
        node.Store.Lose(StoreVerdict.NotSent);
        Assert.Equal(6, (await node.Send("a", new Add(1), Id(2)).Is<Total>()).Sum);
        Assert.Equal(2, node.Store.Inner.Database.Journal.Count);
    }

    [Fact]
    public async Task Dropped_speculation_is_unknown_and_memory_is_loaded_only_after_the_doubt_is_resolved()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Add(5), Id(1)).Is<Total>();
        node.Store.Lose(StoreVerdict.InDoubt); // It commits, and nobody hears of it.
        node.Store.HoldResolves();
        var lost = node.Send("a", new Add(1), Id(2));
        await Waiting.Until(() => node.Store.Resolves > 0, () => "the batch in doubt is being resolved");
        node.Host.DropSpeculation();
        Assert.False((await lost.Fails(FailureKind.StoreUnavailable)).NoEffect);
        var (reads, read) = (node.Store.JournalReads, node.Send("a", new Read()));
        var again = node.Send("a", new Add(1), Id(2));
        Assert.Equal(reads, node.Store.JournalReads);
        node.Store.ReleaseResolves();
        Assert.Equal(6, (await read.Is<Total>()).Sum);
        Assert.Equal(6, (await again.Is<Total>()).Sum);
        Assert.Equal(2, node.Store.Inner.Database.Journal.Count);
    }

    [Fact]
    public async Task Entities_with_nothing_under_way_keep_their_memory_when_speculation_is_dropped()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Add(5), Id(1)).Is<Total>();
        await Waiting.Until(() => node.Host.Journal.Waiting == 0 && node.Host.Journal.IsClear(node.Shard.No, node.Shard.Epoch), () => "the journal is clear");
        var reads = node.Store.JournalReads;
        node.Host.DropSpeculation();
        Assert.Equal(5, await node.SumAsync("a"));
        Assert.Equal(reads, node.Store.JournalReads);
    }

    [Fact]
    public async Task A_snapshot_bounds_what_is_replayed_and_brings_the_window_back()
    {
        await using var first = await EntityNode.OfLedgersAsync();
        var answers = Enumerable.Range(1, 1500).Select(i => first.Send("a", new Add(1), Id(1 + (i / 100), (ulong)(i % 100)))).ToList();
        foreach (var answer in answers) await answer.Is<Total>();
        await Waiting.Until(() => first.Store.SnapshotsSaved > 0, () => "a snapshot is saved after a thousand rows");
        await using var second = await EntityNode.OfLedgersAsync(first.Store.Inner.Database);
        Assert.Equal(1500, await second.SumAsync("a"));
        Assert.True(second.Store.RowsRead < 1000, $"{second.Store.RowsRead} rows were replayed although there is a snapshot.");
        Assert.Equal(1, (await second.Send("a", new Add(1), Id(1, 1)).Is<Total>()).Sum); // The very first command, by the snapshot's window.
        Assert.Equal(1500, await second.SumAsync("a"));
    }

    [Fact]
    public async Task A_drain_saves_what_a_successor_would_have_to_replay_and_never_what_is_not_committed()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        for (var i = 1; i <= 300; i++) node.Tell("a", new Add(1));
        node.Store.Hold();
        var last = node.Send("a", new Add(1), Id(1)); // The others may all have been committed before.
        await node.Store.Asked;
        var drained = node.Shard.DrainAsync(node.Shard.CloseIntake(), TimeSpan.FromMinutes(1));
        Assert.False(drained.IsCompleted);
        Assert.Equal(0, node.Store.SnapshotsSaved);
        node.Store.Release();
        Assert.Equal(301, (await last.Is<Total>()).Sum);
        Assert.True(await drained.Within("the drain ends after the commit"));
        var saved = (await node.Store.Inner.ReadSnapshotAsync("ledger/a")).Value;
        Assert.Equal(301, saved!.EntitySeq);
    }

    [Fact]
    public async Task A_load_that_fails_is_told_and_the_next_message_loads_again()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        node.Store.OnRead = () => StoreVerdict.NotSent;
        Assert.True((await node.Send("a", new Add(1), Id(1)).Fails(FailureKind.StoreUnavailable)).NoEffect);
        node.Store.OnRead = null;
        Assert.Equal(1, (await node.Send("a", new Add(1), Id(1)).Is<Total>()).Sum);
    }

    [Fact]
    public async Task A_shard_lost_in_the_middle_of_a_load_answers_who_waits()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var go = new ManualResetEventSlim();
        node.Store.OnRead = () =>
        {
            entered.TrySetResult();
            go.Wait();
            return StoreVerdict.Ok;
        };
        var waiting = node.Send("a", new Add(1), Id(1));
        await entered.Task.Within("the load begins");
        var shard = node.Shard;
        _ = node.Host.Stop(shard.No, shard.Epoch);
        await waiting.Fails(FailureKind.EntityUnavailable);
        go.Set();
        node.Store.OnRead = null;
        await node.TakeOverIfFreeAsync();
        Assert.Equal(0, await node.SumAsync("a"));
    }

    [Fact]
    public async Task A_command_that_the_store_knows_but_the_window_does_not_never_runs_twice()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Add(5), Id(1)).Is<Total>();
        await node.PassivateAllAsync();
        // As after a window that has forgotten its longest idle client: the snapshot knows no client.
        var bare = new ActorCluster.Entities.Wire.EntitySnapshotContent { State = ByteString.CopyFrom(BitConverter.GetBytes(5L)) };
        await node.Store.Inner.SaveSnapshotAsync(node.Shard.No, node.Shard.Epoch, node.Self, new EntitySnapshot("ledger/a", 1, "ledger.v1", bare.ToByteArray()));
        await node.Send("a", new Add(5), Id(1)).Fails(FailureKind.EntityUnavailable);
        Assert.Equal(5, await node.SumAsync("a"));
        Assert.Null(node.Ended);
    }

    [Fact]
    public async Task A_store_that_throws_ends_the_node_instead_of_leaving_commands_unanswered_in_silence()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        node.Store.Lose((StoreVerdict)(-1));
        node.Send("a", new Add(5), Id(1));
        await Waiting.Until(() => node.Ended is not null, () => "the node is stopped");
        Assert.Equal(70, node.Ended!.Value.Code);
    }

    private static CommandId Id(long sequence, ulong client = 7) => JournaledEntityTests.Id(sequence, client);
}

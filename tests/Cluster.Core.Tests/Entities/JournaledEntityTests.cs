using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class JournaledEntityTests
{
    [Fact]
    public async Task No_reply_and_no_read_leaves_before_the_commit_of_what_it_has_seen()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        node.Store.Hold();
        var added = node.Send("a", new Add(5), Id(1));
        await node.Store.Asked;
        var read = node.Send("a", new Read());
        var repeated = node.Send("a", new Add(5), Id(1));
        var refused = node.Send("a", new Refuse(), Id(2), after: 1);
        var early = node.Send("a", new Add(1), Id(9), after: 8);
        var other = node.Send("b", new Read());
        Assert.Equal(0, (await other.Is<Total>()).Sum); // Another entity of the shard has seen nothing of it.
        Assert.False(added.IsThere || read.IsThere || repeated.IsThere || refused.IsThere || early.IsThere);
        node.Store.Release();
        Assert.Equal(5, (await added.Is<Total>()).Sum);
        Assert.Equal(5, (await read.Is<Total>()).Sum);
        Assert.Equal(5, (await repeated.Is<Total>()).Sum);
        Assert.Equal(5, (await refused.Is<Total>()).Sum);
        await early.Fails(FailureKind.OutOfOrder);
        Assert.Single(node.Store.Inner.Database.Journal);
    }

    [Fact]
    public async Task A_duplicate_gets_the_first_reply_however_often_the_memory_or_the_owner_changed()
    {
        await using var first = await EntityNode.OfLedgersAsync();
        Assert.Equal(5, (await first.Send("a", new Add(5), Id(1)).Is<Total>()).Sum);
        Assert.Equal(8, (await first.Send("a", new Add(3), Id(2), after: 1).Is<Total>()).Sum);
        Assert.Equal(5, (await first.Send("a", new Add(5), Id(1)).Is<Total>()).Sum);
        await first.PassivateAllAsync();
        Assert.Equal(5, (await first.Send("a", new Add(5), Id(1)).Is<Total>()).Sum);
        await using var second = await EntityNode.OfLedgersAsync(first.Store.Inner.Database);
        Assert.Equal(8, (await second.Send("a", new Add(3), Id(2), after: 1).Is<Total>()).Sum);
        Assert.Equal(8, await second.SumAsync("a"));
    }

    [Fact]
    public async Task A_duplicate_gets_the_first_reply_also_when_its_encoding_is_empty()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        Assert.Equal(0, (await node.Send("a", new Add(0), Id(1)).Is<Total>()).Sum);
        Assert.Equal(0, Assert.Single(node.Store.Inner.Database.Journal).Row.Result!.Value.Length);
        Assert.Equal(0, (await node.Send("a", new Add(0), Id(1)).Is<Total>()).Sum);
    }

    [Fact]
    public async Task A_command_below_the_window_is_too_old_and_one_out_of_order_waits_for_its_predecessor()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        var answers = Enumerable.Range(1, 300).Select(i => node.Send("a", new Add(1), Id(i), after: i - 1)).ToList();
        foreach (var answer in answers) await answer.Is<Total>();
        Assert.False((await node.Send("a", new Add(1), Id(1)).Fails(FailureKind.TooOld)).NoEffect); // It did take effect once.
        Assert.True((await node.Send("a", new Add(1), Id(302), after: 301).Fails(FailureKind.OutOfOrder)).NoEffect);
        Assert.Equal(301, (await node.Send("a", new Add(1), Id(301), after: 300).Is<Total>()).Sum);
        Assert.Equal(302, (await node.Send("a", new Add(1), Id(302), after: 301).Is<Total>()).Sum);
    }

    [Fact]
    public async Task A_client_without_an_order_may_repeat_what_was_refused_although_a_later_command_ran()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Refuse(), Id(1), Envelope.Unordered).Is<Total>();
        Assert.Equal(3, (await node.Send("a", new Add(3), Id(2), Envelope.Unordered).Is<Total>()).Sum);
        Assert.Equal(8, (await node.Send("a", new Add(5), Id(1), Envelope.Unordered).Is<Total>()).Sum);
        Assert.Equal(8, (await node.Send("a", new Add(5), Id(1), Envelope.Unordered).Is<Total>()).Sum); // Once.
    }

    [Fact]
    public async Task An_overtaken_command_is_answered_again_where_it_has_no_effect_and_never_gets_one()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Refuse(), Id(1)).Is<Total>();
        Assert.Equal(3, (await node.Send("a", new Add(3), Id(2), after: 1).Is<Total>()).Sum);
        await node.Send("a", new Refuse(), Id(1)).Is<Total>(); // As after a fail-over, when both go again.
        await node.Send("a", new Add(5), Id(1)).Fails(FailureKind.TooOld);
        Assert.Equal(3, await node.SumAsync("a"));
    }

    [Fact]
    public async Task A_refused_or_faulted_command_counts_as_handled_for_the_next_one()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Refuse(), Id(1)).Is<Total>();
        await node.Send("a", new Add((long)Fault.Decide), Id(2), after: 1).Fails(FailureKind.EntityFaulted);
        Assert.Equal(7, (await node.Send("a", new Add(7), Id(3), after: 2).Is<Total>()).Sum);
    }

    [Theory]
    [InlineData(Fault.Decide)]
    [InlineData(Fault.Apply)]
    [InlineData(Fault.Reply)]
    [InlineData(Fault.EncodeReply)]
    public async Task An_entity_that_throws_records_nothing_and_its_state_stays_that_of_its_journal(Enum fault)
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Add(5), Id(1)).Is<Total>();
        node.Store.Hold();
        var under = node.Send("a", new Add(1), Id(2)); // Decided, not yet committed, when the next one throws.
        await node.Store.Asked;
        var faulted = node.Send("a", new Add((long)(Fault)fault), Id(3));
        var behind = node.Send("a", new Add(10), Id(4));
        node.Store.Release();
        Assert.Equal(6, (await under.Is<Total>()).Sum);
        Assert.True((await faulted.Fails(FailureKind.EntityFaulted)).NoEffect);
        var got = await behind.Is<object>();
        Assert.True(got is Total { Sum: 16 } or EntityFailure { NoEffect: true }, $"The command behind a fault should run on the journal's state or be refused, got {got}.");
        Assert.Equal(16, (await node.Send("a", new Add(10), Id(4)).Is<Total>()).Sum);
        Assert.Equal([1L, 2L, 3L], node.Store.Inner.Database.Journal.Select(j => j.Row.EntitySeq));
        Assert.Null(node.Ended);
    }

    [Fact]
    public async Task A_listener_that_throws_on_a_commit_loses_nobody_an_answer()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Add((long)Fault.Told), Id(1)).Is<Total>();
        Assert.Equal((long)Fault.Told + 1, (await node.Send("a", new Add(1), Id(2)).Is<Total>()).Sum);
    }

    [Fact]
    public async Task An_ask_that_is_decided_without_a_reply_fails_and_does_not_wait_for_ever()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        Assert.False((await node.Send("a", new Mute()).Fails(FailureKind.EntityFaulted)).NoEffect);
    }

    [Fact]
    public async Task A_frozen_node_refuses_to_record_and_reads_only_what_the_store_confirms()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        await node.Send("a", new Add(5), Id(1)).Is<Total>();
        (node.Mode, node.MayReadUnmarked) = (NodeMode.Frozen, false);
        Assert.True((await node.Send("a", new Add(1), Id(2)).Fails(FailureKind.StoreUnavailable)).NoEffect);
        Assert.Equal(5, await node.SumAsync("a"));
        node.Store.OnConfirm = () => StoreVerdict.NotSent;
        await node.Send("a", new Read()).Fails(FailureKind.StoreUnavailable);
    }

    [Fact]
    public async Task An_owner_that_was_replaced_unknowingly_neither_reads_nor_refuses_from_its_memory()
    {
        await using var old = await EntityNode.OfLedgersAsync();
        await old.Send("a", new Add(5), Id(1)).Is<Total>();
        await using var current = await EntityNode.OfLedgersAsync(old.Store.Inner.Database);
        await current.Send("a", new Add(1), Id(2)).Is<Total>();
        old.MayReadUnmarked = false;
        Assert.True((await old.Send("a", new Read()).Fails(FailureKind.EntityUnavailable)).NoEffect);
        await old.Send("a", new Refuse(), Id(3)).Fails(FailureKind.EntityUnavailable);
    }

    [Fact]
    public async Task A_fenced_owner_answers_unknown_stops_the_shard_and_its_successor_has_all_that_was_committed()
    {
        await using var old = await EntityNode.OfLedgersAsync();
        await old.Send("a", new Add(5), Id(1)).Is<Total>();
        await using var current = await EntityNode.OfLedgersAsync(old.Store.Inner.Database);
        var late = old.Send("a", new Add(1), Id(2));
        Assert.False((await late.Fails(FailureKind.EntityUnavailable)).NoEffect);
        await Waiting.Until(() => { lock (old.FencedShards) return old.FencedShards.Count == 1; }, () => "the loss of the shard is reported once");
        Assert.Equal(0, old.Host.Shards);
        Assert.Equal(6, (await current.Send("a", new Add(1), Id(2)).Is<Total>()).Sum);
    }

    internal static CommandId Id(long sequence, ulong client = 7) => new(new ClientId(client), sequence);
}

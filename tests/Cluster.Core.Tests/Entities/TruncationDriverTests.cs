using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class TruncationDriverTests
{
    private static readonly JournalLimits Few = new(null, 100, TimeSpan.Zero);

    [Fact]
    public async Task What_is_more_than_is_kept_goes_below_the_older_snapshot_and_all_that_the_entity_knows_stays()
    {
        await using var first = await FilledAsync();
        var snapshots = first.Store.Inner.Database.Kept("ledger/a").Snapshots;
        Assert.Equal(2, snapshots.Length);
        await using (new TruncationDriver(first.Host, Few, TimeSpan.FromMilliseconds(60)))
            await Waiting.Until(() => FirstRow(first) == snapshots[0], () => $"the journal begins at {snapshots[0]}; it begins at {FirstRow(first)}");
        Assert.Equal(2_600, await first.SumAsync("a"));

        await using var second = await EntityNode.OfLedgersAsync(first.Store.Inner.Database);
        Assert.Equal(2_600, await second.SumAsync("a"));
        var repeat = await second.Send("a", new Add(1), IdOf(1)).Fails(FailureKind.EntityFaulted); // It took effect; what it was answered with is not kept.
        Assert.Equal((false, true), (repeat.NoEffect, repeat.Message.Contains("row 1 is not kept", StringComparison.Ordinal)));
        Assert.Equal(2_600, await second.SumAsync("a"));
    }

    [Fact]
    public async Task Nobody_but_the_owner_truncates_and_nobody_at_all_without_a_limit()
    {
        await using var first = await FilledAsync();
        await using var second = await EntityNode.OfLedgersAsync(first.Store.Inner.Database); // The first does not know it yet.
        await using (new TruncationDriver(second.Host, new JournalLimits(null, null, TimeSpan.Zero), TimeSpan.FromMilliseconds(60)))
        await using (new TruncationDriver(first.Host, Few, TimeSpan.FromMilliseconds(60)))
            await Waiting.Until(() => first.Store.Truncations >= 3, () => "the former owner has tried");
        Assert.Equal((0, 1), (second.Store.Truncations, FirstRow(first)));
    }

    private static async Task<EntityNode> FilledAsync()
    {
        var node = await EntityNode.OfLedgersAsync();
        for (var saved = 0; saved < 2; saved++)
        {
            var answers = Enumerable.Range(1 + (1_300 * saved), 1_300).Select(i => node.Send("a", new Add(1), IdOf(i))).ToList();
            foreach (var answer in answers) await answer.Is<Total>();
            await Waiting.Until(() => node.Store.SnapshotsSaved > saved, () => "a snapshot is saved");
        }
        return node;
    }

    private static long FirstRow(EntityNode node) => node.Store.Inner.ReadJournalAsync("ledger/a", 1, 1).AsTask().Result.Value[0].EntitySeq; // The model answers at once.

    private static CommandId IdOf(int number) => new(new ClientId((ulong)(1 + (number / 200))), number);
}

using ActorCluster.Entities;
using ActorCluster.Persistence;

namespace ActorCluster.Tests.Entities;

public class JournalDriverTests
{
    [Fact]
    public async Task The_store_writes_what_comes_next_while_what_committed_is_told()
    {
        await using var node = await EntityNode.OfLedgersAsync();
        var owner = new Teller(node.Store, waitsAt: 1, untilAppends: 2);
        node.Store.Hold();
        Add(node, 1, owner);
        await node.Store.Asked;
        Add(node, 2, owner);
        node.Store.Release();
        await Waiting.Until(() => owner.Told.Count == 2, () => "both rows are told");
        Assert.True(owner.WentOn);
        Assert.Equal([1, 2], owner.Told);
        Assert.Equal(2, node.Store.Inner.Database.Journal.Count);
    }

    [Fact]
    public async Task A_driver_that_ends_waits_for_what_it_has_begun_and_tells_it()
    {
        var node = await EntityNode.OfLedgersAsync();
        var owner = new Teller(node.Store, waitsAt: 1, untilAppends: 2);
        node.Store.Hold();
        Add(node, 1, owner);
        await node.Store.Asked;
        Add(node, 2, owner);
        owner.AtTold = node.Store.Hold; // The second, which has begun, is through.
        node.Store.Release();
        await Waiting.Until(() => owner.Told.Count >= 1, () => "the first row is told");
        await node.DisposeAsync();
        Assert.Equal([1, 2], owner.Told);
    }

    private static void Add(EntityNode node, long seq, IRowOwner owner) =>
        Assert.True(node.Host.Journal.Add(node.Shard.No, node.Shard.Epoch, 0, new JournalRow("ledger/x", seq, null, "added", new byte[] { 1 }, null, 0), owner));

    /// <summary>Stands at one row until the store was asked so often.</summary>
    private sealed class Teller(HeldStore store, long waitsAt, int untilAppends) : IRowOwner
    {
        private readonly Lock _lock = new();
        private readonly List<long> _told = [];

        public bool WentOn { get; private set; }

        public Action AtTold { get; set; } = static () => { };

        public IReadOnlyList<long> Told
        {
            get
            {
                lock (_lock) return [.. _told];
            }
        }

        public void RowCommitted(long entitySeq)
        {
            if (entitySeq == waitsAt)
            {
                WentOn = SpinWait.SpinUntil(() => store.Appends >= untilAppends, TimeSpan.FromSeconds(10));
                AtTold();
            }
            lock (_lock) _told.Add(entitySeq);
        }
    }
}

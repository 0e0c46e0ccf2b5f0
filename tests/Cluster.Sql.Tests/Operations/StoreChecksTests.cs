using ActorCluster.Persistence;
using ActorCluster.Sql.Operations;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests.Operations;

public class StoreChecksTests(PostgresServer server)
{
    /// <summary>Statements that both databases understand. Constraints that would refuse a fault are lost by copying the table.</summary>
    private static readonly (string Check, string Sql, string Where)[] Faults =
    [
        ("epoch-once", "CREATE TABLE copy AS SELECT * FROM shard_log; DROP TABLE shard_log; ALTER TABLE copy RENAME TO shard_log; INSERT INTO shard_log SELECT * FROM shard_log WHERE shard_no=1 AND epoch=1", "shard 1"),
        ("epoch-order", "UPDATE shard_log SET view=99 WHERE shard_no=1 AND epoch=1", "shard 1"),
        ("epoch-newest", "UPDATE shard SET epoch=1 WHERE shard_no=2", "shard 2"),
        ("owner-logged", "DELETE FROM shard_log WHERE shard_no=2 AND epoch=2", "shard 2"),
        ("owner-logged", "UPDATE shard_log SET owner_inc=1 WHERE shard_no=2 AND epoch=2", "shard 2"),
        ("shard-state", "UPDATE shard SET owner_inc=NULL WHERE shard_no=1", "shard 1"),
        ("shard-state", "UPDATE shard SET state='free' WHERE shard_no=1", "shard 1"),
        ("shard-count", "DELETE FROM shard WHERE shard_no=4", "type type1"),
        ("owner-alive", "UPDATE shard SET owner_inc=1 WHERE shard_no=3", "shard 3"),
        ("owner-alive", "UPDATE shard SET owner_inc=77 WHERE shard_no=3", "shard 3"),
        ("journal-epoch", "UPDATE journal SET epoch=1 WHERE shard_no=1 AND shard_seq=5", "shard 1 row 5"),
        ("journal-writer", "UPDATE journal SET owner_inc=1 WHERE shard_no=1 AND shard_seq=5", "shard 1 row 5"),
        ("journal-writer", "UPDATE journal SET epoch=3 WHERE shard_no=1 AND shard_seq=5", "shard 1 row 5"),
        ("journal-once", "UPDATE journal SET shard_seq=4 WHERE shard_no=1 AND shard_seq=5", "shard 1 row 4"),
        ("journal-gapless", "DELETE FROM journal WHERE shard_no=1 AND shard_seq=5", "shard 1"),
        ("journal-gapless", "DELETE FROM journal WHERE shard_no=2", "shard 2"),
        ("journal-gapless", "UPDATE shard SET next_seq=next_seq-1 WHERE shard_no=1", "shard 1"),
        ("entity-gapless", "DELETE FROM journal WHERE shard_no=1 AND shard_seq=4", "entity room/1"),
        ("entity-start", "DELETE FROM snapshot", "entity room/1"),
        ("entity-one-shard", "UPDATE journal SET shard_no=3 WHERE shard_no=1 AND shard_seq=5", "entity room/1"),
        ("snapshot-committed", "UPDATE snapshot SET entity_seq=6 WHERE entity_seq=4", "snapshot 6 of room/1"),
        ("snapshot-sound", "UPDATE snapshot SET payload=crc32c.payload FROM (SELECT payload FROM snapshot WHERE entity_seq=3) crc32c WHERE entity_seq=4", "snapshot 4 of room/1"),
        ("command-once", "UPDATE journal SET client_seq=4 WHERE entity='room/1' AND entity_seq=5", "entity room/1"),
        ("timer-set", "UPDATE timer SET no=no+6400", "timer remind of room/1"),
        ("timer-set", "UPDATE timer SET shard_no=2", "timer remind of room/1"),
        ("view-gapless", "UPDATE view_log SET view=9 WHERE view=2", "view 9"),
        ("view-newest", "UPDATE cluster SET view=1", "cluster"),
        ("number-newest", "UPDATE cluster SET next_inc=2", "cluster"),
        ("number-newest", "UPDATE cluster SET next_shard=4", "cluster"),
        ("down-for-good", "UPDATE cluster SET view=3; INSERT INTO view_log SELECT 3, NULL, 1, '', '', '1:up,2:up', 0", "view 3"),
        ("members-logged", "UPDATE member SET status='leaving' WHERE inc=2", "members"),
    ];

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Faults.Length)];

    [Fact]
    public async Task What_was_pruned_is_not_missed_and_what_is_left_is_still_judged()
    {
        using var folder = new TempFolder();
        await using var sqlite = folder.Store();
        var schema = PostgresServer.NewSchema();
        await using var postgres = server.Store(schema);
        foreach (var (store, address) in new (IClusterStore, string)[] { (sqlite, $"sqlite:{folder.File()}"), (postgres, $"postgres:{server.ConnectionString};Search Path={schema}") })
        {
            var owner = await ClusterHistory.WriteAsync(store);
            for (var i = 0; i < 40; i++) Assert.True((await store.ChangeViewAsync(new ViewChange { OpId = Guid.NewGuid(), By = owner.Inc, BasedOn = 2 + i, Reason = "time passes" })).IsOk);
            // Under the first epochs of shards 1 and 2 there are rows, under those of 3 and 4 none.
            Assert.Equal(new PrunedRows(1, 10, 2, null), (await store.PruneAsync(TimeSpan.Zero, TimeSpan.Zero, 100)).Value);
            Assert.Empty(await FoundAsync(address));
            Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, 6))).Value);
        }
        using (var session = SqliteSession.Open(folder.File())) session.Execute("UPDATE journal SET owner_inc=2 WHERE shard_no=1 AND shard_seq=3");
        Assert.Contains(await FoundAsync($"sqlite:{folder.File()}"), v => v.Check == "journal-writer");
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public async Task A_fault_in_a_sqlite_store_is_found(int number)
    {
        using var folder = new TempFolder();
        await using (var store = folder.Store())
        {
            await ClusterHistory.WriteAsync(store);
            Assert.Empty(await FoundAsync($"sqlite:{folder.File()}"));
        }
        using (var session = SqliteSession.Open(folder.File())) session.Execute(Faults[number].Sql.Replace("NULL, 1, ''", "x'00', 1, ''", StringComparison.Ordinal));
        await Finds(number, $"sqlite:{folder.File()}");
    }

    [Theory]
    [MemberData(nameof(Numbers))]
    public async Task A_fault_in_a_postgres_store_is_found(int number)
    {
        var schema = PostgresServer.NewSchema();
        var address = $"postgres:{server.ConnectionString};Search Path={schema}";
        await using (var store = server.Store(schema))
        {
            await ClusterHistory.WriteAsync(store);
            Assert.Empty(await FoundAsync(address));
        }
        server.Execute($"SET search_path={schema}; {Faults[number].Sql.Replace("NULL, 1, ''", "gen_random_uuid(), 1, ''", StringComparison.Ordinal)}");
        await Finds(number, address);
    }

    [Fact]
    public void Every_check_is_shown_to_fail() => Assert.Equal(StoreChecks.Names.Order(), Faults.Select(f => f.Check).Distinct().Order());

    [Fact]
    public async Task A_new_store_is_clean()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None);
        Assert.Empty(await FoundAsync($"sqlite:{folder.File()}"));
    }

    [Fact]
    public async Task Many_of_a_kind_are_counted_and_not_all_told()
    {
        using var folder = new TempFolder();
        await using var store = folder.Store();
        await Owner.OfAsync(store, shards: 40);
        using (var session = SqliteSession.Open(folder.File())) session.Execute("UPDATE shard SET owner_inc=NULL");
        var found = await FoundAsync($"sqlite:{folder.File()}");
        Assert.Equal(10, found.Count);
        Assert.Equal("and 31 more of this kind", found[^1].What);
    }

    private static async Task Finds(int number, string address)
    {
        var (check, _, where) = Faults[number];
        var found = await FoundAsync(address);
        var told = Assert.Single(found, v => v.Check == check && v.Where == where);
        Assert.NotEmpty(told.What);
        Assert.EndsWith(".", told.Mend, StringComparison.Ordinal);
    }

    private static async Task<List<StoreViolation>> FoundAsync(string address)
    {
        await using var store = await StoreAddress.Parse(address).ReadAsync(CancellationToken.None);
        return await StoreChecks.RunAsync(store);
    }
}

using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Sql.Tests;

/// <summary>A file of an earlier release, made by that release's own SQL, opens with all it has.</summary>
public class SqliteMigrationTests
{
    [Fact]
    public async Task A_file_of_version_1_opens_with_its_data_and_goes_on()
    {
        using var folder = new TempFolder();
        using (var session = SqliteSession.Open(folder.File())) session.Execute(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures", "version1.sql")));

        await using var store = folder.Store();
        var cluster = (await store.OpenAsync(new StoreSeed("another"), CancellationToken.None)).Value!;
        Assert.Equal((new Guid("6f1e7a0c-2b3d-4e5f-8091-a2b3c4d5e6f7"), 1L, 4L, "digest"), (cluster.Uuid, cluster.StoreGeneration, cluster.View, cluster.ConfigDigest));
        Assert.Equal([new ShardRow(new ShardNo(1), "room", "0", new Epoch(2), new Incarnation(2), new Incarnation(2), null, ShardState.Owned, 5),
            new ShardRow(new ShardNo(2), "room", "1", new Epoch(1), null, new Incarnation(2), new Incarnation(1), ShardState.Free, 2)], (await store.ReadShardsAsync()).Value);
        var rows = (await store.ReadJournalAsync("room/a", 1, 10)).Value;
        Assert.Equal(["1 said.v1 01 0A", "2 said.v1 02 none", "3 joined.v1  none", "4 said.v1 05 0E"], rows.Select(r =>
            $"{r.EntitySeq} {r.Kind} {Convert.ToHexString(r.Payload.Span)} {(r.Result is { } result ? Convert.ToHexString(result.Span) : "none")}"));
        Assert.Equal(new CommandId(new ClientId(0xc1), 2), rows[1].Command);
        Assert.Null(rows[2].Command);
        Assert.Single((await store.ReadJournalAsync("room/größer", 1, 10)).Value);
        Assert.Equal(3, (await store.ReadSnapshotAsync("room/a")).Value!.EntitySeq);
        Assert.Equal(2, (await store.RegisterTypeAsync("room", 2)).Value); // Not exclusive: nothing of that release was.

        await using (var reader = await StoreAddress.Parse($"sqlite:{folder.File()}").ReadAsync(CancellationToken.None))
            Assert.Empty(await StoreChecks.RunAsync(reader));

        var acquired = Assert.Single((await store.AcquireAsync(new Incarnation(2))).Value); // Its row says nothing of types, so it hosts all.
        Assert.Equal((2L, 2L), (acquired.No.Value, acquired.Epoch.Value));
        var member = (await store.NextIncarnationAsync()).Value;
        Assert.Equal(3, member.Value);
        var row = new JournalRow("room/größer", 2, new CommandId(new ClientId(0xc2), 3), "said.v1", new byte[] { 6 }, ReadOnlyMemory<byte>.Empty, 1_700_000_200_000);
        Assert.Equal([AppendOutcome.Committed], (await store.AppendAsync([new ShardBatch(acquired.No, acquired.Epoch, new Incarnation(2), 2, Guid.NewGuid(), [row])])).Value);
        Assert.Equal(0, (await store.ReadJournalAsync("room/größer", 2, 1)).Value[0].Result!.Value.Length);
    }
}

using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql.Operations;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests;

/// <summary>A schema of an earlier release, made by that release's own steps and filled by its own SQL, opens with all it has.</summary>
public class PostgresMigrationTests(PostgresServer server)
{
    private static readonly Guid Uuid = new("6f1e7a0c-2b3d-4e5f-8091-a2b3c4d5e6f7");
    private static readonly Incarnation Second = new(2);

    public static TheoryData<int> OlderVersions => [.. Enumerable.Range(1, PostgresSchema.Version - 1)];

    /// <summary>An earlier release's tables, without rows, in place of what the schema holds.</summary>
    internal static void Make(PostgresServer server, string schema, int version)
    {
        server.Execute($"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        var steps = string.Concat(PostgresSchema.Steps[..version].Select(s => s.Replace("{now}", "1700000000000", StringComparison.Ordinal)));
        server.Execute(string.Create(CultureInfo.InvariantCulture, $"SET search_path={schema}; {steps} UPDATE schema_version SET version={version}"));
    }

    [Theory]
    [MemberData(nameof(OlderVersions))]
    public async Task A_schema_of_an_earlier_release_opens_with_its_data_and_goes_on(int version)
    {
        var schema = PostgresServer.NewSchema();
        Make(server, schema, version);
        server.Execute($"SET search_path={schema}; {Rows(version)}");
        var before = DateTimeOffset.UtcNow;
        await using var store = server.Store(schema);
        var opened = await store.OpenAsync(new StoreSeed("another"), CancellationToken.None);
        Assert.True(opened.IsOk, opened.Reason);
        Assert.Equal((long)PostgresSchema.Version, server.Execute($"SELECT version FROM {schema}.schema_version"));
        await HasAllAsync(store, version);
        await IsSoundAsync(schema);

        // What the steps added, of rows that were written before there was a column for it.
        Assert.Equal(version >= 2 ? 4L : null, NullIs(server.Execute($"SELECT first_seq FROM {schema}.shard_log WHERE shard_no=1 AND epoch=2")));
        Assert.Equal(DBNull.Value, server.Execute($"SELECT ended_at FROM {schema}.shard WHERE shard_no=1"));
        if (version < 6) Assert.InRange((long)server.Execute($"SELECT min(stored_at) FROM {schema}.journal")!, before.AddMinutes(-1).ToUnixTimeMilliseconds(), DateTimeOffset.UtcNow.AddMinutes(1).ToUnixTimeMilliseconds());

        await GoesOnAsync(store);
        await using var again = server.Store(schema);
        Assert.Equal(Uuid, (await again.OpenAsync(new StoreSeed("another"), CancellationToken.None)).Value!.Uuid);
        await IsSoundAsync(schema);
    }

    [Fact]
    public async Task Nodes_of_a_new_release_that_start_at_once_on_an_older_schema_bring_it_up_to_date_once()
    {
        var schema = PostgresServer.NewSchema();
        Make(server, schema, version: 1);
        server.Execute($"SET search_path={schema}; {Rows(1)}");
        var stores = Enumerable.Range(0, 4).Select(_ => server.Store(schema)).ToArray();
        var rows = await Task.WhenAll(stores.Select(s => s.OpenAsync(new StoreSeed("digest"), CancellationToken.None).AsTask()));
        Assert.All(rows, r => Assert.Equal(Uuid, r.Value!.Uuid));
        await HasAllAsync(stores[3], version: 1);
        foreach (var store in stores) await store.DisposeAsync();
    }

    [Fact]
    public async Task Steps_that_fail_leave_the_older_schema_as_it_was()
    {
        var schema = PostgresServer.NewSchema();
        Make(server, schema, version: 1);
        server.Execute($"SET search_path={schema}; {Rows(1)}");
        server.Execute($"CREATE VIEW {schema}.timer AS SELECT 1 AS x"); // In the way of the third step.
        await using (var store = server.Store(schema)) Assert.False((await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None)).IsOk);
        Assert.Equal(1L, server.Execute($"SELECT version FROM {schema}.schema_version"));
        Assert.Equal(0L, server.Execute($"SELECT count(*) FROM information_schema.columns WHERE table_schema='{schema}' AND column_name IN ('first_seq', 'forgotten_inc')"));
        server.Execute($"DROP VIEW {schema}.timer");
        await using var mended = server.Store(schema);
        Assert.True((await mended.OpenAsync(new StoreSeed("digest"), CancellationToken.None)).IsOk);
        await HasAllAsync(mended, version: 1);
    }

    /// <summary>Every table that there was has rows: two members, two shards, entities with journal and snapshots; from version 3 on a timer, from 4 on settings.</summary>
    private static string Rows(int version) =>
        $"""
        INSERT INTO cluster(id, uuid, store_gen, view, hash_ver, cfg_digest, next_inc, next_shard) VALUES(1, '{Uuid}', 1, 4, 1, 'digest', 3, 3);
        INSERT INTO shard_type(type, shard_count, exclusive) VALUES('room', 2, false);
        INSERT INTO member(inc, name, host, link_address, client_url, roles, zone, weight, proto_min, proto_max, status, up_view, lease_seq, lease_at,
            lock_path, lock_boot_id, lock_device, lock_inode, lock_nonce, dead_proof, down_view, down_reason, down_by, down_at, started_at, types) VALUES
            (1, 'node1', 'hq', 'hq:8091', 'http://hq:8080', E'backend\nmixer', 'east', 1.5, 1, 1, 'down', 2, 40, 1700000000000, '/data/nodes/node1/node.lock', 'boot', 5, 6, 'nonce', true, 4, 'dead: its lock file is free', 2, 1700000100000, 1700000000000, 'room'),
            (2, 'node2', 'hq', 'hq:8092', 'http://hq:8081', '', '', 1.0, 1, 1, 'up', 4, 3, 1700000100000, NULL, NULL, NULL, NULL, NULL, false, 0, '', 0, 0, 1700000090000, NULL);
        INSERT INTO view_log(view, op_id, by_inc, reason, change, members, at) VALUES
            (1, '00000000-0000-0000-0000-000000000001', 1, 'joins', 'join node1#1 hq:8091', '1:joining', 1700000000000), (2, '00000000-0000-0000-0000-000000000002', 1, 'up', 'up #1', '1:up', 1700000000100),
            (3, '00000000-0000-0000-0000-000000000003', 2, 'joins', 'join node2#2 hq:8092', '1:up,2:joining', 1700000090000),
            (4, '00000000-0000-0000-0000-000000000004', 2, 'up', 'down #1 (dead: its lock file is free) with proof; up #2', '2:up', 1700000100000);
        INSERT INTO shard(shard_no, type, key, epoch, owner_inc, target_inc, prev_inc, state, next_seq, last_batch) VALUES
            (1, 'room', '0', 2, 2, 2, NULL, 'owned', 5, '00000000-0000-0000-0000-0000000000b2'), (2, 'room', '1', 1, NULL, 2, 1, 'free', 2, '00000000-0000-0000-0000-0000000000b3');
        INSERT INTO shard_log(shard_no, epoch, owner_inc, view{(version >= 2 ? ", first_seq" : "")}) VALUES
            (1, 1, 1, 2{(version >= 2 ? ", 1" : "")}), (2, 1, 1, 2{(version >= 2 ? ", 1" : "")}), (1, 2, 2, 4{(version >= 2 ? ", 4" : "")});
        INSERT INTO journal(shard_no, shard_seq, entity, entity_seq, epoch, owner_inc, batch_id, client_id, client_seq, kind, payload, result, at) VALUES
            (1, 1, 'room/a', 1, 1, 1, '00000000-0000-0000-0000-0000000000b1', '\x000000000000000000000000000000c1', 1, 'said.v1', '\x01', '\x0a', 1700000000200),
            (1, 2, 'room/a', 2, 1, 1, '00000000-0000-0000-0000-0000000000b1', '\x000000000000000000000000000000c1', 2, 'said.v1', '\x02', '', 1700000000300),
            (1, 3, 'room/a', 3, 1, 1, '00000000-0000-0000-0000-0000000000b1', NULL, NULL, 'joined.v1', '', NULL, 1700000000400),
            (2, 1, 'room/größer', 1, 1, 1, '00000000-0000-0000-0000-0000000000b3', '\x000000000000000000000000000000c2', 1, 'said.v1', '\x04', '\x0d', 1700000000500),
            (1, 4, 'room/a', 4, 2, 2, '00000000-0000-0000-0000-0000000000b2', '\x000000000000000000000000000000c2', 2, 'said.v1', '\x05', '\x0e', 1700000100100);
        INSERT INTO snapshot(entity, entity_seq, epoch, schema, payload, crc32c) VALUES('room/a', 2, 1, 'room.v1', '\x0102', 1667757220), ('room/a', 3, 1, 'room.v1', '\x010203', 737601475);
        {(version >= 3 ? "INSERT INTO timer(shard_no, entity, key, no, due_at, message, payload) VALUES(1, 'room/a', 'close', 7, 1700000200000, 'close.v1', '\\x08');" : "")}
        {(version >= 4 ? "INSERT INTO setting(key, value) VALUES('Cluster:Limits:Mailbox', '100'); UPDATE cluster SET settings_ver=3;" : "")}
        """;

    private static async Task HasAllAsync(PostgresStore store, int version)
    {
        var (cluster, members) = (await store.ReadClusterAsync()).Value!;
        Assert.Equal((Uuid, 1L, 4L, "digest", version >= 4 ? 3L : 0L, 0L), (cluster.Uuid, cluster.StoreGeneration, cluster.View, cluster.ConfigDigest, cluster.SettingsVersion, cluster.Forgotten.Value));
        Assert.Equal(["node1 Down hq:8091 http://hq:8080 backend+mixer east 1.5 2 True room boot", "node2 Up hq:8092 http://hq:8081   1 4 False all none"], members.Select(m => string.Create(
            CultureInfo.InvariantCulture, $"{m.Name} {m.Status} {m.LinkAddress} {m.ClientUrl} {string.Join('+', m.Roles)} {m.Zone} {m.Weight} {m.UpView} {m.DeadProof} {(m.Types is { } types ? string.Join('+', types) : "all")} {m.LockFile?.BootId ?? "none"}")));
        Assert.Equal(
            [new ShardRow(new ShardNo(1), "room", "0", new Epoch(2), Second, Second, null, ShardState.Owned, 5),
                new ShardRow(new ShardNo(2), "room", "1", new Epoch(1), null, Second, new Incarnation(1), ShardState.Free, 2)],
            (await store.ReadShardsAsync()).Value);
        var rows = (await store.ReadJournalAsync("room/a", 1, 10)).Value;
        Assert.Equal(["1 said.v1 01 0A", "2 said.v1 02 ", "3 joined.v1  none", "4 said.v1 05 0E"], rows.Select(r =>
            $"{r.EntitySeq} {r.Kind} {Convert.ToHexString(r.Payload.Span)} {(r.Result is { } result ? Convert.ToHexString(result.Span) : "none")}"));
        Assert.Equal(new CommandId(new ClientId(0xc1), 2), rows[1].Command);
        Assert.Null(rows[2].Command);
        Assert.Single((await store.ReadJournalAsync("room/größer", 1, 10)).Value);
        Assert.Equal(3, (await store.ReadSnapshotAsync("room/a")).Value!.EntitySeq);
        Assert.Equal(2, (await store.FindViewAsync(new Guid("00000000-0000-0000-0000-000000000002"))).Value);
        var timers = (await store.ReadTimersAsync(Second, long.MaxValue, null, 10)).Value!.Timers;
        Assert.Equal(version >= 3 ? ["room/a close 7 1700000200000 close.v1 08"] : [], timers.Select(t => string.Create(
            CultureInfo.InvariantCulture, $"{t.Entity} {t.Timer.Key} {t.Timer.No} {t.Timer.DueUnixMs} {t.Timer.Message} {Convert.ToHexString(t.Timer.Payload.Span)}")));
        Assert.Equal(version >= 4 ? ["Cluster:Limits:Mailbox=100"] : [], (await store.ReadSettingsAsync()).Value!.Values.Select(s => $"{s.Key}={s.Value}"));
        Assert.Equal(2, (await store.RegisterTypeAsync("room", 2)).Value);
        Assert.Equal(StoreVerdict.Conflict, (await store.RegisterTypeAsync("room", 2, exclusive: true)).Verdict);
    }

    /// <summary>The member that was up acquires what is free, and writes; a new one gets the next number.</summary>
    private static async Task GoesOnAsync(PostgresStore store)
    {
        Assert.True((await store.RenewAsync(Second)).IsOk);
        var acquired = Assert.Single((await store.AcquireAsync(Second)).Value);
        Assert.Equal((2L, 2L), (acquired.No.Value, acquired.Epoch.Value));
        Assert.Equal(3, (await store.NextIncarnationAsync()).Value.Value);
        var row = new JournalRow("room/größer", 2, new CommandId(new ClientId(0xc2), 3), "said.v1", new byte[] { 6 }, ReadOnlyMemory<byte>.Empty, 1_700_000_200_000);
        Assert.Equal([AppendOutcome.Committed], (await store.AppendAsync([new ShardBatch(acquired.No, acquired.Epoch, Second, 2, Guid.NewGuid(), [row])])).Value);
        Assert.Equal(0, (await store.ReadJournalAsync("room/größer", 2, 1)).Value[0].Result!.Value.Length);
    }

    private async Task IsSoundAsync(string schema)
    {
        await using var reader = await StoreAddress.Parse($"postgres:{server.ConnectionString};Search Path={schema}").ReadAsync(CancellationToken.None);
        Assert.Empty(await StoreChecks.RunAsync(reader));
    }

    private static object? NullIs(object? value) => value is DBNull ? null : value;
}

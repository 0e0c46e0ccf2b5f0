using System.Diagnostics;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Tests.Shared;
using Npgsql;

[assembly: AssemblyFixture(typeof(ActorCluster.Tests.Shared.PostgresServer))]

namespace ActorCluster.Sql.Tests;

public class PostgresStoreTests(PostgresServer server)
{
    private static readonly StoreSeed Seed = new("digest");

    [Fact]
    public async Task A_newer_schema_is_refused()
    {
        var schema = PostgresServer.NewSchema();
        await using (var store = server.Store(schema)) Assert.True((await store.OpenAsync(Seed, CancellationToken.None)).IsOk);
        server.Execute($"UPDATE {schema}.schema_version SET version=99");
        Assert.Contains("version 99", await RefusalOf(server.Store(schema)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_programs_schema_is_refused()
    {
        var schema = PostgresServer.NewSchema();
        server.Execute($"CREATE SCHEMA {schema}; CREATE TABLE {schema}.theirs(x INT)");
        Assert.Contains("another program", await RefusalOf(server.Store(schema)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Password=wrong", "refuses the user")]
    [InlineData("Password=", "demands a password of the user 'chat' and none is given. Add Password=")]
    [InlineData("Password=;Host=127.0.0.1,127.0.0.1", "demands a password of the user 'chat'")]
    [InlineData("Database=nowhere", "CREATE DATABASE")]
    public async Task What_no_retry_mends_is_refused_in_words_that_mend_it(string more, string words) =>
        Assert.Contains(words, await RefusalOf(server.Store(PostgresServer.NewSchema(), more: more)), StringComparison.Ordinal);

    [Fact]
    public async Task A_user_without_rights_is_told_what_to_grant()
    {
        var user = $"poor_{Guid.NewGuid():N}";
        server.Execute($"CREATE USER {user} PASSWORD 'poor'");
        Assert.Contains("GRANT CREATE ON DATABASE", await RefusalOf(server.Store(PostgresServer.NewSchema(), more: $"Username={user};Password=poor")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_of_another_encoding_is_refused()
    {
        server.Execute("CREATE DATABASE western ENCODING 'LATIN1' TEMPLATE template0");
        Assert.Contains("encoding is LATIN1; the cluster needs UTF8", await RefusalOf(server.Store(PostgresServer.NewSchema(), more: "Database=western")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_limit_of_connections_is_named_and_waited_out()
    {
        var schema = PostgresServer.NewSchema();
        server.Execute($"CREATE USER narrow PASSWORD 'narrow' CONNECTION LIMIT 1; CREATE SCHEMA {schema} AUTHORIZATION narrow");
        const string Narrow = "Username=narrow;Password=narrow";
        await using var store = server.Store(schema, more: Narrow);
        await using (var other = new NpgsqlConnection($"{server.ConnectionString};{Narrow};Pooling=false"))
        {
            await other.OpenAsync(TestContext.Current.CancellationToken);
            var refused = await store.OpenAsync(Seed, CancellationToken.None);
            Assert.Equal(StoreVerdict.NotSent, refused.Verdict);
            Assert.Contains("Raise max_connections or the limit of the role or database: a node holds up to 8, and up to 32 while commits hang.", refused.Reason, StringComparison.Ordinal);
        }
        var opened = await store.OpenAsync(Seed, CancellationToken.None);
        for (var attempt = 0; !opened.IsOk && attempt < 100; attempt++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
            opened = await store.OpenAsync(Seed, CancellationToken.None);
        }
        Assert.True(opened.IsOk, opened.Reason);
    }

    [Fact]
    public async Task A_node_holds_as_many_connections_as_its_words_say()
    {
        var name = $"held_{Guid.NewGuid():N}";
        await using var store = server.Store(PostgresServer.NewSchema(), more: $"Application Name={name}");
        Assert.True((await store.OpenAsync(Seed, CancellationToken.None)).IsOk);
        object? Held() => server.Execute($"SELECT count(*) FROM pg_stat_activity WHERE application_name='{name}'");
        await UntilAsync(() => Task.FromResult(Held() is (long)PostgresStore.ConnectionsMax), "Each lane has its connection once the store is open.");
    }

    [Fact]
    public async Task A_full_disk_refuses_a_write_as_a_whole_and_serves_again_when_there_is_room()
    {
        var schema = PostgresServer.NewSchema();
        await using var store = server.Store(schema);
        var owner = await Owner.OfAsync(store, shards: 2);
        server.Execute($"CREATE FUNCTION {schema}.no_room() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.entity_seq=3 THEN RAISE EXCEPTION ''could not extend file'' USING ERRCODE=''53100''; END IF; RETURN NEW; END'");
        server.Execute($"CREATE TRIGGER no_room BEFORE INSERT ON {schema}.journal FOR EACH ROW EXECUTE FUNCTION {schema}.no_room()");
        var (first, second) = (owner.Batch(0, 1), owner.Batch(1, 1, rows: 3));
        var refused = await store.AppendAsync([first, second]);
        Assert.Equal(StoreVerdict.NotSent, refused.Verdict);
        Assert.Contains("53100). Free space on the server's disk.", refused.Reason, StringComparison.Ordinal);
        Assert.Equal(0L, server.Execute($"SELECT count(*) FROM {schema}.journal"));
        server.Execute($"DROP TRIGGER no_room ON {schema}.journal");
        var appended = await store.AppendAsync([first, second]);
        Assert.True(appended.IsOk, appended.Reason);
        Assert.Equal([AppendOutcome.Committed, AppendOutcome.Committed], appended.Value);
    }

    [Fact]
    public async Task A_server_that_is_read_only_for_now_is_not_sent()
    {
        await using var store = server.Store(PostgresServer.NewSchema(), more: "Options=-c default_transaction_read_only=on");
        var opened = await store.OpenAsync(Seed, CancellationToken.None);
        Assert.Equal(StoreVerdict.NotSent, opened.Verdict);
        Assert.Contains("read-only", opened.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stores_that_open_an_empty_database_at_once_agree_on_the_cluster()
    {
        var schema = PostgresServer.NewSchema();
        var stores = Enumerable.Range(0, 4).Select(_ => server.Store(schema)).ToArray();
        var rows = await Task.WhenAll(stores.Select(s => s.OpenAsync(Seed, CancellationToken.None).AsTask()));
        Assert.Single(rows.Select(r => r.Value!.Uuid).Distinct());
        foreach (var store in stores) await store.DisposeAsync();
    }

    [Fact]
    public async Task With_the_client_index_a_repeated_command_is_refused_and_the_other_batches_are_written()
    {
        await using var store = server.Store(PostgresServer.NewSchema(), clientIndex: true);
        var owner = await Owner.OfAsync(store, shards: 3);
        var first = owner.Batch(0, 1);
        await owner.AppendAsync(first);
        var repeat = owner.Batch(0, 2, rows: 2);
        repeat = repeat with { Rows = repeat.Rows.SetItem(1, repeat.Rows[1] with { Command = first.Rows[0].Command }) };
        var appended = await store.AppendAsync([owner.Batch(2, 1), repeat, owner.Batch(1, 1)]);
        Assert.Equal([AppendOutcome.Committed, AppendOutcome.RepeatedCommand, AppendOutcome.Committed], appended.Value);
        Assert.Equal(BatchResolution.NotCommitted, (await store.ResolveAsync(repeat)).Value);
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, 2))).Value);
    }

    [Fact]
    public async Task A_lock_that_somebody_holds_delays_a_write_until_its_time_out_and_writes_nothing()
    {
        var schema = PostgresServer.NewSchema();
        await using var store = server.Store(schema, callTimeout: TimeSpan.FromMilliseconds(600));
        var owner = await Owner.OfAsync(store, shards: 1);
        var batch = owner.Batch(0, 1);
        await using (var other = new NpgsqlConnection($"{server.ConnectionString};Pooling=false;Search Path={schema}"))
        {
            await other.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = await other.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var command = new NpgsqlCommand("SELECT * FROM shard FOR UPDATE", other);
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            var refused = await owner.AppendAsync(batch);
            Assert.Equal(StoreVerdict.NotSent, refused.Verdict);
            Assert.Contains("55P03", refused.Reason, StringComparison.Ordinal);
            Assert.True((await store.ReadShardsAsync()).IsOk, "Reads do not wait for writers.");
            Assert.True((await store.RenewAsync(owner.Inc)).IsOk, "The lease does not wait for appends.");
        }
        Assert.Equal(BatchResolution.NotCommitted, (await store.ResolveAsync(batch)).Value);
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(batch)).Value);
    }

    [Fact]
    public async Task A_write_whose_session_is_ended_is_in_doubt_and_resolved()
    {
        var schema = PostgresServer.NewSchema();
        await using var store = server.Store(schema);
        var owner = await Owner.OfAsync(store, shards: 1);
        var batch = owner.Batch(0, 1);
        server.Execute($"CREATE FUNCTION {schema}.hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'");
        server.Execute($"CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON {schema}.journal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.hang()");
        Assert.Equal(StoreVerdict.InDoubt, (await owner.AppendAsync(batch)).Verdict);
        server.Execute($"DROP TRIGGER hang ON {schema}.journal");
        Assert.Equal(BatchResolution.NotCommitted, (await store.ResolveAsync(batch)).Value);
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(batch)).Value);
        Assert.Equal(BatchResolution.Committed, (await store.ResolveAsync(batch)).Value);
    }

    [Fact]
    public async Task A_warning_at_a_commit_puts_the_write_in_doubt()
    {
        var schema = PostgresServer.NewSchema();
        await using var store = server.Store(schema);
        var owner = await Owner.OfAsync(store, shards: 1);
        server.Execute($"CREATE FUNCTION {schema}.warn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''only here''; RETURN NULL; END'");
        server.Execute($"CREATE TRIGGER warn AFTER INSERT ON {schema}.journal FOR EACH ROW EXECUTE FUNCTION {schema}.warn()");
        var batch = owner.Batch(0, 1);
        Assert.Equal(StoreVerdict.InDoubt, (await owner.AppendAsync(batch)).Verdict);
        Assert.Equal(BatchResolution.Committed, (await store.ResolveAsync(batch)).Value);
    }

    [Fact]
    public async Task A_server_that_stops_is_answered_for_in_time_and_found_again()
    {
        using var own = new PostgresServer();
        var limit = TimeSpan.FromSeconds(1);
        await using var store = own.Store("chat", callTimeout: limit);
        var owner = await Owner.OfAsync(store, shards: 1);
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, 1))).Value);
        own.Stop();
        for (var i = 0; i < 3; i++)
        {
            var started = Stopwatch.GetTimestamp();
            Assert.Contains((await owner.AppendAsync(owner.Batch(0, 2))).Verdict, new[] { StoreVerdict.NotSent, StoreVerdict.InDoubt });
            Assert.Equal(StoreVerdict.NotSent, (await store.ReadShardsAsync()).Verdict);
            Assert.True(Stopwatch.GetElapsedTime(started) < (limit * 2) + TimeSpan.FromSeconds(1), "A call is answered within its time-out.");
        }
        own.Start();
        var batch = owner.Batch(0, 2);
        StoreResult<AppendOutcome> appended;
        for (var attempt = 0; !(appended = await owner.AppendAsync(batch)).IsOk && attempt < 100; attempt++) await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Equal(AppendOutcome.Committed, appended.Value);
        var renewed = await store.RenewAsync(owner.Inc);
        for (var attempt = 0; !renewed.IsOk && attempt < 100; attempt++) renewed = await store.RenewAsync(owner.Inc);
        Assert.True(renewed.IsOk, renewed.Reason);
    }

    [Fact]
    public async Task A_call_that_hangs_is_in_doubt_at_its_time_out_and_the_next_uses_another_connection()
    {
        await using var source = new NpgsqlDataSourceBuilder($"{server.ConnectionString};Pooling=false").Build();
        await using var lane = new PostgresLane(source, TimeSpan.FromMilliseconds(300), new PostgresLane.Server()); // No statement time-out: the server never says a word.
        var started = Stopwatch.GetTimestamp();
        var hung = await lane.RunAsync(isWrite: true, db => StoreResult.Ok(db.Run("SELECT pg_sleep(2)")));
        Assert.Equal(StoreVerdict.InDoubt, hung.Verdict);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(1.5));
        Assert.Equal(StoreVerdict.NotSent, (await lane.RunAsync(isWrite: false, db => StoreResult.Ok(db.Run("SELECT pg_sleep(2)")))).Verdict);
        Assert.Equal(1, (await lane.RunAsync(isWrite: false, db => StoreResult.Ok(db.Scalar<int>("SELECT 1")))).Value);
    }

    [Fact]
    public async Task Calls_that_never_come_back_cost_a_few_threads_and_connections_and_are_refused_from_then_on()
    {
        var name = $"hung_{Guid.NewGuid():N}";
        await using var source = new NpgsqlDataSourceBuilder($"{server.ConnectionString};Pooling=false;Application Name={name}").Build();
        await using var lane = new PostgresLane(source, TimeSpan.FromMilliseconds(300), new PostgresLane.Server());
        Task<StoreResult<int>> HangAsync() => lane.RunAsync(isWrite: true, db => StoreResult.Ok(db.Run("SELECT pg_sleep(60)")));
        var hung = 0;
        var last = await HangAsync();
        for (var attempt = 0; attempt < 100 && last.Reason?.Contains("has not come back from 4", StringComparison.Ordinal) != true; attempt++, last = await HangAsync())
            if (last.Verdict == StoreVerdict.InDoubt) hung++;
        Assert.Equal((4, StoreVerdict.NotSent), (hung, last.Verdict));
        Assert.Equal(4L, server.Execute($"SELECT count(*) FROM pg_stat_activity WHERE application_name='{name}' AND query LIKE '%pg_sleep%'"));
        server.Execute($"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name='{name}'");
        await UntilAsync(async () => (await lane.RunAsync(isWrite: false, db => StoreResult.Ok(db.Scalar<int>("SELECT 1")))).IsOk, "The lane serves again once they have come back.");
    }

    [Fact]
    public async Task A_member_s_session_is_gone_with_its_process_as_told_by_who_has_been_connected_for_3_s()
    {
        var schema = PostgresServer.NewSchema();
        var name = $"lost_{Guid.NewGuid():N}";
        var store = server.Store(schema, more: $"Application Name={name}");
        var inc = (await Owner.OfAsync(store, shards: 1)).Inc;
        var started = Stopwatch.GetTimestamp();
        await using var peer = server.Store(schema);
        await peer.OpenAsync(Seed, CancellationToken.None);
        await using var fresh = server.Store(schema);

        async Task StaysAsync(string claim)
        {
            var asked = await peer.IsSessionGoneAsync(inc);
            Assert.False(asked.Value, claim);
            Assert.True(asked.IsOk, asked.Reason);
        }

        await UntilAsync(() => Task.FromResult(Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(3.5)), "");
        await StaysAsync("It has never renewed its lease, so it may have no session yet.");
        Assert.True((await store.RenewAsync(inc)).IsOk);
        await StaysAsync("Its process holds it.");
        server.Execute($"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name='{name}'");
        await UntilAsync(async () => (await store.RenewAsync(inc)).IsOk, "The lease is renewed on another connection.");
        await StaysAsync("It came back with the renewal.");

        // As when a call on its lease connection was given up: the next renewal is on another, while the server still has the first.
        var later = server.Store(schema);
        await later.OpenAsync(Seed, CancellationToken.None);
        Assert.True((await later.RenewAsync(inc)).IsOk);
        await store.DisposeAsync();
        await UntilAsync(() => Task.FromResult(server.Execute($"SELECT count(*) FROM pg_stat_activity WHERE application_name='{name}'") is 0L), "The first connection has fallen.");
        for (var i = 0; i < 20; i++) await StaysAsync("The second has had it since its first renewal.");

        await later.DisposeAsync();
        await UntilAsync(async () => (await peer.IsSessionGoneAsync(inc)).Value, "The server gave the lock back with the connection.");
        var opened = Stopwatch.GetTimestamp();
        await fresh.OpenAsync(Seed, CancellationToken.None);
        await UntilAsync(async () => (await fresh.IsSessionGoneAsync(inc)).Value, "");
        Assert.True(Stopwatch.GetElapsedTime(opened) >= TimeSpan.FromSeconds(3), "Who has just connected does not judge.");
    }

    [Theory]
    [InlineData("", "actorcluster", 1500)]
    [InlineData("Host=db", "Upper", 1500)]
    [InlineData("Host=db", "a\"b", 1500)]
    [InlineData("Host=db", "chat", 50)]
    [InlineData("Database=chat", "chat", 1500)]
    [InlineData("Host=db;Nonsense=1", "chat", 1500)]
    public void Options_out_of_range_are_refused(string text, string schema, int timeoutMs) => Assert.ThrowsAny<ArgumentException>(
        () => new PostgresStore(new PostgresStoreOptions { ConnectionString = text, Schema = schema, CallTimeout = TimeSpan.FromMilliseconds(timeoutMs) }));

    [Fact]
    public async Task Several_hosts_lead_to_the_one_that_can_write()
    {
        await using var store = server.Store(PostgresServer.NewSchema(), more: "Host=127.0.0.2,127.0.0.1");
        var opened = await store.OpenAsync(Seed, CancellationToken.None);
        Assert.True(opened.IsOk, opened.Reason);
        Assert.DoesNotContain("only-for-tests", store.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_promoted_standby_is_found_and_goes_on_where_the_primary_ended()
    {
        using var primary = new PostgresServer();
        using var standby = primary.Standby();
        await using var store = primary.Store("chat", callTimeout: TimeSpan.FromSeconds(3), more: $"Host={primary.Host},{standby.Host}");
        var owner = await Owner.OfAsync(store, shards: 1);
        primary.Execute($"ALTER SYSTEM SET synchronous_standby_names='*'");
        primary.Execute("SELECT pg_reload_conf()");
        await UntilAsync(() => Task.FromResult((string)primary.Execute("SELECT coalesce(max(sync_state), '') FROM pg_stat_replication")! == "sync"), "The standby is synchronous.");
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, 1))).Value);
        primary.Stop();
        var next = owner.Batch(0, 2);
        Assert.False((await owner.AppendAsync(next)).IsOk, "Nobody can be written to.");
        standby.Promote();
        await UntilAsync(async () => (await store.RenewAsync(owner.Inc)).IsOk, "The lease is renewed at the new primary.");
        await UntilAsync(async () => (await store.ResolveAsync(next)).Value == BatchResolution.NotCommitted, "The batch that nobody took is not there.");
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(next)).Value);
        // Each connection learns by itself that its server is gone.
        await UntilAsync(async () => await store.ReadJournalAsync(next.Rows[0].Entity, 1, 10) is { IsOk: true, Value.Length: 2 }, "Both rows are read.");
    }

    [Fact]
    public async Task The_largest_type_is_registered_acquired_and_revoked_in_the_times_of_calls()
    {
        await using var store = server.Store(PostgresServer.NewSchema(), callTimeout: TimeSpan.FromSeconds(1.5));
        const int Shards = 65_536;
        var owner = await Owner.OfAsync(store, Shards);
        Assert.Equal(Shards, owner.Shards.Length);
        var change = new ViewChange
        {
            OpId = Guid.NewGuid(),
            By = owner.Inc,
            BasedOn = (await store.ReadClusterAsync()).Value!.Cluster.View,
            Members = [new MemberChange.Down(owner.Inc, "test")],
            Targets = [.. owner.Shards.Select(s => new ShardTarget(s.No, new Incarnation(2)))],
            Reason = "test",
        };
        var revoked = await store.ChangeViewAsync(change);
        Assert.True(revoked.IsOk, revoked.Reason);
        Assert.All((await store.ReadShardsAsync()).Value, r => Assert.Equal((ShardState.Free, new Incarnation(2)), (r.State, r.Target)));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string claim)
    {
        for (var started = Stopwatch.GetTimestamp(); !await condition(); await Task.Delay(50, TestContext.Current.CancellationToken))
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30), claim);
    }

    private static async Task<string> RefusalOf(PostgresStore store)
    {
        await using (store)
            return (await Assert.ThrowsAsync<StoreUnusableException>(() => store.OpenAsync(Seed, CancellationToken.None).AsTask())).Message;
    }
}

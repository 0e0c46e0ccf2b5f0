using ActorCluster.Persistence;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests;

/// <summary>Whoever lacks a right is told at the start which statement mends it, and that statement does.</summary>
public class PostgresRightsTests(PostgresServer server)
{
    private static readonly StoreSeed Seed = new("digest");

    [Fact]
    public async Task All_rights_that_are_missing_are_told_at_once_with_the_statements_that_grant_them()
    {
        var (schema, user) = await MadeByAnotherAsync(server);
        var refusal = await RefusalOf(schema, user);
        Assert.Contains("lacks 36 of the rights that a node needs", refusal, StringComparison.Ordinal);
        Assert.Contains($"GRANT USAGE ON SCHEMA {schema} TO ", refusal, StringComparison.Ordinal);
        Assert.Contains($"GRANT SELECT, INSERT, DELETE ON TABLE {schema}.setting, {schema}.view_log, {schema}.journal TO ", refusal, StringComparison.Ordinal);
        server.Execute(Statements(refusal));
        await OpensAsync(schema, user);
    }

    [Theory]
    [InlineData("schema_version", "SELECT")]
    [InlineData("cluster", "SELECT, INSERT, UPDATE")]
    [InlineData("setting", "SELECT, INSERT, DELETE")]
    [InlineData("shard_type", "SELECT, INSERT")]
    [InlineData("member", "SELECT, INSERT, UPDATE, DELETE")]
    [InlineData("view_log", "SELECT, INSERT, DELETE")]
    [InlineData("shard", "SELECT, INSERT, UPDATE, DELETE")]
    [InlineData("shard_log", "SELECT, INSERT, UPDATE, DELETE")]
    [InlineData("journal", "SELECT, INSERT, DELETE")]
    [InlineData("snapshot", "SELECT, INSERT, UPDATE, DELETE")]
    [InlineData("timer", "SELECT, INSERT, UPDATE, DELETE")]
    public async Task A_table_without_rights_is_named(string table, string rights)
    {
        var schema = PostgresServer.NewSchema();
        var user = await GrantedAsync(server, schema);
        server.Execute($"REVOKE ALL ON {schema}.{table} FROM {NameOf(user)}");
        var refusal = await RefusalOf(schema, user);
        Assert.EndsWith($"Run as an administrator: GRANT {rights} ON TABLE {schema}.{table} TO {NameOf(user)};", refusal, StringComparison.Ordinal);
        server.Execute(Statements(refusal));
        await OpensAsync(schema, user);
    }

    [Fact]
    public async Task One_right_of_a_table_is_missed_alone()
    {
        var schema = PostgresServer.NewSchema();
        var user = await GrantedAsync(server, schema);
        server.Execute($"REVOKE DELETE ON {schema}.timer FROM {NameOf(user)}");
        Assert.EndsWith($"lacks 1 of the rights that a node needs. Run as an administrator: GRANT DELETE ON TABLE {schema}.timer TO {NameOf(user)};", await RefusalOf(schema, user), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_of_the_server_that_was_taken_away_is_named()
    {
        using var own = new PostgresServer();
        const string Schema = "chat";
        var user = await GrantedAsync(own, Schema);
        own.Execute("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_advisory_xact_lock(integer, integer) FROM PUBLIC");
        var refusal = await RefusalOf(Schema, user, own);
        Assert.EndsWith($"GRANT EXECUTE ON FUNCTION pg_catalog.pg_advisory_xact_lock(integer,integer) TO {NameOf(user)};", refusal, StringComparison.Ordinal);
        own.Execute(Statements(refusal));
        await OpensAsync(Schema, user, own);
    }

    [Fact]
    public async Task An_empty_schema_of_somebody_else_needs_the_right_to_make_tables_in_it()
    {
        var schema = PostgresServer.NewSchema();
        server.Execute($"CREATE SCHEMA {schema}");
        var user = NewUser(server);
        var refusal = await RefusalOf(schema, user);
        Assert.EndsWith($"GRANT USAGE, CREATE ON SCHEMA {schema} TO {NameOf(user)};", refusal, StringComparison.Ordinal);
        server.Execute(Statements(refusal));
        await OpensAsync(schema, user);
    }

    [Fact]
    public async Task An_older_schema_is_brought_up_to_date_by_the_owner_of_its_tables_alone()
    {
        var schema = PostgresServer.NewSchema();
        var user = await GrantedAsync(server, schema);
        PostgresMigrationTests.Make(server, schema, version: PostgresSchema.Version - 1);
        server.Execute($"GRANT ALL ON SCHEMA {schema} TO {NameOf(user)}");
        server.Execute($"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {NameOf(user)}");
        var refusal = await RefusalOf(schema, user);
        Assert.Contains($"To bring version {PostgresSchema.Version - 1} to {PostgresSchema.Version} takes the owner of the tables of schema {schema}, which {NameOf(user)} is not. Start one node of this release once as chat; or run as an administrator: ALTER TABLE", refusal, StringComparison.Ordinal);
        server.Execute(Statements(refusal));
        await OpensAsync(schema, user);
    }

    [Theory] // Of whose tables a newer release only adds columns, and which it does not change at all.
    [InlineData(6)]
    [InlineData(7)]
    public async Task An_owner_of_the_tables_who_may_not_create_starts_where_nothing_is_made(int version)
    {
        var (schema, user) = OwnedWithoutCreate(version);
        await OpensAsync(schema, user);
        Assert.Equal((long)PostgresSchema.Version, server.Execute($"SELECT version FROM {schema}.schema_version"));
    }

    [Fact]
    public async Task An_owner_of_the_tables_who_may_not_create_is_told_so_where_something_is_made()
    {
        var (schema, user) = OwnedWithoutCreate(version: 2);
        var refusal = await RefusalOf(schema, user);
        Assert.Equal(
            $"To bring version 2 to {PostgresSchema.Version} makes tables or indexes, and {NameOf(user)} owns the tables of schema {schema} but may not create in it. Run as an administrator: GRANT CREATE ON SCHEMA {schema} TO {NameOf(user)};",
            refusal);
        server.Execute(Statements(refusal));
        await OpensAsync(schema, user);
    }

    [Fact]
    public async Task An_owner_who_may_not_create_is_told_so_before_the_index_of_command_ids()
    {
        var (schema, user) = OwnedWithoutCreate(PostgresSchema.Version);
        await using var store = new PostgresStore(new PostgresStoreOptions { ConnectionString = $"{server.ConnectionString};{user}", Schema = schema, ClientIndex = true });
        var refused = await Assert.ThrowsAsync<StoreUnusableException>(() => store.OpenAsync(Seed, CancellationToken.None).AsTask());
        Assert.EndsWith($"may not create in it. Run as an administrator: GRANT CREATE ON SCHEMA {schema} TO {NameOf(user)};", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_older_schema_that_its_owner_has_brought_up_to_date_serves_a_user_with_rights()
    {
        var (schema, user) = await MadeByAnotherAsync(server);
        PostgresMigrationTests.Make(server, schema, version: 2); // Before there were timers and settings.
        server.Execute(Statements(await RefusalOf(schema, user)));
        Assert.Contains("takes the owner", await RefusalOf(schema, user), StringComparison.Ordinal);
        await using (var owner = server.Store(schema)) Assert.True((await owner.OpenAsync(Seed, CancellationToken.None)).IsOk);
        var refusal = await RefusalOf(schema, user);
        Assert.Contains($"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {schema}.timer", refusal, StringComparison.Ordinal);
        server.Execute(Statements(refusal));
        await OpensAsync(schema, user);
    }

    /// <summary>An empty cluster made by another user, and what a connection string says of a user with just the rights that the store asks for.</summary>
    internal static async Task<string> GrantedAsync(PostgresServer server, string schema)
    {
        var (_, user) = await MadeByAnotherAsync(server, schema);
        await using var store = server.Store(schema, more: user);
        var refused = await Assert.ThrowsAsync<StoreUnusableException>(() => store.OpenAsync(Seed, CancellationToken.None).AsTask());
        server.Execute(Statements(refused.Message));
        return user;
    }

    private static async Task<(string Schema, string User)> MadeByAnotherAsync(PostgresServer server, string? schema = null)
    {
        schema ??= PostgresServer.NewSchema();
        await using (var store = server.Store(schema)) Assert.True((await store.OpenAsync(Seed, CancellationToken.None)).IsOk);
        server.Execute($"DELETE FROM {schema}.cluster"); // The first who opens it names the cluster.
        return (schema, NewUser(server));
    }

    /// <summary>The tables of a release, given to a user who may look into their schema and make nothing there.</summary>
    private (string Schema, string User) OwnedWithoutCreate(int version)
    {
        var (schema, user) = (PostgresServer.NewSchema(), NewUser(server));
        PostgresMigrationTests.Make(server, schema, version);
        server.Execute((string)server.Execute($"SELECT string_agg(format('ALTER TABLE %I.%I OWNER TO {NameOf(user)};', schemaname, tablename), ' ') FROM pg_tables WHERE schemaname='{schema}'")!);
        server.Execute($"GRANT USAGE ON SCHEMA {schema} TO {NameOf(user)}");
        return (schema, user);
    }

    private static string NewUser(PostgresServer server)
    {
        var name = $"node_{Guid.NewGuid():N}";
        server.Execute($"CREATE USER {name} PASSWORD 'narrow'");
        return $"Username={name};Password=narrow";
    }

    private static string NameOf(string user) => user.Split('=', ';')[1];

    private static string Statements(string refusal) => refusal[(refusal.IndexOf("as an administrator: ", StringComparison.Ordinal) + "as an administrator: ".Length)..];

    private async Task OpensAsync(string schema, string user, PostgresServer? at = null)
    {
        await using var store = (at ?? server).Store(schema, more: user);
        var opened = await store.OpenAsync(Seed, CancellationToken.None);
        Assert.True(opened.IsOk, opened.Reason);
    }

    private async Task<string> RefusalOf(string schema, string user, PostgresServer? at = null)
    {
        await using var store = (at ?? server).Store(schema, more: user);
        return (await Assert.ThrowsAsync<StoreUnusableException>(() => store.OpenAsync(Seed, CancellationToken.None).AsTask())).Message;
    }
}

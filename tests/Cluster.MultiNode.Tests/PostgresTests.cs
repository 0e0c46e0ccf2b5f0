using ActorCluster.MultiNode.Tests.Nodes;
using ActorCluster.Tests.Shared;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace ActorCluster.MultiNode.Tests;

/// <summary>Nodes of the sample over a PostgreSQL database, as on several machines: a node is killed, then the server ends as by a power cut.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class PostgresTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Neither_a_killed_node_nor_a_server_that_restarts_loses_what_was_acknowledged()
    {
        using var server = new PostgresServer();
        await using var cluster = new SampleCluster(3, postgres: server.ConnectionString);
        await cluster.StartAsync();
        await using var talk = await Talk.BeginAsync(cluster, 6);
        await cluster.SpreadAsync(TimeSpan.FromSeconds(40));
        await talk.GoesOnAsync("before the kill", TimeSpan.FromSeconds(10), 20);
        output.WriteLine($"before: {talk.TakeLongestWait()}");

        // Without the file nobody sees the lock, as on another machine: the session with the database is what shows the crash.
        File.Delete(cluster.Folder.At("nodes", cluster[0].Name, "node.lock"));
        await cluster[0].KillAsync();
        var served = await talk.GoesOnAsync("after node1 was killed", TimeSpan.FromSeconds(10), 5);
        output.WriteLine($"all users served after {served.TotalMilliseconds:0} ms, {talk.TakeLongestWait()}");

        Assert.Equal(1L, server.Execute("SELECT count(*) FROM actorcluster.view_log WHERE reason='crashed'"));

        server.Stop();
        server.Start();
        var back = await talk.GoesOnAsync("after the server was started again", TimeSpan.FromSeconds(15), 5);
        output.WriteLine($"all users served {back.TotalMilliseconds:0} ms after the server was back, {talk.TakeLongestWait()}");

        await talk.EndAsync();
        cluster.Nodes.RemoveAt(0);
        Assert.Equal("", await cluster.StopAsync());
        foreach (var node in cluster.Nodes) Assert.DoesNotContain("only-for-tests", node.Log, StringComparison.Ordinal);
        var journal = cluster.Folder.At("journal.db");
        await CopyJournalAsync(server, journal);
        Assert.Equal("", talk.Judge(journal));
    }

    [Fact]
    public async Task A_server_that_refuses_the_password_is_told_in_one_line()
    {
        using var server = new PostgresServer();
        await using var cluster = new SampleCluster(1, postgres: $"{server.ConnectionString};Password=forgotten");
        await cluster[0].StartAsync();
        Assert.Equal(64, await cluster[0].ExitAsync(TimeSpan.FromSeconds(30)));
        Assert.Single(cluster[0].Lines, l => l.Contains("PostgreSQL refuses the user 'chat'", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", cluster[0].Log, StringComparison.Ordinal);
    }

    /// <summary>Into a file that the checker reads.</summary>
    internal static async Task CopyJournalAsync(PostgresServer server, string file)
    {
        await using var from = new NpgsqlConnection($"{server.ConnectionString};Pooling=false");
        await from.OpenAsync();
        await using var into = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ConnectionString);
        await into.OpenAsync();
        await using (var table = new SqliteCommand("CREATE TABLE journal(entity TEXT, entity_seq INTEGER, kind TEXT, payload BLOB, client_id BLOB, client_seq INTEGER, at INTEGER)", into))
            await table.ExecuteNonQueryAsync();
        await using var read = new NpgsqlCommand("SELECT entity, entity_seq, kind, payload, client_id, client_seq, at FROM actorcluster.journal", from);
        await using var rows = await read.ExecuteReaderAsync();
        await using var transaction = into.BeginTransaction();
        while (await rows.ReadAsync())
        {
            await using var row = new SqliteCommand("INSERT INTO journal VALUES(@0, @1, @2, @3, @4, @5, @6)", into, transaction);
            for (var i = 0; i < rows.FieldCount; i++) row.Parameters.AddWithValue($"@{i}", rows.GetValue(i));
            await row.ExecuteNonQueryAsync();
        }
        await transaction.CommitAsync();
    }
}

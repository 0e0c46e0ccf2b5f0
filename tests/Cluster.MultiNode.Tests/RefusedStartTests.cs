using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ActorCluster.ChatRooms;
using ActorCluster.Hosting;
using ActorCluster.MultiNode.Tests.Nodes;
using ActorCluster.Sql;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.MultiNode.Tests;

/// <summary>Nodes that must not start: each says in one line what is wrong and what would do, and exits with the code of the protocol.</summary>
[Collection(nameof(NodeProcesses))]
public sealed class RefusedStartTests
{
    private const int Refused = 64;
    private const int StoreMismatch = 78;
    private static readonly TimeSpan ExitLimit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task All_faults_of_the_configuration_are_told_at_once()
    {
        await using var cluster = new SampleCluster(0);
        await RefusesAsync(
            cluster.Add("node 1", "--Cluster:Colour", "red", "--Cluster:Limits:Mailbox", "many", "--Cluster:Limits:FrameBytes", "12", "--Cluster:Node:Capacity", "500", "--Cluster:OnDown", "2", "--Cluster:Times:Renew", "00:00:20", "--Cluster:AllowPlaintext", "perhaps"),
            "Cluster:Colour is no setting; Cluster has AllowPlaintext, Data, Downing,",
            "Cluster:Limits:Mailbox is 'many'; give a whole number.",
            "Cluster:Limits:FrameBytes is 12; give 65,536 to 67,108,864.",
            "Cluster:Node:Capacity is 500; give 0.01 to 100.",
            "Cluster:Node:Name is 'node 1'; give 1 to 64 letters",
            "Cluster:OnDown is '2'; give Rejoin or Exit.",
            "Cluster:AllowPlaintext is 'perhaps'; give true or false.",
            "Cluster:Times:ServeLimit is 00:00:06.5000000; give more than");
    }

    [Theory]
    [InlineData("192.0.2.1:9399", "Cluster:Node:Link is '192.0.2.1:9399', which is not loopback, and links between nodes are not encrypted. Set Cluster:AllowPlaintext to true")]
    [InlineData("0.0.0.0:9399", "Cluster:Node:Link is '0.0.0.0:9399'; other nodes dial this address, so give one that reaches this machine")]
    [InlineData("nowhere", "Cluster:Node:Link is 'nowhere'; give host:port")]
    public async Task A_link_address_that_will_not_do(string link, string line)
    {
        await using var cluster = new SampleCluster(0);
        await RefusesAsync(cluster.Add("node1", "--Cluster:Node:Link", link), line);
    }

    [Fact]
    public async Task A_link_address_in_use()
    {
        await using var cluster = new SampleCluster(0);
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}");
        await RefusesAsync(cluster.Add("node1", "--Cluster:Node:Link", address), $"Link address {address} is in use by another process. Stop that process, or set Cluster:Node:Link to a free port.");
    }

    [Fact]
    public async Task A_port_for_clients_in_use_is_found_before_the_node_joins()
    {
        await using var cluster = new SampleCluster(0);
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}");
        await RefusesAsync(cluster.Add("node1", "--urls", url), $"The node cannot listen for clients: Failed to bind to address {url}: address already in use. Give --urls another address");
        Assert.False(File.Exists(cluster.Store), "The node opened the store before it knew that it cannot serve.");
    }

    [Theory]
    [InlineData(true)]  // The sample keeps its secret there.
    [InlineData(false)] // The lock file alone.
    public async Task A_data_folder_that_cannot_be_written(bool needsSecret)
    {
        await using var cluster = new SampleCluster(0);
        File.WriteAllText(cluster.Folder.At("file"), "");
        var data = cluster.Folder.At("file", "data");
        await RefusesAsync(cluster.Add("node1", "--Cluster:Data", data, "--Cluster:Secret", needsSecret ? "" : SampleCluster.Secret), $"Cluster:Data{(needsSecret ? $" is '{data}'" : "")}");
    }

    [Fact]
    public async Task A_data_folder_without_a_name()
    {
        await using var cluster = new SampleCluster(0);
        await RefusesAsync(cluster.Add("node1", "--Cluster:Data", "", "--Cluster:Secret", ""), "Cluster:Data is empty; give a folder on a local file system, for example data.");
    }

    [Fact]
    public async Task A_store_that_is_no_database()
    {
        await using var cluster = new SampleCluster(0);
        File.WriteAllText(cluster.Store, string.Join('\n', Enumerable.Repeat("This is a letter, not a database.", 500)));
        await RefusesAsync(cluster.Add("node1"), $"{cluster.Store} is not an SQLite database. Move that file away, or name another one.");
    }

    [Fact]
    public async Task A_store_of_a_newer_release()
    {
        await using var cluster = new SampleCluster(0);
        Change(cluster.Store, "CREATE TABLE cluster(id INTEGER); PRAGMA application_id=1094929491; PRAGMA user_version=99;");
        await RefusesAsync(cluster.Add("node1"), $"{cluster.Store} has schema version 99; this build knows up to 9. Start the newer release");
    }

    [Fact]
    public async Task A_store_that_was_restored_from_an_older_copy()
    {
        await using var cluster = new SampleCluster(1);
        await cluster.StartAsync();
        Assert.Equal("", await cluster.StopAsync());
        var copy = cluster.Folder.At("backup.db");
        Change(cluster.Store, "PRAGMA wal_checkpoint(TRUNCATE)");
        File.Copy(cluster.Store, copy);
        await cluster.StartAsync();
        Assert.Equal("", await cluster.StopAsync());
        foreach (var leftover in new[] { "-wal", "-shm" }) File.Delete(cluster.Store + leftover);
        File.Copy(copy, cluster.Store, overwrite: true);
        await cluster[0].StartAsync();
        Assert.Equal(StoreMismatch, await cluster[0].ExitAsync(ExitLimit));
        SaysOnce(cluster[0], "of the same cluster: the store was restored or has lost commits. Point the node at the right store");
    }

    /// <summary>Newcomers that a living cluster refuses, and that leave no trace in it.</summary>
    [Fact]
    public async Task A_newcomer_that_does_not_belong()
    {
        await using var cluster = new SampleCluster(2);
        await cluster.StartAsync();
        await using var talk = await Talk.BeginAsync(cluster, 4);

        await RefusesAsync(cluster.Add("node1"), "The node name node1 is in use: a live process holds ");
        using (var elsewhere = new TestFolder())
        {
            await RefusesAsync(cluster.Add("node1", "--Cluster:Data", elsewhere.Path), $"The name node1 is in use by #1 at 127.0.0.1:{cluster[0].LinkPort}, which is alive. Give this node another Cluster:Node:Name");
        }
        var stranger = cluster.Add("stranger", "--Cluster:Secret", "not the secret at all");
        await RefusesAsync(stranger, "Cluster:Secret of this node differs from that of node1#1");
        await RefusesInProcessAsync(
            builder => builder.WithSqlite(cluster.Store).WithNode("other", "127.0.0.1:0", "").WithEntity<RoomEntity>(RoomEntity.TypeName, RoomCodecs.Register, shards: 8).Configure(o => (o.Secret, o.Data) = (SampleCluster.Secret, cluster.Folder.Path)),
            "Entity type room has 256 shards in this cluster, 8 here; shard counts are fixed for life: register it with 256.");
        Change(cluster.Store, "INSERT INTO shard_type(type, shard_count, exclusive) VALUES('mixer', 8, 1)");
        await RefusesInProcessAsync(
            builder => builder.WithSqlite(cluster.Store).WithNode("other", "127.0.0.1:0", "").WithEntity<RoomEntity>("mixer", RoomCodecs.Register, shards: 8).Configure(o => (o.Secret, o.Data) = (SampleCluster.Secret, cluster.Folder.Path)),
            "Entity type mixer has external effects in this cluster and none here; that is fixed for life: register it as it was, or give the type another name.");

        await talk.GoesOnAsync("beside the refused newcomers", TimeSpan.FromSeconds(10), 20);
        var status = await cluster[0].StatusAsync();
        Assert.NotNull(status);
        var live = status.Value.GetProperty("members").EnumerateArray().Where(m => m.GetProperty("status").GetString() != "down").Select(m => m.GetProperty("name").GetString()).Order();
        Assert.Equal(["node1", "node2"], live);
        Assert.Contains("The cluster secret of stranger at ", cluster[0].Log, StringComparison.Ordinal);
        await talk.EndAsync();
        Assert.Equal("", await cluster.StopAsync());
        Assert.Equal("", talk.Judge(cluster.Store));
    }

    [Fact]
    public Task A_host_without_a_store() => RefusesInProcessAsync(
        builder => builder.Configure(o => o.Secret = SampleCluster.Secret),
        "No store is chosen: add .WithSqlite(\"data/cluster.db\") for nodes on one machine or .WithPostgres(\"Host=...\") for several (package ActorCluster.Sql) to AddActorCluster; all nodes share it.");

    [Fact]
    public Task A_host_whose_store_has_no_path() => RefusesInProcessAsync(
        builder => builder.WithSqlite().Configure(o => o.Secret = SampleCluster.Secret),
        "Cluster:Store is empty; set Cluster:Store:Sqlite to the path of the SQLite file that all nodes of one machine share, or Cluster:Store:Postgres to the connection string of a database that all machines reach.");

    [Fact]
    public Task A_host_with_two_stores() => RefusesInProcessAsync(
        builder => builder.WithSqlite("never.db").WithPostgres("Host=never").Configure(o => o.Secret = SampleCluster.Secret),
        "Cluster:Store has both Sqlite (never.db) and Postgres; a cluster has one store. Remove one; what WithSqlite and WithPostgres name counts too.");

    [Fact]
    public Task A_host_whose_connection_string_cannot_be_read() => RefusesInProcessAsync(
        builder => builder.WithPostgres("Database=chat").Configure(o => o.Secret = SampleCluster.Secret),
        "Cluster:Store:Postgres: The connection string names no Host. Give Host=...;Username=...;Password=...;Database=...");

    [Fact]
    public Task A_host_with_options_that_cannot_be() => RefusesInProcessAsync(
        builder => builder.WithSqlite("never.db").Configure(o => (o.Limits.Mailbox, o.Limits.AskTimeout) = (0, TimeSpan.Zero)),
        "Cluster:Secret has 0 values; give one, or two separated by a comma while rotating. Any long random text, the same on every node. Cluster:Limits:Mailbox is 0; give 1 to 1,000,000. Cluster:Limits:AskTimeout is 00:00:00; give 10 ms to 5 min.");

    private static async Task RefusesAsync(SampleNode node, params string[] lines)
    {
        await node.StartAsync();
        var code = await node.ExitAsync(ExitLimit);
        Assert.True(code == Refused, $"{node.Name} exited with {code} instead of {Refused}: {node.Log}");
        foreach (var line in lines) SaysOnce(node, line);
    }

    private static void SaysOnce(SampleNode node, string line)
    {
        Assert.True(node.Lines.Count(l => l.Contains(line, StringComparison.Ordinal)) == 1, $"Expected once: {line}\nFound: {node.Log}");
        Assert.DoesNotContain("   at ", node.Log, StringComparison.Ordinal); // A stack trace is for those who wrote this, not for those who run it.
    }

    private static async Task RefusesInProcessAsync(Action<ActorClusterBuilder> configure, string line)
    {
        using var said = new LogLines();
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddProvider(said);
        builder.Services.AddActorCluster(configure);
        var before = Environment.ExitCode;
        try
        {
            await builder.Build().RunAsync().WaitAsync(ExitLimit);
            Assert.Equal(Refused, Environment.ExitCode);
        }
        finally
        {
            Environment.ExitCode = before; // It is the tests' own.
        }
        Assert.Equal([line], said.Critical);
    }

    private static void Change(string store, string sql)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = store, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private sealed class LogLines : ILoggerProvider, ILogger
    {
        private readonly List<string> _critical = [];

        public string[] Critical
        {
            get { lock (_critical) return [.. _critical]; }
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Critical;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            lock (_critical) _critical.Add(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}

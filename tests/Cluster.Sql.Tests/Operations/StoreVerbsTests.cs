using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using ActorCluster.Cli;
using ActorCluster.Cli.Verbs;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.Sql.Operations;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests.Operations;

public class StoreVerbsTests(PostgresServer server)
{
    [Fact]
    public async Task Status_shows_members_and_shards_of_either_store()
    {
        using var folder = new TempFolder();
        await using var sqlite = folder.Store();
        var schema = PostgresServer.NewSchema();
        await using var postgres = server.Store(schema);
        foreach (var (store, address) in new (IClusterStore, string)[] { (sqlite, $"sqlite:{folder.File()}"), (postgres, $"postgres:{server.ConnectionString};Search Path={schema}") })
        {
            await ClusterHistory.WriteAsync(store);
            var (code, words, _) = await Run("status", "--store", address);
            Assert.Equal(0, code);
            Assert.Contains("generation 1, view 2", words, StringComparison.Ordinal);
            Assert.Matches(@"n2#2 +up +view 2 +\d+\.\d s +h:2 +http://h:80", words);
            Assert.Contains("down in view 2: it was silent", words, StringComparison.Ordinal);
            Assert.Matches("type1 +n2#2 +owned +4", words);

            var json = JsonDocument.Parse((await Run("status", "--json", "--store", address)).Output).RootElement;
            Assert.Equal(2, json.GetProperty("cluster").GetProperty("view").GetInt64());
            Assert.Equal(["down", "up"], json.GetProperty("members").EnumerateArray().Select(m => m.GetProperty("status").GetString()));
            Assert.InRange(json.GetProperty("members")[1].GetProperty("leaseAgeMs").GetInt64(), 0, 600_000);
            Assert.Equal(4, json.GetProperty("shards")[0].GetProperty("count").GetInt64());
            Assert.DoesNotContain("secret", words, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Check_ends_with_0_for_a_clean_store_and_with_1_and_a_line_for_each_fault()
    {
        using var folder = new TempFolder();
        await using (var store = folder.Store()) await ClusterHistory.WriteAsync(store);
        var before = HashOf(folder.File());
        var address = $"sqlite:{folder.File()}";
        var (clean, said, _) = await Run("check", "--store", address);
        Assert.Equal((0, true), (clean, said.Contains($"clean by {StoreChecks.Names.Count()} checks of 4 shards and 5 journal rows", StringComparison.Ordinal)));
        Assert.Equal(before, HashOf(folder.File()));

        using (var session = SqliteSession.Open(folder.File())) session.Execute("UPDATE shard SET owner_inc=1, epoch=1 WHERE shard_no IN (3, 4)");
        var (code, lines, _) = await Run("check", "--store", address);
        Assert.Equal(1, code);
        Assert.Equal(2, lines.Split('\n').Count(l => l.StartsWith("owner-alive (I13): shard ", StringComparison.Ordinal)));
        Assert.Contains("its owner n1#1 is down since view 2. A running cluster", lines, StringComparison.Ordinal);
        var json = JsonDocument.Parse((await Run("check", "--json", "--store", address)).Output).RootElement;
        Assert.Equal(lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, json.GetProperty("violations").GetArrayLength());
    }

    [Theory]
    [InlineData("", "name the store: --store sqlite:FILE")]
    [InlineData("--store cluster.db", "'cluster.db' names no store")]
    [InlineData("--store sqlite:/nowhere/cluster.db", "There is no file /nowhere/cluster.db")]
    [InlineData("--store postgres:Hostess=db1", "connection string cannot be read")]
    [InlineData("--store postgres:Host=127.0.0.1;Port=1;Username=u", "cannot be reached")]
    public async Task A_store_that_cannot_be_read_is_refused_with_64_and_the_mend(string line, string fault)
    {
        foreach (var verb in new[] { "status", "check" })
        {
            var (code, output, error) = await Run([verb, .. line.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
            Assert.Equal((ExitCodes.Refused, ""), (code, output));
            Assert.Contains(fault, error, StringComparison.Ordinal);
            Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [Fact]
    public async Task Files_and_schemas_that_are_none_of_ours_or_of_another_version_are_refused()
    {
        using var folder = new TempFolder();
        using (var session = SqliteSession.Open(folder.File())) session.Execute("CREATE TABLE recipes(name TEXT)");
        Assert.Contains("is not a cluster's database", (await Run("status", "--store", $"sqlite:{folder.File()}")).Error, StringComparison.Ordinal);
        await using (var store = folder.Store("old.db")) await store.OpenAsync(new StoreSeed("digest"), CancellationToken.None);
        using (var session = SqliteSession.Open(folder.File("old.db"))) session.Execute("PRAGMA user_version=1");
        Assert.Contains("Start a node of this release on it once", (await Run("status", "--store", $"sqlite:{folder.File("old.db")}")).Error, StringComparison.Ordinal);
        Assert.Contains("holds no cluster", (await Run("status", "--store", $"postgres:{server.ConnectionString};Search Path=nobodys")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_store_of_a_node_is_taken_from_the_environment()
    {
        var nothing = VerbArguments.Parse(new StatusVerb(), []);
        var sqlite = StoreOption.AddressOf(nothing, name => name == "Cluster__Store__Sqlite" ? "/srv/cluster.db" : null);
        Assert.Equal(new StoreAddress.Sqlite("/srv/cluster.db"), sqlite);
        var postgres = StoreOption.AddressOf(nothing, name => name == "Cluster__Store__Postgres" ? "Host=db1" : null);
        Assert.Equal("Host=db1", Assert.IsType<StoreAddress.Postgres>(postgres).Options.ConnectionString);
    }

    [Fact]
    public async Task A_running_cluster_commits_on_while_its_store_is_checked()
    {
        using var folder = new TempFolder();
        await using var store = new SqliteStore(new SqliteStoreOptions { Path = folder.File(), CheckpointPages = 10 }); // Moved into the file again and again.
        var owner = await Owner.OfAsync(store, shards: 1);
        using var checking = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "ActorCluster.Cli.dll"), "check", "--store", $"sqlite:{folder.File()}"]) { RedirectStandardOutput = true })!;
        var seq = 1;
        while (!checking.HasExited || seq <= 200)
        {
            Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, seq))).Value);
            seq++;
        }
        Assert.Equal((0, true), (checking.ExitCode, (await checking.StandardOutput.ReadToEndAsync()).Contains("clean", StringComparison.Ordinal)));
        // Had the reader's end dropped the store's locks, a second writer could now get between its statements.
        await using var second = folder.Store();
        var other = await Owner.OfAsync(second, shards: 1);
        Assert.Equal(AppendOutcome.Committed, (await other.AppendAsync(other.Batch(0, 1))).Value);
        Assert.Equal(AppendOutcome.Committed, (await owner.AppendAsync(owner.Batch(0, seq))).Value);
    }

    internal static async Task<(int Code, string Output, string Error)> Run(params string[] words)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await new CommandLine([new CheckVerb(), new MoveVerb(), new ReappendVerb(), new RecoverVerb(), new SettingsVerb(), new StatusVerb()]).RunAsync(words, output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }

    private static string HashOf(string file) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));
}

using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Serialization;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Sql.Tests.Operations;

/// <summary>Nodes whose store is put back to an older copy under their feet, and what an operator does then (docs/operations.md).</summary>
public sealed partial class LostAndGivenBackTests : IDisposable
{
    private const int Ledgers = 12;

    private readonly TempFolder _folder = new();
    private readonly int _exitCode = Environment.ExitCode;

    private string Address => $"sqlite:{_folder.File()}";

    public void Dispose()
    {
        Environment.ExitCode = _exitCode; // A node that froze tells its own by it.
        _folder.Dispose();
    }

    [Fact]
    public async Task Everything_acknowledged_is_there_after_the_store_was_put_back_and_its_nodes_had_noticed()
    {
        var nodes = await StartAsync();
        await UntilAsync("both nodes own shards", () => NumberOf("SELECT count(DISTINCT owner_inc) FROM shard WHERE type='ledger' AND owner_inc IS NOT NULL") == 2);
        await DepositAsync(nodes[0], 1, 5);
        Execute($"VACUUM INTO '{_folder.File("older.db")}'");
        await DepositAsync(nodes[1], 6, 15);
        PutBack();
        var unheard = Enumerable.Range(0, Ledgers).Select(i => UnheardAsync(nodes[0], i)).ToArray(); // Whoever writes next finds out, if not by what it reads.
        await UntilAsync("both nodes have written down what they had acknowledged", () => Directory.GetFiles(_folder.File("nodes"), "acked-*.jsonl", SearchOption.AllDirectories).Length == 2);
        Assert.All(nodes, n => Assert.Equal(NodeMode.Frozen, Of(n).Mode));
        await Task.WhenAll(unheard);
        await StopAsync(nodes);
        Assert.Equal(5 * Ledgers, NumberOf("SELECT count(*) FROM journal"));

        Assert.Equal(0, (await StoreVerbsTests.Run("recover", "--yes", "--store", Address)).Code);
        var (code, output, error) = await StoreVerbsTests.Run("reappend", "--store", Address, _folder.File("nodes"));
        Assert.Equal((0, ""), (code, error));
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{Ledgers} entities: {10 * Ledgers} rows appended"), output, StringComparison.Ordinal);
        Assert.Contains(" 0 rows appended", (await StoreVerbsTests.Run("reappend", "--store", Address, _folder.File("nodes"))).Output, StringComparison.Ordinal);
        Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", Address)).Output, StringComparison.Ordinal);

        nodes = await StartAsync();
        await DepositAsync(nodes[0], 11, 15); // Clients send again what they had an answer for: the same answers, and no effect.
        await DepositAsync(nodes[1], 16, 17);
        await StopAsync(nodes);
        for (var i = 0; i < Ledgers; i++)
            Assert.Equal(17, NumberOf(string.Create(CultureInfo.InvariantCulture, $"SELECT count(*) FROM journal WHERE entity='ledger/l{i}' AND client_seq=entity_seq")));
        Assert.Contains("clean", (await StoreVerbsTests.Run("check", "--store", Address)).Output, StringComparison.Ordinal);
    }

    /// <summary>The n-th command of each ledger's client is answered with n.</summary>
    private static Task DepositAsync(IHost node, int from, int to) => Task.WhenAll(Enumerable.Range(0, Ledgers).Select(async i =>
    {
        for (var n = from; n <= to; n++)
        {
            var (command, asked) = (new CommandId(new ClientId((UInt128)(100 + i)), n), Stopwatch.GetTimestamp());
            while (true)
            {
                try
                {
                    Assert.Equal(n, await Of(node).Entity<Ledger>(string.Create(CultureInfo.InvariantCulture, $"l{i}")).AskAsync(new Deposit(1), command));
                    break;
                }
                catch (EntityException) when (Stopwatch.GetElapsedTime(asked) < TimeSpan.FromSeconds(30))
                {
                    await Task.Delay(50); // Shards move; the id makes it one command.
                }
            }
        }
    }));

    private static async Task UnheardAsync(IHost node, int ledger)
    {
        try
        {
            await Of(node).Entity<Ledger>(string.Create(CultureInfo.InvariantCulture, $"l{ledger}")).AskAsync(new Deposit(1), new CommandId(new ClientId((UInt128)(100 + ledger)), 16));
            Assert.Fail("A command is acknowledged on a store that has lost what was before it.");
        }
        catch (EntityException)
        {
            // It may have taken effect or not; its client sends it again.
        }
    }

    private static IActorCluster Of(IHost node) => node.Services.GetRequiredService<IActorCluster>();

    private async Task<IHost[]> StartAsync()
    {
        var nodes = new[] { Build("n1"), Build("n2") };
        foreach (var node in nodes)
        {
            await node.StartAsync();
            await UntilAsync($"the node serves, it says {Of(node).Status().LastEnd}", () => Of(node).Mode == NodeMode.Serving);
        }
        return nodes;
    }

    private static async Task StopAsync(IHost[] nodes)
    {
        foreach (var node in nodes)
        {
            await node.StopAsync();
            node.Dispose();
        }
    }

    private IHost Build(string name)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddActorCluster(cluster => cluster
            .WithNode(name, link: "127.0.0.1:0", clients: $"http://{name}:8080")
            .WithStore((_, _) => _folder.Store())
            .Configure(options => (options.Data, options.Secret) = (Path.GetDirectoryName(_folder.File())!, "a secret of this test"))
            .WithEntity<Ledger>("ledger", m => m.Add<Deposit, int>("deposit.v1", LedgerJson.Default.Deposit, LedgerJson.Default.Int32), shards: 8));
        return builder.Build();
    }

    private void Execute(string sql)
    {
        using var session = SqliteSession.Open(_folder.File());
        session.Execute(sql);
    }

    private long NumberOf(string sql)
    {
        using var session = SqliteSession.Open(_folder.File(), readOnly: true);
        return session.Get(sql).Scalar() ?? 0;
    }

    /// <summary>In one transaction, as a fail-over to a standby that was behind would look.</summary>
    private void PutBack()
    {
        using var session = SqliteSession.Open(_folder.File());
        session.Execute($"ATTACH '{_folder.File("older.db")}' AS older");
        var tables = new List<string>();
        var read = session.Get("SELECT name FROM older.sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite_%'");
        while (read.Step()) tables.Add(read.GetText(0));
        for (var began = false; !began;)
        {
            try
            {
                session.Execute("BEGIN IMMEDIATE");
                began = true;
            }
            catch (SqliteFailure e) when (e.IsBusy)
            {
                Thread.Yield();
            }
        }
        foreach (var table in tables) session.Execute($"DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM older.{table}");
        session.Execute("COMMIT");
    }

    private static async Task UntilAsync(string what, Func<bool> holds)
    {
        for (var started = Stopwatch.GetTimestamp(); !holds();)
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), $"Waited 60 s until {what}.");
            await Task.Delay(50);
        }
    }

    public sealed record Deposit(int Amount) : IRequest<int>;

    [JsonSerializable(typeof(Deposit))]
    [JsonSerializable(typeof(int))]
    private sealed partial class LedgerJson : JsonSerializerContext;

    private sealed class Ledger : JournaledEntity<int>
    {
        private int _balance;

        protected override IEventCodec<int> Events { get; } = new Amounts();

        protected override Decision<int> Decide(object message) => Decision<int>.Record(((Deposit)message).Amount);

        protected override void Apply(int amount, long seq) => _balance += amount;

        protected override object? ReplyFor(int amount, long seq) => _balance;
    }

    private sealed class Amounts : IEventCodec<int>
    {
        public string Encode(int amount, IBufferWriter<byte> into)
        {
            BinaryPrimitives.WriteInt32LittleEndian(into.GetSpan(4), amount);
            into.Advance(4);
            return "deposited.v1";
        }

        public int Decode(string kind, ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }
}

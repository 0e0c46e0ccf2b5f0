using System.Buffers;
using System.Buffers.Binary;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;

namespace Bank;

public sealed record Deposit(int Amount) : IRequest<int>;

public sealed record Balance : IRequest<int>, IReadRequest;

public sealed class Account : JournaledEntity<int>
{
    private int _balance;

    protected override IEventCodec<int> Events { get; } = new DepositCodec();

    protected override Decision<int> Decide(object message) =>
        message is Deposit deposit ? Decision<int>.Record(deposit.Amount) : Decision<int>.Answer(_balance);

    protected override void Apply(int amount, long seq) => _balance += amount;

    protected override object? ReplyFor(int amount, long seq) => _balance;

    public static void Register(MessageCatalog messages)
    {
        messages.Add<Deposit>("deposit.v1");
        messages.Add<Balance>("balance.v1");
    }
}

internal sealed class DepositCodec : IEventCodec<int>
{
    public string Encode(int amount, IBufferWriter<byte> into)
    {
        BinaryPrimitives.WriteInt32LittleEndian(into.GetSpan(4), amount);
        into.Advance(4);
        return "deposited.v1";
    }

    public int Decode(string kind, ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt32LittleEndian(bytes);
}

/// <summary>The examples of docs/testing.md, as they stand there.</summary>
public class AccountTests
{
    [Fact]
    public async Task An_account_survives_the_kill_of_its_owner()
    {
        await using var cluster = await TestCluster.StartAsync(3, node => node.WithEntity<Account>("account", Account.Register, shards: 16));
        var owner = cluster.OwnerOf<Account>("ada")!;
        var other = cluster.Nodes.First(n => n != owner);
        Assert.Equal(5, await other.Entity<Account>("ada").AskAsync(new Deposit(5)));

        await cluster.KillAsync(owner);
        await cluster.Until("another node has the balance that was acknowledged", async () => await other.Entity<Account>("ada").AskAsync(new Balance()) == 5);
        Assert.NotEqual(owner, cluster.OwnerOf<Account>("ada"));

        await cluster.RestartAsync(owner);
        await cluster.UntilSettled();
        Assert.Equal(7, await owner.Entity<Account>("ada").AskAsync(new Deposit(2)));
    }

    [Fact]
    public async Task In_a_split_the_minority_stops_and_no_acknowledged_deposit_is_lost()
    {
        await using var cluster = await TestCluster.StartAsync(3, node => node.WithEntity<Account>("account", Account.Register, shards: 16));
        var minority = cluster.OwnerOf<Account>("ada")!;
        var majority = cluster.Nodes.First(n => n != minority);
        using var enough = new CancellationTokenSource();
        var (left, right) = (DepositAsync(minority, new ClientId(1), enough.Token), DepositAsync(majority, new ClientId(2), enough.Token));

        cluster.Isolate(minority);
        await cluster.Until("the minority has stopped", () => minority.Mode is not (NodeMode.Serving or NodeMode.Degraded));
        await cluster.Until("the majority has the account", async () =>
            cluster.OwnerOf<Account>("ada") is { } owner && owner != minority && await majority.Entity<Account>("ada").AskAsync(new Balance()) >= 0);

        cluster.Heal();
        await cluster.UntilSettled();
        await enough.CancelAsync();
        var acknowledged = await left + await right;
        Assert.Equal(acknowledged, await minority.Entity<Account>("ada").AskAsync(new Balance()));
    }

    /// <summary>Deposits 1 again and again, each until it is acknowledged; the command id makes the repeats harmless.</summary>
    private static async Task<int> DepositAsync(TestNode node, ClientId client, CancellationToken enough)
    {
        for (var acknowledged = 0; ; acknowledged++)
        {
            if (enough.IsCancellationRequested) return acknowledged;
            var command = new CommandId(client, acknowledged + 1);
            for (var done = false; !done;)
            {
                try
                {
                    await node.Entity<Account>("ada").AskAsync(new Deposit(1), command, CancellationToken.None);
                    done = true;
                }
                catch (EntityException)
                {
                    await Task.Delay(20, CancellationToken.None); // No owner, no store, or too late: again.
                }
            }
        }
    }

    [Fact]
    public async Task Deposits_wait_while_the_store_is_away_and_then_go_on()
    {
        await using var cluster = await TestCluster.StartAsync(3, node => node.WithEntity<Account>("account", Account.Register, shards: 16));
        var account = cluster.Nodes[0].Entity<Account>("ada");
        Assert.Equal(5, await account.AskAsync(new Deposit(5)));

        foreach (var node in cluster.Nodes) cluster.CutStore(node);
        var deposit = account.AskAsync(new Deposit(2)).AsTask();
        await cluster.Until("every node has noticed", () => cluster.Nodes.All(n => n.Mode == NodeMode.Degraded));
        Assert.False(deposit.IsCompleted);

        cluster.Heal();
        Assert.Equal(7, await deposit);
    }
}

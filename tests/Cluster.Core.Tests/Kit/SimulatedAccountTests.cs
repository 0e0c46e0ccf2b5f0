using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.TestKit;
using ActorCluster.TestKit.Simulation;

namespace Bank;

public sealed class KeepMySide : SplitBrainResolver
{
    public override string Name => "keep-my-side";

    protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => DowningClass.Now;
}

public sealed class KeepFirstName : SplitBrainResolver
{
    public override string Name => "keep-first-name";

    protected override DowningClass ClassOf(ImmutableArray<Voter> voters) =>
        voters.MinBy(v => v.Name, StringComparer.Ordinal).Here ? DowningClass.Now : DowningClass.Late;
}

public sealed record Redeem(int Voucher) : IRequest<bool>;

/// <summary>Takes a voucher once, and forgets it too soon.</summary>
public sealed class ForgetfulTill : JournaledEntity<int>
{
    private readonly Queue<int> _redeemed = new();

    protected override IEventCodec<int> Events { get; } = new DepositCodec();

    protected override Decision<int> Decide(object message) =>
        message is Redeem(var voucher) && !_redeemed.Contains(voucher) ? Decision<int>.Record(voucher, true) : Decision<int>.Answer(false);

    protected override void Apply(int voucher, long seq)
    {
        _redeemed.Enqueue(voucher);
        if (_redeemed.Count > 8) _redeemed.Dequeue(); // Enough, surely.
    }

    public static void Register(MessageCatalog messages) => messages.Add<Redeem>("redeem.v1");
}

/// <summary>Changes its state when it decides.</summary>
public sealed class HastyAccount : JournaledEntity<int>
{
    private int _balance;

    protected override IEventCodec<int> Events { get; } = new DepositCodec();

    protected override Decision<int> Decide(object message) =>
        message is Deposit deposit ? Decision<int>.Record(deposit.Amount, _balance += deposit.Amount) : Decision<int>.Answer(_balance);

    protected override void Apply(int amount, long seq) { }
}

/// <summary>The simulator's examples of docs/testing.md, as they stand there.</summary>
public class SimulatedAccountTests
{
    private static SimulatedEntity<int> Accounts { get; } = SimulatedEntity.Of("account", () => new Account(), Account.Register);

    [Fact]
    public void A_policy_that_keeps_every_side_is_found_made_small_and_replayed()
    {
        var runs = new SimulationOptions { Resolver = new KeepMySide(), Nodes = 3, Faults = [SimFault.Isolate] };
        var found = SimulationCampaign.Run(from: 1, seeds: 20, runs).Failing[0];
        Assert.Equal("3.3", found.Invariant);

        var plan = SimulationShrinker.Shrink(found, runsMax: 60);
        Assert.Equal("3.3", Simulation.Run(plan).Invariant);
        var file = plan.ToJson();
        Assert.Equal("3.3", Simulation.Run(SimulationPlan.Parse(file) with { Resolver = new KeepMySide() }).Invariant);
    }

    [Fact]
    public void The_side_with_the_first_name_stays_and_every_invariant_holds() =>
        Assert.Empty(SimulationCampaign.Run(from: 1, seeds: 40, new SimulationOptions { Resolver = new KeepFirstName() }).Failing);

    [Fact]
    public void After_every_cut_the_side_with_the_first_name_serves_alone()
    {
        var cuts = CutWalk.All(new KeepFirstName(), ["east1", "east2", "west1", "west2", "west3"]);
        Assert.Equal(51, cuts.Length);
        Assert.All(cuts, cut => Assert.Equal(cut.Groups.First(g => g.Contains("east1")), string.Join(' ', cut.Lives)));
    }

    [Fact]
    public void Where_that_side_lost_the_store_another_takes_over()
    {
        var cuts = CutWalk.All(new KeepFirstName(), nodes: 3, varyStore: true);
        Assert.DoesNotContain(cuts, cut => cut.Flag is Cut.NobodyServes or Cut.TwoSidesServe);
    }

    [Fact]
    public async Task The_side_with_the_first_name_stays_on_real_nodes()
    {
        await using var cluster = await TestCluster.StartAsync(3, node => node
            .WithResolver(new KeepFirstName())
            .WithEntity<Account>("account", Account.Register, shards: 16));
        cluster.Isolate(cluster["node1"]);
        await cluster.Until("node1 serves alone", () => cluster["node1"].Status().Members.Count(m => m.Status == "up") == 1 && cluster["node1"].Mode == NodeMode.Serving);
        cluster.Heal();
        await cluster.UntilSettled();
    }

    [Fact]
    public void No_deposit_is_lost_or_made_twice_whatever_happens()
    {
        var runs = new SimulationOptions
        {
            Entity = Accounts with
            {
                Draw = random => random.Next(4) == 0 ? new Balance() : new Deposit(random.Next(1, 100)),
                Check = history =>
                {
                    var deposits = history.Events.ToDictionary(e => e.Command!.Value, e => e.Event);
                    Assert.All(history.Commands.Where(c => c.IsAnswered), c => Assert.Equal(((Deposit)c.Message).Amount, deposits[c.Id]));
                    Assert.All(history.Commands.Where(c => c.IsAnswered), c => Assert.Equal(history.Events.Take((int)c.Seq).Sum(e => e.Event), c.Reply));
                },
            },
        };
        Assert.Empty(SimulationCampaign.Run(from: 1, seeds: 40, runs).Failing);
    }

    [Fact]
    public void A_till_that_forgets_vouchers_is_found_by_its_checker()
    {
        var runs = new SimulationOptions
        {
            Entity = SimulatedEntity.Of("till", () => new ForgetfulTill(), ForgetfulTill.Register) with
            {
                Draw = random => new Redeem(random.Next(30)),
                Check = history => Assert.Distinct(history.Events.Select(e => e.Event)),
            },
        };
        Assert.Equal("Checker", SimulationCampaign.Run(from: 1, seeds: 5, runs).Failing[0].Invariant);
    }

    [Fact]
    public void An_account_that_is_not_what_its_journal_makes_of_it_is_found_without_a_checker()
    {
        var runs = new SimulationOptions
        {
            Entity = SimulatedEntity.Of("account", () => new HastyAccount(), Account.Register) with { Draw = random => new Deposit(random.Next(1, 100)) },
            Faults = [SimFault.Kill],
        };
        Assert.Equal("Replay", SimulationCampaign.Run(from: 1, seeds: 5, runs).Failing[0].Invariant);
    }

    [Fact]
    public void An_hour_in_which_every_owner_in_turn_is_cut_off_costs_no_deposit()
    {
        var cluster = new SimulatedCluster(3, new SimulatedClusterOptions { Seed = 7, Entity = Accounts });
        var until = cluster.Now + TimeSpan.FromHours(1);
        var deposits = 0;
        while (cluster.Now < until)
        {
            var owner = cluster.OwnerOf("ada")!;
            var other = cluster.Nodes.First(n => n != owner);
            cluster.Isolate(owner);
            cluster.Until("the majority has the account", () => cluster.OwnerOf("ada") is { Mode: NodeMode.Serving } heir && heir != owner);
            Assert.Equal(++deposits, cluster.Ask<int>(other, "ada", new Deposit(1)));
            cluster.Heal();
            cluster.UntilSettled();
            cluster.Run(TimeSpan.FromMinutes(5));
        }
        cluster.Finish();
        Assert.Equal(deposits, cluster.Committed("ada").Count);
    }
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using ActorCluster.TestKit;
using ActorCluster.Tests.Entities;
using Bank;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ActorCluster.Tests.Kit;

/// <summary>A policy that the program brings, on real nodes (<see cref="ActorClusterBuilder.WithResolver"/>).</summary>
public sealed class OwnPolicyTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("actorcluster-").FullName;
    private readonly ModelDatabase _database = new(Guid.NewGuid());

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Theory] // What the cluster is by | what the node brings | what it says of itself and of the cluster
    [InlineData("keep-majority", "east", "'own:zone-first(east)' here, but 'keep-majority' in the cluster")]
    [InlineData("own:zone-first(west)", "east", "'own:zone-first(east)' here, but 'own:zone-first(west)' in the cluster")]
    [InlineData("own:zone-first(west)", null, "'keep-majority' here, but 'own:zone-first(west)' in the cluster")]
    public async Task A_node_with_another_policy_than_the_clusters_is_refused_with_both(string clusters, string? own, string named)
    {
        _database.Open(new StoreSeed("another", SharedSettings.Of(new ClusterOptions { Downing = new DowningOptions { Strategy = clusters } })));
        using var node = Node(own is null ? null : new ZoneFirst(own));
        var before = Environment.ExitCode;
        await node.StartAsync();
        var cluster = node.Services.GetRequiredService<IActorCluster>();
        await Waiting.Until(() => cluster.Status().LastEnd is not null, () => "the node refuses");
        Assert.StartsWith($"Cluster:Downing:Strategy is {named}, and a policy", cluster.Status().LastEnd, StringComparison.Ordinal);
        Assert.Contains("actorcluster settings set Cluster:Downing:Strategy", cluster.Status().LastEnd, StringComparison.Ordinal);
        Assert.Empty(_database.Members);
        await node.StopAsync();
        Environment.ExitCode = before; // It is the tests' own.
    }

    [Fact]
    public async Task The_policy_and_its_parameters_are_the_clusters_and_enter_the_digest()
    {
        using var node = Node(new ZoneFirst("east"));
        await node.StartAsync();
        await Waiting.Until(() => node.Services.GetRequiredService<IActorCluster>().Mode == NodeMode.Serving, () => "the node serves");
        Assert.Equal("own:zone-first(east)", _database.ReadSettings().Value!.Values["Cluster:Downing:Strategy"]);
        string Digest(string strategy) => ClusterDigest.Of(new ClusterOptions { Downing = new DowningOptions { Strategy = strategy } });
        Assert.Equal(Digest("own:zone-first(east)"), _database.ReadCluster().Value!.Cluster.ConfigDigest);
        Assert.NotEqual(Digest("own:zone-first(west)"), _database.ReadCluster().Value!.Cluster.ConfigDigest);
        await node.StopAsync();
    }

    [Theory]
    [InlineData("keep-oldest", "Cluster:Downing:Strategy is 'keep-oldest', and this program brings a policy of its own (WithResolver); give 'zone-first' or leave it out")]
    [InlineData("keep-majority", "Cluster:Downing:Strategy is 'keep-majority', and this program brings")]
    [InlineData("own:zone-first(west)", "Cluster:Downing:Strategy is 'own:zone-first(west)', and this program brings")]
    [InlineData("zone-first", null)]
    [InlineData("own:zone-first(east)", null)]
    [InlineData(null, null)]
    public void A_strategy_beside_it_is_refused_unless_it_names_it(string? configured, string? fault)
    {
        using var node = Node(new ZoneFirst("east"), configured);
        var settings = node.Services.GetRequiredService<ClusterSettings>();
        if (fault is null) Assert.Equal(("", "own:zone-first(east)"), (settings.Faults, settings.Options.Downing.Strategy));
        else Assert.StartsWith(fault, settings.Faults, StringComparison.Ordinal);
    }

    [Fact]
    public void A_strategy_that_a_program_must_bring_is_refused_where_it_brings_none()
    {
        using var node = Node(null, "own:zone-first");
        Assert.StartsWith("Cluster:Downing:Strategy is 'own:zone-first', which stands for a policy that the program brings, and this one brings none", node.Services.GetRequiredService<ClusterSettings>().Faults, StringComparison.Ordinal);
    }

    [Fact]
    public void What_it_says_of_the_settings_of_all_strategies_is_the_default()
    {
        using var node = Node(new ZoneFirst("east") { Role = "server", DownAllWhenUnstable = true, BrokenEdges = BrokenEdgeRule.Relay });
        var downing = node.Services.GetRequiredService<IOptions<ClusterOptions>>().Value.Downing;
        Assert.Equal(("server", "down-all", "relay"), (downing.Role, downing.Unstable, downing.BrokenEdges));
        var made = ResolverChoice.Make(downing);
        Assert.Equal(("zone-first", "server", true, BrokenEdgeRule.Relay, 9, 2), (made.Name, made.Role, made.DownAllWhenUnstable, made.BrokenEdges, made.VotersMax, made.VotersMin));
    }

    [Theory]
    [InlineData("Zone First", "", "The policy's name is 'Zone First'; give 1 to 64")]
    [InlineData("zone-first", "a(b)", "The parameters of policy zone-first are 'a(b)'; give at most 200")]
    [InlineData("keep-oldest", "", "keep-oldest is there already: choose it by Cluster:Downing:Strategy")]
    public void A_policy_that_settings_cannot_name_is_not_taken(string name, string parameters, string fault)
    {
        var refused = Assert.Throws<ArgumentException>(() => new ServiceCollection().AddActorCluster(node => node.WithResolver(new ZoneFirst(parameters) { Is = name })));
        Assert.StartsWith(fault, refused.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddActorCluster(node => node.WithResolver(new ZoneFirst("a")).WithResolver(new ZoneFirst("b"))));
    }

    [Fact]
    public async Task A_policy_that_throws_decides_nothing_and_is_told_once()
    {
        var told = new Told();
        await using var cluster = await TestCluster.StartAsync(3, node =>
        {
            node.WithResolver(new Thrower()).WithEntity<Account>("account", Account.Register, shards: 16);
            node.Services.AddSingleton<ILoggerProvider>(told);
        });
        var before = cluster.Nodes.Select(n => n.Status().Incarnation).ToList();
        cluster.Isolate(cluster["node3"]);
        await cluster.Until("each node has asked its policy, and says what it threw", () => cluster.Nodes.All(n => n.Status().PolicyFault == "thrower: DivideByZeroException: no sides"));
        // At once would be within 1 s, a tie within 2; what nobody decides is decided after 10.
        for (var since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(4); await Task.Delay(50))
            Assert.All(cluster.Nodes, n => Assert.True(n.Mode == NodeMode.Serving && n.Status().Members.All(m => m.Status == "up"), cluster.ToString()));

        cluster.Heal();
        await cluster.UntilSettled();
        Assert.Equal(before, cluster.Nodes.Select(n => n.Status().Incarnation));
        Assert.All(cluster.Nodes, n => Assert.NotNull(n.Status().PolicyFault)); // For the rest of the life.
        Assert.Equal(3, told.Lines.Count); // One a node.
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_throws_or_answers_no_class_waits(bool throws)
    {
        var policy = new OwnPolicy(throws ? new Thrower() : new ZoneFirst("") { Answer = (DowningClass)17 });
        Assert.Null(policy.Fault);
        ImmutableArray<Voter> voters = [new(new Incarnation(1), 1, 1, Here: true), new(new Incarnation(2), 1, 2, Here: false)];
        Assert.Equal(DowningClass.Late, policy.Classify(voters));
        Assert.Contains(throws ? "no sides" : "answers 17", policy.Fault!.Message, StringComparison.Ordinal);
    }

    private IHost Node(SplitBrainResolver? policy, string? configured = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        if (configured is not null) builder.Configuration["Cluster:Downing:Strategy"] = configured;
        builder.Services.AddActorCluster(node =>
        {
            node.WithNode("n1", link: "127.0.0.1:0", clients: "").WithStore((_, _) => new ModelStore(_database)).Configure(o => (o.Data, o.Secret) = (_data, "a secret of this test"));
            if (policy is not null) node.WithResolver(policy);
        });
        return builder.Build();
    }

    private sealed class ZoneFirst(string zone) : SplitBrainResolver
    {
        public string Is { get; init; } = "zone-first";

        public DowningClass Answer { get; init; } = DowningClass.Late;

        public override string Name => Is;

        public override string Parameters => zone;

        public override int VotersMax => 9;

        public override int VotersMin => Role.Length > 0 ? 2 : 0;

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => Answer;
    }

    private sealed class Thrower : SplitBrainResolver
    {
        public override string Name => "thrower";

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => throw new DivideByZeroException("no sides");
    }

    /// <summary>The lines of a policy that failed.</summary>
    private sealed class Told : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == 1043) Lines.Enqueue(formatter(state, exception));
        }

        public void Dispose() { }
    }
}

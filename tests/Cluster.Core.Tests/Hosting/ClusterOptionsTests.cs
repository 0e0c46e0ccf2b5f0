using ActorCluster.Hosting;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Hosting;

public class ClusterOptionsTests
{
    [Fact]
    public void What_ships_by_default_starts_once_it_has_a_secret() => Assert.False(Check(_ => { }).Failed);

    [Theory] // What is wrong | the key and the value that the fault names | the mend
    [InlineData("name", "Cluster:Node:Name is 'no spaces'", "give 1 to 64")]
    [InlineData("dots", "Cluster:Node:Name is '..'", "the first a letter or digit")]
    [InlineData("hosts-twice", "Cluster:Hosts is 'n1,n1,n2', which has 'n1' 2 times", "name each node once")]
    [InlineData("link", "Cluster:Node:Link is '10.0.0.1'", "give host:port")]
    [InlineData("any", "Cluster:Node:Link is '0.0.0.0:8091'", "give one that reaches")]
    [InlineData("plain", "Cluster:Node:Link is '10.0.0.1:8091'", "AllowPlaintext")]
    [InlineData("control", "Cluster:Node:ControlLink is '10.0.0.1;10.0.0.2:1'", "give host:port")]
    [InlineData("control plain", "Cluster:Node:ControlLink is '10.0.0.2:8091'", "AllowPlaintext")]
    [InlineData("clients", "Cluster:Node:Clients is 'ftp://x'", "give an http or https URL")]
    [InlineData("capacity", "Cluster:Node:Capacity is 0", "give 0.01 to 100")]
    [InlineData("exit", "Cluster:Node:ExitWithin is 00:00:00.5000000", "give 1 second to 1 hour, for example 00:00:05, or 0")]
    [InlineData("frozen", "Cluster:Node:FrozenMax is 00:00:07", "give Cluster:Times:LeaseTtl (00:00:08) to 30 days, for example 00:05:00, or 0")]
    [InlineData("frozen never", "Cluster:Node:FrozenMax is -00:00:01", "give Cluster:Times:LeaseTtl")]
    [InlineData("frozen months", "Cluster:Node:FrozenMax is 31.00:00:00", "to 30 days")]
    [InlineData("data", "Cluster:Data is empty", "give a folder")]
    [InlineData("secrets", "Cluster:Secret has 3 values", "give one, or two")]
    [InlineData("short", "Cluster:Secret is shorter", "give a long random text")]
    [InlineData("strategy", "Cluster:Downing:Strategy is 'none'", "give keep-majority, static-quorum")]
    [InlineData("minority", "Cluster:Downing:Minority is 'die'", "give late or stop")]
    [InlineData("unstable", "Cluster:Downing:Unstable is 'die'", "give claim or down-all")]
    [InlineData("role", "Cluster:Downing:Role is 'two words'", "give one role")]
    [InlineData("quorum-none", "Cluster:Downing:QuorumSize is 0", "give at least 1")]
    [InlineData("quorum-large", "Cluster:Downing:QuorumSize is 4", "give 2 to 3")]
    [InlineData("quorum-small", "Cluster:Downing:QuorumSize is 1", "give 2 to 3")]
    [InlineData("referee", "Cluster:Downing:Referee is ''", "give the name of a node")]
    [InlineData("referee-unknown", "Cluster:Downing:Referee is 'n9'", "give one of n1, n2, n3")]
    [InlineData("referee-voters", "Cluster:Downing:RefereeVoters is 0", "give at least 1")]
    [InlineData("referee-many", "Cluster:Downing:RefereeVoters is 4", "at most the number of nodes")]
    [InlineData("role-nobody", "Cluster:Downing:Role is 'jury', and n1", "add it to Cluster:Node:Roles")]
    [InlineData("budget", "Cluster:Times:StopBudget is 00:00:01.2000000", "give at least EffectLimit + 400 ms")]
    [InlineData("referee-url", "Cluster:Downing:Referee is 'http://router/'", "put that into Cluster:Downing:Witnesses")]
    [InlineData("referee-both", "Witnesses 'store'", "give a node or witnesses, not both")]
    [InlineData("witness", "Cluster:Downing:Witnesses has 'router'", "give http://host/")]
    [InlineData("witness-password", "Cluster:Downing:Witnesses has 'http://me:secret@router/'", "without names and passwords")]
    [InlineData("witness-twice", "Cluster:Downing:Witnesses is 'store, store'", "give each witness once")]
    [InlineData("witness-alike", "Cluster:Downing:Witnesses is 'http://a/, http://A:80'", "give each witness once")]
    [InlineData("witness-same-port", "Cluster:Downing:Witnesses is 'tcp://a:1, tcp://A:1/'", "give each witness once")]
    [InlineData("unused-witnesses", "Cluster:Downing:Witnesses is 'store', and keep-oldest does not use it", "give Cluster:Downing:Strategy keep-referee, or leave it at its default, ''")]
    [InlineData("unused-referee", "Cluster:Downing:Referee is 'n1', and keep-majority does not use it", "keep-referee")]
    [InlineData("unused-minority", "Cluster:Downing:Minority is 'stop', and keep-oldest does not use it", "keep-majority")]
    [InlineData("unused-strict", "Cluster:Downing:Strict is 'true', and down-all does not use it", "keep-oldest or keep-referee")]
    [InlineData("unused-quorum", "Cluster:Downing:QuorumSize is '3', and keep-majority does not use it", "static-quorum")]
    [InlineData("negative", "Cluster:Times:Renew is -00:00:02; give 50 ms to 30 min", "for example 00:00:02")]
    [InlineData("days", "Cluster:Times:LeaseTtl is 30.00:00:00; give 1 s to 1 h", "for example 00:00:08")]
    [InlineData("endless", "Cluster:Times:Renew is 10675199.02:48:05", "give 50 ms to 30 min")]
    [InlineData("phi", "Cluster:Times:PhiDown is NaN", "give 1 to 16")]
    [InlineData("witness-quorum", "Cluster:Downing:WitnessQuorum is 3", "give 1 to 2")]
    [InlineData("witness-times", "Cluster:Times:WitnessFresh is 00:00:02", "WitnessPeriod + WitnessTimeout (00:00:03)")]
    [InlineData("broken", "Cluster:Downing:BrokenEdges is 'ignore'", "give evict-min, relay or evict-all")]
    [InlineData("mailbox", "Cluster:Limits:Mailbox is 0", "give 1 to 1,000,000")]
    [InlineData("passivate", "Cluster:Limits:PassivateAfter is 00:00:00.5000000", "give 1 s to 1 day")]
    [InlineData("ask", "Cluster:Limits:AskTimeout is 00:06:00", "give 10 ms to 5 min")]
    [InlineData("connections", "Cluster:Limits:Connections is 0", "give 1 to 1,000,000")]
    [InlineData("origin", "Cluster:Origins has 'chat.example.com'", "for example https://chat.example.com")]
    [InlineData("logs", "Cluster:Retention:Logs is 23:00:00", "give 1 to 3,650 days")]
    [InlineData("journal age", "Cluster:Retention:JournalAge is 1.00:00:00", "give 2 to 36,500 days")]
    [InlineData("journal rows", "Cluster:Retention:JournalRows is 9999", "give 10,000 or more, or 0")]
    [InlineData("down", "Cluster:Retention:DownMembers is 4000.00:00:00", "give 1 to 3,650 days")]
    [InlineData("frame", "Cluster:Limits:FrameBytes is 1000", "give 65,536 to 67,108,864")]
    [InlineData("serve", "Cluster:Times:ServeLimit is 00:00:05", "give more than")]
    [InlineData("ttl", "Cluster:Times:ServeLimit is 00:00:08", "give at most")]
    [InlineData("pause", "Cluster:Times:Pause is 00:00:00.1000000", "give at least")]
    public void A_fault_names_the_key_the_value_and_the_mend(string wrong, string named, string mend)
    {
        var fault = Assert.Single(Check(o => Spoil(o, wrong)).Failures!);
        Assert.Contains(named, fault, StringComparison.Ordinal);
        Assert.Contains(mend, fault, StringComparison.Ordinal);
    }

    [Fact] // Nobody knows whether they are still to come, so it is said and not refused.
    public void A_quorum_and_a_referee_that_the_cluster_has_not_had_are_doubted()
    {
        Assert.Contains("Cluster:Downing:QuorumSize is 900, and the cluster has had 2 nodes so far (n1, n2)", Assert.Single(ResolverChoice.Doubts(new DowningOptions { Strategy = "static-quorum", QuorumSize = 900 }, ["n1", "n2"])), StringComparison.Ordinal);
        Assert.Contains("Cluster:Downing:Referee is 'nobody', and the cluster has had no node of that name so far, but n1, n2", Assert.Single(ResolverChoice.Doubts(new DowningOptions { Strategy = "keep-referee", Referee = "nobody" }, ["n1", "n2"])), StringComparison.Ordinal);
        Assert.Empty(ResolverChoice.Doubts(new DowningOptions { Strategy = "static-quorum", QuorumSize = 2 }, ["n1", "n2"]));
        Assert.Empty(ResolverChoice.Doubts(new DowningOptions { Strategy = "keep-referee", Referee = "n2" }, ["n1", "n2"]));
        Assert.Empty(ResolverChoice.Doubts(new DowningOptions { Strategy = "keep-referee", Witnesses = "store" }, ["n1", "n2"]));
        Assert.Empty(ResolverChoice.Doubts(new DowningOptions(), ["n1"]));
    }

    [Fact]
    public void All_faults_are_told_at_once() => Assert.Equal(3, Check(o =>
    {
        Spoil(o, "name");
        Spoil(o, "mailbox");
        Spoil(o, "serve");
    }).Failures!.Count());

    [Fact]
    public void The_longest_ask_and_the_secret_itself_are_no_fault_and_no_text()
    {
        Assert.False(Check(o => o.Limits.AskTimeout = TimeSpan.FromMinutes(5)).Failed);
        Assert.DoesNotContain("tiny", string.Join('\n', Check(o => o.Secret = "tiny").Failures!), StringComparison.Ordinal);
    }

    private static void Spoil(ClusterOptions options, string wrong) => _ = wrong switch
    {
        "name" => options.Node.Name = "no spaces",
        "dots" => options.Node.Name = "..",
        "hosts-twice" => options.Hosts = "n1,n1,n2",
        "witness-alike" => options.Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = "http://a/, http://A:80" },
        "witness-same-port" => options.Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = "tcp://a:1, tcp://A:1/" },
        "unused-witnesses" => options.Downing = new DowningOptions { Strategy = "keep-oldest", Witnesses = "store" },
        "unused-referee" => options.Downing.Referee = "n1",
        "unused-minority" => options.Downing = new DowningOptions { Strategy = "keep-oldest", Minority = "stop" },
        "unused-strict" => options.Downing = new DowningOptions { Strategy = "down-all", Strict = true },
        "unused-quorum" => options.Downing.QuorumSize = 3,
        "negative" => options.Times = new ProtocolTimes { Renew = TimeSpan.FromSeconds(-2), ServeLimit = TimeSpan.FromSeconds(4) },
        "days" => options.Times = new ProtocolTimes { LeaseTtl = TimeSpan.Parse("30", System.Globalization.CultureInfo.InvariantCulture) },
        "endless" => options.Times = new ProtocolTimes { Renew = TimeSpan.Parse("10675199.02:48:05", System.Globalization.CultureInfo.InvariantCulture) },
        "phi" => options.Times = new ProtocolTimes { PhiDown = double.NaN },
        "link" => options.Node.Link = "10.0.0.1",
        "any" => options.Node.Link = "0.0.0.0:8091",
        "control" => options.Node.ControlLink = "10.0.0.1;10.0.0.2:1",
        "control plain" => options.Node.ControlLink = "10.0.0.2:8091",
        "plain" => options.Node.Link = "10.0.0.1:8091",
        "clients" => options.Node.Clients = "ftp://x",
        "connections" => options.Limits.Connections = 0,
        "origin" => options.Origins = "https://a.example, chat.example.com",
        "capacity" => options.Node.Capacity = 0,
        "exit" => options.Node.ExitWithin = TimeSpan.FromSeconds(0.5),
        "frozen" => options.Node.FrozenMax = TimeSpan.FromSeconds(7),
        "frozen never" => options.Node.FrozenMax = TimeSpan.FromSeconds(-1),
        "frozen months" => options.Node.FrozenMax = TimeSpan.FromDays(31),
        "data" => options.Data = " ",
        "secrets" => options.Secret = "long-enough-1,long-enough-2,long-enough-3",
        "short" => options.Secret = "short",
        "strategy" => options.Downing.Strategy = "none",
        "minority" => options.Downing.Minority = "die",
        "unstable" => options.Downing.Unstable = "die",
        "role" => options.Downing.Role = "two words",
        "quorum-none" => options.Downing = new DowningOptions { Strategy = "static-quorum" },
        "quorum-large" => (options.Hosts = "n1,n2,n3", options.Downing = new DowningOptions { Strategy = "static-quorum", QuorumSize = 4 }),
        "quorum-small" => (options.Hosts = "n1,n2,n3", options.Downing = new DowningOptions { Strategy = "static-quorum", QuorumSize = 1 }),
        "referee" => options.Downing = new DowningOptions { Strategy = "keep-referee" },
        "referee-unknown" => (options.Hosts = "n1,n2,n3", options.Downing = new DowningOptions { Strategy = "keep-referee", Referee = "n9" }),
        "referee-voters" => options.Downing = new DowningOptions { Strategy = "keep-referee", Referee = "n1", RefereeVoters = 0 },
        "referee-many" => (options.Hosts = "n1,n2,n3", options.Downing = new DowningOptions { Strategy = "keep-referee", Referee = "n1", RefereeVoters = 4 }),
        "role-nobody" => (options.Hosts = "n1", options.Node.Roles = "backend", options.Downing.Role = "jury"),
        "budget" => options.Times = new ProtocolTimes { StopBudget = TimeSpan.FromSeconds(1.2) },
        "referee-url" => options.Downing = new DowningOptions { Strategy = "keep-referee", Referee = "http://router/" },
        "referee-both" => options.Downing = new DowningOptions { Strategy = "keep-referee", Referee = "n1", Witnesses = "store" },
        "witness" => options.Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = "router" },
        "witness-password" => options.Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = "http://me:secret@router/" },
        "witness-twice" => options.Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = "store, store" },
        "witness-quorum" => options.Downing = new DowningOptions { Strategy = "keep-referee", Witnesses = "store, tcp://router:53", WitnessQuorum = 3 },
        "witness-times" => options.Times = new ActorCluster.Primitives.ProtocolTimes { WitnessFresh = TimeSpan.FromSeconds(2) },
        "broken" => options.Downing.BrokenEdges = "ignore",
        "mailbox" => options.Limits.Mailbox = 0,
        "passivate" => options.Limits.PassivateAfter = TimeSpan.FromSeconds(0.5),
        "ask" => options.Limits.AskTimeout = TimeSpan.FromMinutes(6),
        "journal age" => options.Retention.JournalAge = TimeSpan.FromDays(1),
        "journal rows" => options.Retention.JournalRows = 9_999,
        "logs" => options.Retention.Logs = TimeSpan.FromHours(23),
        "down" => options.Retention.DownMembers = TimeSpan.FromDays(4000),
        "frame" => options.Limits.FrameBytes = 1000,
        "serve" => options.Times = new ProtocolTimes { ServeLimit = TimeSpan.FromSeconds(5) },
        "ttl" => options.Times = new ProtocolTimes { ServeLimit = TimeSpan.FromSeconds(8) },
        "pause" => (object)(options.Times = new ProtocolTimes { Pause = TimeSpan.FromMilliseconds(100) }),
        _ => throw new ArgumentException(wrong),
    };

    private static Microsoft.Extensions.Options.ValidateOptionsResult Check(Action<ClusterOptions> change)
    {
        var options = new ClusterOptions { Secret = "long-enough-secret", Node = { Name = "n1" } };
        change(options);
        return new ClusterOptionsValidator().Validate(null, options);
    }
}

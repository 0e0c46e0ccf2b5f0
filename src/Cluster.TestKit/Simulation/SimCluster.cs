using System.Collections.Immutable;
using ActorCluster.Downing;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Persistence;
using ActorCluster.Placement;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Nodes, network, store and clients of one run, and the faults that can be done to them.</summary>
internal sealed class SimCluster
{
    private const string ChatType = "room";
    private const string KeepMajorityName = "keep-majority";
    private const string ElsewhereType = "elsewhere";
    private const string MixerType = "mixer";
    public const string ControllerType = "controller";

    public const string CallType = "call";

    private static readonly TimeSpan FailsafeLongest = TimeSpan.FromSeconds(30);

    /// <summary>How long a node may be frozen where the plan says so: as short as a node takes it.</summary>
    public static readonly TimeSpan FrozenLongest = new ProtocolTimes().LeaseTtl;

    private readonly SortedDictionary<Incarnation, SimLife> _lives = [];

    /// <summary>A cluster without faults whose clients never end, for tests that say themselves what happens to it.</summary>
    public SimCluster(ulong seed, SimulationOptions options)
        : this(SimulationPlan.Draw(seed, options) with { Strategy = options.Resolver?.Name ?? KeepMajorityName, Buggify = false, Timers = options.Timers ?? false, Truncates = options.Truncates ?? false }, client => PlannedOperation.Draw(seed, client, options.Rooms, options.Entity is not null))
    {
    }

    public SimCluster(SimulationPlan plan)
        : this(plan, plan.OperationsOf)
    {
    }

    public SimCluster(SimulationPlan plan, Func<int, IEnumerable<PlannedOperation>> operationsOf)
    {
        Plan = plan;
        if (plan.EntityType is { } type && plan.Entity?.Type != type) throw new ArgumentException($"The plan is of the entity type '{type}'; give it: plan with {{ Entity = ... }}.", nameof(plan));
        if (plan.Resolver is null && !ResolverChoice.Knows(plan.Strategy)) throw new ArgumentException($"The plan is of the policy '{plan.Strategy}', which is none of the project's own; give it: plan with {{ Resolver = ... }}.", nameof(plan));
        Resolver = plan.Resolver ?? ResolverChoice.Make(new DowningOptions { Strategy = plan.Strategy, QuorumSize = (plan.Places / 2) + 1, Referee = "n0" });
        Coverage = new SimCoverage(this);
        Nodes = [.. Enumerable.Range(0, plan.Places).Select(i => new SimNode(this, i))];
        Network = new SimNetwork(World, plan.Seed, Nodes);
        var database = new ModelDatabase(new SimRandom(plan.Seed, "cluster").Id(), plan.Mutation == SimMutation.FencesByExists ? ModelMutation.AppendIgnoresEpoch : plan.StoreMutation) { SliceRows = plan.Buggify ? 3 : 4_096 };
        database.Open(new StoreSeed("simulated", SharedSettings.Of(new ClusterOptions { Downing = { Failsafe = plan.Failsafe ? FailsafeLongest : TimeSpan.Zero } })));
        database.RegisterType(RoomType, plan.Shards);
        if (plan.ShardsElsewhere > 0) database.RegisterType(ElsewhereType, plan.ShardsElsewhere);
        if (plan.Singleton is not null) database.RegisterType(ControllerType, 1, exclusive: true);
        Types = new TypeRules([ControllerType, MixerType], plan.Singleton is { } mode
            ? TypeRules.None.Singletons.Add(ControllerType, new SingletonRule(mode, [.. Nodes.Select(n => n.Name)], !plan.KeepsVacancy)) : TypeRules.None.Singletons)
        {
            Placed = plan.Calls > 0 ? [CallType] : [],
            OnCrashEvidence = plan.OnCrashEvidence ? [MixerType] : [],
        };
        if (plan.Calls > 0) database.RegisterType(CallType, 0);
        if (plan.ShardsExclusive > 0) database.RegisterType(MixerType, plan.ShardsExclusive, exclusive: true);
        Checkers = new SimCheckers(this);
        Store = new SimStore(World, database, [.. Nodes.Select(n => new SimRandom(plan.Seed, $"store {n.Name}"))], Checkers.ViewChanging, Checkers.Written) { Conflicts = plan.Buggify ? 0.05 : 0 };
        Rooms = [.. Enumerable.Range(0, plan.Rooms).Select(i => new EntityId(RoomType, $"r{i}").StoreKey)];
        Clients = [.. Enumerable.Range(0, plan.Clients).Select(i => new SimClient(this, i, operationsOf(i)))];
    }

    public SimWorld World { get; } = new();

    public SimulationPlan Plan { get; }

    /// <summary>Type of the entities that clients use.</summary>
    public string RoomType => Plan.EntityType ?? ChatType;

    /// <summary>A fresh entity of that type.</summary>
    public ISimCore NewCore() => Plan.Entity is { } entity ? entity.Make() : new SimChatRoom();

    /// <summary>A message as another node gets it.</summary>
    public object Sent(object message) => Plan.Entity is { } entity ? SimUserEntity.Sent(entity.Messages, message) : message;

    /// <summary>What every node decides by.</summary>
    public SplitBrainResolver Resolver { get; init; }

    /// <summary>What every node asks, one of them being enough.</summary>
    public ImmutableArray<Witness> Witnesses { get; init; } = [];

    /// <summary>Nodes that see no witness.</summary>
    public SortedSet<int> WithoutWitness { get; } = [];

    public SimNode[] Nodes { get; }

    public SimNetwork Network { get; }

    public SimStore Store { get; }

    public SimCheckers Checkers { get; }

    public SimCoverage Coverage { get; }

    /// <summary>The room that all clients use while it is hot.</summary>
    public int? HotRoom { get; set; }

    /// <summary>How long clients wait before they repeat a command.</summary>
    public TimeSpan Patience { get; set; } = SimClient.UsualPatience;

    /// <summary>When a fault last began or ended.</summary>
    public TimeSpan UpsetAt { get; private set; }

    /// <summary>When something last happened that may keep nodes from hearing each other.</summary>
    public TimeSpan DeafAt { get; private set; }

    /// <param name="isDeaf">It may keep nodes from hearing each other.</param>
    public void Upset(bool isDeaf = true)
    {
        UpsetAt = World.Now;
        if (isDeaf) DeafAt = World.Now;
    }

    public SimClient[] Clients { get; }

    /// <summary>The one row of each individually placed entity that somebody has found, by its id.</summary>
    public SortedDictionary<string, ShardNo> CallRows { get; } = new(StringComparer.Ordinal);

    /// <summary>Individually placed entities whose row says that they have ended.</summary>
    public SortedSet<string> EndedCalls { get; } = new(StringComparer.Ordinal);

    /// <summary>Store keys of the rooms in use.</summary>
    public List<string> Rooms { get; }

    /// <summary>Commands that were sent by hand.</summary>
    public List<SimOp> ByHand { get; } = [];

    /// <summary>The key of an entity that clients can use; from here on it is one of <see cref="Rooms"/>.</summary>
    public string Use(string id)
    {
        var key = new EntityId(RoomType, id).StoreKey;
        if (!Rooms.Contains(key)) Rooms.Add(key);
        return key;
    }

    /// <summary>Writers that learned from a write that they are out.</summary>
    public long FencedWrites { get; set; }

    /// <summary>Batches that the store did not take, also of writers that heard of it otherwise.</summary>
    public long RefusedAppends { get; set; }

    public SortedDictionary<int, int> Stops { get; } = [];

    public IEnumerable<SimLife> Lives => Nodes.Where(n => n.Life is not null).Select(n => n.Life!);

    public IEnumerable<SimLife> AllLives => _lives.Values;

    public void Start()
    {
        foreach (var node in Nodes) World.After(node.Random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(300)), node.Start);
        foreach (var client in Clients) World.After(TimeSpan.FromSeconds(1), client.Begin);
    }

    /// <summary>When the store forgot something of what counts; null while it remembers.</summary>
    public TimeSpan? LostAt { get; private set; }

    /// <summary>What could be given back of it.</summary>
    public SimReappend? Reappend { get; private set; }

    public void LoseCommits(ModelDatabase older)
    {
        var lost = Store.Database;
        Store.Restore(older);
        // Renewals alone are nobody's memory.
        if ((lost.ViewLog.Count, lost.ShardLog.Count, lost.Journal.Count) == (older.ViewLog.Count, older.ShardLog.Count, older.Journal.Count)) return;
        LostAt = World.Now;
        Reappend = new SimReappend(this, lost, older);
        World.Trace($"the store loses {lost.ViewLog.Count - older.ViewLog.Count} views, {lost.ShardLog.Count - older.ShardLog.Count} epochs, {lost.Journal.Count - older.Journal.Count} rows");
        Checkers.Lost();
    }

    /// <summary>Starts nodes one second apart, so that node 0 is the oldest, and waits until all shards are served.</summary>
    public void StartInOrder()
    {
        for (var i = 0; i < Nodes.Length; i++)
        {
            Nodes[i].Start();
            World.RunUntil(World.Now + TimeSpan.FromSeconds(2));
        }
        foreach (var client in Clients) client.Begin();
        World.RunUntil(World.Now + TimeSpan.FromSeconds(25)); // Every node gets its share.
    }

    public SimLife? LifeOf(Incarnation inc) => _lives.TryGetValue(inc, out var life) && !life.IsEnded ? life : null;

    public void Register(SimLife life) => _lives.Add(life.Inc, life);

    /// <summary>The entity types that a node serves; it starts no shard of another.</summary>
    public ImmutableArray<string> TypesOf(SimNode node) => [.. (Plan.ShardsElsewhere > 0 && (Plan.ElsewhereHosts > 0 ? node.Index >= Plan.Places - Plan.ElsewhereHosts : node.Index > 0) ? new[] { ElsewhereType } : []), .. (Plan.Singleton is not null ? new[] { ControllerType } : []), .. (Plan.ShardsExclusive > 0 ? new[] { MixerType } : []), .. (Plan.OnCrashEvidence ? new[] { MixerType + MemberRow.OnCrashEvidence } : []), RoomType, .. (Plan.Calls > 0 ? new[] { CallType } : [])];

    /// <summary>The types whose entities act outside the store.</summary>
    public TypeRules Types { get; }

    /// <summary>The place of the node that holds the singleton and knows it; -1 while nobody does.</summary>
    public int Holder => Store.Database.Shards.First(r => r.Type == ControllerType) is { Owner: { } owner } row && LifeOf(owner) is { } life && life.Mixers.Open.Contains(row.No) ? life.Node.Index : -1;

    public SimNode NodeAt(string address) => Nodes.First(n => address.StartsWith($"{n.Name}:", StringComparison.Ordinal));

    /// <summary>The process whose lock file a row names has it open.</summary>
    public bool HoldsLock(MemberRow row) => NodeAt(row.LinkAddress).IsAlive;

    public ShardNo ShardOf(string room) => new(1 + StableHash.ShardOf(new EntityId(RoomType, room[(RoomType.Length + 1)..]), Plan.Shards));

    public void Stopped(SimLife life, int exitCode, string reason)
    {
        Stops[exitCode] = Stops.GetValueOrDefault(exitCode) + 1;
        if (exitCode == ExitCodes.StoreMismatch && LostAt is not null) return; // Not up yet: it ends instead of standing still.
        if (exitCode == ExitCodes.Frozen && Plan.FrozenMax && life.FrozenFor > FrozenLongest) return;
        if (exitCode is not (ExitCodes.Left or ExitCodes.Evicted)) World.Violated("Exit", $"{life.Inc} stopped with {exitCode}: {reason}");
    }

    /// <summary>Every shard is open on an up member that may write, and the living agree that it is theirs.</summary>
    public bool AllServed() => Store.Database.Shards.All(row => row.State == ShardState.Ended ||
        (row.Owner is { } owner && LifeOf(owner) is { Mode: NodeMode.Serving, Node.IsPaused: false } life && life.Core.Membership.SelfRow.Status == MemberStatus.Up
        && (life.Rooms.Open.Contains(row.No) || life.Mixers.Open.Contains(row.No) || life.Calls.Open.Contains(row.No))));

    /// <summary>As <see cref="AllServed"/>, by these nodes alone.</summary>
    public bool AllServedBy(params int[] nodes) => AllServed() && Store.Database.Shards.Where(r => r.State != ShardState.Ended).All(r => nodes.Contains(LifeOf(r.Owner!.Value)!.Node.Index));

    public bool AllUp() => Nodes.Where(n => n.IsAlive).All(n => n.Life is { } life && life.Core.Membership.SelfRow.Status == MemberStatus.Up);

    /// <param name="from">One side.</param>
    /// <param name="to">The other.</param>
    /// <param name="cut">False heals.</param>
    /// <param name="bothWays">Else the second still reaches the first.</param>
    /// <param name="channel">That one only.</param>
    /// <param name="rejects">The way is closed by a firewall that rejects: links are reset and whoever dials is told at once.</param>
    public void Cut(IEnumerable<int> from, IEnumerable<int> to, bool cut, bool bothWays = true, LinkChannel? channel = null, bool rejects = false)
    {
        Upset();
        World.Trace($"{(cut ? rejects ? "reject" : "cut" : "heal")} {string.Join(',', from)}{(bothWays ? "|" : ">")}{string.Join(',', to)} {channel}");
        foreach (var a in from)
            foreach (var b in to)
            {
                Network.Reject(a, b, cut && rejects);
                foreach (var c in channel is { } one ? [one] : new[] { LinkChannel.Control, LinkChannel.Data })
                {
                    Network.Cut(a, b, c, cut);
                    if (bothWays) Network.Cut(b, a, c, cut);
                }
            }
    }

    public void Fill(IEnumerable<int> from, IEnumerable<int> to, bool full)
    {
        World.Trace($"{(full ? "full" : "room")} {string.Join(',', from)}>{string.Join(',', to)}");
        foreach (var a in from)
            foreach (var b in to) Network.Fill(a, b, full);
    }

    /// <summary>Cuts a node from all others and from the store, and takes it down: its host has gone silent.</summary>
    public void Silence(int node)
    {
        Cut([node], Enumerable.Range(0, Nodes.Length).Where(i => i != node), cut: true);
        Nodes[node].Kill();
    }

    public void ReachStore(int node, bool reaches)
    {
        Upset();
        World.Trace($"store {(reaches ? "reached by" : "cut off from")} n{node}");
        Store.Reach(Nodes[node], reaches);
    }

    /// <summary>Ends every fault.</summary>
    public void HealAll()
    {
        var all = Enumerable.Range(0, Nodes.Length).ToArray();
        Cut(all, all, cut: false);
        Fill(all, all, false);
        foreach (var node in Nodes)
        {
            node.DiesAfterEffects = null;
            Store.Reach(node, true);
            node.Resume();
            node.Hang(TimeSpan.Zero);
            node.WallOffset = TimeSpan.Zero;
            node.Start();
        }
        (Store.LostReplies, Store.LateCopies, Store.Errors, Store.Latency, Store.ClockOffset) = (0, 0, 0, SimStore.UsualLatency, TimeSpan.Zero);
        (Network.Delay, Network.Loss, Network.Spikes, Network.Duplicates) = (SimNetwork.UsualDelay, 0, 0, 0);
        (HotRoom, Patience) = (null, SimClient.UsualPatience);
    }
}

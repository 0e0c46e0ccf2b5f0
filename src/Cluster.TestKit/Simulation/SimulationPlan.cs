using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using ActorCluster.Downing;
using ActorCluster.Membership;
using ActorCluster.Placement;

namespace ActorCluster.TestKit.Simulation;

/// <summary>All that a run is made of, beside the build: the seed, who takes part, and every fault with its time; in a file for a failing seed (protocol, section 9.2).</summary>
/// <remarks>The seed still decides what is too fine to list: delays of messages, clock rates, latencies. Each node and each link draws on a stream of its own,
/// so a plan that was made smaller keeps the rest as it was.</remarks>
public sealed record SimulationPlan
{
    private static readonly string[] OtherStrategies = ["static-quorum", "keep-oldest", "keep-referee", "lease-majority", "down-all"];
    private static readonly TimeSpan ClientsBegin = TimeSpan.FromSeconds(1);

    /// <summary>Decides what the plan does not list.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Places for nodes, 1 to 100.</summary>
    public required int Places { get; init; }

    /// <summary>Places whose node takes part; the others stay empty.</summary>
    public required ImmutableArray<int> Nodes { get; init; }

    /// <summary>Nodes share a machine and see each other's lock files.</summary>
    public required bool SharedHost { get; init; }

    /// <summary>Split-brain strategy of all nodes, by its name in configuration.</summary>
    public string Strategy { get; init; } = "keep-majority";

    /// <summary>Ticks come late, hints are lost, times are short, view changes conflict for no reason.</summary>
    public bool Buggify { get; init; }

    /// <summary>Shards of the room type.</summary>
    public required int Shards { get; init; }

    /// <summary>Shards of a second entity type, which node 0 does not host.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int ShardsElsewhere { get; init; }

    /// <summary>How many places, the last ones, host the second entity type; 0: all but node 0.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int ElsewhereHosts { get; init; }

    /// <summary>Shards of a type whose entities act outside the store.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int ShardsExclusive { get; init; }

    /// <summary>That type is taken over on the evidence of a crash.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool OnCrashEvidence { get; init; }

    /// <summary>Where the singleton lives; null: there is none. All places may hold it, in their order.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public SingletonMode? Singleton { get; init; }

    /// <summary>The singleton's place is kept for a host that stops in good order.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool KeepsVacancy { get; init; }

    /// <summary>What is said sets durable timers.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Timers { get; init; }

    /// <summary>Old rows of journals are deleted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Truncates { get; init; }

    /// <summary>Members that all miss the store go on by each other's word, for 30 s since their last renewal.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Failsafe { get; init; }

    /// <summary>A node that was frozen for more than 8 s on end ends with 76 and is started again.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool FrozenMax { get; init; }

    /// <summary>Individually placed entities that nodes want to reach, each made when it is first wanted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Calls { get; init; }

    /// <summary>Rooms that the clients use.</summary>
    public required int Rooms { get; init; }

    /// <summary>Clients.</summary>
    public required int Clients { get; init; }

    /// <summary>A bug in the simulated host.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public SimMutation Mutation { get; init; }

    /// <summary>A bug in the store.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public ModelMutation StoreMutation { get; init; }

    /// <summary>The user's policy by which all nodes decide, instead of the <see cref="Strategy"/>, which is its name then. Not in a file: whoever reads such a plan gives it again (<c>plan with { Resolver = ... }</c>).</summary>
    [JsonIgnore]
    public SplitBrainResolver? Resolver { get; init; }

    /// <summary>Type of the user's entity that the clients use; null: the chat room.</summary>
    public string? EntityType { get; init; }

    /// <summary>The user's entity. Not in a file: whoever reads such a plan gives it again.</summary>
    [JsonIgnore]
    public SimulatedEntity? Entity { get; init; }

    /// <summary>The invariant that this plan broke when it was written; for people.</summary>
    public string? Breaks { get; init; }

    /// <summary>All faults.</summary>
    public required ImmutableArray<PlannedFault> Faults { get; init; }

    /// <summary>What clients do; null: the seed decides.</summary>
    public ImmutableArray<PlannedOperation>? Operations { get; init; }

    /// <summary>When the last fault has ended; 5 s at least.</summary>
    [JsonIgnore]
    public TimeSpan Ends => Faults.Select(f => f.Ends).Append(SimFaultDraw.Begins).Max();

    /// <summary>Draws the plan of a seed.</summary>
    public static SimulationPlan Draw(ulong seed, SimulationOptions? options = null)
    {
        options ??= new SimulationOptions();
        var random = new SimRandom(seed, "plan");
        var drawn = options.NodesMin + random.Below(options.NodesMax - options.NodesMin + 1);
        // A run of many costs by the square of their number, so that the smaller ones are drawn more often.
        if (options.NodesMin > WatchPlan.MeshMax) drawn = Math.Min(drawn, options.NodesMin + new SimRandom(seed, "nodes").Below(options.NodesMax - options.NodesMin + 1));
        var places = options.Nodes > 0 ? options.Nodes : drawn;
        var shared = random.Chance(0.5);
        var buggify = random.Chance(0.25);
        var strategy = random.Chance(0.2) ? random.Pick(OtherStrategies) : "keep-majority";
        var types = new SimRandom(seed, "types");
        var (hasSingleton, mode, keeps, calls) = (types.Chance(options.MoreTypes), types.Pick(Enum.GetValues<SingletonMode>()), types.Chance(0.5), types.Chance(options.MoreTypes) ? 1 + types.Below(12) : 0);
        var singleton = options.Singleton ?? (hasSingleton ? mode : null);
        return new SimulationPlan
        {
            Seed = seed,
            Places = places,
            Nodes = [.. Enumerable.Range(0, places)],
            SharedHost = options.SharedHost ?? shared,
            Strategy = options.Resolver?.Name ?? options.Strategy ?? strategy,
            Resolver = options.Resolver,
            EntityType = options.Entity?.Type,
            Entity = options.Entity,
            Buggify = options.Buggify ?? buggify,
            Shards = options.Shards,
            ShardsElsewhere = options.ShardsElsewhere,
            ElsewhereHosts = options.ElsewhereHosts,
            ShardsExclusive = options.ShardsExclusive,
            OnCrashEvidence = options.OnCrashEvidence ?? new SimRandom(seed, "on crash").Chance(0.25),
            Singleton = singleton,
            KeepsVacancy = options.KeepsVacancy || (hasSingleton && keeps),
            Timers = options.Entity is null && (options.Timers ?? new SimRandom(seed, "timers").Chance(0.25)),
            Truncates = options.Truncates ?? new SimRandom(seed, "truncation").Chance(0.25),
            Failsafe = (options.Failsafe ?? new SimRandom(seed, "failsafe").Chance(0.25)) && places <= WatchPlan.MeshMax,
            FrozenMax = options.FrozenMax ?? new SimRandom(seed, "frozen max").Chance(0.25),
            Calls = Math.Max(options.Calls, calls),
            Rooms = options.Rooms,
            Clients = options.Clients,
            Mutation = options.Mutation,
            StoreMutation = options.StoreMutation,
            Faults = SimFaultDraw.Draw(random, places, options, new SimRandom(seed, "regress"))
                .AddRange(SimFaultDraw.DrawSick(new SimRandom(seed, "sick"), places, options)).AddRange(singleton is null ? [] : SimFaultDraw.DrawSwitches(new SimRandom(seed, "switches"), places, options)),
        };
    }

    /// <summary>The same run with every client operation listed.</summary>
    public SimulationPlan Listed() => Operations is null ? this with { Operations = [.. Enumerable.Range(0, Clients).SelectMany(i => OperationsOf(i)).OrderBy(o => (o.AtMs, o.Client))] } : this;

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="FormatException">It is no plan; the message says where.</exception>
    public static SimulationPlan Parse(string json)
    {
        try
        {
            var plan = JsonSerializer.Deserialize(json, SimulationJson.Default.SimulationPlan) ?? throw new FormatException("The plan is empty.");
            if (plan.Places is < 1 or > WatchPlan.MembersMax) throw new FormatException($"The plan has {plan.Places} places; give 1 to {WatchPlan.MembersMax}.");
            if (plan.Faults.SelectMany(f => f.Nodes.Concat(f.Others)).Concat(plan.Nodes).FirstOrDefault(n => n < 0 || n >= plan.Places, -1) is >= 0 and var node)
                throw new FormatException($"The plan names node {node}, but has {plan.Places} places, counted from 0.");
            return plan;
        }
        catch (JsonException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>The plan as a file holds it.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, SimulationJson.Default.SimulationPlan);

    /// <summary>What a client does, until clients are done.</summary>
    internal IEnumerable<PlannedOperation> OperationsOf(int client)
    {
        var last = Ends + Simulation.Settles - ClientsBegin;
        var all = Operations is { } listed ? listed.Where(o => o.Client == client) : PlannedOperation.Draw(Seed, client, Rooms, EntityType is not null);
        return all.TakeWhile(o => o.At <= last);
    }
}

/// <summary>One fault: what, when, for how long, to whom.</summary>
public sealed record PlannedFault
{
    /// <summary>What.</summary>
    public required SimFault Kind { get; init; }

    /// <summary>When it begins, in virtual milliseconds.</summary>
    public required long AtMs { get; init; }

    /// <summary>How long it lasts, in virtual milliseconds.</summary>
    public required long ForMs { get; init; }

    /// <summary>The nodes it is done to, or one side of it; in the order in which it comes to them.</summary>
    public ImmutableArray<int> Nodes { get; init; } = [];

    /// <summary>The other side.</summary>
    public ImmutableArray<int> Others { get; init; } = [];

    /// <summary>How much; what it counts depends on the kind (a delay in ms, a probability, a number of effects, a channel).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double Value { get; init; }

    internal TimeSpan Begins => TimeSpan.FromMilliseconds(AtMs);

    internal TimeSpan Ends => TimeSpan.FromMilliseconds(AtMs + ForMs);
}

/// <summary>What a client does.</summary>
public enum SimAct
{
    /// <summary>Says something.</summary>
    Say,

    /// <summary>Joins a room, again if it is in it.</summary>
    Join,

    /// <summary>Leaves a room.</summary>
    Leave,

    /// <summary>Asks how far a room has come.</summary>
    Read,

    /// <summary>Sends a message to a user's entity, or reads by one.</summary>
    Send,
}

/// <summary>One operation of a client.</summary>
/// <param name="AtMs">When, in virtual milliseconds from the client's start on.</param>
/// <param name="Client">Which client.</param>
/// <param name="Room">Which room.</param>
/// <param name="Act">What.</param>
/// <param name="Draws">Decides the message to a user's entity; 0 else.</param>
public sealed record PlannedOperation(long AtMs, int Client, int Room, SimAct Act, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] ulong Draws = 0)
{
    internal TimeSpan At => TimeSpan.FromMilliseconds(AtMs);

    /// <summary>What a client does when its plan lists nothing; without end.</summary>
    internal static IEnumerable<PlannedOperation> Draw(ulong seed, int client, int rooms, bool isUsers = false)
    {
        var draws = new SimRandom(seed, $"messages {client}");
        var random = new SimRandom(seed, $"client {client}");
        for (long at = 0; ; at += 20 + (long)random.Exponential(TimeSpan.FromMilliseconds(230)).TotalMilliseconds)
        {
            var (room, act) = (random.Below(rooms), random.Below(100) switch { < 12 => SimAct.Join, < 15 => SimAct.Leave, < 30 => SimAct.Read, _ => SimAct.Say });
            yield return isUsers ? new PlannedOperation(at, client, room, SimAct.Send, draws.Next()) : new PlannedOperation(at, client, room, act);
        }
    }
}

[JsonSerializable(typeof(SimulationPlan))]
[JsonSourceGenerationOptions(
    WriteIndented = true, UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
internal sealed partial class SimulationJson : JsonSerializerContext;

using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>
/// A cluster in one thread and virtual time, whose time and faults a test has in its hand: the real protocol cores over a simulated network and store, as <see cref="Simulation"/> runs them. An hour takes seconds, and
/// equal seeds and steps give equal runs. Examples: docs/testing.md.
/// </summary>
/// <remarks>Not thread-safe; several may be used side by side. Nothing happens but in <see cref="Run"/> and the methods that wait. All invariants of the protocol are judged at every step: a broken one ends the method in which it breaks with a
/// <see cref="TestClusterException"/> that has the last steps. Nodes run the settings that production has by default.</remarks>
public sealed class SimulatedCluster
{
    private const long HandRequests = 1L << 62;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly UInt128 HandClients = (UInt128)1 << 64;

    private readonly SimCluster _cluster;
    private readonly List<SimulatedAsk> _open = [];
    private readonly Dictionary<(string Entity, CommandId Command), SimOp> _commands = []; // Only asked, never iterated.
    private long _asks;

    /// <summary>Starts nodes one after the other, <c>n0</c> the oldest, and lets time pass until all of them are up and have their share of the shards, half a minute or so.</summary>
    /// <param name="nodes">How many, 2 to 25.</param>
    /// <param name="options">What it is made of; the defaults if null.</param>
    /// <exception cref="TestClusterException">They did not come up, which a policy can bring about.</exception>
    public SimulatedCluster(int nodes, SimulatedClusterOptions? options = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nodes, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nodes, 25);
        options ??= new SimulatedClusterOptions();
        var rooms = options.Clients > 0 ? 4 : 0;
        _cluster = new SimCluster(
            new SimulationPlan
            {
                Seed = options.Seed,
                Places = nodes,
                Nodes = [.. Enumerable.Range(0, nodes)],
                SharedHost = options.SharedHost,
                Strategy = options.Resolver?.Name ?? "keep-majority",
                Resolver = options.Resolver,
                EntityType = options.Entity?.Type,
                Entity = options.Entity,
                Shards = options.Shards,
                Rooms = rooms,
                Clients = options.Clients,
                Faults = [],
            },
            client => PlannedOperation.Draw(options.Seed, client, rooms, options.Entity is not null));
        Nodes = [.. _cluster.Nodes.Select(n => new SimulatedNode(n))];
        _cluster.StartInOrder();
        Judge();
        UntilSettled();
    }

    /// <summary>Virtual time since the cluster was made.</summary>
    public TimeSpan Now => _cluster.World.Now;

    /// <summary>All nodes, <c>n0</c> first.</summary>
    public ImmutableArray<SimulatedNode> Nodes { get; }

    /// <summary>Digest of every step so far: equal for equal seed, steps of the test and build.</summary>
    public ulong TraceHash => _cluster.World.TraceHash;

    /// <summary>Told of each step of the cluster from here on, with its time; null: nobody is.</summary>
    public Action<string>? Traced
    {
        get => _cluster.World.Traced;
        set => _cluster.World.Traced = value;
    }

    /// <summary>The node that the store has as the owner of an entity's shard, whether or not it knows; null while nobody has it, or its process is gone.</summary>
    /// <exception cref="ArgumentException">The id is not 1 to 255 UTF-8 bytes.</exception>
    public SimulatedNode? OwnerOf(string id) =>
        _cluster.Store.Database.Find(_cluster.ShardOf(KeyOf(id)))?.Owner is { } owner && _cluster.LifeOf(owner) is { } life ? Nodes[life.Node.Index] : null;

    /// <summary>Cuts the network between two nodes, both ways. As with TCP what is under way waits: healed within 2 s it arrives, else the links break.</summary>
    public void Cut(SimulatedNode a, SimulatedNode b) => _cluster.Cut([Own(a)], [Other(b, a)], cut: true);

    /// <summary>Cuts one way; the other way arrives until the links break after 2 s.</summary>
    public void CutOneWay(SimulatedNode from, SimulatedNode to) => _cluster.Cut([Own(from)], [Other(to, from)], cut: true, bothWays: false);

    /// <summary>Cuts every way between these nodes and the rest; among themselves they stay connected, and all of them still reach the store.</summary>
    public void Isolate(params SimulatedNode[] side)
    {
        var inside = side.Select(Own).ToArray();
        _cluster.Cut(inside, Enumerable.Range(0, Nodes.Length).Except(inside), cut: true);
    }

    /// <summary>Cuts a node off from the store.</summary>
    public void CutStore(SimulatedNode node) => _cluster.ReachStore(Own(node), false);

    /// <summary>Nobody reaches the store any more.</summary>
    public void StopStore()
    {
        foreach (var node in Nodes) _cluster.ReachStore(node.Index, false);
    }

    /// <summary>Everybody reaches the store again, also whom <see cref="CutStore"/> cut off.</summary>
    public void StartStore()
    {
        foreach (var node in Nodes) _cluster.ReachStore(node.Index, true);
    }

    /// <summary>Ends every cut, the store's included. Paused nodes stay paused, killed ones dead.</summary>
    public void Heal()
    {
        var all = Enumerable.Range(0, Nodes.Length).ToArray();
        _cluster.Cut(all, all, cut: false);
        StartStore();
    }

    /// <summary>As SIGSTOP: nothing happens in its process, and what it is sent waits; its clock goes on.</summary>
    public void Pause(SimulatedNode node) => Running(node).Pause();

    /// <summary>Ends a pause; harmless without one.</summary>
    public void Resume(SimulatedNode node) => Running(node).Resume();

    /// <summary>As SIGKILL: no good-bye, no hand-off, its lease stays.</summary>
    public void Kill(SimulatedNode node) => Running(node).Kill();

    /// <summary>As SIGTERM: it hands off its shards and leaves, while time passes; <see cref="SimulatedNode.IsRunning"/> is false then.</summary>
    public void Stop(SimulatedNode node)
    {
        var life = Running(node).Life;
        life?.After(TimeSpan.Zero, () => life.Tell(new NodeInput.Leave()));
    }

    /// <summary>Starts a killed or stopped node again: a new incarnation, empty memory. Cuts stay.</summary>
    /// <exception cref="InvalidOperationException">It runs.</exception>
    public void Restart(SimulatedNode node)
    {
        if (_cluster.Nodes[Own(node)].IsAlive) throw new InvalidOperationException($"{node} runs; kill or stop it, and let time pass, before it is restarted.");
        node.Node.Start();
    }

    /// <summary>Lets time pass.</summary>
    /// <exception cref="TestClusterException">An invariant broke.</exception>
    public void Run(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        _cluster.World.RunUntil(Now + time, IsBroken);
        Judge();
    }

    /// <summary>Lets time pass until something holds; looks every 10 ms of it, at once first.</summary>
    /// <param name="expected">The condition in words, for the message where it does not come about.</param>
    /// <param name="holds">Looks, without side effects.</param>
    /// <param name="within">The most virtual time to pass; 30 s if null.</param>
    /// <exception cref="TestClusterException">It did not hold in that time: the message has what was expected and what is, per node. Or an invariant broke.</exception>
    public void Until(string expected, Func<bool> holds, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(holds);
        var (limit, end) = (within ?? Patience, Now + (within ?? Patience));
        while (!holds())
        {
            if (Now >= end) throw new TestClusterException($"Expected within {limit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s: {expected}.{Environment.NewLine}{this}");
            Run(end - Now < Look ? end - Now : Look);
        }
    }

    /// <summary>Lets time pass until the running nodes, and nobody else, are the members, all up and reaching each other by one view, and serve every shard. A paused node that was evicted must be resumed first.</summary>
    /// <inheritdoc cref="Until" path="/exception" />
    public void UntilSettled(TimeSpan? within = null) => Until("the running nodes are the members, up and connected, and serve every shard", IsSettled, within);

    /// <summary>Sends a message to an entity, once, by way of a node; it is under way while time passes.</summary>
    /// <param name="at">The node that is asked, the owner or not.</param>
    /// <param name="id">Id of the entity, 1 to 255 UTF-8 bytes.</param>
    /// <param name="message">A message of <see cref="SimulatedClusterOptions.Entity"/>, or a <see cref="RoomCommand"/> for the chat room. An <see cref="IReadRequest"/> is a read.</param>
    /// <param name="command">Id of the command, to send one again; null: a new one, of a client of its own.</param>
    /// <exception cref="ArgumentException">The message is of another kind, or the id is not as said.</exception>
    public SimulatedAsk Send(SimulatedNode at, string id, object message, CommandId? command = null)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_cluster.Plan.Entity is null && message is not RoomCommand) throw new ArgumentException($"{message.GetType().Name} is no command of a chat room; give a {nameof(RoomCommand)}, or the cluster an entity.", nameof(message));
        var (life, key, number) = (_cluster.Nodes[Own(at)].Life, KeyOf(id), ++_asks);
        _cluster.Use(id);
        CommandId? sentAs = message is IReadRequest ? null : command ?? new CommandId(new ClientId(HandClients + (UInt128)(ulong)number), 1);
        var ask = new SimulatedAsk(life, key, message, sentAs);
        if (life is null) return ask;
        var op = sentAs is { } sent ? OpOf(key, sent, message) : null;
        if (op is not null) op.Attempts++;
        var asked = Now;
        var request = new RoomRequest(HandRequests | number, life.Inc, key, _cluster.Sent(message), sentAs, 0);
        _open.Add(ask);
        life.After(TimeSpan.FromMilliseconds(1), () => life.Gateway.Accept(request, answer => _cluster.World.After(TimeSpan.FromMilliseconds(1), () =>
        {
            ask.Answered(answer);
            if (op is null) _cluster.Checkers.WasRead(key, answer, asked);
            else Answered(op, answer);
        })));
        return ask;
    }

    /// <summary>Sends a message as <see cref="Send"/> does, and lets time pass until it is answered.</summary>
    /// <typeparam name="TReply">What the entity answers.</typeparam>
    /// <exception cref="TestClusterException">It failed, was open for 30 s, or was answered with nothing where a value is expected. Or an invariant broke.</exception>
    /// <exception cref="InvalidCastException">The answer is something else.</exception>
    /// <inheritdoc cref="Send" path="/param" />
    public TReply Ask<TReply>(SimulatedNode at, string id, object message, CommandId? command = null)
    {
        var ask = Send(at, id, message, command);
        Until($"an answer to {ask.Message} of {at}", () => ask.IsDone);
        return ask.IsAnswered && (ask.Reply is not null || default(TReply) is null) ? (TReply)ask.Reply! : throw new TestClusterException($"{ask}.{Environment.NewLine}{this}");
    }

    /// <summary>What an entity's journal has, in order, as its codec reads it; also what was truncated since.</summary>
    public IReadOnlyList<object> Committed(string id)
    {
        var codec = _cluster.NewCore();
        return [.. _cluster.Checkers.RowsOf(KeyOf(id)).Select(r => codec.Decode(r.Kind, r.Payload.Span))];
    }

    /// <summary>Ends every fault, starts what is not running, waits until all is settled and nothing is open, and judges what can be judged only then: nothing acknowledged is missing, everybody has the same order, the entity's own checker.</summary>
    /// <remarks>The test's asks that are still open count as given up. Drawn clients send nothing more afterwards.</remarks>
    /// <exception cref="TestClusterException">An invariant is broken, or it did not settle within 30 s.</exception>
    public void Finish()
    {
        _cluster.HealAll();
        UntilSettled();
        foreach (var client in _cluster.Clients) client.IsDone = true;
        Until("all that was sent is answered", () => _open.TrueForAll(a => a.IsDone) && _cluster.Clients.All(c => c.AllAnswered(TimeSpan.MaxValue)), TimeSpan.FromSeconds(100));
        Run(TimeSpan.FromSeconds(6));
        foreach (var op in _cluster.ByHand.Where(o => o.State == SimOpState.Open)) op.State = SimOpState.Unknown;
        _cluster.Checkers.AtEnd();
        Judge();
    }

    /// <summary>The state of every node, and what is cut.</summary>
    public override string ToString()
    {
        List<string> lines = [string.Create(CultureInfo.InvariantCulture, $"At {Now.TotalSeconds:F2} s, seed {_cluster.Plan.Seed}:"), .. Nodes.Select(n => n.Describe())];
        lines.AddRange(from a in Nodes from b in Nodes where a != b && _cluster.Network.IsCut(a.Index, b.Index, LinkChannel.Data) select $"cut: {a} to {b}");
        lines.AddRange(Nodes.Where(n => !_cluster.Store.IsReached(n.Index)).Select(n => $"cut: {n} from the store"));
        lines.AddRange(_open.Where(a => !a.IsDone).Select(a => a.ToString()));
        return string.Join(Environment.NewLine, lines);
    }

    private bool IsSettled()
    {
        var (database, lives) = (_cluster.Store.Database, _cluster.Lives.ToArray());
        return _cluster.AllUp() && _cluster.AllServed() && lives.All(l => l.Core.Membership.View == database.ViewLog.Count && l.Core.Membership.Missing.IsEmpty)
            && database.Members.Where(m => m.IsLive).Select(m => m.Inc).ToHashSet().SetEquals(lives.Select(l => l.Inc));
    }

    private SimOp OpOf(string key, CommandId id, object message)
    {
        if (_commands.TryGetValue((key, id), out var op)) return op;
        op = new SimOp { Id = id, Room = key, Command = message, At = Now };
        _commands.Add((key, id), op);
        _cluster.ByHand.Add(op);
        _cluster.Checkers.Sending(op);
        return op;
    }

    private void Answered(SimOp op, RoomAnswer answer)
    {
        if (op.State != SimOpState.Open) return;
        if (answer.End == RoomEnd.Done)
        {
            (op.State, op.Seq, op.AnsweredAt, op.Reply) = (SimOpState.Acked, answer.Seq, Now, answer.Reply);
            _cluster.Checkers.Acked(op);
        }
        else if (answer.End == RoomEnd.Refused)
        {
            op.State = SimOpState.Refused;
        }
    }

    private bool IsBroken() => _cluster.World.Violations.Count > 0;

    private void Judge()
    {
        _open.RemoveAll(a => a.IsDone);
        if (!IsBroken()) return;
        throw new TestClusterException($"Seed {_cluster.Plan.Seed}: {string.Join(Environment.NewLine, _cluster.World.Violations)}{Environment.NewLine}{this}{Environment.NewLine}Last steps:{Environment.NewLine}{string.Join(Environment.NewLine, _cluster.World.LinesAtViolation.TakeLast(40))}");
    }

    private string KeyOf(string id)
    {
        var entity = new EntityId(_cluster.RoomType, id);
        entity.Check();
        return entity.StoreKey;
    }

    private SimNode Running(SimulatedNode node)
    {
        var own = _cluster.Nodes[Own(node)];
        return own.IsAlive ? own : throw new InvalidOperationException($"{node} does not run; restart it first.");
    }

    private int Own(SimulatedNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return Nodes.Contains(node) ? node.Index : throw new ArgumentException($"{node} is a node of another cluster.", nameof(node));
    }

    private int Other(SimulatedNode node, SimulatedNode than) => node != than ? Own(node) : throw new ArgumentException($"{node} cannot be cut from itself.", nameof(node));
}

using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Entities;

/// <summary>What an entity knows of a command id.</summary>
internal enum CommandKnowledge
{
    /// <summary>Never seen: execute it.</summary>
    Fresh,

    /// <summary>Executed; its row is <c>entitySeq</c>.</summary>
    Repeat,

    /// <summary>Below the window: whether it was executed is forgotten, so it never is.</summary>
    TooOld,

    /// <summary>Not executed, and a later command of the client was handled since: executing it now would turn their order round, where they have one.</summary>
    Overtaken,
}

/// <summary>The commands an entity has executed, per client: what makes a repeat harmless (protocol 7.4).</summary>
/// <remarks>Not thread-safe: the entity's turn owns it. Bounded: 256 commands a client, 65,536 an entity, then the longest idle client goes;
/// 4,096 clients of whom nothing was executed, then the first of them goes.</remarks>
internal sealed class CommandWindow
{
    private const int PerClient = 256;
    private const int PerEntity = 65_536;
    public const int RefusedClientsMax = 4_096;
    public static readonly TimeSpan Retention = JournalLimits.DedupeWindow;

    private readonly Dictionary<ClientId, ClientCommands> _clients = [];
    private readonly Queue<ClientId> _refusedOnly = new(); // Some have had a command executed since.
    private int _count;

    public CommandKnowledge Find(CommandId id, out long entitySeq)
    {
        entitySeq = 0;
        if (!_clients.TryGetValue(id.Client, out var client)) return CommandKnowledge.Fresh;
        if (client.Find(id.Sequence) is { } found)
        {
            entitySeq = found;
            return CommandKnowledge.Repeat;
        }
        return id.Sequence <= client.LowWater ? CommandKnowledge.TooOld : id.Sequence < client.HandledUpTo ? CommandKnowledge.Overtaken : CommandKnowledge.Fresh;
    }

    /// <summary>True when the client's command <paramref name="sequence"/> was executed, refused for good, or lies below the window.</summary>
    public bool HasHandled(ClientId id, long sequence) =>
        _clients.TryGetValue(id, out var client) && (sequence <= client.LowWater || sequence <= client.HandledUpTo || client.Find(sequence) is not null);

    /// <summary>Notes that a command was answered without an effect; remembered while the entity is in memory, for the order alone.</summary>
    public void NoteHandled(CommandId id)
    {
        if (_clients.TryGetValue(id.Client, out var client))
        {
            client.HandledUpTo = Math.Max(client.HandledUpTo, id.Sequence);
            return;
        }
        Add(id.Client, new ClientCommands { HandledUpTo = id.Sequence });
        _refusedOnly.Enqueue(id.Client);
        // Its next command is told that its predecessor is unknown, as it would be after a fail-over.
        if (_refusedOnly.Count > RefusedClientsMax && _refusedOnly.Dequeue() is var first && _clients.TryGetValue(first, out var known) && known is { Commands.Count: 0, LowWater: 0 })
            _clients.Remove(first);
    }

    /// <summary>Clients that something is remembered of.</summary>
    public int Clients => _clients.Count;

    public void NoteExecuted(CommandId id, long entitySeq, long atUnixMs)
    {
        if (!_clients.TryGetValue(id.Client, out var client)) client = Add(id.Client, new ClientCommands());
        _count += client.Insert(id.Sequence, entitySeq);
        client.HandledUpTo = Math.Max(client.HandledUpTo, id.Sequence);
        client.LastUnixMs = Math.Max(client.LastUnixMs, atUnixMs);
        while (_count > PerEntity) ForgetLongestIdle();
    }

    /// <summary>Drops clients that were silent for longer than the retention.</summary>
    public void Expire(long nowUnixMs)
    {
        foreach (var (id, client) in _clients.Where(c => nowUnixMs - c.Value.LastUnixMs > Retention.TotalMilliseconds).ToList())
        {
            _count -= client.Commands.Count;
            _clients.Remove(id);
        }
    }

    /// <summary>For a snapshot, in the order of client ids.</summary>
    public IEnumerable<(ClientId Client, long LowWater, long LastUnixMs, IReadOnlyList<(long Sequence, long EntitySeq)> Commands)> Contents =>
        _clients.Where(c => c.Value.Commands.Count > 0 || c.Value.LowWater > 0).OrderBy(c => c.Key).Select(c => (c.Key, c.Value.LowWater, c.Value.LastUnixMs, (IReadOnlyList<(long, long)>)c.Value.Commands));

    public void Restore(ClientId id, long lowWater, long lastUnixMs, IEnumerable<(long Sequence, long EntitySeq)> commands)
    {
        var client = Add(id, new ClientCommands { LowWater = lowWater, LastUnixMs = lastUnixMs });
        foreach (var (sequence, entitySeq) in commands)
        {
            _count += client.Insert(sequence, entitySeq);
            client.HandledUpTo = Math.Max(client.HandledUpTo, sequence);
        }
    }

    private ClientCommands Add(ClientId id, ClientCommands client)
    {
        _clients[id] = client;
        return client;
    }

    private void ForgetLongestIdle()
    {
        var (id, client) = _clients.Where(c => c.Value.Commands.Count > 0).MinBy(c => (c.Value.LastUnixMs, c.Key));
        _count -= client.Commands.Count;
        _clients.Remove(id);
    }

    private sealed class ClientCommands
    {
        /// <summary>Highest sequence that was dropped from the window.</summary>
        public long LowWater { get; set; }

        public long HandledUpTo { get; set; }

        public long LastUnixMs { get; set; }

        /// <summary>By sequence.</summary>
        public List<(long Sequence, long EntitySeq)> Commands { get; } = [];

        public long? Find(long sequence)
        {
            var at = IndexOf(sequence);
            return at >= 0 ? Commands[at].EntitySeq : null;
        }

        /// <summary>Returns by how much the window grew.</summary>
        public int Insert(long sequence, long entitySeq)
        {
            var at = IndexOf(sequence);
            if (at >= 0) return 0;
            Commands.Insert(~at, (sequence, entitySeq));
            if (Commands.Count <= PerClient) return 1;
            LowWater = Math.Max(LowWater, Commands[0].Sequence);
            Commands.RemoveAt(0);
            return 0;
        }

        private int IndexOf(long sequence)
        {
            if (Commands.Count == 0 || sequence > Commands[^1].Sequence) return ~Commands.Count; // The usual case: the next one.
            int low = 0, high = Commands.Count - 1;
            while (low <= high)
            {
                var middle = (low + high) >>> 1;
                var order = Commands[middle].Sequence.CompareTo(sequence);
                if (order == 0) return middle;
                if (order < 0) low = middle + 1;
                else high = middle - 1;
            }
            return ~low;
        }
    }
}

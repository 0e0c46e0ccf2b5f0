using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Histories;
using ActorCluster.Demo.Replay;

namespace ActorCluster.MultiNode.Tests.Demo;

/// <summary>Rooms in memory that do all as the protocol says; faults can be planted by what a test drops.</summary>
internal sealed class FakeRooms
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, RoomJournal> _journals = [];
    private readonly Dictionary<string, Dictionary<string, (ClientHistory Client, long Seq)>> _members = [];
    private long _command;

    public IReadOnlyDictionary<string, RoomJournal> Journals => _journals;

    /// <summary>Says of a delivery (user, room, sequence) that it shall not happen.</summary>
    public Func<string, string, long, bool> Drops { get; init; } = (_, _, _) => false;

    /// <summary>Says of a membership (user, room) that the room forgets it before the user leaves.</summary>
    public Func<string, string, bool> Forgets { get; init; } = (_, _) => false;

    public int Connects { get; private set; }

    public IChatClient Client(string user, ClientHistory history) => new FakeClient(this, user, history);

    private long Append(string room, RowKind kind, string user, string text)
    {
        if (!_journals.TryGetValue(room, out var journal)) _journals[room] = journal = new();
        var seq = journal.Head + 1;
        journal.Add(seq, kind, RowHash.Of(kind, user, text), 1, ++_command);
        foreach (var (member, (client, _)) in MembersOf(room))
            if (!Drops(member, room, seq)) client.DeliverItem(room, kind, seq, user, text);
        return seq;
    }

    private Dictionary<string, (ClientHistory Client, long Seq)> MembersOf(string room)
    {
        if (!_members.TryGetValue(room, out var members)) _members[room] = members = [];
        return members;
    }

    private sealed class FakeClient(FakeRooms rooms, string user, ClientHistory history) : IChatClient
    {
        public string Node => "node1";
        public int Welcomes => 1;
        public bool MovedNode => false;

        public long BrokeAtMs(int welcome) => 0;

        public Task ConnectAsync(CancellationToken stopping)
        {
            lock (rooms._lock) rooms.Connects++;
            return Task.CompletedTask;
        }

        public async Task<long> JoinAsync(string room, CancellationToken stopping)
        {
            await Task.Yield();
            lock (rooms._lock)
            {
                var members = rooms.MembersOf(room);
                if (members.TryGetValue(user, out var known)) return known.Seq;
                var seq = rooms.Append(room, RowKind.Joined, user, "");
                members[user] = (history, seq);
                return seq;
            }
        }

        public Task<long> LeaveAsync(string room, CancellationToken stopping)
        {
            lock (rooms._lock)
            {
                rooms.MembersOf(room).Remove(user);
                if (rooms.Forgets(user, room)) return Task.FromResult(0L);
                return Task.FromResult(rooms.Append(room, RowKind.Left, user, ""));
            }
        }

        public async Task<long> SayAsync(string room, string text, CancellationToken stopping)
        {
            long seq;
            lock (rooms._lock) seq = rooms.Append(room, RowKind.Message, user, text);
            await Task.Yield();
            return seq;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

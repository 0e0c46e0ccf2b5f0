using System.Buffers;
using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.ChatRooms;

/// <summary>A <see cref="ChatRoom"/> as a journaled entity: durable commands, and one push per listening node for what committed.</summary>
/// <remarks>Listeners are in memory only: a relay asks again when the room's epoch changes, when its link broke, and every 2 s (protocol 7.5).</remarks>
internal sealed class RoomEntity : JournaledEntity<RoomEvent>
{
    public const string TypeName = "room";
    public const string Topic = "room";
    private const int PushCharacters = 12_000; // With one message more and three bytes each, below the smallest frame between nodes.
    private static readonly TimeSpan ListenerPatience = TimeSpan.FromSeconds(15);

    private readonly ChatRoom _room = new();
    private readonly SortedDictionary<Incarnation, long> _listeners = [];
    private int _committedMembers;

    protected override IEventCodec<RoomEvent> Events => RoomEventCodec.Instance;

    protected override string? SnapshotSchema => RoomState.Schema;

    protected internal override bool IsBusy
    {
        get
        {
            ForgetSilentListeners();
            return _listeners.Count > 0;
        }
    }

    protected internal override ValueTask ActivateAsync()
    {
        _committedMembers = _room.Members.Count; // All that is loaded is committed.
        return ValueTask.CompletedTask;
    }

    protected override object? Hear(object message)
    {
        if (message is not RoomQuestion { Listener: { } node }) return null;
        _listeners[node] = Environment.TickCount64;
        // Both of what is committed: the room's own count is ahead of it by what is decided and not yet on stable storage.
        return new RoomAnswer(0, CommittedSeq, _committedMembers, Context.Epoch);
    }

    protected override Decision<RoomEvent> Decide(object message)
    {
        if (message is RoomQuestion question)
            return Decision<RoomEvent>.Answer(new RoomAnswer(_room.Members.GetValueOrDefault(question.User), CommittedSeq, _room.Members.Count, Context.Epoch));
        var decision = _room.Decide((RoomCommand)message);
        return decision.Event is { } happened
            ? Decision<RoomEvent>.Record(happened)
            : Decision<RoomEvent>.Answer(new RoomReply(decision.Refusal, decision.KnownSeq, _room.Members.Count));
    }

    protected override void Apply(RoomEvent happened, long seq) => _room.Apply(happened, seq);

    protected override object ReplyFor(RoomEvent happened, long seq) => new RoomReply(RoomRefusal.None, seq, _room.Members.Count);

    protected override void Committed(IReadOnlyList<Recorded<RoomEvent>> events)
    {
        ForgetSilentListeners();
        var (items, characters) = (new List<RoomItem>(events.Count), 0);
        foreach (var (happened, seq, at) in events)
        {
            _committedMembers += happened switch
            {
                RoomEvent.Created or RoomEvent.Joined => 1,
                RoomEvent.Left => -1,
                _ => 0,
            };
            if (_listeners.Count == 0) continue;
            items.Add(new RoomItem(seq, happened, at));
            characters += 16 + happened.User.Length + (happened is RoomEvent.Said said ? said.Text.Length : 0);
            if (characters < PushCharacters) continue;
            Push(items);
            (items, characters) = (new List<RoomItem>(events.Count), 0);
        }
        if (items.Count > 0) Push(items);
    }

    private void Push(List<RoomItem> items)
    {
        var news = new RoomNews(items, _committedMembers);
        foreach (var node in _listeners.Keys) Context.Cell.Host.Fanout!.Send(node, Topic, Context.Id.Id, Context.Epoch, news);
    }

    protected override void SaveState(IBufferWriter<byte> into) => RoomState.Save(_room, into);

    protected override void LoadState(string schema, ReadOnlySpan<byte> bytes) => RoomState.Load(_room, schema, bytes);

    private void ForgetSilentListeners()
    {
        var since = Environment.TickCount64 - (long)ListenerPatience.TotalMilliseconds;
        foreach (var (node, _) in _listeners.Where(l => l.Value < since).ToList()) _listeners.Remove(node);
    }
}

namespace ActorCluster.ChatRooms;

/// <summary>What is asked of a room.</summary>
public abstract record RoomCommand(string User)
{
    /// <summary>Makes the room, with the user its first member.</summary>
    public sealed record Create(string User) : RoomCommand(User);

    /// <summary>The user becomes a member; a new room is made.</summary>
    public sealed record Join(string User) : RoomCommand(User);

    /// <summary>Ends membership.</summary>
    public sealed record Leave(string User) : RoomCommand(User);

    /// <summary>Appends a message; the user must be a member.</summary>
    public sealed record Say(string User, string Text) : RoomCommand(User);
}

/// <summary>What happened in a room: one row of its journal. Its place there is its sequence.</summary>
public abstract record RoomEvent(string User)
{
    /// <summary>The room exists, with its first member.</summary>
    public sealed record Created(string User) : RoomEvent(User);

    /// <summary>The user is a member from here on.</summary>
    public sealed record Joined(string User) : RoomEvent(User);

    /// <summary>The user is a member no more.</summary>
    public sealed record Left(string User) : RoomEvent(User);

    /// <summary>The user said something.</summary>
    public sealed record Said(string User, string Text) : RoomEvent(User);
}

/// <summary>Why a room refuses; such a command took no effect.</summary>
public enum RoomRefusal
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>The user is no member, or nobody has made the room yet: a stranger is not told which.</summary>
    NotInRoom,

    /// <summary>The room exists.</summary>
    RoomExists,

    /// <summary>The text is longer than <see cref="ChatRoom.TextCharactersMax"/>.</summary>
    TextTooLong,

    /// <summary>The room has <see cref="ChatRoom.MembersMax"/> members.</summary>
    RoomFull,
}

/// <summary>Answer to a command.</summary>
/// <param name="Refusal">None: it took effect, or had before.</param>
/// <param name="Seq">Sequence of the effect; of the first join when joining again; 0 when refused or when nobody left.</param>
/// <param name="Members">Members after it.</param>
public sealed record RoomReply(RoomRefusal Refusal, long Seq, int Members);

/// <summary>What a room makes of a command.</summary>
/// <param name="Event">The effect to be recorded, null for none.</param>
/// <param name="Refusal">Why not.</param>
/// <param name="KnownSeq">Without an event: the sequence that answers the command.</param>
public readonly record struct RoomDecision(RoomEvent? Event, RoomRefusal Refusal = RoomRefusal.None, long KnownSeq = 0);

/// <summary>A chat room: who is in it, and what its commands do. Knows no engine, no clock and no store.</summary>
/// <remarks>Not thread-safe. The room's log is its journal; the state holds only what decisions need.</remarks>
public sealed class ChatRoom
{
    /// <summary>Longest message, in UTF-16 code units; the empty text is legal.</summary>
    public const int TextCharactersMax = 8000;

    /// <summary>Most members of one room.</summary>
    public const int MembersMax = 10_000;

    private readonly Dictionary<string, long> _members = new(StringComparer.Ordinal);

    /// <summary>The room was made.</summary>
    public bool Exists => CreatedBy is not null;

    /// <summary>Who made it, null before.</summary>
    public string? CreatedBy { get; private set; }

    /// <summary>Members and the sequence of their join.</summary>
    public IReadOnlyDictionary<string, long> Members => _members;

    /// <summary>Decides, changes nothing.</summary>
    public RoomDecision Decide(RoomCommand command) => command switch
    {
        RoomCommand.Create when Exists => new RoomDecision(null, RoomRefusal.RoomExists),
        RoomCommand.Create create => new RoomDecision(new RoomEvent.Created(create.User)),
        RoomCommand.Join join when _members.TryGetValue(join.User, out var seq) => new RoomDecision(null, RoomRefusal.None, seq),
        RoomCommand.Join when _members.Count >= MembersMax => new RoomDecision(null, RoomRefusal.RoomFull),
        RoomCommand.Join join => new RoomDecision(Exists ? new RoomEvent.Joined(join.User) : new RoomEvent.Created(join.User)),
        RoomCommand.Leave leave => new RoomDecision(_members.ContainsKey(leave.User) ? new RoomEvent.Left(leave.User) : null),
        RoomCommand.Say { Text.Length: > TextCharactersMax } => new RoomDecision(null, RoomRefusal.TextTooLong),
        RoomCommand.Say say when !_members.ContainsKey(say.User) => new RoomDecision(null, RoomRefusal.NotInRoom),
        RoomCommand.Say say => new RoomDecision(new RoomEvent.Said(say.User, say.Text)),
        _ => throw new System.Diagnostics.UnreachableException($"No rule for {command}."),
    };

    /// <summary>Takes an event in; every event that was decided must be applied, in order.</summary>
    /// <param name="happened">The event.</param>
    /// <param name="seq">Its place in the room's journal, gapless from 1.</param>
    public void Apply(RoomEvent happened, long seq)
    {
        switch (happened)
        {
            case RoomEvent.Created(var user):
                CreatedBy = user;
                _members[user] = seq;
                break;
            case RoomEvent.Joined(var user):
                _members[user] = seq;
                break;
            case RoomEvent.Left(var user):
                _members.Remove(user);
                break;
            default:
                break; // A message changes nobody's membership.
        }
    }

    /// <summary>Takes a snapshot's content in, into an empty room; nobody made a room that does not exist yet.</summary>
    public void Restore(string? createdBy, IEnumerable<KeyValuePair<string, long>> members)
    {
        CreatedBy = createdBy;
        foreach (var (user, seq) in members) _members[user] = seq;
    }
}

namespace ActorCluster.Client;

/// <summary>What an item of a room's stream tells.</summary>
public enum RoomItemKind
{
    /// <summary><see cref="RoomItem.User"/> made the room and is its first member.</summary>
    Created,

    /// <summary><see cref="RoomItem.User"/> became a member.</summary>
    Joined,

    /// <summary><see cref="RoomItem.User"/> is no member any more.</summary>
    Left,

    /// <summary><see cref="RoomItem.User"/> said <see cref="RoomItem.Text"/>.</summary>
    Message,

    /// <summary>A run of joins and leaves in a large room, told as counts.</summary>
    Digest,

    /// <summary>A kind that this version does not know. It is delivered so that the sequences stay gapless.</summary>
    Unknown,
}

/// <summary>One item of a room's stream. It covers the sequences <paramref name="From"/> to <paramref name="Seq"/>.</summary>
/// <param name="From">The first sequence covered: the last item's <see cref="Seq"/> + 1. Equal to <see cref="Seq"/> but in digests.</param>
/// <param name="Seq">The last sequence covered, from 1.</param>
/// <param name="Kind">What happened.</param>
/// <param name="User">Who did it; empty in a digest.</param>
/// <param name="Text">What was said; empty in all but messages, and legal to be empty there.</param>
/// <param name="At">When the room recorded it, in the server's clock.</param>
/// <param name="JoinedCount">Digests: how many joined.</param>
/// <param name="LeftCount">Digests: how many left.</param>
/// <param name="Members">Digests: how many members the room has after it.</param>
public readonly record struct RoomItem(
    long From, long Seq, RoomItemKind Kind, string User, string Text, DateTimeOffset At, int JoinedCount = 0, int LeftCount = 0, int Members = 0);

/// <summary>Items of one room, the next ones after those delivered before.</summary>
/// <param name="Room">The room.</param>
/// <param name="Items">At least one, in order.</param>
public sealed record RoomItems(string Room, IReadOnlyList<RoomItem> Items);

/// <summary>The stream of a room ended without a <see cref="ClusterClient.LeaveAsync"/> of this client. The room's cursor is forgotten.</summary>
/// <param name="Room">The room.</param>
/// <param name="Code">Why, as a code: <see cref="ErrorCodes.NotInRoom"/> as a rule.</param>
/// <param name="Message">Why, for people.</param>
public sealed record RoomEnded(string Room, string Code, string Message);

/// <summary>The answer to <see cref="ClusterClient.JoinAsync"/>.</summary>
/// <param name="Seq">The sequence of the user's join; the stream starts after it.</param>
/// <param name="Members">How many members the room has, the user included.</param>
public readonly record struct Joined(long Seq, int Members);

/// <summary>The answer to <see cref="ClusterClient.HistoryAsync"/>.</summary>
/// <param name="Items">In order; fewer than asked for where the answer would be too large.</param>
/// <param name="Head">The room's newest sequence: there is more while the last item's <see cref="RoomItem.Seq"/> is below it.</param>
/// <param name="IsStale">The store is away, and this is what the node remembers of a room that this connection follows: what others were told since may be missing.</param>
public sealed record HistoryPage(IReadOnlyList<RoomItem> Items, long Head, bool IsStale = false);

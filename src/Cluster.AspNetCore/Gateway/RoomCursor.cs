using ActorCluster.ChatRooms;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>How far one session has been sent one room.</summary>
/// <remarks>Owned by the session's pump, but for the fields that say so.</remarks>
internal sealed class RoomCursor(GatewaySession session, string room, long after) : IRoomFollower
{
    private bool _isDirty;

    public string Room { get; } = room;

    public byte[] Prefix { get; } = ServerFrames.ItemsPrefix(room);

    public long After { get; set; } = after;

    /// <summary>Set right after it was added to the relay. Under the session's lock.</summary>
    public RoomRelay? Relay { get; set; }

    /// <summary>When the client last took something of the room.</summary>
    public TimeSpan SentAt { get; set; }

    /// <summary>Since when a trailing run of joins and leaves is kept back for a digest; null for none.</summary>
    public TimeSpan? HeldSince { get; set; }

    /// <summary>The user's own leave was sent: nothing follows it unless a join does. Under the session's lock.</summary>
    public bool HasLeft { get; set; }

    /// <summary>Leaves that wait until the stream has reached them, and joins that were answered behind one. Under the session's lock.</summary>
    public Queue<Turn> Turns { get; } = [];

    /// <summary>In the session's queue of rooms to look at. Set under the session's lock; whoever reads true without it knows that what was there before is still to be looked at.</summary>
    public bool IsDirty
    {
        get => Volatile.Read(ref _isDirty);
        set => Volatile.Write(ref _isDirty, value);
    }

    /// <summary>The stream has ended. Under the session's lock.</summary>
    public bool HasEnded { get; set; }

    /// <summary>Followed, and nothing keeps its items back or ends them. Whoever changes that wakes the pump afterwards, so the pump may read it without the lock.</summary>
    public bool IsPlain => Relay is not null && !HasEnded && !HasLeft && HeldSince is null && Turns.Count == 0;

    void IRoomFollower.RoomChanged(RoomRelay room) => session.LookAt(this, room);

    /// <summary>A leave ends the stream at its sequence, a join begins it again after its own; either is answered then.</summary>
    internal readonly record struct Turn(bool IsJoin, long Seq, byte[] Ok, TimeSpan Since);
}

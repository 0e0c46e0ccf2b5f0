using ActorCluster.ChatRooms;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>How far one session has been sent one room.</summary>
/// <remarks>Owned by the session's pump, but for the fields that say so.</remarks>
internal sealed class RoomCursor(string room, long after)
{
    public string Room { get; } = room;

    public byte[] Prefix { get; } = ServerFrames.ItemsPrefix(room);

    public long After { get; set; } = after;

    /// <summary>Set right after it was added to the relay.</summary>
    public RoomRelay? Relay { get; set; }

    /// <summary>Since when a trailing run of joins and leaves is kept back for a digest; null for none.</summary>
    public TimeSpan? HeldSince { get; set; }

    /// <summary>Leaves that were answered and wait until the stream has reached them: the stream ends there. Under the session's lock.</summary>
    public List<(long Seq, byte[] Ok, TimeSpan Since)> Leaves { get; } = [];

    /// <summary>The stream has shown the user's own leave, whose answer is on its way: nothing after it is sent. Owned by the pump.</summary>
    public bool IsAtOwnLeave { get; set; }

    /// <summary>In the session's queue of rooms to look at. Under the session's lock.</summary>
    public bool IsDirty { get; set; }

    /// <summary>The stream has ended. Under the session's lock.</summary>
    public bool HasEnded { get; set; }
}

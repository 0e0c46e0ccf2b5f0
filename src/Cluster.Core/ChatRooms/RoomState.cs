using System.Buffers;
using Google.Protobuf;

namespace ActorCluster.ChatRooms;

/// <summary>A <see cref="ChatRoom"/>'s state as snapshots hold it.</summary>
internal static class RoomState
{
    public const string Schema = "room.state.v1";

    public static void Save(ChatRoom room, IBufferWriter<byte> into)
    {
        var wire = new Wire.RoomSnapshot { CreatedBy = room.CreatedBy ?? "" };
        foreach (var (user, seq) in room.Members.OrderBy(m => m.Value)) wire.Members.Add(new Wire.RoomSnapshot.Types.Member { User = user, JoinedSeq = seq });
        wire.WriteTo(into);
    }

    /// <exception cref="InvalidDataException">A later release's state.</exception>
    public static void Load(ChatRoom room, string schema, ReadOnlySpan<byte> bytes)
    {
        if (schema != Schema) throw new InvalidDataException($"A room knows no state '{schema}'; update this node.");
        var wire = Wire.RoomSnapshot.Parser.ParseFrom(bytes);
        room.Restore(wire.CreatedBy.Length > 0 ? wire.CreatedBy : null, wire.Members.Select(m => KeyValuePair.Create(m.User, m.JoinedSeq)));
    }
}

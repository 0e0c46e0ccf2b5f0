using System.Buffers.Binary;
using System.Data.Common;
using ActorCluster.ChatRooms.Wire;
using ActorCluster.Demo.Histories;
using Google.Protobuf;
using Microsoft.Data.Sqlite;

namespace ActorCluster.Demo.Checking;

/// <summary>Reads the rooms' rows straight from the store, past all code of the cluster.</summary>
internal static class JournalReader
{
    private const string RoomPrefix = "room/";

    /// <summary>Reads all rows of all rooms; meant for a store whose nodes have stopped.</summary>
    /// <exception cref="InvalidDataException">A row is not as documented: which one, and why.</exception>
    public static Dictionary<string, RoomJournal> Read(string databaseFile)
    {
        using var connection = Open(databaseFile);
        return Read(connection);
    }

    /// <summary>Reads all rows of all rooms over an open connection that finds the cluster's tables by their names alone.</summary>
    /// <exception cref="InvalidDataException">A row is not as documented: which one, and why.</exception>
    public static Dictionary<string, RoomJournal> Read(DbConnection connection)
    {
        var rooms = new Dictionary<string, RoomJournal>(StringComparer.Ordinal);
        using var command = connection.CreateCommand();
        command.CommandText =
            "SELECT entity, entity_seq, kind, payload, client_id, client_seq, at FROM journal WHERE entity >= 'room/' AND entity < 'room0' ORDER BY entity, entity_seq";
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            var name = rows.GetString(0)[RoomPrefix.Length..];
            if (!rooms.TryGetValue(name, out var room)) rooms[name] = room = new();
            Add(room, rows, name);
        }
        return rooms;
    }

    /// <summary>Reads the last sequence of each room, also while nodes write.</summary>
    public static Dictionary<string, long> ReadHeads(string databaseFile)
    {
        using var connection = Open(databaseFile);
        return ReadHeads(connection);
    }

    /// <summary>As above, over an open connection.</summary>
    public static Dictionary<string, long> ReadHeads(DbConnection connection)
    {
        var heads = new Dictionary<string, long>(StringComparer.Ordinal);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT entity, MAX(entity_seq) FROM journal WHERE entity >= 'room/' AND entity < 'room0' GROUP BY entity";
        using var rows = command.ExecuteReader();
        while (rows.Read()) heads[rows.GetString(0)[RoomPrefix.Length..]] = rows.GetInt64(1);
        return heads;
    }

    private static void Add(RoomJournal room, DbDataReader row, string name)
    {
        var seq = row.GetInt64(1);
        var kindName = row.GetString(2);
        var kind = kindName switch
        {
            "room.created.v1" => RowKind.Created,
            "room.joined.v1" => RowKind.Joined,
            "room.left.v1" => RowKind.Left,
            "room.message.v1" => RowKind.Message,
            _ => throw new InvalidDataException($"Row {seq} of room {name} is of kind {kindName}, which this checker does not know."),
        };
        RoomEvent e;
        try
        {
            e = RoomEvent.Parser.ParseFrom(row.GetFieldValue<byte[]>(3));
        }
        catch (InvalidProtocolBufferException bad)
        {
            throw new InvalidDataException($"Row {seq} of room {name} holds no RoomEvent: {bad.Message}");
        }
        UInt128? client = row.IsDBNull(4) ? null : BinaryPrimitives.ReadUInt128BigEndian(row.GetFieldValue<byte[]>(4));
        var text = kind == RowKind.Message ? e.Text : "";
        room.Add(seq, kind, RowHash.Of(kind, e.User, text), client, row.IsDBNull(5) ? 0 : row.GetInt64(5), row.GetInt64(6));
    }

    private static SqliteConnection Open(string databaseFile)
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = databaseFile, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ConnectionString);
        connection.Open();
        return connection;
    }
}

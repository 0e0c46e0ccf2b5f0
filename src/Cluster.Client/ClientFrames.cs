using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ActorCluster.Client;

/// <summary>Writes the frames of a client.</summary>
internal static class ClientFrames
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>What op, id and prev add to a command's body at most.</summary>
    public const int HeadBytesMax = 80;

    public static byte[] Hello(string? token, IEnumerable<FollowedRoom> rooms) => Write(json =>
    {
        json.WriteString("op"u8, "hello"u8);
        json.WriteNumber("v"u8, 1);
        if (token is not null) json.WriteString("token"u8, token);
        json.WriteStartArray("rooms"u8);
        foreach (var room in rooms)
        {
            json.WriteStartObject();
            json.WriteString("room"u8, room.Name);
            json.WriteNumber("after"u8, room.Cursor);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    public static byte[] RoomBody(string command, string room) => Write(json =>
    {
        json.WriteString("cmd"u8, command);
        json.WriteString("room"u8, room);
    });

    public static byte[] SayBody(string room, string text) => Write(json =>
    {
        json.WriteString("cmd"u8, "say"u8);
        json.WriteString("room"u8, room);
        json.WriteString("text"u8, text);
    });

    public static byte[] HistoryBody(string room, long after, int limit) => Write(json =>
    {
        json.WriteString("cmd"u8, "history"u8);
        json.WriteString("room"u8, room);
        json.WriteNumber("after"u8, after);
        json.WriteNumber("limit"u8, limit);
    });

    public static byte[] PresenceBody(IEnumerable<string> users) => Write(json =>
    {
        json.WriteString("cmd"u8, "presence"u8);
        json.WriteStartArray("users"u8);
        foreach (var user in users) json.WriteStringValue(user);
        json.WriteEndArray();
    });

    /// <summary>A body with op, id and, above 0, prev put before it.</summary>
    public static byte[] Command(byte[] body, long id, long prev)
    {
        Span<byte> head = stackalloc byte[HeadBytesMax];
        var length = Put(head, 0, "{\"op\":\"cmd\",\"id\":"u8);
        length = Put(head, length, id);
        if (prev > 0) length = Put(head, Put(head, length, ",\"prev\":"u8), prev);
        head[length++] = (byte)',';
        var frame = new byte[length + body.Length - 1]; // The body's own brace is left out.
        head[..length].CopyTo(frame);
        body.AsSpan(1).CopyTo(frame.AsSpan(length));
        return frame;
    }

    private static int Put(Span<byte> head, int at, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(head[at..]);
        return at + bytes.Length;
    }

    private static int Put(Span<byte> head, int at, long number)
    {
        number.TryFormat(head[at..], out var written, provider: CultureInfo.InvariantCulture);
        return at + written;
    }

    private static byte[] Write(Action<Utf8JsonWriter> fields)
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}

using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ActorCluster.ChatRooms;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>A node as clients are told of it.</summary>
internal readonly record struct HostEntry(string Name, string Url);

/// <summary>Writes the server's frames (docs/client-protocol.md).</summary>
internal static class ServerFrames
{
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static byte[] Welcome(string client, string token, bool resumed, string node, IEnumerable<HostEntry> hosts) => Write(w =>
    {
        w.WriteString("op", "welcome");
        w.WriteNumber("v", 1);
        w.WriteString("client", client);
        w.WriteString("token", token);
        w.WriteBoolean("resumed", resumed);
        w.WriteString("node", node);
        WriteHosts(w, hosts);
        w.WriteStartObject("limits");
        w.WriteNumber("textChars", ChatRoom.TextCharactersMax);
        w.WriteNumber("unanswered", GatewayLimits.Unanswered);
        w.WriteNumber("frameBytes", GatewayLimits.FrameBytes);
        w.WriteEndObject();
    });

    public static byte[] Token(string token) => Write(w =>
    {
        w.WriteString("op", "token");
        w.WriteString("token", token);
    });

    public static byte[] Ok(long id, Action<Utf8JsonWriter> fields) => Write(w =>
    {
        w.WriteString("op", "ok");
        w.WriteNumber("id", id);
        fields(w);
    });

    /// <summary>The ok of a leave whose room's last items were not shown.</summary>
    public static byte[] Cut(byte[] ok) => [.. ok.AsSpan(0, ok.Length - 1), .. ",\"cut\":true}"u8];

    public static byte[] Error(long id, string code, string message, bool retry, int? afterMs = null) => Write(w =>
    {
        w.WriteString("op", "err");
        w.WriteNumber("id", id);
        w.WriteString("code", code);
        w.WriteString("message", message);
        w.WriteBoolean("retry", retry);
        if (afterMs is { } after) w.WriteNumber("afterMs", after);
    });

    public static byte[] Left(string room, string code, string message) => Write(w =>
    {
        w.WriteString("op", "left");
        w.WriteString("room", room);
        w.WriteString("code", code);
        w.WriteString("message", message);
    });

    public static byte[] Bye(string code, string message) => Write(w =>
    {
        w.WriteString("op", "bye");
        w.WriteString("code", code);
        w.WriteString("message", message);
    });

    public static byte[] GoAway(string reason, IEnumerable<HostEntry> hosts) => Write(w =>
    {
        w.WriteString("op", "goaway");
        w.WriteString("reason", reason);
        WriteHosts(w, hosts);
    });

    /// <summary>The beginning of an items frame of a room; items and <c>]}</c> follow.</summary>
    public static byte[] ItemsPrefix(string room) =>
        Encoding.UTF8.GetBytes($"{{\"op\":\"items\",\"room\":\"{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(room)}\",\"items\":[");

    /// <summary>An item as JSON, encoded once for all sessions of the node.</summary>
    public static byte[] Item(RoomItem item) => item.Encoded ??= Encode(item);

    /// <summary>By itself, since what it captures would be allocated at each call, encoded before or not.</summary>
    private static byte[] Encode(RoomItem item) => Write(w =>
    {
        w.WriteNumber("seq", item.Seq);
        w.WriteString("kind", item.Event switch
        {
            RoomEvent.Created => "created",
            RoomEvent.Joined => "joined",
            RoomEvent.Left => "left",
            _ => "message",
        });
        w.WriteString("user", item.Event.User);
        if (item.Event is RoomEvent.Said said) w.WriteString("text", said.Text);
        w.WriteNumber("at", item.AtUnixMs);
    });

    public static byte[] Digest(long from, long to, int joined, int left, int members, long at) => Write(w =>
    {
        if (from != to) w.WriteNumber("from", from);
        w.WriteNumber("seq", to);
        w.WriteString("kind", "digest");
        w.WriteNumber("joined", joined);
        w.WriteNumber("left", left);
        w.WriteNumber("members", members);
        w.WriteNumber("at", at);
    });

    private static void WriteHosts(Utf8JsonWriter w, IEnumerable<HostEntry> hosts)
    {
        w.WriteStartArray("hosts");
        foreach (var host in hosts)
        {
            w.WriteStartObject();
            w.WriteString("name", host.Name);
            w.WriteString("url", host.Url);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }

    private static byte[] Write(Action<Utf8JsonWriter> fields)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(buffer, Json);
        writer.WriteStartObject();
        fields(writer);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }
}

using System.Text.Json;

namespace ActorCluster.Client;

/// <summary>
/// The fields of a server's frame; one object is read into again and again. Fields have one meaning in all frames, so they are read
/// before the op is known, in whatever order they come; unknown ones are skipped.
/// </summary>
internal sealed class ServerFrame
{
    private List<RoomItem> _items = [];

    public string Op { get; private set; } = "";
    public long Id { get; private set; }
    public long Seq { get; private set; }
    public long Head { get; private set; }
    public int Members { get; private set; }
    public string Code { get; private set; } = "";
    public string Message { get; private set; } = "";
    public string Reason { get; private set; } = "";
    public bool Retry { get; private set; }

    /// <summary>Below 0 if the server gave none.</summary>
    public int AfterMs { get; private set; }

    public string Room { get; private set; } = "";
    public string Client { get; private set; } = "";
    public string? Token { get; private set; }
    public string Node { get; private set; } = "";
    public bool Resumed { get; private set; }
    public bool Stale { get; private set; }
    public List<Uri> Hosts { get; } = [];
    public int UnansweredLimit { get; private set; }
    public int FrameBytesLimit { get; private set; }
    public HashSet<string>? Online { get; private set; }

    /// <summary>The items read; the next frame gets a list of its own.</summary>
    public IReadOnlyList<RoomItem> TakeItems()
    {
        var items = _items;
        _items = [];
        return items;
    }

    /// <exception cref="JsonException">The bytes are no JSON object, or a field has another type than it should.</exception>
    public void Read(ReadOnlySpan<byte> utf8)
    {
        Clear();
        var json = new Utf8JsonReader(utf8);
        try
        {
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject) throw new JsonException("A frame is no JSON object.");
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName) ReadField(ref json);
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw new JsonException($"A field of a frame has another type than it should: {e.Message}", e);
        }
    }

    private void Clear()
    {
        Op = Code = Message = Reason = Room = Client = Node = "";
        Token = null;
        Online = null;
        Id = Seq = Head = Members = UnansweredLimit = FrameBytesLimit = 0;
        AfterMs = -1;
        Retry = Resumed = Stale = false;
        Hosts.Clear();
        _items.Clear();
    }

    private void ReadField(ref Utf8JsonReader json)
    {
        if (Is(ref json, "op"u8)) Op = StringPool.Get(ref json);
        else if (Is(ref json, "id"u8)) Id = json.GetInt64();
        else if (Is(ref json, "seq"u8)) Seq = json.GetInt64();
        else if (Is(ref json, "room"u8)) Room = StringPool.Get(ref json);
        else if (Is(ref json, "items"u8)) ReadItems(ref json);
        else if (Is(ref json, "members"u8)) Members = json.GetInt32();
        else if (Is(ref json, "head"u8)) Head = json.GetInt64();
        else if (Is(ref json, "stale"u8)) Stale = json.GetBoolean();
        else if (Is(ref json, "code"u8)) Code = StringPool.Get(ref json);
        else if (Is(ref json, "message"u8)) Message = json.GetString() ?? "";
        else if (Is(ref json, "retry"u8)) Retry = json.GetBoolean();
        else if (Is(ref json, "afterMs"u8)) AfterMs = json.GetInt32();
        else if (Is(ref json, "online"u8)) ReadOnline(ref json);
        else if (Is(ref json, "reason"u8)) Reason = json.GetString() ?? "";
        else if (Is(ref json, "client"u8)) Client = json.GetString() ?? "";
        else if (Is(ref json, "token"u8)) Token = json.GetString();
        else if (Is(ref json, "node"u8)) Node = StringPool.Get(ref json);
        else if (Is(ref json, "resumed"u8)) Resumed = json.GetBoolean();
        else if (Is(ref json, "hosts"u8)) ReadHosts(ref json);
        else if (Is(ref json, "limits"u8)) ReadLimits(ref json);
        else json.Skip();
    }

    /// <summary>Is this the field? Then the reader stands on its value.</summary>
    private static bool Is(ref Utf8JsonReader json, ReadOnlySpan<byte> name) => json.ValueTextEquals(name) && json.Read();

    private void ReadItems(ref Utf8JsonReader json)
    {
        while (json.Read() && json.TokenType == JsonTokenType.StartObject) _items.Add(ReadItem(ref json));
    }

    private static RoomItem ReadItem(ref Utf8JsonReader json)
    {
        long from = 0, seq = 0, at = 0;
        var (kind, user, text) = (RoomItemKind.Unknown, "", "");
        var (joined, left, members) = (0, 0, 0);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (Is(ref json, "seq"u8)) seq = json.GetInt64();
            else if (Is(ref json, "from"u8)) from = json.GetInt64();
            else if (Is(ref json, "kind"u8)) kind = KindOf(ref json);
            else if (Is(ref json, "user"u8)) user = StringPool.Get(ref json);
            else if (Is(ref json, "text"u8)) text = json.GetString() ?? "";
            else if (Is(ref json, "at"u8)) at = json.GetInt64();
            else if (Is(ref json, "joined"u8)) joined = json.GetInt32();
            else if (Is(ref json, "left"u8)) left = json.GetInt32();
            else if (Is(ref json, "members"u8)) members = json.GetInt32();
            else json.Skip();
        }
        return new RoomItem(from == 0 ? seq : from, seq, kind, user, text, TimeOf(at), joined, left, members);
    }

    private static RoomItemKind KindOf(ref Utf8JsonReader json) =>
        json.ValueTextEquals("message"u8) ? RoomItemKind.Message
        : json.ValueTextEquals("joined"u8) ? RoomItemKind.Joined
        : json.ValueTextEquals("left"u8) ? RoomItemKind.Left
        : json.ValueTextEquals("created"u8) ? RoomItemKind.Created
        : json.ValueTextEquals("digest"u8) ? RoomItemKind.Digest
        : RoomItemKind.Unknown;

    private static DateTimeOffset TimeOf(long at) => at is > -62_135_596_800_000 and < 253_402_300_800_000
        ? DateTimeOffset.FromUnixTimeMilliseconds(at)
        : throw new JsonException($"An item's 'at' is {at}, no time in milliseconds since 1970.");

    private void ReadOnline(ref Utf8JsonReader json)
    {
        Online = new HashSet<string>(StringComparer.Ordinal);
        while (json.Read() && json.TokenType == JsonTokenType.String) Online.Add(StringPool.Get(ref json));
    }

    private void ReadHosts(ref Utf8JsonReader json)
    {
        while (json.Read() && json.TokenType == JsonTokenType.StartObject)
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                if (!Is(ref json, "url"u8)) json.Skip();
                else if (Uri.TryCreate(json.GetString(), UriKind.Absolute, out var host) && host.Scheme is ("http" or "https")) Hosts.Add(host);
            }
    }

    private void ReadLimits(ref Utf8JsonReader json)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (Is(ref json, "unanswered"u8)) UnansweredLimit = json.GetInt32();
            else if (Is(ref json, "frameBytes"u8)) FrameBytesLimit = json.GetInt32();
            else json.Skip();
        }
    }
}

using System.Collections.Immutable;
using System.Text.Json;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>What a client says, after its syntax was checked (docs/client-protocol.md).</summary>
internal abstract record ClientFrame
{
    /// <summary>The first frame.</summary>
    public sealed record Hello(long Version, string? Token, ImmutableArray<(string Room, long After)> Rooms) : ClientFrame;

    /// <summary>A command. Fields that it does not have are null, or -1 for numbers but <c>Prev</c>, which is 0.</summary>
    public sealed record Command(long Id, string Name, string? Room, string? Text, long Prev, long After, long Limit, ImmutableArray<string> Users) : ClientFrame;

    /// <summary>A command that cannot be understood, but whose id can: the client is told which.</summary>
    public sealed record BadCommand(long Id, string Why) : ClientFrame;

    /// <summary>Nothing that this protocol knows.</summary>
    public sealed record Bad(string Why) : ClientFrame;

    public static ClientFrame Parse(ReadOnlyMemory<byte> frame)
    {
        JsonDocument document;
        try { document = JsonDocument.Parse(frame, new JsonDocumentOptions { MaxDepth = 8 }); }
        catch (JsonException) { return new Bad("The frame is not JSON; send one JSON object a frame."); }
        using (document)
        {
            try
            {
                var root = document.RootElement;
                if (root.ValueKind != JsonValueKind.Object) return new Bad("The frame is no JSON object.");
                return TextOf(root, "op") switch
                {
                    "hello" => ParseHello(root),
                    "cmd" => ParseCommand(root),
                    null => new Bad("The frame has no op; send hello or cmd."),
                    var op => new Bad($"Unknown op '{Short(op)}'; send hello or cmd."),
                };
            }
            catch (InvalidOperationException)
            {
                return new Bad("The frame holds text that is no UTF-8 or lone surrogates.");
            }
        }
    }

    private static ClientFrame ParseHello(JsonElement root)
    {
        if (root.TryGetProperty("token", out var token) && token.ValueKind is not (JsonValueKind.String or JsonValueKind.Null)) return new Bad("hello: token is no text.");
        var rooms = ImmutableArray.CreateBuilder<(string, long)>();
        if (root.TryGetProperty("rooms", out var list) && list.ValueKind != JsonValueKind.Null)
        {
            if (list.ValueKind != JsonValueKind.Array) return new Bad("hello: rooms is no list.");
            foreach (var entry in list.EnumerateArray())
            {
                if (entry.ValueKind != JsonValueKind.Object || TextOf(entry, "room") is not { } room || NumberOf(entry, "after", 0) is not (>= 0 and var after))
                    return new Bad("hello: each of rooms needs a room and an after of 0 or more.");
                rooms.Add((room, after));
            }
        }
        return new Hello(NumberOf(root, "v", -1) ?? -1, token.ValueKind == JsonValueKind.String ? token.GetString() : null, rooms.ToImmutable());
    }

    private static ClientFrame ParseCommand(JsonElement root)
    {
        if (NumberOf(root, "id", 0) is not (> 0 and var id)) return new BadCommand(0, "id is missing or no whole number above 0.");
        try
        {
            return ParseCommand(root, id);
        }
        catch (InvalidOperationException)
        {
            return new BadCommand(id, "The command holds half of a surrogate pair, which is no text; cut texts between characters.");
        }
    }

    private static ClientFrame ParseCommand(JsonElement root, long id)
    {
        if (TextOf(root, "cmd") is not { } name) return new BadCommand(id, "cmd is missing.");
        if (NumberOf(root, "prev", 0) is not (>= 0 and var prev) || prev >= id) return new BadCommand(id, "prev is no whole number from 0 to below id.");
        if (NumberOf(root, "after", -1) is not (>= -1 and var after)) return new BadCommand(id, "after is no whole number of 0 or more.");
        if (NumberOf(root, "limit", -1) is not { } limit) return new BadCommand(id, "limit is no whole number.");
        var users = ImmutableArray.CreateBuilder<string>();
        if (root.TryGetProperty("users", out var list))
        {
            if (list.ValueKind != JsonValueKind.Array) return new BadCommand(id, "users is no list.");
            foreach (var user in list.EnumerateArray())
            {
                if (user.ValueKind != JsonValueKind.String) return new BadCommand(id, "users holds something that is no text.");
                users.Add(user.GetString()!);
            }
        }
        return new Command(id, name, TextOf(root, "room"), TextOf(root, "text"), prev, after, limit, users.ToImmutable());
    }

    private static string? TextOf(JsonElement of, string name) =>
        of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The number, <paramref name="absent"/> where the field is missing, null where it is something else.</summary>
    private static long? NumberOf(JsonElement of, string name, long absent)
    {
        if (!of.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null) return absent;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : null;
    }

    private static string Short(string text) => text.Length <= 40 ? text : text[..40] + "…";
}

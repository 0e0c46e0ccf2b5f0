using System.IO.Compression;
using System.Text.Json;

namespace ActorCluster.Demo.Input;

/// <summary>Reads chat lines: one JSON object a line, <c>{"t":…,"room":…,"user":…,"kind":"say","len":8}</c>, plain or gzip.</summary>
internal static class ChatFile
{
    /// <summary>Longest message that a room takes (contracts.md, Defaults).</summary>
    private const int TextCharsMax = 8_000;

    /// <summary>Reads a whole file into memory; 500,000 lines take about 20 MB.</summary>
    /// <exception cref="CouldNotRunException">The file is not there, or a line is not as described; the line's number is in the message.</exception>
    public static ChatLog Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var gzip = file.ReadByte() == 0x1f && file.ReadByte() == 0x8b;
            file.Position = 0;
            using Stream lines = gzip ? new GZipStream(file, CompressionMode.Decompress) : file;
            using var reader = new StreamReader(lines);
            return Read(reader, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new CouldNotRunException($"The input {path} cannot be read: {e.Message}");
        }
    }

    /// <summary>Reads lines to the end; empty lines are skipped.</summary>
    /// <param name="reader">The lines.</param>
    /// <param name="name">What errors call the input.</param>
    public static ChatLog Read(TextReader reader, string name)
    {
        var log = new ChatLog();
        for (var number = 1; reader.ReadLine() is { } line; number++)
        {
            if (line.Length == 0) continue;
            try
            {
                AddLine(log, line);
            }
            catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
            {
                throw new CouldNotRunException($"{name}, line {number}: {e.Message}");
            }
        }
        return log;
    }

    private static void AddLine(ChatLog log, string line)
    {
        using var json = JsonDocument.Parse(line);
        var root = json.RootElement;
        var kind = root.GetProperty("kind").GetString() switch
        {
            "join" => ChatKind.Join,
            "part" => ChatKind.Part,
            "quit" => ChatKind.Quit,
            "say" => ChatKind.Say,
            var other => throw new FormatException($"kind is '{other}'; it must be join, part, quit or say."),
        };
        var user = root.GetProperty("user").GetString();
        if (string.IsNullOrEmpty(user)) throw new FormatException("user is empty; give a name.");
        // A quit is of all rooms, whatever the line names.
        var room = kind == ChatKind.Quit ? "" : root.GetProperty("room").GetString();
        if (kind != ChatKind.Quit && string.IsNullOrEmpty(room)) throw new FormatException($"room is empty; a {kind} needs one.");
        var length = kind == ChatKind.Say ? root.GetProperty("len").GetInt32() : 0;
        if (length is < 0 or > TextCharsMax) throw new FormatException($"len is {length}; it must be 0 to {TextCharsMax}.");
        log.Add(root.GetProperty("t").GetInt64(), kind, user, room, length);
    }
}

using System.Text;
using ActorCluster.Demo.Checking;
using ActorCluster.Demo.Histories;
using Microsoft.Data.Sqlite;

namespace ActorCluster.MultiNode.Tests.Demo;

public sealed class JournalReaderTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public JournalReaderTests() => Execute(
        "CREATE TABLE journal(entity TEXT, entity_seq INTEGER, kind TEXT, payload BLOB, client_id BLOB, client_seq INTEGER, at INTEGER)");

    [Fact]
    public void Rows_of_rooms_are_read_with_their_hashes_and_others_are_left_alone()
    {
        Row("room/a", 1, "room.created.v1", "ann", null, 1);
        Row("room/a", 2, "room.message.v1", "ann", "hé", 2);
        Row("room/b", 1, "room.joined.v1", "bob", null, 1);
        Row("presence/x", 1, "other.v1", "bob", null, 1);
        var rooms = JournalReader.Read(_file);

        Assert.Equal(["a", "b"], rooms.Keys.Order());
        Assert.Equal((RowKind.Message, RowHash.Of(RowKind.Message, "ann", "hé")), rooms["a"][2]);
        Assert.Equal((2, 1, 1640995440000), (rooms["a"].Head, rooms["a"].Messages, rooms["a"].AtMs(2)));
        Assert.Equal(new Dictionary<string, long> { ["a"] = 2, ["b"] = 1 }, JournalReader.ReadHeads(_file));
    }

    [Fact]
    public void Holes_and_repeated_commands_are_seen()
    {
        Row("room/a", 1, "room.joined.v1", "ann", null, 1);
        Row("room/a", 4, "room.left.v1", "ann", null, 1);
        var room = JournalReader.Read(_file)["a"];

        Assert.Equal((2, 1), (room.Gaps, room.RepeatedCommands));
    }

    [Fact]
    public void A_kind_that_it_does_not_know_is_refused_by_name()
    {
        Row("room/a", 1, "room.renamed.v1", "ann", null, 1);

        Assert.Contains("room.renamed.v1", Assert.Throws<InvalidDataException>(() => JournalReader.Read(_file)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_file);

    private void Row(string entity, long seq, string kind, string user, string? text, long command) => Execute(
        "INSERT INTO journal VALUES ($entity, $seq, $kind, $payload, $client, $command, 1640995440000)",
        ("$entity", entity), ("$seq", seq), ("$kind", kind), ("$payload", Payload(user, text)), ("$client", new byte[16]), ("$command", command));

    // RoomEvent by hand, so that the bytes on disk are pinned: field 1 user, field 2 text.
    private static byte[] Payload(string user, string? text)
    {
        List<byte> bytes = [0x0A, (byte)Encoding.UTF8.GetByteCount(user), .. Encoding.UTF8.GetBytes(user)];
        if (text is not null) bytes.AddRange([0x12, (byte)Encoding.UTF8.GetByteCount(text), .. Encoding.UTF8.GetBytes(text)]);
        return [.. bytes];
    }

    private void Execute(string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        using var connection = new SqliteConnection($"Data Source={_file};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters) command.Parameters.AddWithValue(name, value);
        command.ExecuteNonQuery();
    }
}

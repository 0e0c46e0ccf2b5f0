using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using ActorCluster.Primitives;

namespace ActorCluster.Persistence;

/// <summary>The first line of a file of acknowledged rows.</summary>
/// <param name="Cluster">Whose rows.</param>
/// <param name="Generation">The store's when they were written.</param>
/// <param name="Node">The node's name.</param>
/// <param name="Owner">Who wrote all of them.</param>
/// <param name="Rows">Lines that follow.</param>
internal sealed record AckedHeader(Guid Cluster, long Generation, string Node, Incarnation Owner, long Rows);

/// <summary>Acknowledged rows as text (protocol 4.6): a header, then a row, each a line of JSON that ends with its own check value, so that half a line, or a changed one, is known for it.</summary>
internal sealed class AckedText
{
    /// <summary>Of a line: a node keeps 64 MiB of acknowledged rows at most, which in base 64 are a third more.</summary>
    public const int LineBytesMax = 128 * 1024 * 1024;

    // Epochs begin at 1, and each recovery raises them by 2^32.
    private const long EpochMax = 1L << 56;

    private const string Format = "actorcluster.acked";

    /// <summary>1 had neither a header nor check values.</summary>
    private const int Version = 2;

    private const int TailBytes = 21; // ,"crc32c":"01234567"}

    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly Utf8JsonWriter _json;

    public AckedText() => _json = new Utf8JsonWriter(_line);

    /// <summary>The line with its line feed; valid until the next one.</summary>
    public ReadOnlySpan<byte> Header(AckedHeader header)
    {
        Begin();
        _json.WriteString("format", Format);
        _json.WriteNumber("version", Version);
        _json.WriteString("cluster", header.Cluster);
        _json.WriteNumber("generation", header.Generation);
        _json.WriteString("node", header.Node);
        _json.WriteNumber("incarnation", header.Owner.Value);
        _json.WriteNumber("rows", header.Rows);
        return End();
    }

    /// <summary>The line with its line feed; valid until the next one.</summary>
    public ReadOnlySpan<byte> Row(ShardBatch batch, int index)
    {
        var row = batch.Rows[index];
        Begin();
        _json.WriteString("entity", row.Entity);
        _json.WriteNumber("entitySeq", row.EntitySeq);
        _json.WriteString("kind", row.Kind);
        _json.WriteString("at", DateTimeOffset.FromUnixTimeMilliseconds(row.AtUnixMs));
        if (row.Command is { } command)
        {
            _json.WriteString("client", command.Client.ToString());
            _json.WriteNumber("clientSeq", command.Sequence);
        }
        _json.WriteNumber("shard", batch.Shard.Value);
        _json.WriteNumber("shardSeq", batch.ExpectedSeq + index);
        _json.WriteNumber("epoch", batch.Epoch.Value);
        _json.WriteString("batch", batch.BatchId);
        _json.WriteBase64String("payload", row.Payload.Span);
        if (row.Result is { } result) _json.WriteBase64String("result", result.Span);
        if (!row.Timers.IsEmpty)
        {
            _json.WriteStartArray("timers");
            foreach (var change in row.Timers) Write(change);
            _json.WriteEndArray();
        }
        return End();
    }

    /// <param name="line">Without its line feed.</param>
    /// <exception cref="FormatException">It is no header of this version.</exception>
    public static AckedHeader ReadHeader(ReadOnlyMemory<byte> line)
    {
        using var text = Parse(line);
        var root = text.RootElement;
        return Read(root, r =>
        {
            if (r.GetProperty("format").GetString() != Format || r.GetProperty("version").GetInt32() != Version) throw new FormatException("another format");
            var header = new AckedHeader(r.GetProperty("cluster").GetGuid(), r.GetProperty("generation").GetInt64(), TextOf(r, "node"), new Incarnation(r.GetProperty("incarnation").GetInt64()), r.GetProperty("rows").GetInt64());
            return header is { Generation: > 0, Rows: >= 0 } ? header : throw new FormatException("a number out of its range");
        });
    }

    /// <param name="line">Without its line feed.</param>
    /// <param name="owner">As the header has it.</param>
    /// <exception cref="FormatException">It is no row.</exception>
    public static LostRow ReadRow(ReadOnlyMemory<byte> line, Incarnation owner)
    {
        using var text = Parse(line);
        return Read(text.RootElement, r =>
        {
            CommandId? command = null;
            if (r.TryGetProperty("client", out var client))
                command = ClientId.TryParse(client.GetString(), out var id) ? new CommandId(id, r.GetProperty("clientSeq").GetInt64()) : throw new FormatException("no client's id");
            var row = new JournalRow(
                TextOf(r, "entity"), r.GetProperty("entitySeq").GetInt64(), command, TextOf(r, "kind"), r.GetProperty("payload").GetBytesFromBase64(),
                r.TryGetProperty("result", out var result) ? (ReadOnlyMemory<byte>?)result.GetBytesFromBase64() : null, r.GetProperty("at").GetDateTimeOffset().ToUnixTimeMilliseconds())
            {
                Timers = r.TryGetProperty("timers", out var timers) ? [.. timers.EnumerateArray().Select(ReadTimer)] : [],
            };
            var slash = row.Entity.IndexOf('/', StringComparison.Ordinal);
            new EntityId(row.Entity[..Math.Max(slash, 0)], row.Entity[(slash + 1)..]).Check();
            if (slash < 1 || row.Kind.Length > 64 || row.EntitySeq < 1 || row.Timers.Length > DurableTimer.PerEntityMax) throw new FormatException("a value out of its range");
            var epoch = r.GetProperty("epoch").GetInt64();
            if (epoch is < 1 or > EpochMax) throw new FormatException("an epoch out of its range");
            return new LostRow(new Epoch(epoch), owner, r.GetProperty("shardSeq").GetInt64(), r.GetProperty("batch").GetGuid(), row);
        });
    }

    private static TimerChange ReadTimer(JsonElement timer)
    {
        var key = TextOf(timer, "key");
        if (key.Length > DurableTimer.KeyCharactersMax) throw new FormatException("a timer's key out of its range");
        if (!timer.TryGetProperty("no", out var no)) return new TimerChange(key, null);
        var payload = timer.GetProperty("payload").GetBytesFromBase64();
        return payload.Length <= DurableTimer.PayloadBytesMax
            ? new TimerChange(key, new DurableTimer(key, no.GetInt64(), timer.GetProperty("due").GetInt64(), TextOf(timer, "message"), payload))
            : throw new FormatException("a timer's payload out of its range");
    }

    /// <summary>A text that a store takes.</summary>
    private static string TextOf(JsonElement parent, string name) =>
        parent.GetProperty(name).GetString() is { Length: > 0 } text && !text.Contains('\0', StringComparison.Ordinal) ? text : throw new FormatException($"no {name}");

    private static JsonDocument Parse(ReadOnlyMemory<byte> line)
    {
        if (line.Length <= TailBytes) throw new FormatException("no check value");
        var (body, tail) = (line[..^TailBytes], line[^TailBytes..]);
        if (!tail.Span.StartsWith(",\"crc32c\":\""u8) || !tail.Span.EndsWith("\"}"u8) || !Utf8Parser.TryParse(tail.Span[11..^2], out uint check, out var digits, 'x') || digits != 8) throw new FormatException("no check value");
        if (check != Crc32C.Of(body.Span)) throw new FormatException("a check value that does not fit");
        try { return JsonDocument.Parse(line); }
        catch (JsonException cause) { throw new FormatException("no JSON", cause); }
    }

    /// <summary>A line whose check value fits and that is another's nevertheless.</summary>
    private static T Read<T>(JsonElement root, Func<JsonElement, T> read)
    {
        try { return read(root); }
        catch (Exception cause) when (cause is KeyNotFoundException or InvalidOperationException or ArgumentException) { throw new FormatException("another content", cause); }
    }

    private void Begin()
    {
        _line.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
    }

    private void Write(TimerChange change)
    {
        _json.WriteStartObject();
        _json.WriteString("key", change.Key);
        if (change.Timer is { } timer)
        {
            _json.WriteNumber("no", timer.No);
            _json.WriteNumber("due", timer.DueUnixMs);
            _json.WriteString("message", timer.Message);
            _json.WriteBase64String("payload", timer.Payload.Span);
        }
        _json.WriteEndObject();
    }

    private ReadOnlySpan<byte> End()
    {
        _json.Flush(); // The object's end is not written: the check value stands before it.
        var check = Crc32C.Of(_line.WrittenSpan);
        _line.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"crc32c\":\"{check:x8}\"}}\n")));
        return _line.WrittenSpan;
    }
}

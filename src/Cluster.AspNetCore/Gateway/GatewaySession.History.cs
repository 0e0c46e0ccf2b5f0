using ActorCluster.ChatRooms;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>Pages of a room's history: from its owner and the store, or from this node's memory, marked.</summary>
internal sealed partial class GatewaySession
{
    private const int RowsPerRead = 100;

    /// <summary>How long a room's owner may take before a page comes from memory, marked as stale.</summary>
    private static readonly TimeSpan HistoryPatience = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _history = new(1);

    private void AskForHistory(ClientFrame.Command command) =>
        Ask(command, new RoomQuestion(user, null), answer => _ = HistoryAsync(() => PageAsync(command, (RoomAnswer)answer)));

    /// <summary>Answers out of this node's memory, or does something else where it does not hold the page.</summary>
    private void Recall(ClientFrame.Command command, Action otherwise)
    {
        Interlocked.Increment(ref _unanswered);
        _ = HistoryAsync(() => Task.FromResult(Remembered(command)), otherwise);
    }

    /// <summary>Answers with a page. The command counts as unanswered until then, or a client could have any number of pages read for it.</summary>
    private async Task HistoryAsync(Func<Task<byte[]?>> read, Action? otherwise = null)
    {
        // One page at a time, and none while the client is behind with its answers: a burst of questions must not fill the memory with pages.
        await _history.WaitAsync().ConfigureAwait(false);
        try
        {
            await UntilRoomyAsync().ConfigureAwait(false);
            if (_closing) return;
            var page = await read().ConfigureAwait(false);
            Interlocked.Decrement(ref _unanswered);
            if (page is not null) Answer(page);
            else otherwise?.Invoke();
        }
        catch (OperationCanceledException)
        {
            // The connection has ended; the client asks again on the next.
        }
        finally
        {
            _history.Release();
        }
    }

    private async Task<byte[]?> PageAsync(ClientFrame.Command command, RoomAnswer room)
    {
        if (room.JoinedSeq == 0) return ServerFrames.Error(command.Id, "NotInRoom", Explain(RoomRefusal.NotInRoom, command.Room!), retry: false);
        try
        {
            var items = new List<RoomItem>();
            var bytes = 0;
            // In parts, since messages may be long: no more is read than one part beyond what the frame takes.
            for (var part = RowsPerRead; part == RowsPerRead && items.Count < command.Limit && bytes <= FrameBytesSoft;)
            {
                var after = items.Count > 0 ? items[^1].Seq : command.After;
                if (await life.Rooms!.PageAsync(command.Room!, after, (int)Math.Min(RowsPerRead, command.Limit - items.Count), room.Head).ConfigureAwait(false) is not { } rows)
                    return Remembered(command) ?? ServerFrames.Error(command.Id, "StoreUnavailable", "The store is out of reach; ask again.", retry: true);
                part = rows.Count;
                items.AddRange(rows);
                bytes += rows.Sum(row => ServerFrames.Item(row).Length);
            }
            return HistoryPage(command, items, room.Head);
        }
        catch (InvalidDataException unreadable)
        {
            return ServerFrames.Error(command.Id, "Unavailable", unreadable.Message, retry: true); // Another node may be newer.
        }
    }

    /// <summary>A page out of this node's memory of a room that the session follows, marked: reads go on while the store is away (protocol 4). Null where that memory begins later than the page.</summary>
    private byte[]? Remembered(ClientFrame.Command command)
    {
        RoomRelay? relay;
        lock (_lock) relay = _rooms.TryGetValue(command.Room!, out var cursor) && !cursor.HasEnded && !cursor.HasLeft ? cursor.Relay : null;
        var items = new List<RoomItem>();
        return relay is not null && relay.TryRead(command.After, items, (int)command.Limit, out var last) && last is { } head ? HistoryPage(command, items, head, isStale: true) : null;
    }

    private static byte[] HistoryPage(ClientFrame.Command command, IReadOnlyList<RoomItem> items, long head, bool isStale = false) =>
        ServerFrames.Ok(command.Id, w =>
        {
            if (isStale) w.WriteBoolean("stale", true);
            w.WriteStartArray("items");
            var bytes = 0;
            foreach (var item in items)
            {
                var json = ServerFrames.Item(item);
                if (bytes > 0 && bytes + json.Length > FrameBytesSoft) break;
                bytes += json.Length;
                w.WriteRawValue(json, skipInputValidation: true);
            }
            w.WriteEndArray();
            if (items.Count > 0 && items[0].Seq > command.After + 1) w.WriteNumber("begins", items[0].Seq); // What was before it is not kept.
            w.WriteNumber("head", Math.Max(head, items.Count > 0 ? items[^1].Seq : 0));
        });
}

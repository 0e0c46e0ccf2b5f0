using System.Net.WebSockets;
using ActorCluster.ChatRooms;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>What is sent: answers first, then rooms, each from its cursor.</summary>
internal sealed partial class GatewaySession : IRoomFollower
{
    private const int ItemsPerFrame = 256;
    private const int FrameBytesSoft = 256 * 1024;

    private readonly List<RoomItem> _items = new(64);

    void IRoomFollower.RoomChanged(RoomRelay room)
    {
        RoomCursor? cursor;
        lock (_lock) _rooms.TryGetValue(room.Name, out cursor);
        if (cursor is not null) MarkDirty(cursor);
    }

    void IThreadPoolWorkItem.Execute() => _ = PumpAsync();

    /// <summary>Queues a frame. A client that does not read is closed by the tick; until then the queue is bounded by what it may have unanswered.</summary>
    private void Answer(byte[] frame)
    {
        lock (_lock)
        {
            if (_closing) return;
            _answers.Enqueue(frame);
            _answerBytes += frame.Length;
        }
        Wake();
    }

    /// <summary>Queues the last frame: nothing is read or sent after it.</summary>
    private void Finish(byte[] last)
    {
        lock (_lock)
        {
            if (_closing) return;
            _answers.Enqueue(last);
            _answerBytes += last.Length;
            _closing = true;
        }
        Wake();
    }

    private void Follow(string room, long after)
    {
        var cursor = new RoomCursor(room, after);
        lock (_lock)
        {
            if (_closing || !_rooms.TryAdd(room, cursor)) return; // Streamed already: it goes on where it is.
        }
        cursor.Relay = life.Rooms!.Follow(room, this);
        MarkDirty(cursor);
    }

    private void Unfollow(RoomCursor cursor)
    {
        lock (_lock)
        {
            cursor.HasEnded = true;
            if (_rooms.TryGetValue(cursor.Room, out var current) && current == cursor) _rooms.Remove(cursor.Room);
        }
        cursor.Relay?.Remove(this);
    }

    private void MarkDirty(RoomCursor cursor)
    {
        lock (_lock)
        {
            if (cursor.IsDirty || cursor.HasEnded) return;
            cursor.IsDirty = true;
            _dirty.Enqueue(cursor);
        }
        Wake();
    }

    private void Wake()
    {
        // 0 idle, 1 running, 2 running and to look again.
        if (Interlocked.CompareExchange(ref _pump, 2, 1) == 1) return;
        if (Interlocked.CompareExchange(ref _pump, 1, 0) == 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private async Task PumpAsync()
    {
        try
        {
            while (true)
            {
                while (await SendNextAsync().ConfigureAwait(false))
                {
                    // Until nothing is left.
                }
                if (_closing)
                {
                    if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, _closed.Token).ConfigureAwait(false);
                    _drained.TrySetResult();
                    return;
                }
                if (Interlocked.CompareExchange(ref _pump, 0, 1) == 1) return;
                Interlocked.Exchange(ref _pump, 1);
            }
        }
        catch (Exception cause) when (cause is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException or InvalidOperationException)
        {
            log.ConnectionBroke(user, cause.Message);
            socket.Abort(); // Ends the reading loop, which cleans up.
            _drained.TrySetResult();
        }
    }

    private async ValueTask<bool> SendNextAsync()
    {
        byte[]? answer;
        RoomCursor? cursor = null;
        lock (_lock)
        {
            if (_answers.TryDequeue(out answer)) _answerBytes -= answer.Length;
            else if (!_closing && _dirty.TryDequeue(out cursor)) cursor.IsDirty = false;
        }
        if (answer is not null)
        {
            await SendAsync(answer).ConfigureAwait(false);
            return true;
        }
        if (cursor is null) return false;
        if (await FillFrameAsync(cursor).ConfigureAwait(false)) await SendAsync(_frame.WrittenMemory).ConfigureAwait(false);
        EndReachedLeaves(cursor);
        return true;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> frame)
    {
        lock (_lock) _sendingSince = MonotonicClock.Now;
        await socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, _closed.Token).ConfigureAwait(false);
        lock (_lock) _sendingSince = TimeSpan.MaxValue;
    }

    /// <summary>Writes what follows the cursor into the frame; false when there is nothing to send.</summary>
    private async ValueTask<bool> FillFrameAsync(RoomCursor cursor)
    {
        if (cursor.HasEnded || cursor.IsAtOwnLeave || cursor.Relay is not { } relay || relay.State is not { IsLive: true } state) return false;
        _items.Clear();
        if (!relay.TryRead(cursor.After, _items, ItemsPerFrame))
        {
            // Further behind than this node remembers: the journal has it.
            if (await relay.ReadAsync(cursor.After, ItemsPerFrame).ConfigureAwait(false) is not { } rows)
            {
                _ = AgainLaterAsync(cursor);
                return false;
            }
            foreach (var row in rows) if (row.Seq <= state.Last) _items.Add(row);
        }
        long end;
        lock (_lock) end = cursor.Leaves.Count > 0 ? cursor.Leaves.Min(l => l.Seq) : long.MaxValue;
        return Write(cursor, state.Members, end);
    }

    private bool Write(RoomCursor cursor, int members, long end)
    {
        _frame.ResetWrittenCount();
        var wrote = false;
        var digests = members > GatewayLimits.DigestAbove;
        var now = MonotonicClock.Now;
        for (var i = 0; i < _items.Count && _items[i].Seq <= end && _frame.WrittenCount < FrameBytesSoft;)
        {
            var run = i;
            while (digests && run < _items.Count && _items[run].Seq <= end && _items[run].Event is RoomEvent.Joined or RoomEvent.Left && !IsOwnLeave(_items[run])) run++;
            if (run > i)
            {
                // A run that may still grow waits a second, so that a burst becomes one digest; a message after it ends it at once.
                if (run == _items.Count && _items.Count < ItemsPerFrame && end == long.MaxValue && now - (cursor.HeldSince ??= now) < GatewayLimits.DigestEvery) break;
                Put(cursor, DigestOf(i, run, members), ref wrote);
                cursor.After = _items[run - 1].Seq;
                cursor.HeldSince = null;
                i = run;
                continue;
            }
            var item = _items[i++];
            Put(cursor, ServerFrames.Item(item), ref wrote);
            cursor.After = item.Seq;
            if (!IsOwnLeave(item)) continue;
            EndAtOwnLeave(cursor);
            break;
        }
        if (!wrote) return false;
        Put("]}"u8);
        if (_items.Count == ItemsPerFrame || _frame.WrittenCount >= FrameBytesSoft) MarkDirty(cursor);
        return true;
    }

    private byte[] DigestOf(int from, int to, int members)
    {
        int joined = 0, left = 0;
        for (var i = from; i < to; i++)
        {
            if (_items[i].Event is RoomEvent.Joined) joined++;
            else left++;
        }
        return ServerFrames.Digest(_items[from].Seq, _items[to - 1].Seq, joined, left, members, _items[to - 1].AtUnixMs);
    }

    private void Put(RoomCursor cursor, byte[] item, ref bool wrote)
    {
        if (wrote) Put(","u8);
        else Put(cursor.Prefix);
        Put(item);
        wrote = true;
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_frame.GetSpan(bytes.Length));
        _frame.Advance(bytes.Length);
    }

    private bool IsOwnLeave(RoomItem item) => item.Event is RoomEvent.Left left && left.User == user;

    /// <summary>A stay ends with the user's own leave, also if another one has begun since: its join starts a stream of its own. Where this connection
    /// did not ask for the leave, the client is told.</summary>
    private void EndAtOwnLeave(RoomCursor cursor)
    {
        lock (_lock) cursor.IsAtOwnLeave = cursor.Leaves.Count > 0 || _leaving.ContainsKey(cursor.Room);
        if (cursor.IsAtOwnLeave) return;
        Unfollow(cursor);
        Answer(ServerFrames.Left(cursor.Room, "NotInRoom", $"You left room {cursor.Room} on another connection."));
    }

    /// <summary>The ok of a leave is the end of the stream: it is sent when the stream has reached the leave.</summary>
    private void EndReachedLeaves(RoomCursor cursor)
    {
        List<byte[]>? reached = null;
        lock (_lock)
        {
            for (var i = cursor.Leaves.Count - 1; i >= 0; i--)
            {
                var (seq, ok, since) = cursor.Leaves[i];
                // Should the stream be cut off, the leave is still done: its answer waits no longer than this.
                if (cursor.After < seq && !cursor.IsAtOwnLeave && MonotonicClock.Now - since < TimeSpan.FromSeconds(4)) continue;
                (reached ??= []).Add(ok);
                cursor.Leaves.RemoveAt(i);
            }
        }
        if (reached is null) return;
        Unfollow(cursor);
        foreach (var ok in reached) Answer(ok);
        JoinAgain(cursor.Room);
    }

    private async Task AgainLaterAsync(RoomCursor cursor)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(200)).ConfigureAwait(false);
        MarkDirty(cursor);
    }
}

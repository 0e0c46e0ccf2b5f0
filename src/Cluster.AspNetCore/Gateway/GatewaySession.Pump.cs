using System.Buffers;
using System.Net.WebSockets;
using ActorCluster.ChatRooms;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>What is sent: answers first, then rooms, each from its cursor.</summary>
internal sealed partial class GatewaySession
{
    private const int ItemsPerFrame = 256;
    private const int FrameBytesSoft = 256 * 1024;
    private const int FrameBytesUsual = 1024;
    private const int SharedFrameBytes = 16 * 1024; // A room keeps its last one.
    private static readonly TimeSpan LeaveShownWithin = TimeSpan.FromSeconds(4);

    private readonly List<RoomItem> _items = [];
    private byte[] _block = []; // The frame that is being written or sent; the pump's.
    private int _written;

    private enum Sent
    {
        Something,
        Nothing,

        /// <summary>Everything, and the session is to close.</summary>
        Last,
    }

    /// <summary>A room has news. Sends it on this thread, if no other one is sending: it works off such turns.</summary>
    public void LookAt(RoomCursor cursor, RoomRelay room)
    {
        if (cursor.IsDirty) return; // The pump has not begun to look.
        if (Interlocked.CompareExchange(ref _pump, 1, 0) == 0)
        {
            SendShared(cursor, room);
            return;
        }
        lock (_lock)
        {
            if (cursor.IsDirty || cursor.HasEnded) return;
            cursor.IsDirty = true;
            _dirty.Enqueue(cursor);
        }
        if (MustStartPump()) _ = PumpAsync(ValueTask.CompletedTask);
    }

    /// <summary>The pump's way for the many: the frame that another session made of the same items, as long as there is one, without this session's lock.</summary>
    private void SendShared(RoomCursor cursor, RoomRelay room)
    {
        try
        {
            while (cursor.IsPlain && room.Frame is { } frame && frame.After == cursor.After && !_closing && Volatile.Read(ref _pump) == 1) // 2: an answer goes first.
            {
                cursor.After = frame.Last;
                var sending = SendAsync(frame.Bytes);
                if (!sending.IsCompletedSuccessfully)
                {
                    _ = PumpAsync(sending, cursor);
                    return;
                }
                sending.GetAwaiter().GetResult(); // Nothing is waited for; what may be pooled behind it goes back.
            }
        }
        catch (Exception cause)
        {
            _ = PumpAsync(ValueTask.FromException(cause));
            return;
        }
        if (cursor.IsPlain && cursor.After >= room.Newest && Interlocked.CompareExchange(ref _pump, 0, 1) == 1) return;
        lock (_lock)
        {
            if (!cursor.HasEnded && !cursor.IsDirty)
            {
                cursor.IsDirty = true;
                _dirty.Enqueue(cursor);
            }
        }
        _ = PumpAsync(ValueTask.CompletedTask);
    }

    void IThreadPoolWorkItem.Execute() => _ = PumpAsync(ValueTask.CompletedTask);

    /// <summary>Queues a frame. While more than <see cref="GatewayLimits.UnsentBytes"/> wait, nothing more is read from the client.</summary>
    private void Answer(byte[] frame)
    {
        lock (_lock)
        {
            if (_closing) return;
            Queue(frame);
        }
        Wake();
    }

    /// <summary>Queues the last frame, <paramref name="atOnce"/> in place of all that wait: nothing is read or sent after it.</summary>
    private void Finish(byte[] last, bool atOnce = false)
    {
        lock (_lock)
        {
            if (_closing) return;
            if (atOnce)
            {
                _answers.Clear();
                _answerBytes = 0;
            }
            Queue(last);
            _closing = true;
        }
        Wake();
    }

    private void Queue(byte[] frame)
    {
        _answers.Enqueue(frame);
        _answerBytes += frame.Length;
        if (_answerBytes > GatewayLimits.UnsentBytes && _fullSince == TimeSpan.MaxValue) _fullSince = MonotonicClock.Now;
    }

    /// <summary>Waits while the client takes its answers more slowly than it asks.</summary>
    private Task UntilRoomyAsync()
    {
        lock (_lock)
        {
            if (_closing || _answerBytes <= GatewayLimits.UnsentBytes) return Task.CompletedTask;
            _roomy ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _roomy.Task.WaitAsync(_closed.Token);
        }
    }

    /// <param name="room">Name of the room.</param>
    /// <param name="after">What the client has.</param>
    /// <param name="isResumption">Only if the room of the hello is still to be resumed. 1. The room answers that the user is a member. 2. The client's leave and join are
    /// executed. 3. Following from where the hello stood, now, would show that leave as the end, and nothing after the join.</param>
    private void Follow(string room, long after, bool isResumption = false)
    {
        RoomCursor? cursor = null;
        lock (_lock)
        {
            if (isResumption && !_resuming.Remove(room)) return;
            if (_closing || _rooms.ContainsKey(room)) return; // Streamed already: it goes on where it is.
            if (_rooms.Count < GatewayLimits.RoomsPerSession) _rooms.Add(room, cursor = new RoomCursor(this, room, after));
        }
        if (cursor is null)
        {
            Answer(ServerFrames.Left(room, "TooManyRooms", $"One connection follows at most {GatewayLimits.RoomsPerSession} rooms; leave one, or open another connection."));
            return;
        }
        var relay = life.Rooms!.Follow(room, cursor);
        bool ended;
        lock (_lock)
        {
            cursor.Relay = relay;
            ended = cursor.HasEnded;
        }
        // 1. The cursor is in the table, its relay not yet known. 2. The session ends and finds no relay to take itself off.
        // 3. Here it is known: whoever comes last takes the session off, or the relay would call it for ever.
        if (ended) relay.Remove(cursor);
        else MarkDirty(cursor);
    }

    private void Unfollow(RoomCursor cursor)
    {
        RoomRelay? relay;
        lock (_lock) relay = End(cursor);
        relay?.Remove(cursor);
    }

    /// <summary>Ends a stream, under the lock; returns the relay to be taken off, outside of it.</summary>
    private RoomRelay? End(RoomCursor cursor)
    {
        if (cursor.HasEnded) return null;
        cursor.HasEnded = true;
        _rooms.Remove(cursor.Room);
        return cursor.Relay;
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
        if (MustStartPump()) TurnQueue.Add(this);
    }

    /// <summary>True when the caller is to start the pump; else it looks again by itself.</summary>
    private bool MustStartPump()
    {
        // 0 idle, 1 running, 2 running and to look again.
        while (true)
        {
            switch (Interlocked.CompareExchange(ref _pump, 1, 0))
            {
                case 0:
                    return true;
                case 2:
                    return false;
                default:
                    if (Interlocked.CompareExchange(ref _pump, 2, 1) == 1) return false;
                    break; // It has just ended, or was told by another.
            }
        }
    }

    /// <param name="before">What is being sent already.</param>
    /// <param name="of">The room that it is of.</param>
    private async Task PumpAsync(ValueTask before, RoomCursor? of = null)
    {
        try
        {
            await before.ConfigureAwait(false);
            if (of is not null) of.SentAt = MonotonicClock.Now;
            while (true)
            {
                switch (await SendNextAsync().ConfigureAwait(false))
                {
                    case Sent.Last:
                        if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, _closed.Token).ConfigureAwait(false);
                        _drained.TrySetResult();
                        _closed.CancelAfter(2 * Farewell); // A client that never closes its side is not waited for.
                        return;
                    case Sent.Nothing:
                        if (Interlocked.CompareExchange(ref _pump, 0, 1) == 1) return;
                        Interlocked.Exchange(ref _pump, 1);
                        break;
                }
            }
        }
        catch (Exception cause)
        {
            if (cause is WebSocketException or OperationCanceledException or ObjectDisposedException or IOException or InvalidOperationException) log.ConnectionBroke(user, cause.Message);
            else log.SessionFailed(cause, user);
            lock (_lock)
            {
                _closing = true;
                _answers.Clear();
            }
            socket.Abort(); // Ends the reading loop, which cleans up.
            _drained.TrySetResult();
            await _closed.CancelAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask<Sent> SendNextAsync()
    {
        byte[]? answer;
        RoomCursor? cursor = null;
        TaskCompletionSource? roomy = null;
        lock (_lock)
        {
            if (_answers.TryDequeue(out answer))
            {
                _answerBytes -= answer.Length;
                if (_answerBytes <= GatewayLimits.UnsentBytes / 2)
                {
                    _fullSince = TimeSpan.MaxValue;
                    (roomy, _roomy) = (_roomy, null);
                }
            }
            else if (_closing)
            {
                return Sent.Last; // Seen in the same moment as the empty queue: a last frame queued between two looks would be lost.
            }
            else if (_dirty.TryDequeue(out cursor))
            {
                cursor.IsDirty = false;
            }
        }
        roomy?.TrySetResult();
        if (answer is not null)
        {
            await SendAsync(answer).ConfigureAwait(false);
            return Sent.Something;
        }
        if (cursor is null) return Sent.Nothing;
        if (await FillFrameAsync(cursor).ConfigureAwait(false))
        {
            try
            {
                await SendAsync(_block.AsMemory(0, _written)).ConfigureAwait(false);
            }
            finally
            {
                // Kept by the pool and not by the session: most sessions are silent most of the time.
                ArrayPool<byte>.Shared.Return(_block);
                (_block, _written) = ([], 0);
            }
            cursor.SentAt = MonotonicClock.Now;
        }
        TakeTurns(cursor);
        return Sent.Something;
    }

    private ValueTask SendAsync(ReadOnlyMemory<byte> frame)
    {
        var sending = socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, _closed.Token);
        return sending.IsCompleted ? sending : UntilSentAsync(sending); // Usually at once, and then no clock is read.
    }

    private async ValueTask UntilSentAsync(ValueTask sending)
    {
        Volatile.Write(ref _sendingSince, MonotonicClock.Now.Ticks);
        await sending.ConfigureAwait(false);
        Volatile.Write(ref _sendingSince, long.MaxValue);
    }

    /// <summary>Writes what follows the cursor into the frame; false when there is nothing to send.</summary>
    private async ValueTask<bool> FillFrameAsync(RoomCursor cursor)
    {
        RoomRelay? relay;
        lock (_lock) relay = cursor.HasEnded || cursor.HasLeft ? null : cursor.Relay;
        if (relay is null) return false;
        _items.Clear();
        if (!relay.TryRead(cursor.After, _items, ItemsPerFrame, out var last))
        {
            if (last is null) return false; // It is told when the stream begins.
            // Further behind than this node remembers: the journal has it.
            IReadOnlyList<RoomItem>? rows = null;
            try { rows = await relay.ReadAsync(cursor.After, ItemsPerFrame).ConfigureAwait(false); }
            catch (InvalidDataException) { } // It was told; the stream goes on where the client finds a newer node.
            if (rows is null)
            {
                _ = AgainLaterAsync(cursor);
                return false;
            }
            foreach (var row in rows) if (row.Seq <= last) _items.Add(row);
        }
        long end;
        lock (_lock) end = cursor.Turns.TryPeek(out var turn) ? turn.Seq : long.MaxValue;
        var after = cursor.After;
        if (!Write(cursor, end)) return false;
        // Messages read the same for all; of joins and leaves some sessions make a digest, and for one of them a leave is the end.
        if (_written <= SharedFrameBytes && relay.HasSeveral && cursor.After == _items[^1].Seq && _items.TrueForAll(i => i.Event is RoomEvent.Said))
            relay.Frame = new RoomFrame(after, cursor.After, _block.AsMemory(0, _written).ToArray());
        return true;
    }

    private bool Write(RoomCursor cursor, long end)
    {
        var wrote = false;
        var now = MonotonicClock.Now;
        for (var i = 0; i < _items.Count && _items[i].Seq <= end && _written < FrameBytesSoft;)
        {
            var run = i;
            while (run < _items.Count && _items[run].Seq <= end && MayDigest(_items[run])) run++;
            if (run > i)
            {
                // A run that may still grow waits a second, so that a burst becomes one digest; a message after it ends it at once.
                if (run == _items.Count && _items.Count < ItemsPerFrame && end == long.MaxValue && now - (cursor.HeldSince ??= now) < GatewayLimits.DigestEvery) break;
                Put(cursor, DigestOf(i, run), ref wrote);
                cursor.After = _items[run - 1].Seq;
                cursor.HeldSince = null;
                i = run;
                continue;
            }
            var item = _items[i++];
            Put(cursor, ServerFrames.Item(item), ref wrote);
            cursor.After = item.Seq;
            cursor.HeldSince = null;
            if (!IsOwnLeave(item)) continue;
            OwnLeaveShown(cursor);
            break;
        }
        if (!wrote) return false;
        Put("]}"u8);
        if (_items.Count == ItemsPerFrame || _written >= FrameBytesSoft) MarkDirty(cursor);
        return true;
    }

    /// <summary>Rows from the journal alone tell no member count, so whoever is far behind gets each join and leave.</summary>
    private bool MayDigest(RoomItem item) =>
        item.MembersAfter > GatewayLimits.DigestAbove && item.Event is RoomEvent.Joined or RoomEvent.Left && !IsOwnLeave(item);

    private byte[] DigestOf(int from, int to)
    {
        int joined = 0, left = 0;
        for (var i = from; i < to; i++)
        {
            if (_items[i].Event is RoomEvent.Joined) joined++;
            else left++;
        }
        return ServerFrames.Digest(_items[from].Seq, _items[to - 1].Seq, joined, left, _items[to - 1].MembersAfter ?? 0, _items[to - 1].AtUnixMs);
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
        if (bytes.Length > _block.Length - _written) Enlarge(bytes.Length);
        bytes.CopyTo(_block.AsSpan(_written));
        _written += bytes.Length;
    }

    private void Enlarge(int bytes)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(FrameBytesUsual, 2 * (_written + bytes)));
        _block.AsSpan(0, _written).CopyTo(larger);
        if (_block.Length > 0) ArrayPool<byte>.Shared.Return(_block);
        _block = larger;
    }

    private bool IsOwnLeave(RoomItem item) => item.Event is RoomEvent.Left left && left.User == user;

    /// <summary>The stream shows the user's own leave, and nothing behind it. Where this connection did not ask for it, the client is told.</summary>
    private void OwnLeaveShown(RoomCursor cursor)
    {
        lock (_lock)
        {
            cursor.HasLeft = true;
            if (cursor.Turns.Count > 0 || LeavesUnderWay(cursor.Room) > 0) return; // The answer of the leave is the end.
        }
        LeftElsewhere(cursor);
    }

    private void LeftElsewhere(RoomCursor cursor)
    {
        Unfollow(cursor);
        Answer(ServerFrames.Left(cursor.Room, "NotInRoom", $"You left room {cursor.Room} on another connection."));
    }

    /// <summary>The ok of a leave is the end of the stream: it is sent when the stream has reached the leave. A join behind it begins the stream again.</summary>
    private void TakeTurns(RoomCursor cursor)
    {
        var again = false;
        RoomRelay? ended = null;
        lock (_lock)
        {
            if (cursor.HasEnded || cursor.Turns.Count == 0) return;
            while (cursor.Turns.TryPeek(out var turn))
            {
                // A slow client gets all of it, however long that takes. A stream that stands still is cut off: the leave is done, and its answer says so.
                var isCut = !turn.IsJoin && !cursor.HasLeft && cursor.After < turn.Seq;
                if (isCut && MonotonicClock.Now - (turn.Since > cursor.SentAt ? turn.Since : cursor.SentAt) < LeaveShownWithin) break;
                cursor.Turns.Dequeue();
                Answer(isCut ? ServerFrames.Cut(turn.Ok) : turn.Ok);
                cursor.HasLeft = !turn.IsJoin;
                if (turn.IsJoin) (cursor.After, cursor.HeldSince, again) = (turn.Seq, null, true);
            }
            // In one moment with the last turn: a join or leave that is answered next must find the room gone, or it would take its turn in a stream that ends.
            if (cursor.HasLeft) ended = End(cursor);
        }
        ended?.Remove(cursor);
        if (again) MarkDirty(cursor);
    }

    private async Task AgainLaterAsync(RoomCursor cursor)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(200)).ConfigureAwait(false);
        MarkDirty(cursor);
    }
}

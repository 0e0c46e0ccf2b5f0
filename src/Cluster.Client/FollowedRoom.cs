namespace ActorCluster.Client;

/// <summary>
/// The stream of one room: what was delivered, what is held behind a gap. Says which items come next; asks nobody.
/// </summary>
internal sealed class FollowedRoom(string name, int heldMax)
{
    private readonly PriorityQueue<RoomItem, long> _held = new();

    public string Name { get; } = name;

    /// <summary>The last sequence delivered, or that of the join.</summary>
    public long Cursor { get; private set; }

    /// <summary>The newest sequence seen, delivered or not.</summary>
    public long Head { get; private set; }

    /// <summary>False between the join's sending and its answer: the cursor is not known yet.</summary>
    public bool Following { get; private set; }

    /// <summary>The question that fills the gap, while it is on its way.</summary>
    public PendingCommand? Fill { get; set; }

    /// <summary>The question was refused for the moment; a timer asks again.</summary>
    public bool FillWaiting { get; set; }

    public int FillRefusals { get; set; }

    public bool HasGap => Following && Head > Cursor;

    /// <summary>The user is a member since <paramref name="seq"/>, or since earlier if the stream has gone further.</summary>
    public void Follow(long seq)
    {
        Following = true;
        Cursor = Math.Max(Cursor, seq);
    }

    /// <summary>The user has left; the cursor stays for a join that is on its way already.</summary>
    public void Suspend() => Following = false;

    /// <summary>The connection ended. What lies behind a gap comes again after the cursor.</summary>
    public void Interrupt()
    {
        _held.Clear();
        Head = Cursor;
        Fill = null;
        FillWaiting = false;
        FillRefusals = 0;
    }

    /// <summary>Takes items of the stream; returns those to deliver now, empty if there are none.</summary>
    public IReadOnlyList<RoomItem> Take(IReadOnlyList<RoomItem> items)
    {
        if (items.Count == 0) return [];
        Head = Math.Max(Head, items[^1].Seq);
        if (!Following) return [];
        if (_held.Count == 0 && ContinuesTheStream(items))
        {
            Cursor = items[^1].Seq;
            return items; // As a rule: nothing is copied.
        }
        var ready = new List<RoomItem>();
        foreach (var item in items)
            if (!TryAppend(item, ready) && item.Seq > Cursor && _held.Count < heldMax) _held.Enqueue(item, item.Seq);
        Release(ready);
        return ready;
    }

    /// <summary>
    /// Takes the answer of a question for what follows the cursor. What it leaves out the server has not kept, if it knows the whole
    /// room: <paramref name="head"/> is then not below what was seen. Returns null if it does not; it must be asked again.
    /// </summary>
    public IReadOnlyList<RoomItem>? TakeHistory(IReadOnlyList<RoomItem> items, long head)
    {
        var ready = new List<RoomItem>();
        foreach (var item in items)
        {
            if (TryAppend(item, ready) || item.Seq <= Cursor) continue;
            if (head < Head) return null;
            Cursor = item.Seq;
            ready.Add(item);
        }
        if (items.Count == 0 && HasGap)
        {
            if (head < Head) return null;
            Cursor = _held.TryPeek(out var first, out _) ? Math.Max(Cursor, first.From - 1) : Head;
        }
        Release(ready);
        return ready;
    }

    private bool ContinuesTheStream(IReadOnlyList<RoomItem> items)
    {
        var last = Cursor;
        foreach (var item in items)
        {
            if (item.From != last + 1) return false;
            last = item.Seq;
        }
        return true;
    }

    private bool TryAppend(RoomItem item, List<RoomItem> ready)
    {
        if (item.Seq <= Cursor || item.From > Cursor + 1) return false;
        ready.Add(item with { From = Cursor + 1 }); // A digest may begin before the cursor.
        Cursor = item.Seq;
        return true;
    }

    private void Release(List<RoomItem> ready)
    {
        while (_held.TryPeek(out var item, out _) && item.From <= Cursor + 1)
        {
            _held.Dequeue();
            TryAppend(item, ready);
        }
    }
}

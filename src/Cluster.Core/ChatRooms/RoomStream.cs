using ActorCluster.Primitives;

namespace ActorCluster.ChatRooms;

/// <summary>What a stream wants done.</summary>
internal enum RoomStreamWish
{
    Nothing,

    /// <summary>Ask the room's owner again in a moment: the one that answered has been replaced.</summary>
    SubscribeLater,

    /// <summary>Read the journal after <see cref="RoomStream.Last"/>.</summary>
    Fill,
}

/// <summary>A room's committed items as one node has them: a window of the newest, gapless, that sessions read by their own cursors.</summary>
/// <remarks>Not thread-safe. Whatever arrives twice is dropped, whatever is missing is read from the journal; an owner of an earlier epoch is not believed
/// (protocol 5.4, 7.5).</remarks>
internal sealed class RoomStream
{
    private const int WindowMax = 1024;

    private readonly List<RoomItem> _window = [];
    private Epoch _epoch;
    private long _head;
    private bool _known;

    /// <summary>Sequence of the newest item, or of where the stream began.</summary>
    public long Last { get; private set; }

    /// <summary>Sequence before the oldest item of the window; who is further behind reads the journal.</summary>
    public long Before => Last - _window.Count;

    /// <summary>Members of the room after the item <see cref="Last"/>.</summary>
    public int Members { get; private set; }

    /// <summary>The owner has answered at least once.</summary>
    public bool IsLive => _known;

    /// <summary>The owner's answer to a subscription.</summary>
    public RoomStreamWish Subscribed(Epoch epoch, long head, int members)
    {
        if (epoch < _epoch) return RoomStreamWish.SubscribeLater;
        _epoch = epoch;
        if (!_known)
        {
            (_known, Last, Members) = (true, head, members);
            return RoomStreamWish.Nothing;
        }
        _head = Math.Max(_head, head);
        return _head > Last ? RoomStreamWish.Fill : RoomStreamWish.Nothing;
    }

    /// <summary>A push of the owner.</summary>
    public RoomStreamWish Pushed(Epoch epoch, RoomNews news)
    {
        if (epoch < _epoch) return RoomStreamWish.Nothing;
        if (epoch > _epoch) _epoch = epoch;
        if (!_known) return RoomStreamWish.Nothing; // The answer to the subscription tells where to begin.
        _head = Math.Max(_head, news.Items[^1].Seq);
        if (news.Items[0].Seq > Last + 1) return RoomStreamWish.Fill;
        Append(news.Items);
        return RoomStreamWish.Nothing;
    }

    /// <summary>Rows of the journal from <see cref="Last"/> + 1 on.</summary>
    public RoomStreamWish Filled(IReadOnlyList<RoomItem> items)
    {
        Append(items);
        return _head > Last ? RoomStreamWish.Fill : RoomStreamWish.Nothing;
    }

    /// <summary>Copies items after a cursor; false when the window begins later than that.</summary>
    public bool TryRead(long after, List<RoomItem> into, int max)
    {
        if (!_known || after < Before) return false;
        if (after >= Last) return true; // Whatever a client claims to have seen, there is nothing behind it.
        for (var i = (int)(after - Before); i < _window.Count && max-- > 0; i++) into.Add(_window[i]);
        return true;
    }

    /// <summary>A page as of a head that the owner named; false when some of it must be read from the journal.</summary>
    public bool TryPage(long after, List<RoomItem> into, int max, long head) => TryRead(after, into, max) && (into.Count == max || Last >= head);

    /// <summary>Rows that were read from the journal, in order and without a gap: what joins the window's beginning stays, so that it is there while the store is away.</summary>
    public void Preceded(IReadOnlyList<RoomItem> items)
    {
        var room = WindowMax - (WindowMax / 8) - _window.Count; // As after a cut: what comes next must not cut it off again at once.
        if (!_known || room <= 0 || items.Count == 0 || items[0].Seq > Before || items[^1].Seq < Before) return;
        var end = (int)(Before - items[0].Seq) + 1;
        var earlier = items.Skip(end - Math.Min(end, room)).Take(Math.Min(end, room)).ToList();
        var members = Members - _window.Sum(MembersBy);
        for (var i = earlier.Count - 1; i >= 0; i--)
        {
            earlier[i].MembersAfter = members;
            members -= MembersBy(earlier[i]);
        }
        _window.InsertRange(0, earlier);
    }

    private static int MembersBy(RoomItem item) => item.Event switch
    {
        RoomEvent.Created or RoomEvent.Joined => 1,
        RoomEvent.Left => -1,
        _ => 0,
    };

    private void Append(IReadOnlyList<RoomItem> items)
    {
        foreach (var item in items)
        {
            if (item.Seq != Last + 1) continue; // Had before, or out of an older answer.
            // Counted here, where no item is missing: a push may come with a count that later joins are in already.
            Members += MembersBy(item);
            item.MembersAfter = Members;
            _window.Add(item);
            Last = item.Seq;
        }
        if (_window.Count > WindowMax) _window.RemoveRange(0, _window.Count - WindowMax + (WindowMax / 8));
    }
}

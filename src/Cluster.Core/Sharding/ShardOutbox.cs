using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>How a message on its way to an entity ended without an answer.</summary>
internal enum Undelivered
{
    /// <summary>No room to hold it; it took no effect.</summary>
    Busy,

    /// <summary>Held too long, never sent or refused for certain; it took no effect.</summary>
    Expired,

    /// <summary>It was sent and its owner or link is gone: it may have taken effect.</summary>
    Unknown,
}

/// <summary>A message that an outbox carries, with what the outbox notes on it.</summary>
internal abstract class Outgoing
{
    private bool _mayHaveRun;

    /// <summary>A repeat of it is harmless, so it may be sent again although an earlier copy may have arrived.</summary>
    public abstract bool IsRepeatable { get; }

    /// <summary>Approximate size in bytes, for the bounds.</summary>
    public abstract int Size { get; }

    /// <summary>Somebody waits for a reply and has not got one; false for a tell from the start.</summary>
    public abstract bool AwaitsReply { get; }

    /// <summary>Ends it without an answer. Called at most once.</summary>
    public abstract void Fail(Undelivered why);

    public TimeSpan PostedAt { get; set; }

    /// <summary>The neighbours in its outbox; that of the last is null.</summary>
    public Outgoing? Before { get; set; }

    public Outgoing? Behind { get; set; }

    /// <summary>Its place in the stream, 0 before it was first sent.</summary>
    public long Number { get; set; }

    /// <summary>Handed to the link, and neither refused nor lost with it since.</summary>
    public bool Sent { get; set; }

    public bool Taken { get; set; }

    /// <summary>Refused for certain: no copy of it was taken, and none is under way.</summary>
    public bool Refused { get; set; }

    /// <summary>More than one copy of it may be under way, so the refusal of one says nothing of the others.</summary>
    public bool IsDoubtful { get; set; }

    public bool IsGivenUp { get; set; }

    /// <summary>Sent before the link broke and not known to be taken.</summary>
    public bool ReplyMayBeLost { get; set; }

    /// <summary>Sent and not refused for certain, now or before it was reset: an end without an answer is unknown.</summary>
    public bool MayHaveRun => _mayHaveRun || (Number > 0 && !Refused);

    /// <summary>As if it had just been posted.</summary>
    public void Reset()
    {
        _mayHaveRun = MayHaveRun;
        (Number, Sent, Taken, Refused, IsDoubtful, ReplyMayBeLost) = (0, false, false, false, false, false);
    }
}

/// <summary>Where an outbox sends.</summary>
internal interface IOutboxPort<T>
{
    /// <summary>Hands a message to the link, null for a number whose message was given up; false when there is no link now (<see cref="ShardOutbox{T}.LinkLost"/> follows or has been).</summary>
    bool Send(Incarnation owner, ShardNo shard, Epoch epoch, long number, T? message);

    /// <summary>The owner is unknown or does not know the shard: fresh rows are wanted.</summary>
    void RouteWanted(ShardNo shard);
}

/// <summary>This node's messages to one shard of another node, in order, until its owner has taken them (protocol 5.4).</summary>
/// <remarks>Not thread-safe. Numbers run from 1 per (sender, shard, epoch); the receiver takes only the next one, so whatever is refused or lost is sent
/// again from there, oldest first, and order holds over retries. Bounded by count, bytes and age.</remarks>
internal sealed class ShardOutbox<T>(ShardNo shard, IOutboxPort<T> port)
    where T : Outgoing
{
    public const int MessagesMax = 1000;
    public const int BytesMax = 4 * 1024 * 1024;
    public static readonly TimeSpan AgeMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan RemindAfter = TimeSpan.FromMilliseconds(500);

    /// <summary>Oldest first: taken by the owner and awaiting replies, then sent, then never sent.</summary>
    private Line _entries;
    private Epoch _epoch;
    private Epoch _atLeast;
    private Incarnation? _owner;
    private long _next = 1;
    private Pace _pace;
    private TimeSpan _retryAt = TimeSpan.MaxValue;
    private long _watched;
    private TimeSpan _watchedSince;
    private int _held;
    private int _bytes;

    private enum Pace
    {
        /// <summary>The owner is unknown, or the link does not take what is sent.</summary>
        Stopped,

        /// <summary>The owner does not take messages now.</summary>
        Refused,

        /// <summary>The oldest message was sent to an owner that had refused; the others follow when it is taken.</summary>
        Probing,

        Flowing,
    }

    /// <summary>Highest epoch known of the shard.</summary>
    public Epoch Epoch => _epoch;

    public Incarnation? Owner => _owner;

    public bool IsEmpty => _entries.First is null;

    /// <summary>Less than half full; may be read beside the owner's calls, as a hint.</summary>
    public bool HasRoom => _held < MessagesMax / 2 && _bytes < BytesMax / 2;

    /// <summary>Takes a message; false when the bounds are reached (nothing was kept).</summary>
    public bool Post(T message, TimeSpan now)
    {
        if (_held >= MessagesMax || _bytes + message.Size > BytesMax) return false;
        message.PostedAt = now;
        _entries.Add(message);
        Hold(message);
        if (_pace == Pace.Flowing) Transmit(message);
        else if (_pace != Pace.Probing && _retryAt == TimeSpan.MaxValue) AskForRoute(now);
        return true;
    }

    /// <summary>News of the owner; older epochs are ignored.</summary>
    public void Routed(Epoch epoch, Incarnation owner, TimeSpan now)
    {
        // The same epoch again would count from 1 again, and its owner would take what is new for repeats.
        if (epoch < _atLeast || epoch < _epoch || (epoch == _epoch && _owner is not null)) return;
        (_epoch, _owner) = (epoch, owner);
        (_next, _watched) = (1, 0);
        for (var entry = _entries.First; entry is not null;)
        {
            var following = entry.Behind;
            // What the old owner may have executed is unknown, unless a repeat is harmless or it was refused for certain.
            if (entry.IsGivenUp || (entry.Taken && !entry.AwaitsReply)) Remove(entry);
            else if (entry.Number > 0 && !entry.Refused && !entry.IsRepeatable) End(entry, Undelivered.Unknown);
            else
            {
                if (entry.Taken) Hold(entry);
                entry.Reset();
            }
            entry = following;
        }
        Flow(all: true);
    }

    /// <summary>The owner took everything up to a number.</summary>
    public void Taken(Epoch epoch, long upTo)
    {
        if (epoch != _epoch) return;
        var isNews = false;
        for (var entry = _entries.First; entry is not null && entry.Number != 0 && entry.Number <= upTo;)
        {
            var following = entry.Behind;
            isNews |= !entry.Taken;
            var again = !entry.Taken && entry.ReplyMayBeLost && !entry.IsGivenUp && entry.AwaitsReply;
            if (again && entry.IsRepeatable) AskAgain(entry);
            else if (again) End(entry, Undelivered.Unknown);
            else if (entry.IsGivenUp || !entry.AwaitsReply) Remove(entry);
            else
            {
                Release(entry);
                entry.Taken = true;
            }
            entry = following;
        }
        if (isNews && _pace == Pace.Probing) Flow(all: true);
    }

    /// <summary>What they were sent to is no more: all that wait are failed as the caller says.</summary>
    public void EndAll(Action<T> fail)
    {
        for (var entry = _entries.First; entry is not null;)
        {
            var following = entry.Behind;
            Remove(entry);
            // What was taken before the end, or may have been, may have taken effect.
            if (!entry.IsGivenUp && entry.AwaitsReply && entry.MayHaveRun) entry.Fail(Undelivered.Unknown);
            else if (!entry.IsGivenUp) fail((T)entry);
            entry = following;
        }
        (_pace, _owner) = (Pace.Stopped, null);
    }

    /// <summary>The owner refuses everything from a number on.</summary>
    public void Refused(Epoch epoch, long from, Epoch known, TimeSpan now)
    {
        if (epoch != _epoch) return;
        _pace = Pace.Refused;
        var isCertain = true;
        for (var entry = _entries.First; entry is not null; entry = entry.Behind)
        {
            if (entry.Number < from || entry.Taken) continue;
            // Where copies may be under way, this may be the answer to an earlier one: the next may still be taken, and what follows it.
            isCertain &= !entry.IsDoubtful;
            if (isCertain) (entry.Refused, entry.ReplyMayBeLost) = (true, false);
            else entry.IsDoubtful = true;
            entry.Sent = false;
        }
        if (known > _epoch) (_owner, _atLeast) = (null, known); // It has moved on; who has it shows in the rows.
        AskForRoute(now);
    }

    /// <summary>The link to a node is gone, or the node is.</summary>
    public void LinkLost(Incarnation peer)
    {
        if (_owner != peer) return;
        (_pace, _watched) = (Pace.Stopped, 0);
        for (var entry = _entries.First; entry is not null;)
        {
            var following = entry.Behind;
            // Taken, and the reply may have died with the link: only a repeatable one can be asked again.
            if (entry.Taken && !entry.AwaitsReply) _entries.Remove(entry);
            else if (entry.Taken && !entry.IsRepeatable) End(entry, Undelivered.Unknown);
            else if (entry.Sent) (entry.Sent, entry.IsDoubtful, entry.ReplyMayBeLost) = (false, true, true);
            entry = following;
        }
    }

    public void LinkUp(Incarnation peer, TimeSpan now)
    {
        if (_owner != peer) return;
        // Sent but not known to be taken goes again under its number; taken but unanswered goes again as a new message, last.
        var again = new List<Outgoing>();
        for (var entry = _entries.First; entry is not null; entry = entry.Behind)
            if (entry is { Taken: true, ReplyMayBeLost: true }) again.Add(entry);
        foreach (var entry in again)
        {
            _entries.Remove(entry);
            entry.Reset();
            Hold(entry);
        }
        foreach (var entry in again)
        {
            _entries.Add(entry);
            if (_pace == Pace.Flowing) Transmit(entry);
        }
        if (_pace is Pace.Stopped or Pace.Refused) Flow(all: _pace == Pace.Stopped);
    }

    /// <summary>To be called a few times a second while not empty: retries, and ends what is too old.</summary>
    public void Tick(TimeSpan now)
    {
        for (var entry = _entries.First; entry is not null;)
        {
            if (_pace == Pace.Flowing && !entry.Taken) break; // Those that are taken come first; what flows has no age.
            var following = entry.Behind;
            if (entry.Taken && !entry.AwaitsReply) _entries.Remove(entry);
            else if (!entry.Taken && !entry.IsGivenUp && _pace != Pace.Flowing && now - entry.PostedAt >= AgeMax) GiveUp(entry);
            entry = following;
        }
        if (_entries.First is null) return;
        if (_owner is not null) Remind(now);
        if (_pace is Pace.Flowing or Pace.Probing || now < _retryAt) return;
        if (_owner is not null) Flow(all: _pace == Pace.Stopped);
        if (_pace is Pace.Stopped or Pace.Refused) AskForRoute(now);
    }

    /// <summary>Sends what is not under way, oldest first: all of it, or one to see whether the owner takes messages again.</summary>
    private void Flow(bool all)
    {
        (_pace, _retryAt) = (all ? Pace.Flowing : Pace.Probing, TimeSpan.MaxValue);
        for (var entry = _entries.First; entry is not null;)
        {
            // The port may say at once that the message is taken, which removes it.
            var following = entry.Behind;
            if (!entry.Taken && !entry.Sent)
            {
                Transmit(entry);
                if (_pace != Pace.Flowing) return;
            }
            entry = following;
        }
        _pace = Pace.Flowing; // Nothing was left to probe with.
    }

    private void Transmit(Outgoing entry)
    {
        var (isNew, wasSent) = (entry.Number == 0, entry.Sent);
        if (isNew) entry.Number = _next++;
        entry.Sent = true;
        if (port.Send(_owner!.Value, shard, _epoch, entry.Number, entry.IsGivenUp ? null : (T)entry))
        {
            entry.Refused = false;
            return;
        }
        (_pace, _retryAt) = (_pace is Pace.Probing or Pace.Refused ? Pace.Refused : Pace.Stopped, TimeSpan.Zero);
        entry.Sent = wasSent;
        if (isNew) (entry.Number, _next) = (0, entry.Number); // It never left: it may still go to another owner, whatever it is.
    }

    /// <summary>The oldest message was sent a while ago and nothing is heard of it. The answer may have been lost where a link was full, so it goes again.</summary>
    private void Remind(TimeSpan now)
    {
        var oldest = _entries.First;
        while (oldest is { Taken: true }) oldest = oldest.Behind;
        if (oldest is not { Sent: true }) return;
        if (oldest.Number != _watched)
        {
            (_watched, _watchedSince) = (oldest.Number, now);
            return;
        }
        if (now - _watchedSince < RemindAfter) return;
        _watchedSince = now;
        oldest.IsDoubtful = true;
        Transmit(oldest);
    }

    private void AskForRoute(TimeSpan now)
    {
        _retryAt = now + RetryAfter;
        port.RouteWanted(shard);
    }

    /// <summary>A number that was sent keeps its place in the stream, or nothing after it would ever be taken.</summary>
    private void GiveUp(Outgoing entry)
    {
        var why = entry.MayHaveRun ? Undelivered.Unknown : Undelivered.Expired;
        if (entry.Number == 0)
        {
            End(entry, why);
            return;
        }
        Release(entry);
        entry.IsGivenUp = true;
        entry.Fail(why);
    }

    private void End(Outgoing entry, Undelivered why)
    {
        Remove(entry);
        entry.Fail(why);
    }

    private void Remove(Outgoing entry)
    {
        Release(entry);
        _entries.Remove(entry);
    }

    /// <summary>The owner had taken it before the link broke, or has just now; a reply sent in between died with the link. Asked anew, it is answered.</summary>
    private void AskAgain(Outgoing entry)
    {
        _entries.Remove(entry);
        entry.Reset();
        _entries.Add(entry);
        if (_pace == Pace.Flowing) Transmit(entry);
    }

    private void Hold(Outgoing entry)
    {
        _held++;
        _bytes += entry.Size;
    }

    /// <summary>Its bytes are the owner's now, or nobody's.</summary>
    private void Release(Outgoing entry)
    {
        if (entry.Taken || entry.IsGivenUp) return;
        _held--;
        _bytes -= entry.Size;
    }

    /// <summary>The entries, oldest first, linked through themselves: a post makes nothing new.</summary>
    private struct Line
    {
        public Outgoing? First { get; private set; }

        private Outgoing? _last;

        public void Add(Outgoing entry)
        {
            (entry.Before, entry.Behind) = (_last, null);
            if (_last is null) First = entry;
            else _last.Behind = entry;
            _last = entry;
        }

        public void Remove(Outgoing entry)
        {
            if (entry.Before is null) First = entry.Behind;
            else entry.Before.Behind = entry.Behind;
            if (entry.Behind is null) _last = entry.Before;
            else entry.Behind.Before = entry.Before;
            (entry.Before, entry.Behind) = (null, null);
        }
    }
}

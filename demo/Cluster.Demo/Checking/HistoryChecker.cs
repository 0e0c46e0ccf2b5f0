using System.Runtime.InteropServices;
using ActorCluster.Demo.Histories;

namespace ActorCluster.Demo.Checking;

/// <summary>
/// Compares what the clients wrote down with the rows of the store, after all is quiet: invariants I3, I4, I5 and I6 of docs/protocol.md section 8.
/// A pure function of both; it believes no counter of the code under test.
/// </summary>
internal sealed class HistoryChecker
{
    // What was recorded so long before a connection broke was on its way when it did: up to a second waits for a digest.
    private static readonly TimeSpan s_onTheWay = TimeSpan.FromSeconds(2);

    // What is older than this had its time to get through on any machine that answers within the bar.
    private static readonly TimeSpan s_streamPatience = TimeSpan.FromSeconds(5);

    private readonly IReadOnlyDictionary<string, RoomJournal> _journals;
    private readonly Dictionary<string, List<long>> _misread = new(StringComparer.Ordinal);
    private readonly CheckResult _result = new();
    private static readonly RoomJournal s_empty = new();

    private HistoryChecker(IReadOnlyDictionary<string, RoomJournal> journals) => _journals = journals;

    /// <summary>Checks one run.</summary>
    /// <param name="histories">Of all clients, closed by now.</param>
    /// <param name="observed">The table that the histories refer to.</param>
    /// <param name="journals">All rooms of the store by name.</param>
    public static CheckResult Check(
        IReadOnlyCollection<ClientHistory> histories, ObservedRows observed, IReadOnlyDictionary<string, RoomJournal> journals)
    {
        var checker = new HistoryChecker(journals);
        foreach (var (room, journal) in journals)
        {
            checker.CheckRoom(room, journal, observed.Of(room));
            checker.CheckDigests(room, journal, observed.Of(room));
        }
        var (claims, users) = (checker.CheckAcknowledged(histories), new RowUsers(histories));
        foreach (var (room, journal) in journals) checker.CheckAsked(room, journal, claims, users);
        foreach (var history in histories)
        {
            checker.CheckOrder(history);
            foreach (var (room, seen) in history.Deliveries) checker.CheckDeliveries(history, room, seen, observed.Of(room));
            checker.CheckSilentStays(history);
        }
        return checker._result;
    }

    // I4: the store itself. Also finds the rows that were first delivered otherwise than they are stored.
    private void CheckRoom(string room, RoomJournal journal, ObservedRows.Room observed)
    {
        if (journal.Gaps > 0) Lose(journal.Gaps, $"Room {room}: {journal.Gaps} sequences are missing in the store.");
        if (journal.RepeatedCommands > 0)
        {
            _result.Duplicated += journal.RepeatedCommands;
            _result.Note($"Room {room}: {journal.RepeatedCommands} commands stand in the store twice.");
        }
        var misread = new List<long>();
        for (long seq = 1; seq <= journal.Head; seq++)
            if (observed[seq] is not 0 and var hash && hash != journal[seq].Hash) misread.Add(seq);
        if (misread.Count > 0) _misread[room] = misread;
    }

    private void CheckDigests(string room, RoomJournal journal, ObservedRows.Room observed)
    {
        foreach (var digest in observed.Digests)
        {
            // With this many rows, all of them joins and leaves, the difference of members tells how many of each there are.
            var before = digest.Seq - digest.Rows;
            if (digest.Seq > journal.Head) continue; // Found at each member that it was delivered to.
            if (before >= 0 && digest.Members == journal.MembersAfter(digest.Seq)
                && digest.Joined - digest.Left == journal.MembersAfter(digest.Seq) - journal.MembersAfter(before)) continue;
            _result.DigestsWrong++;
            _result.Note(
                $"Room {room}: the digest up to {digest.Seq} tells of {digest.Joined} joins, {digest.Left} leaves and {digest.Members} members after them; "
                + $"the store has {journal.MembersAfter(digest.Seq)} members there.");
        }
    }

    // I3: each acknowledged command stands in the store as what was asked for, and as no other command's effect.
    private RowClaims CheckAcknowledged(IReadOnlyCollection<ClientHistory> histories)
    {
        var claims = new RowClaims();
        var reopened = new HashSet<(string Room, long JoinSeq)>();
        foreach (var history in histories)
        {
            foreach (var message in history.Sent) CheckMessage(history, message, claims);
            foreach (var stay in history.Stays)
            {
                CheckJoin(history, stay, claims, reopened);
                CheckLeave(history, stay, claims);
            }
            foreach (var room in history.JoinsUnanswered) claims.Allow(room, RowHash.Of(RowKind.Joined, history.User, ""));
            if (history.OddRejoins == 0) continue;
            _result.Strays += history.OddRejoins;
            _result.Note($"{history.User}: {history.OddRejoins} repeated joins were answered with another sequence than the first join.");
        }
        return claims;
    }

    private void CheckMessage(ClientHistory history, SentMessage message, RowClaims claims)
    {
        _result.Sent++;
        if (message.End == CommandEnd.Unknown)
        {
            claims.Allow(message.Room, message.Hash);
            return;
        }
        _result.Acknowledged++;
        var row = JournalOf(message.Room)[message.Seq];
        if (row.Kind != RowKind.Message || row.Hash != message.Hash)
            Lose(1, $"Room {message.Room}: message {message.Seq} of {history.User} was acknowledged, but the store has {row.Kind} or another text.");
        else if (!claims.Claim(message.Room, message.Seq))
            Lose(1, $"Room {message.Room}: message {message.Seq} was acknowledged to two sends, the second one's by {history.User}.");
    }

    private void CheckJoin(ClientHistory history, Stay stay, RowClaims claims, HashSet<(string Room, long JoinSeq)> reopened)
    {
        var row = JournalOf(stay.Room)[stay.JoinSeq];
        // The join that makes a room may be told as the row of its making.
        if (row.Hash != RowHash.Of(RowKind.Joined, history.User, "") && row.Hash != RowHash.Of(RowKind.Created, history.User, ""))
            Lose(1, $"Room {stay.Room}: the join of {history.User} was acknowledged as {stay.JoinSeq}, but the store has {row.Kind}, or of somebody else.");
        else if (!claims.Claim(stay.Room, stay.JoinSeq) && !reopened.Contains((stay.Room, stay.JoinSeq)))
            Lose(1, $"Room {stay.Room}: join {stay.JoinSeq} of {history.User} was acknowledged to a second stay, though the first one had ended.");
        // Whose leave is not known to have taken effect may be a member still, and is told the same join again.
        if (stay.End == StayEnd.Unknown) reopened.Add((stay.Room, stay.JoinSeq));
        else reopened.Remove((stay.Room, stay.JoinSeq));
    }

    private void CheckLeave(ClientHistory history, Stay stay, RowClaims claims)
    {
        var left = RowHash.Of(RowKind.Left, history.User, "");
        switch (stay.End)
        {
            case StayEnd.Unknown:
                claims.Allow(stay.Room, left);
                break;
            case StayEnd.Disowned:
                Lose(1, $"Room {stay.Room}: {history.User}, a member since {stay.JoinSeq}, left and was told to be none: the membership was lost.");
                break;
            case StayEnd.Left when JournalOf(stay.Room)[stay.LeaveSeq] is var row && row.Hash != left:
                Lose(1, $"Room {stay.Room}: the leave of {history.User} was acknowledged as {stay.LeaveSeq}, but the store has {row.Kind}, or of somebody else.");
                break;
            case StayEnd.Left when stay.LeaveSeq < stay.JoinSeq || !claims.Claim(stay.Room, stay.LeaveSeq):
                Lose(1, $"Room {stay.Room}: leave {stay.LeaveSeq} of {history.User} was acknowledged to another stay than the one it ended, that of join {stay.JoinSeq}.");
                break;
        }
    }

    // I3 the other way round: each row of the store was asked for, and once; nobody becomes a member twice.
    private void CheckAsked(string room, RoomJournal journal, RowClaims claims, RowUsers users)
    {
        var members = new HashSet<string>(StringComparer.Ordinal);
        for (long seq = 1; seq <= journal.Head; seq++)
        {
            var (kind, hash) = journal[seq];
            if (kind == RowKind.Unknown) continue; // A gap, which is counted as a loss.
            var user = users.Of(hash);
            var asked = claims.Explains(room, seq, kind == RowKind.Created && user is not null ? RowHash.Of(RowKind.Joined, user, "") : hash);
            if (kind == RowKind.Message)
            {
                if (asked) continue;
                _result.Duplicated++;
                _result.Note($"Room {room}: message {seq} of the store belongs to no send; it took effect twice or was never sent.");
            }
            else if (user is not null && !(kind == RowKind.Left ? members.Remove(user) : members.Add(user)))
            {
                _result.Duplicated++;
                _result.Note($"Room {room}: {kind} {seq} of the store is of {user}, who was {(kind == RowKind.Left ? "no" : "a")} member already.");
            }
            else if (!asked)
            {
                _result.Unasked++;
                _result.Note($"Room {room}: {kind} {seq} of the store, of {user ?? "a stranger to this run"}, was asked for by no client.");
            }
        }
    }

    // I6: what a client sent to a room stands there in the order of sending.
    private void CheckOrder(ClientHistory history)
    {
        var last = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var message in history.Sent)
        {
            if (message.End == CommandEnd.Unknown) continue;
            ref var before = ref CollectionsMarshal.GetValueRefOrAddDefault(last, message.Room, out _);
            if (message.Seq < before)
            {
                _result.OutOfOrder++;
                _result.Note($"Room {message.Room}: {history.User} sent {message.Seq} after {before}.");
            }
            before = Math.Max(before, message.Seq);
        }
    }

    // I5: one client, one room.
    private void CheckDeliveries(ClientHistory history, string room, RoomDeliveries seen, ObservedRows.Room observed)
    {
        var journal = JournalOf(room);
        var (items, all) = Replay(history, room, seen);
        CheckRows(history, room, seen, items, observed);
        if (all.CountIn(journal.Head + 1, long.MaxValue) is > 0 and var phantoms)
            Lose(phantoms, $"Room {room}: {history.User} was delivered {phantoms} rows after the store's last, {journal.Head}.");

        long inside = 0;
        foreach (var stay in history.Stays)
        {
            if (stay.Room != room) continue;
            CheckStay(history, stay, journal, items, all);
            inside += all.CountIn(stay.JoinSeq + 1, Math.Min(journal.Head, stay.LastSeq));
        }
        if (seen.DigestsShort > 0)
        {
            _result.DigestsWrong += seen.DigestsShort;
            _result.Note($"Room {room}: {history.User} was delivered {seen.DigestsShort} digests that count fewer rows than they stand for.");
        }
        var strays = all.CountIn(1, journal.Head) - inside + seen.Nonsense;
        if (strays == 0) return;
        _result.Strays += strays;
        _result.Note($"Room {room}: {history.User} was delivered {strays} rows outside its stays.");
    }

    private (SeqRanges Items, SeqRanges All) Replay(ClientHistory history, string room, RoomDeliveries seen)
    {
        var (items, all) = (new SeqRanges(), new SeqRanges());
        foreach (var run in seen.Runs)
        {
            var late = Math.Min(run.To, all.Max) - run.From + 1; // A late run may go on past the newest row.
            var again = all.Add(run.From, run.To);
            if (!run.Digest) items.Add(run.From, run.To);
            if (late <= 0) continue;
            _result.Duplicated += again;
            // A late row that is new was overtaken.
            var overtaken = late - again;
            _result.OutOfOrder += overtaken;
            _result.Note($"Room {room}: {history.User} was delivered {run.From} to {run.To} late: {again} of them again, {overtaken} overtaken.");
        }
        return (items, all);
    }

    private void CheckRows(ClientHistory history, string room, RoomDeliveries seen, SeqRanges items, ObservedRows.Room observed)
    {
        var misread = _misread.GetValueOrDefault(room);
        if (misread is null && seen.Deviations.Count == 0) return;
        var wrong = new HashSet<long>();
        foreach (var seq in misread ?? [])
            if (items.Contains(seq)) wrong.Add(seq);
        foreach (var (seq, hash) in seen.Deviations)
        {
            // What differs from a first delivery that was wrong may be right.
            if (hash == JournalOf(room)[seq].Hash) wrong.Remove(seq);
            else wrong.Add(seq);
        }
        foreach (var seq in wrong)
            Lose(1, $"Room {room}: {history.User} was delivered {seq} with another user or text than stored (first seen {observed[seq]:x}).");
    }

    private void CheckStay(ClientHistory history, Stay stay, RoomJournal journal, SeqRanges items, SeqRanges all)
    {
        // The client's own leave may or may not be told to it: its stream ends there.
        var (from, to) = (stay.JoinSeq + 1, stay.End == StayEnd.Left ? Math.Min(stay.LeaveSeq - 1, journal.Head) : journal.Head);
        if (!stay.TailKnown)
        {
            _result.TailsCut++;
            if (stay.End != StayEnd.Left) to = EndInStore(history, stay, journal) - 1;
            var due = Math.Max(all.LastIn(from, to), stay.JoinSeq);
            if (stay.BrokeAtMs > 0) due = LastBefore(stay.BrokeAtMs - (long)s_streamPatience.TotalMilliseconds, journal, due, to);
            var stale = stay.BrokeAtMs > 0 ? LastBefore(stay.BrokeAtMs - (long)s_onTheWay.TotalMilliseconds, journal, due, to) : to;
            _result.RowsExcused += Math.Max(0, to - due);
            _result.RowsStale += Math.Max(0, stale - due);
            to = due;
        }
        if (to < from) return;
        long Messages(long f, long t) => journal.MessagesIn(f, t);
        var delivered = items.SumIn(from, to, Messages);
        var covered = all.SumIn(from, to, Messages);
        _result.Delivered += delivered;
        var lost = journal.MessagesIn(from, to) - delivered;
        if (lost > 0)
            Lose(lost, $"Room {stay.Room}: {history.User} misses {lost} messages from {from} to {to}, {covered - delivered} of them hidden in digests.");

        var notices = to - from + 1 - journal.MessagesIn(from, to);
        var missing = notices - (all.CountIn(from, to) - covered);
        if (missing <= 0) return;
        _result.NoticesMissing += missing;
        _result.Note($"Room {stay.Room}: {history.User} was not told of {missing} joins and leaves from {from} to {to}.");
    }

    private static long LastBefore(long atMs, RoomJournal journal, long seq, long to)
    {
        while (seq < to && journal.AtMs(seq + 1) < atMs) seq++;
        return seq;
    }

    // Where a stay ended that its client could not end itself: at the user's next leave in the store, or not at all.
    private static long EndInStore(ClientHistory history, Stay stay, RoomJournal journal)
    {
        var left = RowHash.Of(RowKind.Left, history.User, "");
        var seq = stay.JoinSeq + 1;
        while (seq <= journal.Head && journal[seq].Hash != left) seq++;
        return seq;
    }

    // A room of which nothing at all was delivered has no entry among the deliveries, and may still owe something.
    private void CheckSilentStays(ClientHistory history)
    {
        var nothing = new SeqRanges();
        foreach (var stay in history.Stays)
            if (!history.Deliveries.ContainsKey(stay.Room)) CheckStay(history, stay, JournalOf(stay.Room), nothing, nothing);
    }

    private RoomJournal JournalOf(string room) => _journals.GetValueOrDefault(room, s_empty);

    private void Lose(long count, string finding)
    {
        _result.Lost += count;
        _result.Note(finding);
    }
}

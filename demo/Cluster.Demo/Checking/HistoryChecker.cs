using System.Runtime.InteropServices;
using ActorCluster.Demo.Histories;

namespace ActorCluster.Demo.Checking;

/// <summary>
/// Compares what the clients wrote down with the rows of the store, after all is quiet: invariants I3, I4, I5 and I6 of docs/protocol.md section 8.
/// A pure function of both; it believes no counter of the code under test.
/// </summary>
internal sealed class HistoryChecker
{
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
        foreach (var (room, journal) in journals) checker.CheckRoom(room, journal, observed.Of(room));
        checker.CheckSent(histories);
        foreach (var history in histories)
        {
            checker.CheckStayCommands(history);
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

    // I3, and the other way round: each message of the store was sent, and once.
    private void CheckSent(IReadOnlyCollection<ClientHistory> histories)
    {
        var claimed = new Dictionary<string, HashSet<long>>(StringComparer.Ordinal);
        var unanswered = new Dictionary<(string Room, ulong Hash), int>();
        foreach (var history in histories)
        {
            foreach (var message in history.Sent)
            {
                _result.Sent++;
                if (message.End == CommandEnd.Unknown)
                {
                    CollectionsMarshal.GetValueRefOrAddDefault(unanswered, (message.Room, message.Hash), out _)++;
                    continue;
                }
                _result.Acknowledged++;
                var row = JournalOf(message.Room)[message.Seq];
                ref var rows = ref CollectionsMarshal.GetValueRefOrAddDefault(claimed, message.Room, out _);
                if (row.Kind != RowKind.Message || row.Hash != message.Hash)
                    Lose(1, $"Room {message.Room}: message {message.Seq} of {history.User} was acknowledged, but the store has {row.Kind} or another text.");
                else if (!(rows ??= []).Add(message.Seq))
                    Lose(1, $"Room {message.Room}: message {message.Seq} was acknowledged to two sends, the second one's by {history.User}.");
            }
        }
        foreach (var (room, journal) in _journals)
        {
            claimed.TryGetValue(room, out var rows);
            for (long seq = 1; seq <= journal.Head; seq++)
            {
                if (journal[seq].Kind != RowKind.Message || rows?.Contains(seq) == true) continue;
                ref var open = ref CollectionsMarshal.GetValueRefOrNullRef(unanswered, (room, journal[seq].Hash));
                if (!System.Runtime.CompilerServices.Unsafe.IsNullRef(ref open) && open-- > 0) continue;
                _result.Duplicated++;
                _result.Note($"Room {room}: message {seq} of the store belongs to no send; it took effect twice or was never sent.");
            }
        }
    }

    // I3 for joins and leaves.
    private void CheckStayCommands(ClientHistory history)
    {
        foreach (var stay in history.Stays)
        {
            var join = JournalOf(stay.Room)[stay.JoinSeq];
            // The join that makes a room may be told as the row of its making.
            if (join.Hash != RowHash.Of(RowKind.Joined, history.User, "") && join.Hash != RowHash.Of(RowKind.Created, history.User, ""))
                Lose(1, $"Room {stay.Room}: the join of {history.User} was acknowledged as {stay.JoinSeq}, but the store has {join.Kind}, or of somebody else.");
            if (stay.LeaveSeq is 0 or long.MaxValue) continue;
            var leave = JournalOf(stay.Room)[stay.LeaveSeq];
            if (leave.Hash != RowHash.Of(RowKind.Left, history.User, ""))
                Lose(1, $"Room {stay.Room}: the leave of {history.User} was acknowledged as {stay.LeaveSeq}, but the store has {leave.Kind}, or of somebody else.");
        }
        if (history.OddRejoins == 0) return;
        _result.Strays += history.OddRejoins;
        _result.Note($"{history.User}: {history.OddRejoins} repeated joins were answered with another sequence than the first join.");
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
            inside += all.CountIn(stay.JoinSeq + 1, Math.Min(journal.Head, stay.LeaveSeq == 0 ? long.MaxValue : stay.LeaveSeq));
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
        var (from, to) = (stay.JoinSeq + 1, stay.LeaveSeq == 0 ? journal.Head : Math.Min(stay.LeaveSeq - 1, journal.Head));
        if (!stay.TailKnown)
        {
            _result.TailsCut++;
            to = Math.Min(to, Math.Max(all.Max, stay.JoinSeq));
        }
        if (to < from) return;
        long Messages(long f, long t) => journal.MessagesIn(f, t);
        var delivered = items.SumIn(from, to, Messages);
        var told = all.SumIn(from, to, Messages);
        _result.Delivered += delivered;
        var lost = journal.MessagesIn(from, to) - delivered;
        if (lost > 0)
            Lose(lost, $"Room {stay.Room}: {history.User} misses {lost} messages from {from} to {to}, {told - delivered} of them hidden in digests.");

        var notices = to - from + 1 - journal.MessagesIn(from, to);
        var missing = notices - (all.CountIn(from, to) - told);
        if (missing <= 0) return;
        _result.NoticesMissing += missing;
        _result.Note($"Room {stay.Room}: {history.User} was not told of {missing} joins and leaves from {from} to {to}.");
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

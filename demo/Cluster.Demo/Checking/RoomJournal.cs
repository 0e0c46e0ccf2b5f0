using ActorCluster.Demo.Histories;

namespace ActorCluster.Demo.Checking;

/// <summary>The rows of one room as the store has them: the checker's second witness.</summary>
/// <remarks>Rows are added in the order of their sequence. A gap is remembered as a fault and filled with rows of kind Unknown.</remarks>
internal sealed class RoomJournal
{
    private readonly List<(RowKind Kind, ulong Hash)> _rows = [(RowKind.Unknown, 0)]; // Sequences count from 1.
    private readonly List<long> _atMs = [0];
    private readonly List<int> _messages = [0];
    private readonly List<int> _members = [0];
    private readonly HashSet<(UInt128 Client, long Seq)> _commands = [];

    /// <summary>The last sequence.</summary>
    public long Head => _rows.Count - 1;

    public int Messages => _messages[^1];

    /// <summary>Rows missing between two that are there.</summary>
    public long Gaps { get; private set; }

    /// <summary>Commands that took effect a second time.</summary>
    public int RepeatedCommands { get; private set; }

    /// <summary>Appends a row.</summary>
    /// <param name="seq">Its sequence, above all before.</param>
    /// <param name="kind">Its kind.</param>
    /// <param name="hash"><see cref="RowHash"/> of kind, user and text.</param>
    /// <param name="clientId">The command's client, null if the row has none.</param>
    /// <param name="clientSeq">The command's number under that client.</param>
    /// <param name="atMs">When it was recorded, in Unix milliseconds of its node's clock.</param>
    public void Add(long seq, RowKind kind, ulong hash, UInt128? clientId, long clientSeq, long atMs = 0)
    {
        while (Head + 1 < seq)
        {
            Gaps++;
            Append(RowKind.Unknown, 0, atMs);
        }
        Append(kind, hash, atMs);
        if (clientId is { } client && !_commands.Add((client, clientSeq))) RepeatedCommands++;
    }

    /// <summary>The row, of kind Unknown where there is none.</summary>
    public (RowKind Kind, ulong Hash) this[long seq] => seq > 0 && seq <= Head ? _rows[(int)seq] : (RowKind.Unknown, 0);

    /// <summary>Messages with a sequence from <paramref name="from"/> to <paramref name="to"/>, both included.</summary>
    public int MessagesIn(long from, long to)
    {
        (from, to) = (Math.Max(from, 1), Math.Min(to, Head));
        return to < from ? 0 : _messages[(int)to] - _messages[(int)from - 1];
    }

    /// <summary>Members after a row, by counting joins and leaves.</summary>
    public int MembersAfter(long seq) => _members[(int)Math.Clamp(seq, 0, Head)];

    /// <summary>When a row of the store was recorded, in Unix milliseconds.</summary>
    public long AtMs(long seq) => _atMs[(int)seq];

    private void Append(RowKind kind, ulong hash, long atMs)
    {
        _atMs.Add(atMs);
        _rows.Add((kind, hash));
        _messages.Add(_messages[^1] + (kind == RowKind.Message ? 1 : 0));
        _members.Add(_members[^1] + kind switch
        {
            RowKind.Created or RowKind.Joined => 1,
            RowKind.Left => -1,
            _ => 0,
        });
    }
}

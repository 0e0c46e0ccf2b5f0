namespace ActorCluster.Demo.Checking;

/// <summary>What the checker found. Rows are messages unless said otherwise.</summary>
internal sealed class CheckResult
{
    /// <summary>The bar: stale rows that are excused, as a share of what was delivered. Above it the excuse hides more than breaks in mid-leave explain.</summary>
    public const double StaleShareMax = 0.001;

    private const int NotesMax = 40;
    private readonly List<string> _notes = [];

    public long Sent { get; set; }
    public long Acknowledged { get; set; }

    /// <summary>(message, member) pairs inside the members' stays.</summary>
    public long Delivered { get; set; }

    /// <summary>
    /// Acknowledged and not in the store as sent, joins, leaves and lost memberships included; or missing, wrong or hidden in a digest at a
    /// member inside its stay.
    /// </summary>
    public long Lost { get; set; }

    /// <summary>Commands that took effect twice, joins of members and leaves of strangers that the store has, and rows of any kind that a client was delivered twice.</summary>
    public long Duplicated { get; set; }

    /// <summary>Rows of any kind delivered after a later one, and messages whose order in the room is not that of their sending.</summary>
    public long OutOfOrder { get; set; }

    /// <summary>Joins and leaves inside a stay that neither an item nor a digest told.</summary>
    public long NoticesMissing { get; set; }

    /// <summary>Rows of any kind delivered outside the client's stays, and joins answered with another sequence than the first one.</summary>
    public long Strays { get; set; }

    /// <summary>Joins and leaves of the store that no client asked for.</summary>
    public long Unasked { get; set; }

    /// <summary>Digests whose counts are not those of the store.</summary>
    public long DigestsWrong { get; set; }

    /// <summary>
    /// Stays whose end no client can know; their rows after the last delivered one are not asked for, but for those recorded long before the connection broke.
    /// </summary>
    public long TailsCut { get; set; }

    /// <summary>Rows of any kind that are not asked for because of that.</summary>
    public long RowsExcused { get; set; }

    /// <summary>Those among them that were recorded so long before the connection broke that they should have got through, or of which that is not known.</summary>
    public long RowsStale { get; set; }

    /// <summary>More stale rows are excused than the bar allows.</summary>
    public bool ExcusesTooMany => RowsStale > StaleShareMax * Delivered;

    public bool Clean =>
        Lost == 0 && Duplicated == 0 && OutOfOrder == 0 && NoticesMissing == 0 && Strays == 0 && Unasked == 0 && DigestsWrong == 0 && !ExcusesTooMany;

    /// <summary>The first findings in words; the figures count all.</summary>
    public IReadOnlyList<string> Notes => _notes;

    public void Note(string finding)
    {
        if (_notes.Count < NotesMax) _notes.Add(finding);
        else if (_notes.Count == NotesMax) _notes.Add("… and more of them.");
    }
}

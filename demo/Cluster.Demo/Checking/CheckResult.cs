namespace ActorCluster.Demo.Checking;

/// <summary>What the checker found. Rows are messages unless said otherwise.</summary>
internal sealed class CheckResult
{
    private const int NotesMax = 40;
    private readonly List<string> _notes = [];

    public long Sent { get; set; }
    public long Acknowledged { get; set; }

    /// <summary>(message, member) pairs inside the members' stays.</summary>
    public long Delivered { get; set; }

    /// <summary>Acknowledged and not in the store as sent, or missing, wrong or hidden in a digest at a member inside its stay.</summary>
    public long Lost { get; set; }

    /// <summary>Commands that took effect twice, and rows of any kind that a client was delivered twice.</summary>
    public long Duplicated { get; set; }

    /// <summary>Rows of any kind delivered after a later one, and messages whose order in the room is not that of their sending.</summary>
    public long OutOfOrder { get; set; }

    /// <summary>Joins and leaves inside a stay that neither an item nor a digest told.</summary>
    public long NoticesMissing { get; set; }

    /// <summary>Rows of any kind delivered outside the client's stays, and joins answered with another sequence than the first one.</summary>
    public long Strays { get; set; }

    /// <summary>Stays whose end no client can know; their rows after the last delivered one are not asked for.</summary>
    public long TailsCut { get; set; }

    public bool Clean => Lost == 0 && Duplicated == 0 && OutOfOrder == 0 && NoticesMissing == 0 && Strays == 0;

    /// <summary>The first findings in words; the figures count all.</summary>
    public IReadOnlyList<string> Notes => _notes;

    public void Note(string finding)
    {
        if (_notes.Count < NotesMax) _notes.Add(finding);
        else if (_notes.Count == NotesMax) _notes.Add("… and more of them.");
    }
}

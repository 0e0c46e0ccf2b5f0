using System.Runtime.InteropServices;

namespace ActorCluster.Demo.Histories;

/// <summary>What one client was delivered of one room, in the order of delivery.</summary>
/// <remarks>Runs of rows take 8 bytes each. Not thread-safe: <see cref="ClientHistory"/> locks.</remarks>
internal sealed class RoomDeliveries(ObservedRows.Room observed)
{
    private readonly List<Run> _runs = [];

    /// <summary>A run of rows that came one after another.</summary>
    /// <param name="From">First sequence.</param>
    /// <param name="Packed">Number of rows, and in the lowest bit whether a digest stood for them.</param>
    [StructLayout(LayoutKind.Sequential)]
    public readonly record struct Run(uint From, uint Packed)
    {
        public bool Digest => (Packed & 1) != 0;
        public long Count => Packed >> 1;
        public long To => From + Count - 1;
    }

    public IReadOnlyList<Run> Runs => _runs;

    /// <summary>Rows whose hash differed from what was seen of them first.</summary>
    public List<(long Seq, ulong Hash)> Deviations { get; } = [];

    /// <summary>Items whose sequences make no sense: below 1, or from above to.</summary>
    public int Nonsense { get; private set; }

    /// <summary>Digests whose counts do not reach the number of rows that they stand for.</summary>
    public int DigestsShort { get; private set; }

    /// <summary>Highest sequence that was delivered, 0 before the first.</summary>
    public long Cursor { get; private set; }

    /// <summary>Longest time between anybody's first knowledge of a row and its delivery here. Digests wait on purpose and do not count.</summary>
    public uint LongestBehindMs { get; private set; }

    /// <summary>A row was delivered as itself.</summary>
    public void AddItem(long seq, ulong hash, uint nowMs)
    {
        if (!Extend(seq, seq, digest: false)) return;
        LongestBehindMs = Math.Max(LongestBehindMs, observed.Known(seq, nowMs));
        if (!observed.Agrees(seq, hash)) Deviations.Add((seq, hash));
    }

    /// <summary>A digest was delivered that stands for the rows from <paramref name="from"/> to its own sequence.</summary>
    public void AddDigest(long from, Digest digest)
    {
        if (!Extend(from, digest.Seq, digest: true)) return;
        observed.Add(digest);
        // A client that has seen the beginning is told the counts of the whole; counts of fewer rows than it stands for hide some.
        if (digest.Rows < digest.Seq - from + 1) DigestsShort++;
    }

    private bool Extend(long from, long to, bool digest)
    {
        if (from < 1 || to < from || to >= ObservedRows.SeqMax)
        {
            Nonsense++;
            return false;
        }
        var count = (uint)(to - from + 1);
        if (_runs.Count > 0 && _runs[^1] is var last && last.Digest == digest && last.To + 1 == from)
            _runs[^1] = last with { Packed = last.Packed + (count << 1) };
        else
            _runs.Add(new((uint)from, (count << 1) | (digest ? 1u : 0u)));
        if (to > Cursor) Cursor = to;
        return true;
    }
}

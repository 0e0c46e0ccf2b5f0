using System.Collections.Concurrent;

namespace ActorCluster.Demo.Histories;

/// <summary>What a digest says of the joins and leaves up to a sequence.</summary>
/// <param name="Seq">The last row that it stands for.</param>
/// <param name="Joined">Joins among its rows.</param>
/// <param name="Left">Leaves among its rows.</param>
/// <param name="Members">Members after the last row.</param>
internal readonly record struct Digest(long Seq, int Joined, int Left, int Members)
{
    /// <summary>Rows that it counts.</summary>
    public long Rows => (long)Joined + Left;
}

/// <summary>What the clients saw of each room's rows: per sequence the hash that was delivered first, to whomever.</summary>
/// <remarks>
/// All members of a room should see the same rows. So one copy is kept here and a client's history records only which rows it saw and where what it
/// saw differs from this copy: that is how 25 million deliveries fit in memory. The copy proves nothing by itself: the checker compares it
/// with the store. It also has the time at which anybody first knew of a row, against which other streams are behind. Safe for all clients' threads.
/// </remarks>
internal sealed class ObservedRows(TimeProvider time)
{
    /// <summary>Rows that a room may have; far above the largest input, so that a nonsense sequence is not turned into memory.</summary>
    public const long SeqMax = PageRows * 4_096L;

    private const int PageRows = 4_096;

    private readonly ConcurrentDictionary<string, Room> _rooms = new(StringComparer.Ordinal);
    private readonly long _started = time.GetTimestamp();

    /// <summary>Milliseconds since the table was made, from 1.</summary>
    public uint NowMs => (uint)time.GetElapsedTime(_started).TotalMilliseconds + 1;

    /// <summary>The room's rows; made when first asked for.</summary>
    public Room Of(string room) => _rooms.GetOrAdd(room, static _ => new Room());

    public sealed class Room
    {
        private readonly Page?[] _pages = new Page[4_096];
        private readonly ConcurrentDictionary<Digest, byte> _digests = [];

        /// <summary>Each digest that anybody was delivered, once.</summary>
        public ICollection<Digest> Digests => _digests.Keys;

        public void Add(Digest digest) => _digests.TryAdd(digest, 0);

        /// <summary>Says whether a delivered hash is the one that was seen first of that row.</summary>
        public bool Agrees(long seq, ulong hash)
        {
            var first = Interlocked.CompareExchange(ref PageOf(seq).Hashes[seq % PageRows], hash, 0);
            return first == 0 || first == hash;
        }

        /// <summary>Somebody knows now that there is a row.</summary>
        /// <returns>Milliseconds since anybody first knew of it.</returns>
        public uint Known(long seq, uint nowMs)
        {
            var first = Interlocked.CompareExchange(ref PageOf(seq).KnownMs[seq % PageRows], nowMs, 0);
            return first == 0 || first > nowMs ? 0 : nowMs - first; // Above: another client's thread took its time earlier and came later.
        }

        /// <summary>The hash that was seen first, 0 if nobody saw the row.</summary>
        public ulong this[long seq] => seq is > 0 and < SeqMax && _pages[seq / PageRows] is { } page ? page.Hashes[seq % PageRows] : 0;

        private Page PageOf(long seq)
        {
            ref var page = ref _pages[seq / PageRows];
            if (page is null) Interlocked.CompareExchange(ref page, new Page(), null);
            return page;
        }

        private sealed class Page
        {
            public readonly ulong[] Hashes = new ulong[PageRows];
            public readonly uint[] KnownMs = new uint[PageRows];
        }
    }
}

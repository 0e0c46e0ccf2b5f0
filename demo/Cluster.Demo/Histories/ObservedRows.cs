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
/// with the store. Safe for all clients' threads.
/// </remarks>
internal sealed class ObservedRows
{
    /// <summary>Rows that a room may have; far above the largest input, so that a nonsense sequence is not turned into memory.</summary>
    public const long SeqMax = PageRows * 4_096L;

    private const int PageRows = 4_096;

    private readonly ConcurrentDictionary<string, Room> _rooms = new(StringComparer.Ordinal);

    /// <summary>The room's rows; made when first asked for.</summary>
    public Room Of(string room) => _rooms.GetOrAdd(room, static _ => new Room());

    public sealed class Room
    {
        private readonly ulong[]?[] _pages = new ulong[4_096][];
        private readonly ConcurrentDictionary<Digest, byte> _digests = [];

        /// <summary>Each digest that anybody was delivered, once.</summary>
        public ICollection<Digest> Digests => _digests.Keys;

        public void Add(Digest digest) => _digests.TryAdd(digest, 0);

        /// <summary>Says whether a delivered hash is the one that was seen first of that row.</summary>
        public bool Agrees(long seq, ulong hash)
        {
            ref var page = ref _pages[seq / PageRows];
            if (page is null) Interlocked.CompareExchange(ref page, new ulong[PageRows], null);
            var first = Interlocked.CompareExchange(ref page[seq % PageRows], hash, 0);
            return first == 0 || first == hash;
        }

        /// <summary>The hash that was seen first, 0 if nobody saw the row.</summary>
        public ulong this[long seq] => seq is > 0 and < SeqMax && _pages[seq / PageRows] is { } page ? page[seq % PageRows] : 0;
    }
}

using System.Globalization;

namespace ActorCluster.Persistence;

/// <summary>The numbers of a recovery.</summary>
internal static class RecoveryRules
{
    /// <summary>More than a generation can give: a million epochs or incarnations a second for an hour.</summary>
    private const long PerGeneration = 1L << 32;

    /// <summary>The generation that follows, and by how much epochs and incarnations are raised.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More generations than a number can hold.</exception>
    public static (long Generation, long Raise) After(long generation, long wanted)
    {
        var next = Math.Max(generation + 1, wanted);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(next, 1L << 30, nameof(wanted));
        return (next, (next - generation) * PerGeneration);
    }

    /// <summary>Most rows that one call gives back or tries.</summary>
    public const int ReappendRowsMax = 1_000;

    /// <summary>Why lost rows cannot be given back now; null when they can.</summary>
    /// <param name="generation">The store's.</param>
    /// <param name="lostIn">In which they were lost.</param>
    /// <param name="live">A member that is not down, if there is one.</param>
    public static string? Refusal(long generation, long lostIn, string? live) =>
        generation <= lostIn ? string.Create(CultureInfo.InvariantCulture, $"The store is at generation {generation}, in which the rows were acknowledged: first let it begin another one, with actorcluster recover.")
        : live is not null ? $"{live} is live. Stop all nodes: rows can be given back only while nobody serves."
        : null;

    /// <summary>By how much epochs were raised since.</summary>
    public static long RaiseSince(long generation, long lostIn) => (generation - lostIn) * PerGeneration;

    /// <exception cref="ArgumentException">No rows, or more than one call takes.</exception>
    public static void Check(IReadOnlyList<LostRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count is 0 or > ReappendRowsMax) throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{rows.Count} rows are given; give 1 to {ReappendRowsMax}."), nameof(rows));
    }
}

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
}

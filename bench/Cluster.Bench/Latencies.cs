using System.Diagnostics;
using System.Numerics;

namespace ActorCluster.Bench;

/// <summary>Times of one caller's operations, in buckets a sixteenth of an octave wide.</summary>
internal sealed class Latencies
{
    private const int Fine = 16;
    private readonly int[] _buckets = new int[64 * Fine];

    public void Add(long ticks) => _buckets[Bucket(Math.Max(1, ticks))]++;

    public static double Percentile(IReadOnlyCollection<Latencies> all, double share)
    {
        var total = all.Sum(l => l._buckets.Sum(b => (long)b));
        var wanted = (long)(total * share);
        for (var bucket = 0; bucket < 64 * Fine; bucket++)
        {
            wanted -= all.Sum(l => (long)l._buckets[bucket]);
            if (wanted < 0) return Ticks(bucket) * 1e6 / Stopwatch.Frequency;
        }
        return 0;
    }

    private static int Bucket(long ticks)
    {
        var octave = BitOperations.Log2((ulong)ticks);
        var within = octave <= 4 ? (ticks << (4 - octave)) & (Fine - 1) : (ticks >> (octave - 4)) & (Fine - 1);
        return (octave * Fine) + (int)within;
    }

    private static double Ticks(int bucket) => Math.Pow(2, bucket / Fine) * (1 + ((bucket % Fine + 0.5) / Fine));
}

using System.Globalization;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>Digest of the settings that safety rests on: lease times and the resolver (protocol, section 1).</summary>
internal static class ClusterDigest
{
    public static string Of(ClusterOptions options)
    {
        var times = options.Times;
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"ttl={times.LeaseTtl.Ticks};renew={times.Renew.Ticks};serve={times.ServeLimit.Ticks};stop={times.StopBudget.Ticks};resolver={ResolverChoice.Describe(options.Downing)};window=256/24h");
        return StableHash.Of("config", text).ToString("x16", CultureInfo.InvariantCulture);
    }
}

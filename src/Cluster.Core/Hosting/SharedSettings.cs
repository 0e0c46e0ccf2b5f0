using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using ActorCluster.Primitives;

namespace ActorCluster.Hosting;

/// <summary>A setting that is one thing in a node's configuration and another in its cluster.</summary>
internal sealed record SettingDifference(string Key, string Here, string There);

/// <summary>The settings that all nodes of a cluster go by, since safety rests on their being equal: the resolver and its parameters, and the times of the lease (decision 18).</summary>
internal static class SharedSettings
{
    private static readonly string[] SharedTimes = [nameof(ProtocolTimes.LeaseTtl), nameof(ProtocolTimes.Renew), nameof(ProtocolTimes.ServeLimit), nameof(ProtocolTimes.StopBudget)];

    private static readonly ImmutableSortedDictionary<string, Setting> All =
        typeof(DowningOptions).GetProperties().Select(p => new Setting($"Cluster:Downing:{p.Name}", o => o.Downing, p))
            .Concat(SharedTimes.Select(t => new Setting($"Cluster:Times:{t}", o => o.Times, typeof(ProtocolTimes).GetProperty(t)!)))
            .ToImmutableSortedDictionary(s => s.Key, s => s, StringComparer.OrdinalIgnoreCase);

    /// <summary>The keys, as in the configuration.</summary>
    public static IEnumerable<string> Keys => All.Keys;

    /// <summary>The shared values of these options, by key.</summary>
    public static ImmutableSortedDictionary<string, string> Of(ClusterOptions options) =>
        All.ToImmutableSortedDictionary(k => k.Key, k => Text(k.Value.Property.GetValue(k.Value.Section(options))), StringComparer.Ordinal);

    /// <summary>These options with the cluster's values instead of their own. What the cluster does not name, since an earlier release made it, is as it ships.</summary>
    /// <param name="own">A node's; not changed.</param>
    /// <param name="stored">The cluster's.</param>
    /// <param name="faults">What cannot be obeyed: keys of a later release, values that cannot be read.</param>
    public static ClusterOptions Apply(ClusterOptions own, IReadOnlyDictionary<string, string> stored, out ImmutableArray<string> faults)
    {
        var shipped = new ProtocolTimes();
        var result = own.With(new DowningOptions { Policy = own.Downing.Policy }, own.Times with { LeaseTtl = shipped.LeaseTtl, Renew = shipped.Renew, ServeLimit = shipped.ServeLimit, StopBudget = shipped.StopBudget });
        var found = ImmutableArray.CreateBuilder<string>();
        foreach (var (key, text) in stored)
        {
            if (!All.TryGetValue(key, out var setting)) found.Add($"{key} is no setting that clusters share; they share {string.Join(", ", Keys)}.");
            else if (ClusterOptionsBinder.Read(setting.Property.PropertyType, text) is not { } value) found.Add($"{key} is '{text}'; give {ClusterOptionsBinder.Kind(setting.Property.PropertyType)}.");
            else setting.Property.SetValue(setting.Section(result), value);
        }
        faults = found.DrainToImmutable();
        return result;
    }

    /// <summary>Where a node's own values are others than the cluster's, by key.</summary>
    public static ImmutableArray<SettingDifference> Differences(ClusterOptions own, ClusterOptions cluster) =>
        [.. Of(own).Zip(Of(cluster)).Where(p => p.First.Value != p.Second.Value).Select(p => new SettingDifference(p.First.Key, p.First.Value, p.Second.Value))];

    /// <summary>What these options cannot mean, by the rules of a start.</summary>
    /// <param name="options">With the shared values in them.</param>
    /// <param name="nodes">Names of the nodes that the store knows; empty where nobody asks it.</param>
    public static IEnumerable<string> Faults(ClusterOptions options, ImmutableArray<string> nodes) =>
        ResolverChoice.Faults(options.Downing, nodes, "the store knows").Concat(options.Times.Faults());

    private static string Text(object? value) => value switch
    {
        bool truth => truth ? "true" : "false",
        TimeSpan time => time.ToString("c", CultureInfo.InvariantCulture),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value?.ToString() ?? "",
    };

    private sealed record Setting(string Key, Func<ClusterOptions, object> Section, PropertyInfo Property);
}

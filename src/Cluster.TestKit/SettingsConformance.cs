using System.Collections.Immutable;
using ActorCluster.Persistence;
using static ActorCluster.TestKit.StoreBench;

namespace ActorCluster.TestKit;

/// <summary>Cases on the settings that all nodes go by.</summary>
internal static class SettingsConformance
{
    private static readonly ImmutableSortedDictionary<string, string> First = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal).Add("a", "1").Add("b", "");
    private static readonly ImmutableSortedDictionary<string, string> Second = First.SetItem("a", "größer").Add("c", "3");

    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        ("Settings come with the first seed that has the store's digest, and stay", open => RunAsync(open, async b =>
        {
            await ShowsAsync(b, 0, []).ConfigureAwait(false); // As an earlier release left it.
            var other = await b.AnotherAsync().ConfigureAwait(false);
            Equal(0L, (await OpenAsync(other, new StoreSeed("another digest", Second)).ConfigureAwait(false)).SettingsVersion, "Whose digest differs says nothing of this store.");
            Equal(1L, (await OpenAsync(other, new StoreSeed("digest", First)).ConfigureAwait(false)).SettingsVersion, "Equal digests, equal values.");
            await ShowsAsync(b, 1, First).ConfigureAwait(false);
            Equal(1L, (await OpenAsync(other, new StoreSeed("digest", Second)).ConfigureAwait(false)).SettingsVersion, "They are there.");
            await ShowsAsync(b, 1, First).ConfigureAwait(false);
        })),
        ("Settings change in a view that nobody lives in", open => RunAsync(open, async b =>
        {
            await OpenAsync(await b.AnotherAsync().ConfigureAwait(false), new StoreSeed("digest", First)).ConfigureAwait(false);
            var (up, joining) = (await b.MemberAsync().ConfigureAwait(false), await b.MemberAsync(up: false).ConfigureAwait(false));
            Verdict(StoreVerdict.Conflict, await ChangeAsync(b, 1, new MemberChange.Down(up, "stopped")).ConfigureAwait(false), "One that joins goes by the settings too.");
            Equal(MemberStatus.Up, (await b.MemberRowAsync(up).ConfigureAwait(false)).Status, "Nothing was written.");
            await ShowsAsync(b, 1, First).ConfigureAwait(false);
            Ok(await b.Store.RenewAsync(joining).ConfigureAwait(false), "RenewAsync");
            Verdict(StoreVerdict.Conflict, await ChangeAsync(b, 1, new MemberChange.Down(up, "stopped"), new MemberChange.Down(joining, "stopped", 0)).ConfigureAwait(false), "A lease has moved.");
            MemberChange[] down = [new MemberChange.Down(up, "stopped"), new MemberChange.Down(joining, "stopped", 1)];
            Verdict(StoreVerdict.Conflict, await ChangeAsync(b, 2, down).ConfigureAwait(false), "Another version.");
            var view = (await b.ClusterAsync().ConfigureAwait(false)).Cluster.View;
            Equal(view + 1, Ok(await ChangeAsync(b, 1, down).ConfigureAwait(false), "ChangeViewAsync"), "A view change like any other.");
            await ShowsAsync(b, 2, Second).ConfigureAwait(false);
            var row = (await b.ClusterAsync().ConfigureAwait(false)).Cluster;
            Equal((2L, "second", view + 1), (row.SettingsVersion, row.ConfigDigest, row.View), "Version, digest and view are of one moment.");
            Verdict(StoreVerdict.Conflict, await ChangeAsync(b, 1).ConfigureAwait(false), "A late one finds another version.");
        })),
    ];

    private static async Task<StoreResult<long>> ChangeAsync(StoreBench b, long basedOn, params MemberChange[] members) =>
        await b.Store.ChangeViewAsync(await b.ChangeAsync(members).ConfigureAwait(false) with { Settings = new SettingsChange(basedOn, Second, "second") }).ConfigureAwait(false);

    private static async Task<ClusterRow> OpenAsync(IClusterStore store, StoreSeed seed) => Ok(await store.OpenAsync(seed, CancellationToken.None).ConfigureAwait(false), "OpenAsync");

    private static async Task ShowsAsync(StoreBench b, long version, IEnumerable<KeyValuePair<string, string>> values)
    {
        var stored = Ok(await b.Store.ReadSettingsAsync().ConfigureAwait(false), "ReadSettingsAsync");
        Equal(version, stored.Version, "The version.");
        Sequence(values, stored.Values, "The values.");
    }
}

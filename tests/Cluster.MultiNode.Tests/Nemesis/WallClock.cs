namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>
/// Wall clocks that one node alone believes in: a library before the C library answers for them, by an offset in a file that the node maps. faketime(1) does not do:
/// it stands before the waits as well, and those of .NET end at once under it.
/// </summary>
internal sealed class WallClock
{
    private readonly string _folder;

    private WallClock(string folder) => _folder = folder;

    private string Library => Path.Combine(_folder, "wallclock.so");

    /// <summary>Compiles the library into the folder of the run and tries it.</summary>
    /// <returns>The clock, or why it cannot be had here.</returns>
    public static async Task<(WallClock? Clock, string? Missing)> BuildAsync(string folder)
    {
        var clock = new WallClock(folder);
        var source = Path.Combine(folder, "wallclock.c");
        await using (var text = typeof(WallClock).Assembly.GetManifestResourceStream("wallclock.c")!)
        await using (var file = File.Create(source))
            await text.CopyToAsync(file);
        var compiled = await Shell.TryAsync($"for c in tcc cc; do if command -v $c >/dev/null; then exec $c -shared -fPIC -nostdlib -w -o {clock.Library} {source}; fi; done; echo 'one wall clock for all, and no compiler for one of our own; install tcc'; exit 1");
        if (compiled.Code != 0) return (null, compiled.Output);
        await clock.SetAsync("probe", TimeSpan.FromHours(1));
        var (code, said) = await Shell.TryAsync($"right=$(date +%s); wrong=$(env {string.Join(' ', clock.Of("probe"))} date +%s); test $((wrong - right)) -ge 3599");
        return code == 0 ? (clock, null) : (null, $"a wall clock of one's own is without effect here: {said}");
    }

    /// <summary>What a node's command is put behind.</summary>
    /// <param name="node">Its name.</param>
    /// <param name="ahead">How far its clock is ahead at the start.</param>
    public async Task<IReadOnlyList<string>> CommandAsync(string node, TimeSpan ahead)
    {
        await SetAsync(node, ahead);
        return ["env", .. Of(node)];
    }

    /// <summary>Makes a node's clock jump, if it was started behind <see cref="CommandAsync"/>.</summary>
    public async Task SetAsync(string node, TimeSpan ahead)
    {
        // In place, since the file is mapped; eight bytes are written at once.
        await using var file = new FileStream(FileOf(node), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        await file.WriteAsync(BitConverter.GetBytes((long)ahead.TotalSeconds));
    }

    private string[] Of(string node) => [$"LD_PRELOAD={Library}", $"WALL_CLOCK={FileOf(node)}"];

    private string FileOf(string node) => Path.Combine(_folder, $"{node}.clock");
}

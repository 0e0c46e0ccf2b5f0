using ActorCluster.Persistence;

namespace ActorCluster.TestKit;

/// <summary>Cases that run random operations: alone, against the model; racing, against the invariants.</summary>
internal static class RandomConformance
{
    private const int Steps = 400;

    public static IEnumerable<(string Name, Func<Func<Task<IClusterStore>>, Task> Run)> Cases =>
    [
        .. Enumerable.Range(1, 6).Select(seed => ($"Random operations get the model's answers, seed {seed}", Single(seed))),
        .. Enumerable.Range(2, 3).Select(clients => ($"{clients} racing clients leave a consistent history", Racing(clients))),
    ];

    private static Func<Func<Task<IClusterStore>>, Task> Single(int seed) => open => StoreBench.RunAsync(open, async bench =>
    {
        var database = new ModelDatabase(Guid.Empty);
        await using var model = new ModelStore(database);
        await model.OpenAsync(new StoreSeed("digest"), CancellationToken.None).ConfigureAwait(false);
        var operations = new RandomOperations(database, new Random(seed));
        var trail = new Queue<string>();
        for (var step = 0; step < Steps; step++)
        {
            var (name, run) = operations.Next();
            var expected = await run(model).ConfigureAwait(false);
            var found = await run(bench.Store).ConfigureAwait(false);
            trail.Enqueue($"{name} -> {expected}");
            if (trail.Count > 12) trail.Dequeue();
            if (expected != found)
                throw new StoreConformanceException($"Seed {seed}, step {step}, {name}: the model answers {expected}, the store {found}. Last steps: {string.Join(" | ", trail)}");
        }
    }, shards: 0);

    private static Func<Func<Task<IClusterStore>>, Task> Racing(int clients) => open => StoreBench.RunAsync(open, async bench =>
    {
        var history = new RacingHistory();
        var runs = new List<Task>();
        for (var i = 0; i < clients; i++)
        {
            var client = new RacingClient(await bench.AnotherAsync().ConfigureAwait(false), history, new Random(i), $"racer{i}");
            runs.Add(Task.Run(() => client.RunAsync(steps: 120)));
        }
        await Task.WhenAll(runs).ConfigureAwait(false);
        await history.CheckAsync(bench.Store).ConfigureAwait(false);
    });
}

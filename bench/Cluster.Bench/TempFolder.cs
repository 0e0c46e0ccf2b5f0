namespace ActorCluster.Bench;

/// <summary>A folder that is gone when the bench ends.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("actorcluster-bench-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

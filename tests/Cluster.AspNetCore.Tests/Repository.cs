namespace ActorCluster.AspNetCore.Tests;

/// <summary>Where the files are that tests share with other languages.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string Vectors => Path.Combine(Root, "docs", "client-vectors");

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ActorCluster.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds ActorCluster.sln; run the tests inside the repository.");
    }
}

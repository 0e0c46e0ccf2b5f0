namespace ActorCluster.Sql;

/// <summary>Where a <see cref="SqliteStore"/> keeps its file and how long a call may take.</summary>
public sealed record SqliteStoreOptions
{
    /// <summary>The database file, on a local file system; its folder is made when missing. All nodes of the machine name the same file.</summary>
    public required string Path { get; init; }

    /// <summary>Time after which a call is answered without the store, more than 0, 1.5 s by default. Longer rides out slow disks; shorter notices a dead one sooner.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Pages of 4 KiB in the write-ahead log at which a commit moves them into the database, 1 or more, 10,000 by default. More is faster and takes more disk.</summary>
    public int CheckpointPages { get; init; } = 10_000;

    /// <summary>
    /// Keep an index that refuses a second row of one command id. A guard for checkers: it costs about a third of the write rate,
    /// and an existing index stays when this is switched off.
    /// </summary>
    public bool ClientIndex { get; init; }
}

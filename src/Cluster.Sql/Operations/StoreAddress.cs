using System.Diagnostics;
using ActorCluster.Persistence;

namespace ActorCluster.Sql.Operations;

/// <summary>A store as an operator names it: <c>sqlite:FILE</c>, or <c>postgres:</c> and Npgsql's connection string, whose <c>Search Path</c> may name the schema.</summary>
internal abstract record StoreAddress
{
    private static readonly TimeSpan OperatorsTimeout = TimeSpan.FromSeconds(30);

    private StoreAddress() { }

    public sealed record Sqlite(string File) : StoreAddress;

    public sealed record Postgres(PostgresStoreOptions Options) : StoreAddress;

    /// <exception cref="FormatException">Another form; the message says which one to give.</exception>
    public static StoreAddress Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var (kind, place) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        if (place.Length == 0 || kind is not ("sqlite" or "postgres"))
            throw new FormatException($"'{(kind == "postgres" ? "postgres:..." : text)}' names no store; give sqlite:FILE, or 'postgres:Host=...;Username=...;Password=...;Database=...'.");
        if (kind == "sqlite") return new Sqlite(Path.GetFullPath(place));
        var options = PostgresStoreOptions.Of(place);
        return options.Fault() is { } fault ? throw new FormatException(fault) : new Postgres(options);
    }

    /// <summary>Opens the store for reading, as it is at this moment.</summary>
    /// <exception cref="StoreUnusableException">There is no such store, it has another version, or it cannot be reached; one line names the mend.</exception>
    public async Task<StoreReader> ReadAsync(CancellationToken cancel) => this switch
    {
        Sqlite(var file) => SqliteStoreReader.Open(file),
        Postgres(var options) => await PostgresStoreReader.OpenAsync(options, cancel).ConfigureAwait(false),
        _ => throw new UnreachableException($"No reader for {this}."),
    };

    /// <summary>The store for an operator's changes, not opened yet; it takes more time than a node may.</summary>
    public IClusterStore Store() => this switch
    {
        Sqlite(var file) => new SqliteStore(new SqliteStoreOptions { Path = file, CallTimeout = OperatorsTimeout }),
        Postgres(var options) => new PostgresStore(options with { CallTimeout = OperatorsTimeout }),
        _ => throw new UnreachableException($"No store for {this}."),
    };
}

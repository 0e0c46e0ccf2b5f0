using ActorCluster.Sql.Operations;

namespace ActorCluster.Cli;

/// <summary>Which store a verb looks at: what <c>--store</c> says, else what a node would take from the environment.</summary>
internal static class StoreOption
{
    public static VerbOption Named(string name, string summary) => new(name, "STORE", summary);

    public static readonly VerbOption Store = Named("store", "sqlite:FILE or 'postgres:CONNECTION STRING'; else Cluster__Store__Sqlite or Cluster__Store__Postgres.");

    public static StoreAddress AddressOf(VerbArguments arguments) => AddressOf(arguments, Environment.GetEnvironmentVariable);

    public static StoreAddress AddressOf(VerbArguments arguments, Func<string, string?> environment)
    {
        if (arguments.Text(Store.Name) is { } given) return Parse(Store.Name, given);
        if (environment("Cluster__Store__Sqlite") is { Length: > 0 } file) return Parse("store", $"sqlite:{file}");
        if (environment("Cluster__Store__Postgres") is { Length: > 0 } text) return Parse("store", $"postgres:{text}");
        throw new UsageException("name the store: --store sqlite:FILE, or --store 'postgres:Host=...;Username=...;Password=...;Database=...'.");
    }

    public static StoreAddress Parse(string option, string text)
    {
        try
        {
            return StoreAddress.Parse(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--{option}: {e.Message}");
        }
    }
}

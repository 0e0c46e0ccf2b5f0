using System.Text.RegularExpressions;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>Where a <see cref="PostgresStore"/> keeps its tables and how long a call may take.</summary>
public sealed partial record PostgresStoreOptions
{
    internal const string DefaultSchema = "actorcluster";

    private const string Form = "Host=...;Username=...;Password=...;Database=...";

    /// <summary>
    /// Npgsql's connection string, for example <c>Host=db1,db2;Username=chat;Password=...;Database=chat</c>. All nodes name the same
    /// database. Pooling, time-outs and prepared statements are the store's business and are overwritten, and so is <c>Search Path</c>, by <see cref="Schema"/>;
    /// <see cref="SqlClusterBuilder.WithPostgres"/> and the operator's command line take the schema from it first.
    /// </summary>
    public required string ConnectionString { get; init; }

    /// <summary>
    /// Time after which a call is answered without the store, 100 ms to 1 min, 1.5 s by default. Shorter notices a dead server sooner. A call
    /// that names shards to change gets 0.2 ms more for each; an acquire takes 8,192 shards at a time, each slice with a time-out of its own.
    /// </summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Schema that the tables lie in, made if missing: 1 to 63 characters of a-z, 0-9 and '_', no digit first. One cluster, one schema.</summary>
    public string Schema { get; init; } = DefaultSchema;

    /// <summary>Keep an index that refuses a second row of one command id. A guard for checkers; an existing index stays when this is switched off.</summary>
    public bool ClientIndex { get; init; }

    /// <summary>As a node and the operator's command line read a connection string, which must come to the same place: a schema that it names as <c>Search Path</c> wins over <paramref name="schema"/>.</summary>
    internal static PostgresStoreOptions Of(string connectionString, string schema = DefaultSchema)
    {
        var options = new PostgresStoreOptions { ConnectionString = connectionString, Schema = schema };
        return options.Fault() is null && new NpgsqlConnectionStringBuilder(connectionString).SearchPath is { Length: > 0 } named ? options with { Schema = named } : options;
    }

    /// <summary>What is wrong with the options, in words that mend it; null when nothing is.</summary>
    internal string? Fault()
    {
        if (CallTimeout < TimeSpan.FromMilliseconds(100) || CallTimeout > TimeSpan.FromMinutes(1)) return $"CallTimeout is {CallTimeout}; give 100 ms to 1 min, 1.5 s by default.";
        if (!SchemaName().IsMatch(Schema)) return $"Schema is '{Schema}'; give 1 to 63 characters of a-z, 0-9 and '_', no digit first.";
        try
        {
            if (string.IsNullOrEmpty(new NpgsqlConnectionStringBuilder(ConnectionString).Host)) return $"The connection string names no Host. Give {Form}";
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException or OverflowException)
        {
            return $"The connection string cannot be read: {e.Message.TrimEnd('.')}. Give {Form}";
        }
        try
        {
            using var built = new NpgsqlDataSourceBuilder(Completed().ConnectionString).Build(); // What does not go with the store's own settings shows only here.
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or InvalidOperationException)
        {
            return $"The connection string cannot be used: {e.Message.TrimEnd('.')}. Pooling and time-outs are the store's; leave out what does not go with them. Give {Form}";
        }
        return null;
    }

    /// <summary>The connection string with the store's own settings.</summary>
    /// <exception cref="ArgumentException">An option is out of its range, or the connection string cannot be read.</exception>
    internal NpgsqlConnectionStringBuilder Complete()
    {
        return Fault() is { } fault ? throw new ArgumentException(fault) : Completed();
    }

    private NpgsqlConnectionStringBuilder Completed()
    {
        var text = new NpgsqlConnectionStringBuilder(ConnectionString);
        var ms = (int)CallTimeout.TotalMilliseconds;
        text.Pooling = false; // Each lane holds one connection for as long as it is sound.
        text.Enlist = false;
        text.CommandTimeout = 0; // Npgsql's own would send a cancel request, which can hit the next statement.
        // Per host, in whole seconds: the first of several must not use up the call's time when it is silent.
        text.Timeout = Math.Max(1, (int)CallTimeout.TotalSeconds / 2);
        text.HostRecheckSeconds = 1; // A standby may be the primary a second later.
        text.MaxAutoPrepare = 64;
        text.AutoPrepareMinUsages = 2;
        text.TcpKeepAlive = true;
        text.SearchPath = Schema;
        text.ApplicationName ??= "actorcluster";
        if (text.Host!.Contains(',', StringComparison.Ordinal)) text.TargetSessionAttributes ??= "read-write";
        // The server ends what its client has given up on, and whose client is gone, so that no lock outlives a dead node by much.
        text.Options = string.Join(' ', text.Options, string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $@"-c statement_timeout={ms} -c lock_timeout={ms * 2 / 3} -c idle_in_transaction_session_timeout={ms * 4 / 3} -c tcp_user_timeout={ms * 4 / 3} -c tcp_keepalives_idle={Math.Max(1, ms / 1000)} -c tcp_keepalives_interval=1 -c enable_seqscan=off -c jit=off -c synchronous_commit=on -c default_transaction_isolation=read\ committed")).Trim();
        return text;
    }

    [GeneratedRegex("^[a-z_][a-z0-9_]{0,62}\\z")]
    private static partial Regex SchemaName();
}

using System.Net.Sockets;
using ActorCluster.Persistence;
using Npgsql;

namespace ActorCluster.Sql;

/// <summary>What an exception of a connection means.</summary>
internal static class PostgresFailure
{
    /// <summary>The server or the way to it, not a fault of this library.</summary>
    public static bool IsOfStore(Exception e) => e is NpgsqlException or IOException or SocketException or TimeoutException or OperationCanceledException;

    /// <summary>The server ended the connection with that message: whether a commit went through before is unknown.</summary>
    public static bool EndsSession(PostgresException e) => e.InvariantSeverity is "FATAL" or "PANIC" || e.SqlState is "57P01" or "57P02";

    /// <summary>The statement was refused and undone, and the connection is as good as before.</summary>
    public static bool LeavesSessionSound(Exception e) =>
        e is PostgresException refused && !EndsSession(refused) &&
        (refused.SqlState is PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.InsufficientPrivilege || refused.SqlState[..2] is "23" or "40" or "53" or "55");

    public static string Words(Exception e) => e switch
    {
        PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction } => "The server is a read-only replica, or set read-only (25006). Point the connection string at the primary, or name all hosts.",
        PostgresException { SqlState: PostgresErrorCodes.TooManyConnections } p => $"{p.MessageText} ({p.SqlState}). Raise max_connections or the limit of the role or database: a node holds up to {PostgresStore.ConnectionsMax}, and up to {PostgresStore.ConnectionsMax * PostgresLane.LeftMax} while commits hang.",
        PostgresException { SqlState: PostgresErrorCodes.DiskFull } p => $"{p.MessageText} ({p.SqlState}). Free space on the server's disk.",
        PostgresException p => $"{p.MessageText} ({p.SqlState}).",
        { InnerException: { } inner } => $"{e.Message} {inner.Message}",
        _ => e.Message,
    };

    /// <summary>A failure that no retry mends, in words that name the mend; null when it may pass.</summary>
    public static StoreUnusableException? Unusable(Exception e, NpgsqlConnectionStringBuilder text, string schema) => e is not PostgresException p ? WithoutPassword(e, text) : p.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification =>
            new($"PostgreSQL refuses the user '{text.Username}': {p.MessageText}. Mend Username and Password of the connection string, or the server's pg_hba.conf.", e),
        PostgresErrorCodes.InvalidCatalogName =>
            new($"{p.MessageText}. Create it: CREATE DATABASE \"{text.Database ?? text.Username}\" ENCODING 'UTF8' TEMPLATE template0; or name another Database.", e),
        PostgresErrorCodes.InsufficientPrivilege =>
            new($"{p.MessageText}. Run as an administrator: GRANT CREATE ON DATABASE \"{text.Database ?? text.Username}\" TO \"{text.Username}\"; or, when the schema exists: GRANT ALL ON SCHEMA \"{schema}\" TO \"{text.Username}\"; GRANT ALL ON ALL TABLES IN SCHEMA \"{schema}\" TO \"{text.Username}\";", e),
        _ => null,
    };

    /// <summary>Npgsql's own finding, before the server is asked; of several hosts, one that demands a password is enough.</summary>
    private static StoreUnusableException? WithoutPassword(Exception e, NpgsqlConnectionStringBuilder text) =>
        (e.InnerException is AggregateException hosts ? hosts.InnerExceptions : [e]).Any(h => h is NpgsqlException && h.Message.StartsWith("No password has been provided", StringComparison.Ordinal))
            ? new($"PostgreSQL demands a password of the user '{text.Username}' and none is given. Add Password=... to the connection string, a line for it to the file that Passfile= names, or change the server's pg_hba.conf.", e)
            : null;
}

using System.Globalization;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Cli.Verbs;

/// <summary>Takes a stopped cluster from one machine's SQLite file to PostgreSQL, where nodes of several machines can share it.</summary>
internal sealed class MoveVerb : Verb
{
    private static readonly VerbOption From = StoreOption.Named("from", "sqlite:FILE of a cluster whose nodes are stopped; only read.");
    private static readonly VerbOption To = StoreOption.Named("to", "'postgres:CONNECTION STRING' of a database in which the cluster's schema is empty or missing.");

    public override string Name => "move";

    public override string Summary => "Copies a stopped cluster from SQLite to PostgreSQL, all or nothing, and compares both sides.";

    public override IReadOnlyList<VerbOption> Options => [From, To];

    public override async Task<int> RunAsync(VerbArguments arguments, TextWriter output, CancellationToken stopping)
    {
        if (StoreOption.Parse(From.Name, arguments.Text(From.Name) ?? "") is not StoreAddress.Sqlite(var file)) throw new UsageException("--from takes sqlite:FILE; a cluster moves from SQLite only.");
        if (StoreOption.Parse(To.Name, arguments.Text(To.Name) ?? "") is not StoreAddress.Postgres(var target)) throw new UsageException("--to takes 'postgres:CONNECTION STRING'; a cluster moves to PostgreSQL only.");
        var moved = await new StoreMove(file, target, StoreMove.LeaseWatch).RunAsync(
            t => output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{t.Table,-12} {t.Rows,10} rows  {t.Hash:x32}")), stopping).ConfigureAwait(false);
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"""
            Moved {moved.Sum(t => t.Rows)} rows of {moved.Length} tables; both sides have the same counts and hashes. {file} is as it was.
            Now give every node Cluster:Store:Postgres instead of Cluster:Store:Sqlite, put the file away so that no node starts on it again, and start them.
            """)).ConfigureAwait(false);
        return 0;
    }
}

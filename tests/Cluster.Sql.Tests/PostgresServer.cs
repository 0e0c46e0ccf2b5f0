using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

[assembly: AssemblyFixture(typeof(ActorCluster.Sql.Tests.PostgresServer))]

namespace ActorCluster.Sql.Tests;

/// <summary>A PostgreSQL server of its own on a free port of the loopback, with empty data, gone after the tests.</summary>
public sealed class PostgresServer : IDisposable
{
    private static int _schemas;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("actorcluster-pg-");
    private readonly string _bin = FindPrograms();
    private readonly int _port = FreePort();

    public PostgresServer()
    {
        if (Environment.IsPrivilegedProcess) RunAs(asPostgres: false, "chown", "postgres", _folder.FullName);
        File.WriteAllText(Path.Combine(_folder.FullName, "password"), "secret");
        if (Environment.IsPrivilegedProcess) RunAs(asPostgres: false, "chown", "postgres", Path.Combine(_folder.FullName, "password"));
        Run("initdb", "-D", Data, "-U", "chat", "--auth=scram-sha-256", $"--pwfile={Path.Combine(_folder.FullName, "password")}", "-E", "UTF8", "--locale=C", "--no-sync");
        Start();
    }

    public string ConnectionString => $"Host=127.0.0.1;Port={_port};Username=chat;Password=secret;Database=postgres";

    private string Data => Path.Combine(_folder.FullName, "data");

    /// <summary>A schema that no other test uses.</summary>
    public static string NewSchema() => $"test_{Interlocked.Increment(ref _schemas)}";

    public PostgresStore Store(string schema, bool clientIndex = false, TimeSpan? callTimeout = null, string? more = null) => new(new PostgresStoreOptions
    {
        ConnectionString = $"{ConnectionString};{more}",
        Schema = schema,
        ClientIndex = clientIndex,
        CallTimeout = callTimeout ?? TimeSpan.FromSeconds(10),
    });

    public void Start() => Run(
        "pg_ctl", "start", "-w", "-D", Data, "-l", Path.Combine(_folder.FullName, "log"),
        "-o", $"-p {_port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=300 -c shared_buffers=32MB");

    /// <summary>Ends it as a power cut would.</summary>
    public void Stop() => Run("pg_ctl", "stop", "-w", "-D", Data, "-m", "immediate");

    /// <summary>Runs a statement as an administrator and returns its first value.</summary>
    public object? Execute(string sql)
    {
        using var connection = new NpgsqlConnection($"{ConnectionString};Pooling=false");
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return command.ExecuteScalar();
    }

    public void Dispose()
    {
        try
        {
            if (File.Exists(Path.Combine(Data, "postmaster.pid"))) Stop();
        }
        finally
        {
            _folder.Delete(recursive: true);
        }
    }

    private static string FindPrograms()
    {
        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        var installed = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").Order().Reverse().Select(d => Path.Combine(d, "bin")) : [];
        return installed.Concat(onPath).FirstOrDefault(d => File.Exists(Path.Combine(d, "initdb")))
            ?? throw new InvalidOperationException("PostgreSQL is missing: no initdb on the PATH or below /usr/lib/postgresql. Install it: apt-get install postgresql");
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private void Run(string program, params string[] arguments) => RunAs(Environment.IsPrivilegedProcess, Path.Combine(_bin, program), arguments); // The server refuses to run as root.

    private void RunAs(bool asPostgres, string program, params string[] arguments)
    {
        string[] command = asPostgres
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", program, .. arguments]
            : [program, .. arguments];
        var output = Path.Combine(_folder.FullName, "output");
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", "out=$1; shift; exec \"$@\" >\"$out\" 2>&1", "sh", $"{output}.{Guid.NewGuid():N}", .. command]) { WorkingDirectory = _folder.FullName })!;
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}: {string.Join('\n', _folder.GetFiles("output.*").Select(f => File.ReadAllText(f.FullName)))}");
    }
}

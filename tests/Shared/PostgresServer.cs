using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ActorCluster.Sql;
using Npgsql;

namespace ActorCluster.Tests.Shared;

/// <summary>
/// A PostgreSQL server of its own on a free port of the loopback, with empty data. It is stopped and its folder removed by
/// <see cref="Dispose"/>, and also when this process ends in any other way.
/// </summary>
public sealed class PostgresServer : IDisposable
{
    private const string User = "chat";
    private const string Password = "only-for-tests";
    private const string Initial = $"-U {User} --auth=scram-sha-256 --pwfile=@ -E UTF8 --locale=C --no-sync -D";
    private static int _schemas;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("actorcluster-pg-");
    private readonly string _bin = FindPrograms();
    private readonly Process _guard;
    private readonly int _port = FreePort();
    private readonly string _settings;

    /// <summary>A server with an empty database.</summary>
    public PostgresServer()
        : this(fsync: false, "initdb", Initial)
    {
    }

    private PostgresServer(bool fsync, string program, string arguments)
    {
        _settings = $"-p {_port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync={(fsync ? "on" : "off")} -c max_connections=300 -c shared_buffers=64MB";
        _guard = Guard();
        try
        {
            var passwordFile = Path.Combine(_folder.FullName, "password");
            File.WriteAllText(passwordFile, Password);
            // The server refuses to run as root.
            if (Environment.IsPrivilegedProcess) Run("chown", "-R", "postgres", _folder.FullName);
            RunAsOwner(program, [.. arguments.Replace("@", passwordFile, StringComparison.Ordinal).Split(' '), Data]);
            Start();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where a client connects to.</summary>
    public string ConnectionString => $"Host=127.0.0.1;Port={_port};Username={User};Password={Password};Database=postgres";

    /// <summary>As one of several hosts.</summary>
    public string Host => $"127.0.0.1:{_port}";

    private string Data => Path.Combine(_folder.FullName, "data");

    /// <summary>A schema that no other test uses.</summary>
    public static string NewSchema() => $"test_{Interlocked.Increment(ref _schemas)}";

    /// <summary>A server whose commits wait for the disk, which only figures need.</summary>
    public static PostgresServer Durable() => new(fsync: true, "initdb", Initial);

    /// <summary>A server that follows this one and can be read only, until it is promoted.</summary>
    public PostgresServer Standby() => new(fsync: false, "pg_basebackup", $"-h 127.0.0.1 -p {_port} -U {User} -R -X stream -c fast --no-sync -D");

    /// <summary>Makes a standby the primary.</summary>
    public void Promote() => RunAsOwner("pg_ctl", "promote", "-w", "-D", Data);

    /// <summary>A store in it, not opened; <paramref name="more"/> is put behind the connection string and wins.</summary>
    public PostgresStore Store(string schema, bool clientIndex = false, TimeSpan? callTimeout = null, string? more = null) => new(new PostgresStoreOptions
    {
        ConnectionString = $"{ConnectionString};{more}",
        Schema = schema,
        ClientIndex = clientIndex,
        CallTimeout = callTimeout ?? TimeSpan.FromSeconds(10),
    });

    /// <summary>Starts it again after <see cref="Stop"/>.</summary>
    public void Start() => RunAsOwner("pg_ctl", "start", "-w", "-D", Data, "-l", Path.Combine(_folder.FullName, "log"), "-o", _settings);

    /// <summary>Ends it as a power cut would.</summary>
    public void Stop() => RunAsOwner("pg_ctl", "stop", "-w", "-D", Data, "-m", "immediate");

    /// <summary>Runs a statement as an administrator and returns its first value.</summary>
    public object? Execute(string sql)
    {
        using var connection = new NpgsqlConnection($"{ConnectionString};Pooling=false");
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return command.ExecuteScalar();
    }

    /// <summary>Stops it and removes all it wrote.</summary>
    public void Dispose()
    {
        _guard.StandardInput.Close();
        _guard.WaitForExit();
        _guard.Dispose();
    }

    internal static string FindPrograms()
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

    /// <summary>A shell that cleans up once this process closes its end of the pipe, which a killed process does too; in a session of its own, so that it is not killed along.</summary>
    private Process Guard() => Process.Start(new ProcessStartInfo("setsid",
    [
        "sh", "-c",
        """
        cat >/dev/null
        pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"
        for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
        rm -rf "$1"
        """,
        "sh", _folder.FullName,
    ])
    { RedirectStandardInput = true })!;

    private void RunAsOwner(string program, params string[] arguments)
    {
        program = Path.Combine(_bin, program);
        if (Environment.IsPrivilegedProcess) Run("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", program, .. arguments]);
        else Run(program, arguments);
    }

    private void Run(string program, params string[] arguments)
    {
        // Into a file: a server that was started keeps its output open, and a pipe would not end.
        var output = Path.Combine(_folder.FullName, $"output.{Guid.NewGuid():N}");
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", "out=$1; shift; exec \"$@\" >\"$out\" 2>&1", "sh", output, program, .. arguments])
        {
            WorkingDirectory = _folder.FullName,
            Environment = { ["PGPASSWORD"] = Password },
        })!;
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {File.ReadAllText(output)}");
    }
}

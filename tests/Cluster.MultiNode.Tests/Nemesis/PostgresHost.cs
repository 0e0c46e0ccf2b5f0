using System.Globalization;
using ActorCluster.Demo;
using ActorCluster.Demo.Nodes;
using ActorCluster.MultiNode.Tests.Nodes;
using ActorCluster.Tests.Shared;
using Npgsql;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>The PostgreSQL of a run, a child of this process, on a small disk of its own where it may mount one.</summary>
internal sealed class PostgresHost : IAsyncDisposable
{
    private const string Schema = "actorcluster";
    private const int SigInt = 2, SigQuit = 3, SigCont = 18, SigStop = 19;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly NemesisNetwork _network;
    private readonly string _folder;
    private readonly string _bin;
    private NodeProcess? _process;

    private PostgresHost(NemesisNetwork network, string folder) => (_network, _folder, _bin) = (network, folder, PostgresServer.FindPrograms());

    /// <summary>The disk, null where none may be mounted.</summary>
    public SmallDisk? Disk { get; private set; }

    public bool IsRunning => _process is { HasExited: false };

    public static async Task<PostgresHost> StartNewAsync(NemesisNetwork network, string folder)
    {
        var host = new PostgresHost(network, Directory.CreateDirectory(Path.Combine(folder, "postgres")).FullName);
        if (Environment.IsPrivilegedProcess && network is NamespaceNetwork) host.Disk = SmallDisk.Mount(host._folder, megabytes: 1_024);
        if (Environment.IsPrivilegedProcess) await Shell.RunAsync($"chmod a+x {folder}; chown postgres {host._folder}");
        await Shell.RunAsync($"cd {host._folder}; {string.Join(' ', host.Command("initdb"))} -D {host.Data} -U chat --auth=trust -E UTF8 --locale=C --no-sync >/dev/null");
        await File.AppendAllTextAsync(Path.Combine(host.Data, "pg_hba.conf"), "host all all 10.77.0.0/24 trust\n");
        await host.StartAsync();
        return host;
    }

    public async Task StartAsync()
    {
        if (_process is { } old) await old.DisposeAsync();
        string[] command =
        [
            .. _network.WithinStore, .. Command("postgres"), "-D", Data, "-p", _network.StorePort.ToString(CultureInfo.InvariantCulture),
            "-c", $"listen_addresses={_network.StoreHost}", "-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=32MB",
            "-c", "max_wal_size=128MB", "-c", "min_wal_size=32MB",
        ];
        _process = NodeProcess.Start(command[0], command[1..], Path.Combine(Path.GetDirectoryName(_folder)!, "postgres.log"));
        _network.Started(_process.Id);
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await using var probe = await OpenAsync();
                return;
            }
            catch (Exception cause) when (cause is NpgsqlException or TimeoutException or IOException)
            {
                if (_process.HasExited || TimeProvider.System.GetElapsedTime(started) > Limit) throw new CouldNotRunException($"PostgreSQL did not start: {cause.Message} See postgres.log.");
                await Task.Delay(50);
            }
        }
    }

    /// <summary>Stops it: at once as a crash would, or fast, ending all sessions in an orderly way.</summary>
    public async Task StopAsync(bool immediate)
    {
        if (_process is not { } process) return;
        process.Signal(immediate ? SigQuit : SigInt);
        if (await process.WaitAsync(Limit) is null) await process.KillAsync();
    }

    /// <summary>Stands still: the postmaster and all of its children.</summary>
    public Func<Task> Pause()
    {
        var postmaster = _process!.Id;
        int[] all = [postmaster, .. ChildrenOf(postmaster)];
        foreach (var id in all) Signal(id, SigStop);
        return () =>
        {
            foreach (var id in all.Reverse()) Signal(id, SigCont);
            return Task.CompletedTask;
        };
    }

    /// <summary>Some of the sessions' backends stand still, chosen at random.</summary>
    public async Task<Func<Task>> PauseBackendsAsync(Random random, int most)
    {
        var backends = new List<int>();
        await using (var admin = await OpenAsync())
        await using (var command = new NpgsqlCommand("SELECT pid FROM pg_stat_activity WHERE backend_type='client backend' AND pid<>pg_backend_pid() ORDER BY pid", admin))
        await using (var rows = await command.ExecuteReaderAsync())
            while (await rows.ReadAsync()) backends.Add(rows.GetInt32(0));
        var chosen = backends.OrderBy(_ => random.Next()).Take(most).ToList();
        foreach (var id in chosen) Signal(id, SigStop);
        return () =>
        {
            // One that is gone was a child of the postmaster, and only those are told to go on.
            foreach (var id in ChildrenOf(_process!.Id).Intersect(chosen)) Signal(id, SigCont);
            return Task.CompletedTask;
        };
    }

    /// <summary>A session that holds a table, or the rows of it, until it is healed.</summary>
    public async Task<Func<Task>> LockAsync(string table, bool rowsOnly)
    {
        var admin = await OpenAsync();
        await using var command = new NpgsqlCommand(rowsOnly ? $"BEGIN; SELECT * FROM {table} FOR UPDATE" : $"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", admin);
        await command.ExecuteNonQueryAsync();
        return () => admin.DisposeAsync().AsTask(); // The end of the session is the end of its transaction.
    }

    /// <summary>A connection of the administrator, past all faults of the nodes.</summary>
    public async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection($"Host={_network.StoreHost};Port={_network.StorePort};Username=chat;Database=postgres;Search Path={Schema};Pooling=false;Timeout=5;Command Timeout=120");
        await connection.OpenAsync();
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false }) await StopAsync(immediate: true);
        if (_process is { } process) await process.DisposeAsync();
        Disk?.Dispose();
    }

    private string Data => Path.Combine(_folder, "data");

    private IEnumerable<string> Command(string program) =>
        Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", Path.Combine(_bin, program)] : [Path.Combine(_bin, program)]; // The server refuses to run as root.

    private static IEnumerable<int> ChildrenOf(int parent)
    {
        foreach (var directory in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var id)) continue;
            var stat = "";
            try { stat = File.ReadAllText(Path.Combine(directory, "stat")); }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException) { continue; }
            if (stat.Split(") ")[^1].Split(' ')[1] == parent.ToString(CultureInfo.InvariantCulture)) yield return id;
        }
    }

    private static void Signal(int process, int signal) => _ = SendSignal(process, signal);

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "kill")]
    private static extern int SendSignal(int process, int signal);
}

using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>
/// Runs the nemesis in namespaces of its own: processes, network and mounts. They end with their first process, which ends with this one, so whatever
/// happens the kernel leaves no node, no interface and no filter behind.
/// </summary>
internal static class Sandbox
{
    private static readonly string[] Unshare = ["--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"];

    // Names of network namespaces are mounts; a disk of our own over the place keeps them from everybody else's.
    private const string OwnNames = "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && exec \"$@\"";

    /// <summary>Runs inside if that is allowed, else over relays, and says so.</summary>
    public static async Task<int> RunAsync(NemesisOptions options, string[] arguments)
    {
        Marker.RemoveLeftovers();
        var refusal = options.Relay ? "--relay was given" : await ProbeAsync();
        var marker = Marker.Place();
        var code = 2;
        try
        {
            if (refusal is null)
            {
                code = await RunInsideAsync(marker.Folder, [.. arguments.Where(a => a != "--tied"), "--seed", $"{options.Seed}"]);
            }
            else
            {
                await Console.Error.WriteLineAsync($"nemesis: no network namespaces ({refusal}): relays on the loopback instead. Run it as root with iproute2 and iptables installed for all faults.");
                code = await NemesisRun.RunAsync(options, marker.Folder, await RelayNetwork.BuildAsync(options.Nodes, marker));
            }
        }
        finally
        {
            marker.Remove();
            if (code == 0 && !options.Keep) RemoveLogs(marker.Folder);
        }
        await Console.Error.WriteLineAsync($"nemesis: plan, figures{(code == 0 && !options.Keep ? "" : " and logs")} in {marker.Folder}");
        return code;
    }

    private static async Task<string?> ProbeAsync()
    {
        try
        {
            using var probe = Start(["sh", "-c", "ip link add probe type bridge && ip netns add probe && ip netns exec probe true"], tied: false);
            var error = probe.StandardError.ReadToEndAsync();
            await probe.WaitForExitAsync();
            return probe.ExitCode == 0 ? null : (await error).Trim().ReplaceLineEndings(" ");
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            return missing.Message;
        }
    }

    private static async Task<int> RunInsideAsync(string folder, string[] arguments)
    {
        using var inside = Start(["dotnet", typeof(Sandbox).Assembly.Location, "nemesis", .. arguments, "--inside", folder, "--tied"], tied: true);
        void Kill(PosixSignalContext context)
        {
            context.Cancel = true; // Clean-up below, then the exit.
            inside.Kill();
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Kill);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Kill);
        await inside.WaitForExitAsync();
        return inside.ExitCode is 0 or 1 ? inside.ExitCode : 2;
    }

    private static Process Start(string[] command, bool tied)
    {
        var start = new ProcessStartInfo("unshare", [.. Unshare, "sh", "-c", OwnNames, "sh", .. command]) { RedirectStandardInput = tied, RedirectStandardError = !tied };
        return Process.Start(start) ?? throw new InvalidOperationException("unshare did not start.");
    }

    private static void RemoveLogs(string folder)
    {
        foreach (var directory in Directory.GetDirectories(folder)) Directory.Delete(directory, recursive: true);
        foreach (var file in Directory.GetFiles(folder))
            if (!file.EndsWith(".json", StringComparison.Ordinal)) File.Delete(file);
    }
}

using System.ComponentModel;
using System.Diagnostics;

namespace ActorCluster.Client.Tests;

/// <summary>A script of this folder that checks the browser client: one line a case, "ok NAME" or "failed NAME: why".</summary>
internal static class NodeScript
{
    /// <summary>A module of the browser client.</summary>
    public static string Browser(string module) => Path.Combine(Repository.Root, "src", "Cluster.Sample", "wwwroot", module);

    /// <summary>Runs a script, asserts that every case is ok and returns the lines.</summary>
    public static async Task<string[]> RunAsync(string script, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("node") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(Repository.Root, "tests", "Cluster.Client.Tests", script));
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var node = Start(start);
        var (output, errors) = (node.StandardOutput.ReadToEndAsync(), node.StandardError.ReadToEndAsync());
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        var lines = (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(node.ExitCode == 0, string.Join('\n', lines.Where(l => !l.StartsWith("ok ", StringComparison.Ordinal))) + await errors);
        return lines;
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException("There is no 'node' on the PATH; install Node.js 20 or newer (package nodejs) to check the browser client.", e);
        }
    }
}

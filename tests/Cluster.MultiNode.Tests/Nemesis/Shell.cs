using System.Diagnostics;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>Short commands of the system.</summary>
internal static class Shell
{
    /// <summary>Runs a script that must succeed.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="InvalidOperationException">It failed: the script and what it said.</exception>
    public static async Task<string> RunAsync(string script)
    {
        var (code, output) = await TryAsync(script);
        return code == 0 ? output : throw new InvalidOperationException($"'{script}' ended with {code}: {output}");
    }

    public static async Task<(int Code, string Output)> TryAsync(string script)
    {
        using var process = Process.Start(new ProcessStartInfo("sh", ["-ec", script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, (await output + await error).Trim());
    }
}

using ActorCluster.Demo;

namespace ActorCluster.MultiNode.Tests.Nemesis;

/// <summary>The command line: once around the namespaces, once inside.</summary>
internal static class NemesisCommand
{
    /// <returns>0 clean, 1 not, 2 could not run.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        try
        {
            var options = NemesisOptions.Parse(arguments);
            if (NemesisRun.ScenarioOf(options)?.Nodes is { } nodes) options = options with { Nodes = nodes };
            if (options.Tied) EndWithInput();
            if (options.Inside is not { } folder) return await Sandbox.RunAsync(options, arguments);
            return await NemesisRun.RunAsync(options, folder, await NamespaceNetwork.BuildAsync(options.Nodes, folder));
        }
        catch (Exception cause) when (cause is FormatException or CouldNotRunException or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync(cause.Message);
            return 2;
        }
    }

    // A parent that was killed can say nothing; its end of the pipe closes all the same.
    private static void EndWithInput() => new Thread(() =>
    {
        using var input = Console.OpenStandardInput();
        while (input.Read(new byte[1]) > 0) { }
        Environment.Exit(2);
    })
    { IsBackground = true, Name = "parent" }.Start();
}

using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Hosting;

/// <summary>The systemd unit that is shipped knows what a node's exit codes mean.</summary>
public class ServiceUnitTests
{
    /// <summary>Every exit code, and whether the supervisor starts the node again.</summary>
    private static readonly SortedDictionary<int, bool> StartsAgain = new()
    {
        [ExitCodes.Left] = false,
        [ExitCodes.Refused] = false,
        [ExitCodes.Invariant] = true,
        [ExitCodes.Evicted] = true,
        [ExitCodes.Frozen] = true,
        [ExitCodes.Superseded] = false,
        [ExitCodes.StoreMismatch] = false,
    };

    [Fact]
    public void Every_exit_code_restarts_the_node_or_not_as_it_means()
    {
        var all = typeof(ExitCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (int)f.GetRawConstantValue()!);
        Assert.Equal(StartsAgain.Keys, all.Order());
        Assert.Equal("on-failure", Setting("Restart")); // 0 is none; everything else starts again unless it is named below.
        Assert.Equal(
            StartsAgain.Where(c => !c.Value && c.Key != ExitCodes.Left).Select(c => c.Key),
            Setting("RestartPreventExitStatus").Split(' ').Select(c => int.Parse(c, CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void A_stop_has_the_time_that_a_node_may_take()
    {
        Assert.Equal("SIGTERM", Setting("KillSignal"));
        Assert.InRange(int.Parse(Setting("TimeoutStopSec"), CultureInfo.InvariantCulture), 51, 120); // The node gives itself 50 s.
    }

    [Fact]
    public async Task Systemd_takes_the_unit_as_it_is()
    {
        const string Analyze = "/usr/bin/systemd-analyze";
        if (!File.Exists(Analyze))
        {
            // Without systemd only the shape can be held: sections, and one setting a line.
            Assert.All(Lines().Where(l => !l.StartsWith('#')), line => Assert.Matches(@"^(\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=.+)$", line));
            return;
        }
        // The program and its user are not on every machine that runs the tests, so a program that is stands in.
        var folder = Directory.CreateTempSubdirectory("actorcluster-unit-");
        try
        {
            var unit = Path.Combine(folder.FullName, "actorcluster@node1.service");
            await File.WriteAllLinesAsync(unit, Lines().Select(l => l.StartsWith("ExecStart=", StringComparison.Ordinal) ? "ExecStart=/bin/true" : l.StartsWith("User=", StringComparison.Ordinal) ? "User=root" : l));
            using var verify = Process.Start(new ProcessStartInfo(Analyze, ["verify", "--man=no", unit]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            var said = verify.StandardError.ReadToEndAsync();
            await verify.WaitForExitAsync();
            Assert.DoesNotContain("actorcluster@", await said, StringComparison.Ordinal); // It may have words on the machine's own units.
            Assert.Equal(0, verify.ExitCode);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Setting(string name) => Assert.Single(Lines(), l => l.StartsWith($"{name}=", StringComparison.Ordinal))[(name.Length + 1)..];

    private static string[] Lines()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ActorCluster.sln"))) return [.. File.ReadAllLines(Path.Combine(folder.FullName, "deploy", "actorcluster@.service")).Where(l => l.Length > 0)];
        throw new DirectoryNotFoundException($"No ActorCluster.sln above {AppContext.BaseDirectory}; run the tests inside the repository.");
    }
}

using System.Diagnostics;
using ActorCluster.Demo.Replay;

namespace ActorCluster.MultiNode.Tests.Demo;

public class RecoveryLogTests
{
    private static readonly long s_fault = 1_000 * Stopwatch.Frequency;
    private static readonly ReplayCommand s_say = new("ann", "say", "raku");

    [Theory]
    [InlineData(-500, 1_200, false, 1_200, 1)] // Unanswered at the fault: counts from the fault.
    [InlineData(3_000, 3_900, false, 900, 1)]
    [InlineData(3_000, 3_100, false, 100, 0)] // Quick: within the maximum, not within the quantiles.
    [InlineData(3_000, 3_100, true, 100, 1)]
    [InlineData(-500, -100, false, 0, 0)]
    [InlineData(10_001, 19_000, false, 0, 0)] // Sent more than 10 s after the fault.
    public void A_command_counts_from_the_later_of_sending_and_fault(int sent, int answered, bool moved, double max, int felt)
    {
        var log = new RecoveryLog();
        log.Fault(s_fault);
        log.Answered(At(sent), At(answered), moved, s_say);
        var waits = log.Waits();

        Assert.Equal(max, waits.Max, 3);
        Assert.Equal(felt, waits.Felt.Count);
    }

    [Fact]
    public void The_longest_wait_is_that_of_any_command_also_far_from_every_fault()
    {
        var log = new RecoveryLog();
        log.Fault(s_fault);
        log.Answered(At(60_000), At(65_500), moved: false, s_say);
        log.Answered(At(-90_000), At(-83_000), moved: false, new("bob", "leave", "raku"));
        log.Answered(At(0), At(4_000), moved: false, s_say);

        Assert.Equal(4_000, log.Waits().Max, 3);
        Assert.Equal((7_000, 2), (Math.Round(log.Longest.Ms), log.Longest.AboveBar));
        Assert.StartsWith("leave of bob in raku", log.Longest.What, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantiles_are_values_that_occurred()
    {
        double[] hundred = [.. Enumerable.Range(1, 100)];

        Assert.Equal((50, 99, 100), (RecoveryLog.Quantile(hundred, .5), RecoveryLog.Quantile(hundred, .99), RecoveryLog.Quantile(hundred, 1)));
        Assert.Equal(0, RecoveryLog.Quantile([], .5));
    }

    private static long At(int ms) => s_fault + ms * Stopwatch.Frequency / 1_000;
}

namespace ActorCluster.Client.Tests;

public class SessionSimulationTests
{
    /// <remarks>A seed that fails prints itself and its last steps; pin it here as a test of its own, named after what went wrong.</remarks>
    [Fact]
    public void No_message_is_lost_repeated_or_reordered_whatever_breaks()
    {
        for (var seed = 1; seed <= 400; seed++)
        {
            var simulation = new SessionSimulation(seed);
            try
            {
                simulation.Run(steps: 600);
            }
            catch (InvalidOperationException e)
            {
                Assert.Fail($"Seed {seed}: {e.Message}\n{simulation.Trace}");
            }
        }
    }
}

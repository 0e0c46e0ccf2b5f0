using ActorCluster.TestKit.Simulation;

namespace ActorCluster.Tests;

public class SimulationPlanTests
{
    [Fact]
    public void A_plan_read_from_its_file_gives_the_trace_of_its_seed()
    {
        for (ulong seed = 700; seed < 704; seed++)
        {
            var drawn = Simulation.Run(seed);
            var replayed = Simulation.Run(SimulationPlan.Parse(drawn.Plan.Listed().ToJson()));
            Assert.Equal((drawn.TraceHash, drawn.Steps), (replayed.TraceHash, replayed.Steps));
        }
    }

    [Fact]
    public void A_fault_taken_out_leaves_all_else_as_it_was_until_it_would_have_begun()
    {
        var plan = SimulationPlan.Draw(7, new SimulationOptions { Faults = [SimFault.Kill, SimFault.Cut] }).Listed();
        var first = plan.Faults.MinBy(f => f.AtMs)!;
        Assert.True(plan.Faults.Length > 1);
        var (whole, smaller) = (LinesBefore(plan, first.AtMs), LinesBefore(plan with { Faults = plan.Faults.Remove(first) }, first.AtMs));
        Assert.True(whole.Count > 100);
        Assert.Equal(whole, smaller);
    }

    [Fact]
    public void A_place_left_empty_and_a_client_without_operations_are_a_smaller_run()
    {
        var plan = SimulationPlan.Draw(9, new SimulationOptions { Nodes = 4 }).Listed();
        var smaller = Simulation.Run(plan with { Nodes = [0, 2], Operations = [.. plan.Operations!.Value.Where(o => o.Client == 1)] });
        Assert.Empty(smaller.Violations);
        Assert.InRange(smaller.Steps, 1, Simulation.Run(plan).Steps / 2);
    }

    [Theory]
    [InlineData("{}", "required")]
    [InlineData("{\"seed\":1,\"places\":2,\"nodes\":[0,1],\"shards\":8,\"rooms\":4,\"clients\":4,\"sharedHost\":true,\"faults\":[],\"wind\":3}", "wind")]
    [InlineData("{\"seed\":1,\"places\":2,\"nodes\":[0,2],\"shards\":8,\"rooms\":4,\"clients\":4,\"sharedHost\":true,\"faults\":[]}", "node 2")]
    public void What_is_no_plan_is_refused_with_the_place(string json, string fault) =>
        Assert.Contains(fault, Assert.Throws<FormatException>(() => SimulationPlan.Parse(json)).Message, StringComparison.Ordinal);

    private static List<string> LinesBefore(SimulationPlan plan, long atMs)
    {
        var lines = new List<string>();
        Simulation.Run(plan, lines.Add);
        return [.. lines.TakeWhile(l => double.Parse(l.AsSpan(0, l.IndexOf(' ', StringComparison.Ordinal)), System.Globalization.CultureInfo.InvariantCulture) * 1000 < atMs)];
    }
}

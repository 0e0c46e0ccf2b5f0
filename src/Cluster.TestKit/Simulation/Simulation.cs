using System.Collections.Immutable;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Runs a whole cluster in one thread and virtual time, with the real protocol cores, and judges it (protocol, section 9.1).</summary>
public static class Simulation
{
    /// <summary>How long after its last fault a cluster may take until all is well (10 T_d).</summary>
    internal static readonly TimeSpan Settles = TimeSpan.FromSeconds(15);

    /// <summary>Makes the run of a seed.</summary>
    /// <param name="seed">Decides everything that <paramref name="options"/> leaves open. Equal seeds give equal traces.</param>
    /// <param name="options">What kind of run; the defaults draw all faults.</param>
    public static SimulationResult Run(ulong seed, SimulationOptions? options = null) => Run(SimulationPlan.Draw(seed, options));

    /// <summary>Makes one run: nodes start, faults come and go, and all must be well again 15 s after the last one.</summary>
    /// <param name="plan">Equal plans give equal traces.</param>
    /// <param name="trace">Told of each step.</param>
    public static SimulationResult Run(SimulationPlan plan, Action<string>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var cluster = new SimCluster(plan);
        var world = cluster.World;
        world.Traced = trace;
        cluster.Start();
        new SimFaults(cluster).Schedule(plan.Faults);

        bool Broken() => world.Violations.Count > 0;
        bool Over() => Broken() || cluster.LostAt is not null;
        try
        {
            world.RunUntil(plan.Ends + TimeSpan.FromMilliseconds(1), Over);
            if (cluster.LostAt is not null)
            {
                world.Trace("healed, but for what the store has forgotten");
                cluster.HealAll();
                world.RunUntil(world.Now + Settles, Broken);
                if (!Broken()) cluster.Checkers.AfterLoss();
                if (!Broken()) cluster.Reappend!.Check();
            }
            else if (!Broken())
            {
                world.Trace("healed");
                cluster.HealAll();
                Quiesce(cluster, Broken);
            }
        }
        catch (Exception thrown)
        {
            world.Violated("Exit", thrown.ToString().ReplaceLineEndings(" "));
        }
        return new SimulationResult
        {
            Plan = plan,
            Violations = [.. world.Violations],
            TraceHash = world.TraceHash,
            Steps = world.Steps,
            Reached = ReachedBy(cluster),
            Pairs = cluster.Coverage.Hits.ToImmutableSortedDictionary(StringComparer.Ordinal),
            LastSteps = Broken() ? [.. world.LinesAtViolation.TakeLast(60)] : [.. world.LastLines],
        };
    }

    private static void Quiesce(SimCluster cluster, Func<bool> broken)
    {
        var world = cluster.World;
        var healed = world.Now;
        var nextLook = healed;
        bool Settled() => broken() || (LookNow() && cluster.AllUp() && cluster.AllServed() && cluster.Clients.All(c => c.AllAnswered(healed)));
        bool LookNow()
        {
            if (world.Now < nextLook) return false;
            nextLook = world.Now + TimeSpan.FromMilliseconds(50);
            return true;
        }

        if (!world.RunUntil(healed + Settles, Settled)) world.Violated("I13", $"{Settles} after the last fault: {Complaint(cluster, healed)}");
        world.RunUntil(healed + Settles, broken);
        foreach (var client in cluster.Clients) client.IsDone = true;
        world.RunUntil(world.Now + TimeSpan.FromSeconds(6), broken);
        // Durable timers go on firing: what one has just set going is not what was left over.
        var busy = world.Now;
        world.RunUntil(world.Now + TimeSpan.FromSeconds(4), () =>
        {
            if (cluster.Lives.Any(l => l.Rooms.Waiting > 0)) busy = world.Now;
            return broken() || world.Now - busy >= TimeSpan.FromMilliseconds(300);
        });
        if (!broken()) cluster.Checkers.AtEnd();
    }

    private static string Complaint(SimCluster cluster, TimeSpan healed)
    {
        var lives = cluster.Nodes.Select(n => n.Life is { } l ? $"{n.Name} {l.Inc} {l.Core.Membership.SelfRow.Status} {l.Mode}, view {l.Core.Membership.View}, blocked by [{string.Join("; ", l.Core.Membership.JoinBlockedBy)}]" : $"{n.Name} has no life");
        var idle = cluster.Store.Database.Shards.Where(r => r.Owner is not { } o || cluster.LifeOf(o)?.Rooms.Open.Contains(r.No) != true).Select(r => $"shard {r.No} {r.State} epoch {r.Epoch} owner {r.Owner} target {r.Target}");
        var open = cluster.Clients.SelectMany(c => c.History).Where(o => o.State == SimOpState.Open && o.At <= healed).Select(o => $"{o.Id} {o.Room} {o.Attempts} attempts since {o.At}");
        return string.Join(" | ", lives.Concat(idle).Concat(open));
    }

    private static ImmutableSortedDictionary<string, long> ReachedBy(SimCluster cluster)
    {
        var database = cluster.Store.Database;
        var all = cluster.Clients.SelectMany(c => c.History).ToArray();
        return new SortedDictionary<string, long>(StringComparer.Ordinal)
        {
            ["acks"] = cluster.Checkers.Acks,
            ["refusals"] = all.Count(o => o.State == SimOpState.Refused),
            ["retried"] = all.Count(o => o.Attempts > 1),
            ["unmarked reads"] = cluster.Checkers.UnmarkedReads,
            ["deliveries"] = cluster.Checkers.Deliveries,
            ["rows"] = database.Journal.Count,
            ["epochs"] = database.ShardLog.Count,
            ["views"] = database.ViewLog.Count,
            ["evictions"] = cluster.Stops.GetValueOrDefault(ExitCodes.Evicted),
            ["left"] = cluster.Stops.GetValueOrDefault(ExitCodes.Left),
            ["ended frozen"] = cluster.Stops.GetValueOrDefault(ExitCodes.Frozen),
            ["effects"] = cluster.Checkers.Effects,
            ["late effects"] = cluster.Checkers.LateEffects,
            ["timers fired"] = cluster.Checkers.Fired,
            ["losses"] = cluster.LostAt is null ? 0 : 1,
            ["rows truncated"] = cluster.Checkers.Truncated,
            ["fenced writes"] = cluster.FencedWrites,
            ["in doubt"] = cluster.Store.InDoubtCalls,
            ["lost frames"] = cluster.Network.Lost,
        }.ToImmutableSortedDictionary(StringComparer.Ordinal);
    }
}

using ActorCluster.Hosting;
using ActorCluster.Links;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Does to a cluster what a plan says.</summary>
internal sealed class SimFaults(SimCluster cluster)
{
    /// <summary>Between the starts of two nodes of a rolling restart.</summary>
    public const long RollingStepMs = 4_000;

    public void Schedule(IEnumerable<PlannedFault> faults)
    {
        foreach (var fault in faults) Schedule(fault);
    }

    private void Schedule(PlannedFault fault)
    {
        var (nodes, others, value) = (fault.Nodes, fault.Others, fault.Value);
        void Lasts(Action begins, Action ends)
        {
            cluster.World.After(fault.Begins - cluster.World.Now, begins);
            cluster.World.After(fault.Ends - cluster.World.Now, ends);
        }

        void ToEach(Action<SimNode> begins, Action<SimNode> ends) => Lasts(() => Each(nodes, begins), () => Each(nodes, ends));
        switch (fault.Kind)
        {
            case SimFault.Kill:
                ToEach(n => n.Kill(), n => n.Start());
                break;
            case SimFault.KillBetweenEffects:
                ToEach(n => n.DiesAfterEffects = (int)value, n =>
                {
                    n.DiesAfterEffects = null;
                    n.Start();
                });
                break;
            case SimFault.Pause:
                ToEach(n => n.Pause(), n => n.Resume());
                break;
            case SimFault.Suspend:
                ToEach(n => n.Suspend(), n => n.Resume());
                break;
            case SimFault.StandStill:
                ToEach(n => n.StandStill(), n => n.Resume(setsWall: value == 1));
                break;
            case SimFault.PoolHang:
                ToEach(n => n.Hang(TimeSpan.FromMilliseconds(value)), n => n.Hang(TimeSpan.Zero));
                break;
            case SimFault.SlowNode:
                ToEach(n => Stutter(n, fault.Ends), n => n.Resume());
                break;
            case SimFault.RestartElsewhere:
                ToEach(n => n.KillAndMove(), n => n.Start());
                break;
            case SimFault.WallJump:
                ToEach(n => n.WallOffset = TimeSpan.FromMilliseconds(value), n => n.WallOffset = TimeSpan.Zero);
                break;
            case SimFault.ClockRate:
                ToEach(n => n.Rate = 1 + value, n => n.Rate = 1);
                break;
            case SimFault.StoreClockJump:
                Lasts(() => cluster.Store.ClockOffset = TimeSpan.FromMilliseconds(value), () => cluster.Store.ClockOffset = TimeSpan.Zero);
                break;
            case SimFault.StoreErrors:
                Lasts(() => cluster.Store.Errors = value, () => cluster.Store.Errors = 0);
                break;
            case SimFault.Loss:
                Lasts(() => cluster.Network.Loss = value, () => cluster.Network.Loss = 0);
                break;
            case SimFault.DelaySpikes:
                Lasts(() => cluster.Network.Spikes = value, () => cluster.Network.Spikes = 0);
                break;
            case SimFault.Duplicates:
                Lasts(() => cluster.Network.Duplicates = value, () => cluster.Network.Duplicates = 0);
                break;
            case SimFault.HotRoom:
                Lasts(() => cluster.HotRoom = (int)value, () => cluster.HotRoom = null);
                break;
            case SimFault.Impatience:
                Lasts(() => cluster.Patience = TimeSpan.FromMilliseconds(200), () => cluster.Patience = SimClient.UsualPatience);
                break;
            case SimFault.Ring:
                Lasts(() => Ring(nodes, cut: true), () => Ring(nodes, cut: false));
                break;
            case SimFault.Bridge:
                var (left, right) = (nodes[1..(1 + (nodes.Length / 2))], nodes[(1 + (nodes.Length / 2))..]);
                Lasts(() => cluster.Cut(left, right, cut: true), () => cluster.Cut(left, right, cut: false));
                break;
            case SimFault.Flapping:
                cluster.World.After(fault.Begins - cluster.World.Now, () => Flap(fault, cut: true));
                break;
            case SimFault.Cut or SimFault.Isolate:
                Lasts(() => cluster.Cut(nodes, others, cut: true, rejects: value == 1), () => cluster.Cut(nodes, others, cut: false));
                break;
            case SimFault.CutOneWay:
                Lasts(() => cluster.Cut(nodes, others, cut: true, bothWays: false), () => cluster.Cut(nodes, others, cut: false, bothWays: false));
                break;
            case SimFault.CutChannel:
                var channel = value == 0 ? LinkChannel.Control : LinkChannel.Data;
                Lasts(() => cluster.Cut(nodes, others, cut: true, channel: channel), () => cluster.Cut(nodes, others, cut: false, channel: channel));
                break;
            case SimFault.SlowNetwork:
                Lasts(() => cluster.Network.Delay = TimeSpan.FromMilliseconds(value), () => cluster.Network.Delay = SimNetwork.UsualDelay);
                break;
            case SimFault.Reset:
                Lasts(() => cluster.Network.Reset(nodes[0], others[0]), () => cluster.Network.Reset(nodes[0], others[0]));
                break;
            case SimFault.HalfOpen:
                Lasts(() => cluster.Network.HalfOpen(nodes[0], others[0]), () => cluster.Network.HalfOpen(others[0], nodes[0]));
                break;
            case SimFault.FullLinks:
                Lasts(() => cluster.Fill(nodes, others, true), () => cluster.Fill(nodes, others, false));
                break;
            case SimFault.StoreDown or SimFault.StoreCutOff:
                ToEach(n => cluster.ReachStore(n.Index, false), n => cluster.ReachStore(n.Index, true));
                break;
            case SimFault.SlowStore:
                Lasts(() => cluster.Store.Latency = TimeSpan.FromMilliseconds(value), () => cluster.Store.Latency = SimStore.UsualLatency);
                break;
            case SimFault.LostReplies:
                Lasts(() => cluster.Store.LostReplies = value, () => cluster.Store.LostReplies = 0);
                break;
            case SimFault.LateCopies:
                Lasts(() => cluster.Store.LateCopies = value, () => cluster.Store.LateCopies = 0);
                break;
            case SimFault.StoreLosesCommits:
                ModelDatabase? kept = null;
                Lasts(() => kept = cluster.Store.Database.Copy(), () => cluster.LoseCommits(kept!));
                break;
            case SimFault.Switch:
                cluster.World.After(fault.Begins - cluster.World.Now, () => cluster.Nodes[others[0]].Life?.Switch(cluster.Nodes[nodes[0]].Name));
                break;
            case SimFault.Leave or SimFault.LeaveTwo:
                ToEach(Leave, n => n.StartWhenLeft());
                break;
            case SimFault.RollingRestart:
                for (var i = 0; i < nodes.Length; i++)
                    Schedule(fault with { Kind = SimFault.Leave, Nodes = [nodes[i]], AtMs = fault.AtMs + (i * RollingStepMs), ForMs = Math.Max(1, fault.ForMs - ((nodes.Length - 1) * RollingStepMs)) });
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"No rule for {fault.Kind}.");
        }
    }

    private static void Leave(SimNode node) => node.Life?.After(TimeSpan.Zero, () => node.Life?.Tell(new NodeInput.Leave()));

    private void Stutter(SimNode node, TimeSpan until)
    {
        if (cluster.World.Now >= until) return;
        node.Pause();
        cluster.World.After(node.Random.Spread(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(400)), () =>
        {
            node.Resume();
            cluster.World.After(node.Random.Spread(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(100)), () => Stutter(node, until));
        });
    }

    private void Ring(IReadOnlyList<int> nodes, bool cut)
    {
        for (var i = 0; i < nodes.Count; i++)
            for (var j = i + 2; j < nodes.Count; j++)
                if (j - i != nodes.Count - 1) cluster.Cut([nodes[i]], [nodes[j]], cut);
    }

    private void Flap(PlannedFault fault, bool cut)
    {
        var ends = cluster.World.Now >= fault.Ends;
        cluster.Cut(fault.Nodes, fault.Others, cut && !ends);
        if (!ends) cluster.World.After(TimeSpan.FromMilliseconds(Math.Min(fault.Value, (fault.Ends - cluster.World.Now).TotalMilliseconds)), () => Flap(fault, !cut));
    }

    private void Each(IEnumerable<int> nodes, Action<SimNode> happens)
    {
        foreach (var node in nodes) happens(cluster.Nodes[node]);
    }
}

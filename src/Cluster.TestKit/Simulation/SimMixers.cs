using System.Collections.Immutable;
using ActorCluster.Entities;
using ActorCluster.Hosting;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>The shards of an exclusive type that a life serves: each acts on the outer world now and then, through the real gate.</summary>
internal sealed class SimMixers(SimCluster cluster, SimLife life)
{
    private readonly SortedDictionary<ShardNo, Served> _served = [];

    public IEnumerable<ShardNo> Open => _served.Where(s => s.Value.IsOpen).Select(s => s.Key);

    public void Start(ImmutableArray<AcquiredShard> shards)
    {
        foreach (var shard in shards) _served[shard.No] = new Served(shard.Epoch, new EffectGate(shard.No, shard.Epoch, life.Inc));
    }

    public void Drain(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var served in Found(shards)) (served.IsOpen, served.IsReported) = (false, false);
    }

    public void Reopen(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var served in Found(shards))
        {
            served.Gate.Open();
            served.IsOpen = true;
        }
    }

    /// <summary>What was lost is told as stopped when its effects have ended.</summary>
    public void Stop(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        var stopping = Found(shards).ToArray();
        foreach (var (shard, _) in shards)
            if (_served.TryGetValue(shard, out var served) && stopping.Contains(served)) _served.Remove(shard);
        foreach (var served in stopping) served.Gate.Close(cancel: false);
        TellStopped(shards, stopping);
    }

    public void StopAll()
    {
        foreach (var served in _served.Values) served.Gate.Close(cancel: false);
        _served.Clear();
    }

    /// <summary>The process died, and what it did ends with it.</summary>
    public void Vanish() => _served.Clear();

    public void Tick()
    {
        foreach (var (shard, served) in _served.ToArray())
        {
            if (served.IsOpen && life.Node.Acts.Chance(0.2)) Act(shard, served);
            if (served.IsOpen || served.IsReported) continue;
            served.Gate.Close(cancel: false);
            if (!HasEnded(served)) continue;
            served.IsReported = true;
            var epoch = served.Epoch;
            life.After(TimeSpan.Zero, () => life.Tell(new NodeInput.Drained(shard, epoch)));
        }
    }

    private void Act(ShardNo shard, Served served)
    {
        var limit = life.Node.Acts.Between(TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(1));
        if (served.Gate.Enter(limit, MayAct) is not { } effect) return;
        Acted(shard, served.Epoch, isExcused: false);
        life.Node.EffectsUnderWay++;
        var (begun, process, unaware) = (cluster.World.Now, life.Node.Process, life.Node.Hidden is not null);
        cluster.World.After(limit, End);

        // It belongs to the process: the end of the life that began it does not end it.
        void End()
        {
            if (!life.Node.IsAlive || life.Node.Process != process) return;
            if (life.Node.IsPaused)
            {
                cluster.World.After(TimeSpan.FromMilliseconds(10), End);
                return;
            }
            Acted(shard, served.Epoch, isExcused: unaware || cluster.World.Now - begun > limit + TimeSpan.FromMilliseconds(10));
            effect.Dispose();
            life.Node.EffectsUnderWay--;
        }
    }

    private bool MayAct(TimeSpan limit) =>
        cluster.Plan.Mutation == SimMutation.ActsPastTheLease ? life.Mode is not NodeMode.Fenced : life.Core.Membership.MayAct(limit, life.Clock) || MayActByAssent(limit);

    private bool MayActByAssent(TimeSpan limit)
    {
        var may = life.MayActByAssent(limit);
        if (may) cluster.Coverage.Hit("4.4 by assent", "effect");
        return may;
    }

    private void Acted(ShardNo shard, Epoch epoch, bool isExcused) => cluster.Checkers.Acted(life, shard, epoch, isExcused || life.Node.Hidden is not null);

    private void TellStopped(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards, Served[] stopping)
    {
        var early = cluster.Plan.Mutation == SimMutation.AsksBeforeEffectsEnd && life.Core.Membership.Helper(life.Clock) is not null;
        if (early || stopping.All(HasEnded)) life.After(TimeSpan.Zero, () => life.Tell(new NodeInput.Stopped(shards)));
        else life.After(TimeSpan.FromMilliseconds(10), () => TellStopped(shards, stopping));
    }

    private bool HasEnded(Served served) => cluster.Plan.Mutation == SimMutation.StopsBeforeEffectsEnd || served.Gate.Ended.IsCompleted;

    private IEnumerable<Served> Found(ImmutableArray<(ShardNo Shard, Epoch Epoch)> shards)
    {
        foreach (var (shard, epoch) in shards)
            if (_served.TryGetValue(shard, out var served) && served.Epoch == epoch) yield return served;
    }

    private sealed class Served(Epoch epoch, EffectGate gate)
    {
        public Epoch Epoch => epoch;

        public EffectGate Gate => gate;

        public bool IsOpen { get; set; } = true;

        public bool IsReported { get; set; }
    }
}

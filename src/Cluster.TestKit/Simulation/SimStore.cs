using System.Collections.Immutable;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>The store as nodes meet it: a model database behind latency, outages, lost replies and late copies.</summary>
/// <remarks>Each call takes effect at one instant between its start and its answer, or later when its answer was lost.</remarks>
internal sealed class SimStore(SimWorld world, ModelDatabase database, SimRandom[] randoms, Action<ViewChange> beforeChange, Action<string> afterWrite)
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(1.5);

    public const long EpochUnixMs = 1_700_000_000_000;
    public static readonly TimeSpan UsualLatency = TimeSpan.FromMilliseconds(2);

    private readonly HashSet<int> _cutOff = []; // Only asked, never iterated.
    private readonly Dictionary<SimNode, (Incarnation Inc, long Process, TimeSpan Since)> _sessions = []; // Only asked, never iterated.

    public ModelDatabase Database { get; private set; } = database;

    /// <summary>Puts the store back to what it was: all that has committed since is forgotten.</summary>
    public void Restore(ModelDatabase older) => Database = older;

    /// <summary>Mean latency of a call; spikes raise it.</summary>
    public TimeSpan Latency { get; set; } = UsualLatency;

    public double LostReplies { get; set; }

    public double LateCopies { get; set; }

    /// <summary>Probability that a call fails before it takes effect.</summary>
    public double Errors { get; set; }

    /// <summary>Probability that a view change is a conflict although the view is the right one.</summary>
    public double Conflicts { get; set; }

    /// <summary>How far the clock of the store's host is off.</summary>
    public TimeSpan ClockOffset { get; set; }

    /// <summary>Calls that took effect, or never will, and whose answer was lost.</summary>
    public long InDoubtCalls { get; private set; }

    public long NowUnixMs => EpochUnixMs + (long)(world.Now + ClockOffset).TotalMilliseconds;

    public void Reach(SimNode node, bool reaches)
    {
        if (reaches) _cutOff.Remove(node.Index);
        else if (_cutOff.Add(node.Index)) _sessions.Remove(node);
    }

    /// <summary>How long an incarnation has had a session, which it takes with a renewal and loses with its process and with its way to the store; null when it has none.</summary>
    public TimeSpan? SessionOf(SimNode node, Incarnation inc) =>
        _sessions.TryGetValue(node, out var session) && session.Inc == inc && node.IsAlive && session.Process == node.Process ? world.Now - session.Since : null;

    /// <summary>As a store of several hosts answers: for who has had its own session for 3 s.</summary>
    public bool IsSessionGone(SimLife asker, SimNode node, Incarnation inc) =>
        SessionOf(asker.Node, asker.Inc) >= TimeSpan.FromSeconds(3) && Database.Find(inc) is { LeaseSeq: > 0 } && SessionOf(node, inc) is null;

    public bool IsReached(int node) => !_cutOff.Contains(node);

    public void Control(SimLife caller, ControlCall call, Action<ControlAnswer> answered)
    {
        var writes = call is not (ControlCall.ReadCluster or ControlCall.ReadPicture or ControlCall.ReadOwn or ControlCall.ReadRows or ControlCall.FindView);
        var refused = call is ControlCall.ChangeView && Conflicts > 0 && randoms[caller.Node.Index].Chance(Conflicts);
        Make(caller, call.GetType().Name, writes, () => refused ? new ControlAnswer(call, StoreVerdict.Conflict, null, "simulated") : Execute(caller, call), answered, verdict => new ControlAnswer(call, verdict, null, "simulated"));
    }

    public void Data<T>(SimLife caller, string name, bool writes, Func<StoreResult<T>> execute, Action<StoreResult<T>> answered) =>
        Make(caller, name, writes, execute, answered, verdict => StoreResult.Not<T>(verdict, "simulated"));

    private void Make<T>(SimLife caller, string name, bool writes, Func<T> execute, Action<T> answered, Func<StoreVerdict, T> failed)
    {
        var node = caller.Node.Index;
        var random = randoms[node];
        var toStore = random.Exponential(Latency);
        var back = random.Exponential(Latency / 4);
        var lost = random.Chance(LostReplies);
        var copied = writes && random.Chance(LateCopies);
        var lateBy = random.Spread(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(4));

        T Run()
        {
            var result = execute();
            if (writes)
            {
                world.Trace($"store {caller.Inc} {name} {Describe(result)}");
                afterWrite(name);
            }
            return result;
        }

        if (!IsReached(node))
        {
            // Refused at once, or sent into the dark.
            var dark = random.Chance(0.3);
            if (dark) InDoubtCalls++;
            caller.After(dark ? CallTimeout : TimeSpan.FromMilliseconds(40), () => answered(failed(dark ? StoreVerdict.InDoubt : StoreVerdict.NotSent)));
            return;
        }
        if (Errors > 0 && random.Chance(Errors))
        {
            caller.After(toStore + back, () => answered(failed(StoreVerdict.NotSent)));
            return;
        }
        if (copied) world.After(toStore + lateBy, () => Run());
        if (lost || toStore + back >= CallTimeout)
        {
            InDoubtCalls++;
            if (!lost || random.Chance(0.6)) world.After(toStore, () => Run());
            else if (random.Chance(0.5)) world.After(toStore + lateBy, () => Run()); // Landed after its caller gave up; else it never arrived.
            caller.After(CallTimeout, () => answered(failed(StoreVerdict.InDoubt)));
            return;
        }
        world.After(toStore, () =>
        {
            var result = Run();
            if (IsReached(node))
            {
                caller.After(back, () => answered(result));
                return;
            }
            InDoubtCalls++;
            caller.After(CallTimeout - toStore, () => answered(failed(StoreVerdict.InDoubt)));
        });
    }

    private ControlAnswer Execute(SimLife caller, ControlCall call)
    {
        var answer = Execute(call);
        var node = caller.Node;
        if (call is ControlCall.Renew && answer.IsOk && node.Life == caller && IsReached(node.Index) && SessionOf(node, caller.Inc) is null) _sessions[node] = (caller.Inc, node.Process, world.Now);
        return answer;
    }

    private ControlAnswer Execute(ControlCall call)
    {
        if (call is ControlCall.ChangeView view && Database.FindView(view.Change.OpId).Value == 0) beforeChange(view.Change);
        return call switch
        {
            ControlCall.ReadCluster => ControlAnswer.Of(call, Database.ReadCluster()),
            ControlCall.ChangeView(var change) => ControlAnswer.Of(call, Database.ChangeView(change, NowUnixMs)),
            ControlCall.FindView(var opId) => ControlAnswer.Of(call, Database.FindView(opId)),
            ControlCall.Renew(var inc) => ControlAnswer.Of(call, Database.Renew(inc)),
            ControlCall.Acquire(var inc, var stale) => ControlAnswer.Of(call, Database.Acquire(inc, stale)),
            ControlCall.ReadPicture(var self) => ControlAnswer.Of(call, Database.ReadPicture(self)),
            ControlCall.ReadOwn(var self) => ControlAnswer.Of(call, Database.ReadOwn(self)),
            ControlCall.ReadRows(var shards) => ControlAnswer.Of(call, Database.ReadShards(shards)),
            ControlCall.Place(var placements) => ControlAnswer.Of(call, Database.Place(placements)),
            ControlCall.End(var owner, var shards) => ControlAnswer.Of(call, Database.End(owner, shards, NowUnixMs)),
            ControlCall.PruneEnded(var age) => ControlAnswer.Of(call, Database.PruneEnded(age, NowUnixMs)),
            ControlCall.PlanHandoff(var plans) => ControlAnswer.Of(call, Database.PlanHandoff(plans)),
            ControlCall.RevertHandoff(var owner, var shards) => ControlAnswer.Of(call, Database.RevertHandoff(owner, shards)),
            ControlCall.Release(var owner, var releases) => ControlAnswer.Of(call, Database.Release(owner, releases)),
            ControlCall.ClearPrevious(var previous, var shards) => ControlAnswer.Of(call, Database.ClearPrevious(previous, shards)),
            ControlCall.RevokeOfDown(var heirs, var trusted) => ControlAnswer.Of(call, Database.RevokeOfDown(heirs, trusted)),
            ControlCall.Retarget(var retargets) => ControlAnswer.Of(call, Database.Retarget(retargets)),
            ControlCall.Prune(var logs, var downMembers, var limit, var after) => ControlAnswer.Of(call, Database.Prune(logs, downMembers, limit, after, NowUnixMs)),
            _ => throw new System.Diagnostics.UnreachableException($"No rule for {call}."),
        };
    }

    private static string Describe<T>(T result) => result switch
    {
        ControlAnswer { Value: System.Collections.ICollection many } answer => $"{answer.Verdict} {many.Count}",
        ControlAnswer answer => $"{answer.Verdict} {answer.Value}{answer.Reason}",
        StoreResult<ImmutableArray<AppendOutcome>> appended => string.Join(',', appended.Value),
        _ => result?.ToString() ?? "",
    };
}

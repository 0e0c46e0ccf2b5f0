using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A place where processes of one node run, one after the other, each with one life or several.</summary>
internal sealed class SimNode(SimCluster cluster, int index)
{
    private static readonly TimeSpan RejoinAfter = TimeSpan.FromSeconds(1);

    private readonly Queue<(SimLife Life, Action Happens)> _deferred = new();
    private long _process;
    private bool _startsWhenLeft;
    private TimeSpan _clock;
    private TimeSpan _clockSet;
    private TimeSpan _suspended;
    private TimeSpan? _suspendedAt;
    private TimeSpan? _standsSince;
    private TimeSpan _wallBehind;
    private int _moves;
    private double _rate = 1;

    /// <summary>Choices of this node's processes.</summary>
    public SimRandom Random { get; } = new(cluster.Plan.Seed, $"node {index}");

    /// <summary>What this node's processes do outside the store.</summary>
    public SimRandom Acts { get; } = new(cluster.Plan.Seed, $"acts {index}");

    /// <summary>Ids that this node's processes give; apart, so that one id more changes nothing else.</summary>
    public SimRandom Ids { get; } = new(cluster.Plan.Seed, $"ids {index}");

    public int Index => index;

    /// <summary>The process's thread pool.</summary>
    public SimPool Pool { get; } = new();

    public void Hang(TimeSpan delay)
    {
        if (!IsAlive) return;
        cluster.World.Trace($"{Name} {Life?.Inc} pool {(delay > TimeSpan.Zero ? "hangs" : "recovers")}");
        cluster.Upset(isDeaf: false);
        if (delay > TimeSpan.Zero) Pool.Hang(delay);
        else Pool.Recover();
    }

    public string Name => $"n{index}";

    /// <summary>What the process does outside the store, whichever of its lives began it.</summary>
    public int EffectsUnderWay { get; set; }

    /// <summary>Distinguishes the processes at this place.</summary>
    public long Process => _process;

    /// <summary>The process runs, or stands still.</summary>
    public bool IsAlive { get; private set; }

    public bool IsPaused { get; private set; }

    public SimLife? Life { get; private set; }

    /// <summary>Effects after which the process dies, for a kill between two effects.</summary>
    public int? DiesAfterEffects { get; set; }

    /// <summary>The process's own clock: counts from its start, at its own rate, through pauses and suspensions; not while the machine stands still.</summary>
    public TimeSpan Clock => ToldClock(Boot);

    private TimeSpan Boot => _standsSince is null ? _clock + ((cluster.World.Now - _clockSet) * _rate) : _clock;

    /// <summary>How far the wall clock is ahead of the own one.</summary>
    public TimeSpan WallAhead => cluster.World.Now + WallOffset - _wallBehind - Clock;

    /// <summary>How often the machine has stood still, or begun to.</summary>
    public int Standstills { get; private set; }

    /// <summary>For how long the machine stood still, while no sign of it has come: nobody in it can know (protocol, section 11).</summary>
    public TimeSpan? Hidden { get; private set; }

    public bool StandsStill => _standsSince is not null;

    /// <summary>How far its wall clock is off.</summary>
    public TimeSpan WallOffset { get; set; }

    public long WallUnixMs => SimStore.EpochUnixMs + (long)(cluster.World.Now + WallOffset).TotalMilliseconds;

    /// <summary>Rate of its clocks; leases allow for 0.5 %.</summary>
    public double Rate
    {
        get => _rate;
        set
        {
            (_clock, _clockSet) = (Boot, cluster.World.Now);
            _rate = value;
        }
    }

    /// <summary><c>host:port</c> that its process listens at.</summary>
    public string Address => $"{Name}:{8090 + _moves}";

    public void Start()
    {
        if (IsAlive || !cluster.Plan.Nodes.Contains(index) || cluster.LostAt is not null) return; // Whoever starts finds in its data folder that it has seen more, and ends with 78.
        (IsAlive, IsPaused, DiesAfterEffects, EffectsUnderWay, _startsWhenLeft) = (true, false, null, 0, false);
        _process++;
        Pool.Clear();
        (_clock, _clockSet) = (TimeSpan.FromMilliseconds(1), cluster.World.Now);
        (_suspended, _suspendedAt, _standsSince, _wallBehind, Hidden) = (TimeSpan.Zero, null, null, TimeSpan.Zero, null);
        cluster.Upset(isDeaf: false);
        var drawn = cluster.Plan.Mutation == SimMutation.DrawsOutsideTheSeed ? System.Random.Shared.NextDouble() : Random.Unit();
        _rate = 1 + ((drawn - 0.5) * 0.006); // Well within the 0.5 % that leases allow for.
        cluster.World.Trace($"{Name} starts");
        Live(_process);
    }

    /// <summary>Starts again as a supervisor would: not before the process that was told to leave has ended.</summary>
    public void StartWhenLeft()
    {
        if (IsAlive) _startsWhenLeft = true;
        else Start();
    }

    public void Kill()
    {
        if (!IsAlive) return;
        cluster.World.Trace($"{Name} {Life?.Inc} killed");
        cluster.Upset(isDeaf: false);
        if (Life is not null) cluster.Coverage.Dies(Life);
        (IsAlive, IsPaused) = (false, false);
        _deferred.Clear();
        var life = Life;
        Life = null;
        life?.Vanish();
    }

    public void Pause()
    {
        if (!IsAlive || IsPaused) return;
        cluster.World.Trace($"{Name} {Life?.Inc} paused");
        cluster.Upset();
        IsPaused = true;
    }

    /// <summary>As a pause, of the whole machine.</summary>
    public void Suspend()
    {
        Pause();
        _suspendedAt ??= cluster.World.Now;
    }

    /// <summary>As a pause, of the whole machine and all of its clocks.</summary>
    public void StandStill()
    {
        if (!IsAlive || IsPaused) return;
        Pause();
        (_clock, _clockSet, _standsSince) = (Boot, cluster.World.Now, cluster.World.Now);
        Standstills++;
        Life?.StandsStill();
    }

    /// <summary>Something has come that a standstill shows in.</summary>
    public void Showed() => Hidden = null;

    /// <summary>The next process listens at another port.</summary>
    public void KillAndMove()
    {
        Kill();
        _moves++;
    }

    /// <param name="setsWall">After a standstill, the wall clock is set right.</param>
    public void Resume(bool setsWall = false)
    {
        if (!IsPaused) return;
        cluster.World.Trace($"{Name} {Life?.Inc} resumes");
        cluster.Upset();
        if (_suspendedAt is { } since) (_suspended, _suspendedAt) = (_suspended + (cluster.World.Now - since), null);
        if (_standsSince is { } stood)
        {
            Hidden = cluster.World.Now - stood;
            (_standsSince, _clockSet) = (null, cluster.World.Now);
            if (!setsWall) _wallBehind += Hidden.Value;
        }
        IsPaused = false;
        while (IsAlive && !IsPaused && _deferred.TryDequeue(out var next)) Happen(next.Life, next.Happens);
    }

    /// <summary>Something happens to a life: now, or when its process runs again; never when that life is over.</summary>
    public void Happen(SimLife life, Action happens)
    {
        if (life.IsEnded || !IsAlive) return;
        if (IsPaused) _deferred.Enqueue((life, happens));
        else happens();
    }

    /// <summary>A life has ended by its own decision.</summary>
    public void Ended(SimLife life, int exitCode)
    {
        if (Life != life) return;
        Life = null;
        if (exitCode == ExitCodes.Left)
        {
            IsAlive = false;
            if (_startsWhenLeft) Start();
            return;
        }
        if (exitCode == ExitCodes.Frozen)
        {
            IsAlive = false;
            cluster.World.After(RejoinAfter, Start);
            return;
        }
        var process = _process;
        cluster.World.After(RejoinAfter, () => Live(process));
    }

    /// <summary>What the process is told, by the clock that it asks.</summary>
    private TimeSpan ToldClock(TimeSpan bootTime) => cluster.Plan.Mutation switch
    {
        SimMutation.WallClockLease => bootTime + WallOffset,
        SimMutation.ClockStopsInSuspend => bootTime - _suspended - (_suspendedAt is { } since ? cluster.World.Now - since : TimeSpan.Zero),
        _ => bootTime,
    };

    /// <summary>Asks the store for an incarnation until it gives one, then lives.</summary>
    private void Live(long process)
    {
        if (!IsAlive || _process != process || Life is not null || cluster.LostAt is not null) return;
        if (IsPaused || EffectsUnderWay > 0 || !cluster.Store.IsReached(index))
        {
            cluster.World.After(TimeSpan.FromMilliseconds(IsPaused || EffectsUnderWay == 0 ? 500 : 50), () => Live(process));
            return;
        }
        var inc = cluster.Store.Database.NextIncarnation().Value;
        var draft = new MemberRow
        {
            Inc = inc,
            Name = Name,
            Host = cluster.Plan.SharedHost ? "host" : $"host{index}",
            LinkAddress = Address,
            ClientUrl = $"http://{Name}:8080",
            Types = cluster.Plan.Mutation == SimMutation.KeepsItsTypesToItself ? null : cluster.TypesOf(this),
            LockFile = new NodeLockProof($"{Name}/node.lock", cluster.Plan.SharedHost ? "boot" : $"boot{index}", 1, index, inc.ToString()),
        };
        Life = new SimLife(cluster, this, draft);
        Hidden = null; // A new life knows nothing that could have gone stale.
        cluster.Register(Life);
        cluster.World.Trace($"{Name} lives as {inc}");
        Life.Begin();
    }
}

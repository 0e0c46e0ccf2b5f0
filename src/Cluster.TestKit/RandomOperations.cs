using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit;

/// <summary>Draws store calls that are often right and often nearly right, by looking at a model that sees the same calls.</summary>
internal sealed class RandomOperations(ModelDatabase model, Random random)
{
    private readonly List<ShardBatch> _batches = [];
    private readonly List<(string Name, Func<IClusterStore, Task<string>> Run)> _earlier = [];
    private int _ids;

    /// <summary>The next call: its name, and itself for any store; it answers in words that can be compared.</summary>
    public (string Name, Func<IClusterStore, Task<string>> Run) Next()
    {
        if (_earlier.Count == 0) return Keep("register", s => s.RegisterTypeAsync("counter", 6));
        if (Chance(6)) return _earlier[random.Next(Math.Max(0, _earlier.Count - 20), _earlier.Count)]; // A delayed or repeated copy.
        return random.Next(20) switch
        {
            0 => Join(),
            1 or 2 => View(new MemberChange.Up(AnyMember())),
            3 => Chance(30) ? View(new MemberChange.Leave(AnyMember())) : Keep("register", s => s.RegisterTypeAsync("other", 2, exclusive: true)),
            4 => View(Chance(50) ? [new MemberChange.Down(AnyMember(), "random", Chance(50) ? null : LeaseOf(AnyMember()), Chance(30))] : []),
            5 => Let(AnyMember(), inc => Keep($"renew {inc}", s => s.RenewAsync(inc))),
            6 or 7 => Let(Retargets(), r => Keep("retarget", s => s.RetargetAsync(r))),
            8 or 9 => Let((Inc: AnyMember(), Stale: AnyLeases()), t => Keep($"acquire {t.Inc}", s => s.AcquireAsync(t.Inc, t.Stale))),
            10 => Let(Retargets(), r => Keep("plan", s => s.PlanHandoffAsync(r))),
            11 => HandOff(),
            12 => Let((AnyMember(), Pairs()), t => Keep("confirm", s => s.ConfirmAsync(t.Item1, t.Item2))),
            13 or 14 or 15 => Append(),
            16 => Snapshots(),
            17 => Let((Key: $"k{random.Next(6)}", Target: AnyMember()), t => Keep("place", s => s.PlaceAsync([new ShardPlacement("call", t.Key, t.Target), new ShardPlacement("call", "k0", t.Target)]))),
            18 => Keep("register", s => s.RegisterTypeAsync("call", 0)),
            _ => Read(),
        };
    }

    private (string, Func<IClusterStore, Task<string>>) Join()
    {
        var inc = new Incarnation(random.Next(1, 9));
        var node = random.Next(1, 5);
        return View(new MemberChange.Join(StoreBench.Row(inc, $"node{node}", $"10.0.0.{random.Next(1, 5)}:8091") with { Types = Chance(40) ? [Chance(50) ? "counter" : "other", .. Chance(50) ? new[] { "call" } : []] : null }));
    }

    private (string, Func<IClusterStore, Task<string>>) View(params MemberChange[] members)
    {
        var view = model.ViewLog.Count;
        var victim = AnyMember();
        var change = new ViewChange
        {
            OpId = NewId(),
            By = AnyMember(),
            BasedOn = Chance(8) ? view - 1 : view,
            Members = [.. members],
            Heirs = Chance(50) ? [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => AnyMember())] : [],
            Releases = members.Length == 0 && Chance(70) ? [new LeaseSeen(victim, LeaseOf(victim))] : [],
            Targets = [.. Enumerable.Range(0, random.Next(4)).Select(_ => new ShardTarget(AnyShard().No, AnyMember()))],
            Reason = "random",
        };
        return Keep($"view {string.Join(",", members.Select(m => m.ToString()))}", async s =>
            $"{StoreText.Of(await s.ChangeViewAsync(change).ConfigureAwait(false))} {StoreText.Of(await s.FindViewAsync(change.OpId).ConfigureAwait(false))}");
    }

    private (string, Func<IClusterStore, Task<string>>) HandOff()
    {
        var (row, member) = (AnyShard(), AnyMember());
        var owner = Chance(70) ? row.Owner ?? member : member;
        var epoch = EpochNear(row);
        return random.Next(4) switch
        {
            0 => Keep("revert", s => s.RevertHandoffAsync(owner, [(row.No, epoch)])),
            1 => Let(row.Previous ?? member, previous => Keep("clear", s => s.ClearPreviousAsync(previous, [(row.No, epoch)]))),
            2 when Chance(50) => Let((Down: Chance(10) ? TimeSpan.Zero : TimeSpan.FromDays(1), Limit: random.Next(1, 6)), t => Keep("prune", s => s.PruneAsync(TimeSpan.Zero, t.Down, t.Limit))),
            2 => Let(Enumerable.Range(0, random.Next(4)).Select(_ => AnyMember()).ToArray(), trusted => Keep("sweep", s => s.RevokeOfDownAsync([], trusted))),
            _ => Let(Chance(50) ? AnyMember() : (Incarnation?)null, target => Keep("release", s => s.ReleaseAsync(owner, [new ShardRelease(row.No, epoch, target)]))),
        };
    }

    private (string, Func<IClusterStore, Task<string>>) Append()
    {
        if (_batches.Count > 0 && Chance(25))
            return Let(_batches[random.Next(Math.Max(0, _batches.Count - 6), _batches.Count)], batch => Keep("resolve", s => s.ResolveAsync(batch)));
        var batches = Enumerable.Range(0, random.Next(1, 4)).Select(_ => Batch()).ToArray();
        _batches.AddRange(batches);
        return Keep("append", async s =>
        {
            var text = StoreText.Of(await s.AppendAsync(batches).ConfigureAwait(false));
            foreach (var batch in batches) text += $" {StoreText.Of(await s.ReadTimersAsync(batch.Shard, batch.Rows[0].Entity).ConfigureAwait(false))}";
            return text;
        });
    }

    private ShardBatch Batch()
    {
        var row = AnyShard();
        var entity = string.Create(CultureInfo.InvariantCulture, $"counter/{(Chance(90) ? row.No.Value : 1)}");
        var next = Next(entity) - (Chance(5) ? 1 : 0);
        var rows = Enumerable.Range(0, random.Next(1, 4)).Select(i => StoreBench.JournalRowOf(entity, next + i) with { Timers = Timers(next + i) });
        var owner = Chance(90) ? row.Owner ?? AnyMember() : AnyMember();
        return new ShardBatch(row.No, EpochNear(row), owner, row.NextSeq + (Chance(5) ? 1 : 0), NewId(), [.. rows]);
    }

    private ImmutableArray<TimerChange> Timers(long seq) =>
    [
        .. Enumerable.Range(0, Math.Max(0, random.Next(5) - 2)).Select(_ => $"k{random.Next(4)}").Distinct()
            .Select((key, i) => Chance(30) ? TimerConformance.Ended(key) : TimerConformance.Set(key, (seq * 64) + i, random.Next(20))),
    ];

    private (string, Func<IClusterStore, Task<string>>) ReadTimers(ShardRow row, string entity) => random.Next(3) switch
    {
        0 => Let((row.Owner ?? AnyMember(), EpochNear(row), random.Next(1, 12) * 64), t => Keep("remove timer", s => s.RemoveTimerAsync(row.No, t.Item2, t.Item1, entity, t.Item3))),
        1 => Keep("read timers of an entity", s => s.ReadTimersAsync(row.No, entity)),
        _ => Let((AnyMember(), random.Next(25), model.Timers.ElementAtOrDefault(random.Next(8)), random.Next(1, 9)), t => Keep("read timers", s => s.ReadTimersAsync(t.Item1, t.Item2, t.Item3, t.Item4))),
    };

    private (string, Func<IClusterStore, Task<string>>) Snapshots()
    {
        var row = AnyShard();
        var entity = string.Create(CultureInfo.InvariantCulture, $"counter/{row.No.Value}");
        var (owner, epoch, seq) = (Chance(80) ? row.Owner ?? AnyMember() : AnyMember(), EpochNear(row), random.NextInt64(1, Next(entity) + 1));
        if (Chance(40)) return Keep("truncate", s => s.TruncateAsync(row.No, epoch, owner, entity, new JournalLimits(null, seq, TimeSpan.Zero)));
        var snapshot = new EntitySnapshot(entity, seq, "state.v1", new byte[] { (byte)seq });
        return Keep("snapshot", async s =>
            $"{StoreText.Of(await s.SaveSnapshotAsync(row.No, epoch, owner, snapshot).ConfigureAwait(false))} {StoreText.Of(await s.ReadSnapshotAsync(entity).ConfigureAwait(false))}");
    }

    private (string, Func<IClusterStore, Task<string>>) Read()
    {
        var entity = string.Create(CultureInfo.InvariantCulture, $"counter/{AnyShard().No.Value}");
        if (Chance(40)) return ReadTimers(AnyShard(), entity);
        var (from, limit) = (random.Next(1, 5), random.Next(1, 20));
        return random.Next(4) switch
        {
            0 => Keep("read members", s => s.ReadClusterAsync()),
            1 => Keep("read shards", s => s.ReadShardsAsync()),
            2 => Keep("next incarnation", s => s.NextIncarnationAsync()),
            _ => Keep("read journal", s => s.ReadJournalAsync(entity, from, limit)),
        };
    }

    private LeaseSeen[] AnyLeases() => [.. Enumerable.Range(0, random.Next(3)).Select(_ => AnyMember()).Select(m => new LeaseSeen(m, LeaseOf(m)))];

    private ShardRetarget[] Retargets() =>
    [
        .. Enumerable.Range(0, random.Next(1, 5)).Select(_ => AnyShard()).Select(row =>
            new ShardRetarget(row.No, EpochNear(row), Chance(90) ? row.Target : AnyMember(), AnyMember())),
    ];

    private (ShardNo, Epoch)[] Pairs() => [.. Enumerable.Range(0, 4).Select(_ => AnyShard()).Select(row => (row.No, EpochNear(row)))];

    private Epoch EpochNear(ShardRow row) => Chance(92) ? row.Epoch : new Epoch(Math.Max(0, row.Epoch.Value + random.Next(-1, 2)));

    private ShardRow AnyShard() => model.Shards.ElementAt(random.Next(model.Shards.Count));

    private Incarnation AnyMember()
    {
        var live = model.Members.Where(m => m.IsLive).ToArray();
        return live.Length > 0 && Chance(85) ? live[random.Next(live.Length)].Inc : new Incarnation(random.Next(1, 9));
    }

    private long LeaseOf(Incarnation inc) => (model.Members.FirstOrDefault(m => m.Inc == inc)?.LeaseSeq ?? 0) - (Chance(30) ? 1 : 0);

    private long Next(string entity) => model.Journal.Where(e => e.Row.Entity == entity).Select(e => e.Row.EntitySeq).DefaultIfEmpty(0).Max() + 1;

    private bool Chance(int percent) => random.Next(100) < percent;

    private Guid NewId() => new(++_ids, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);

    private static TResult Let<T, TResult>(T value, Func<T, TResult> use) => use(value);

    private (string, Func<IClusterStore, Task<string>>) Keep<T>(string name, Func<IClusterStore, ValueTask<StoreResult<T>>> call) =>
        Keep(name, async s => StoreText.Of(await call(s).ConfigureAwait(false)));

    private (string, Func<IClusterStore, Task<string>>) Keep(string name, Func<IClusterStore, Task<string>> run)
    {
        _earlier.Add((name, run));
        return (name, run);
    }
}

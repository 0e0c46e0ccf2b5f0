using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>A room in memory: turns run on speculative state, and nothing leaves before the rows it rests on have committed.</summary>
internal sealed class SimRoom(SimCluster cluster, SimLife life, SimRooms host, string name, ShardNo shard, Epoch epoch) : IRowOwner
{
    private const int SnapshotEvery = 20;

    private readonly ISimCore _core = cluster.NewCore();
    private readonly CommandWindow _window = new();
    private readonly List<JournalRow> _rows = []; // Those after the snapshot.
    private readonly Queue<RoomRequest> _waiting = new();
    private readonly SortedDictionary<Incarnation, long> _subscribers = [];
    private readonly SortedDictionary<long, List<(Action Committed, Action Dropped)>> _held = [];
    private readonly SortedDictionary<string, long> _timers = new(StringComparer.Ordinal);
    private readonly Queue<(TimerRow Due, Action<TimerEnd> Ended)> _due = new();
    private long _committed;
    private long _before;
    private long _snapshot;
    private bool _confirmed;
    private bool _loading;
    private bool _loaded;
    private bool _dropped;

    /// <summary>Commands wait or run.</summary>
    public bool IsLoaded => _loaded;

    public bool IsBusy => _waiting.Count > 0 || _held.Count > 0;

    private TimeSpan Now => cluster.World.Now;

    private long Last => _before + _rows.Count;

    /// <summary>Reads the newest snapshot and the journal after it, unless an earlier batch of the shard may still change it.</summary>
    public void Load()
    {
        if (_loaded || _loading || _dropped || !host.MayLoad(shard, epoch)) return;
        _loading = true;
        cluster.Store.Data(life, "Load", false, () => cluster.Store.Database.Load(name, 10_000), loaded =>
        {
            _loading = false;
            if (_dropped || loaded is not { IsOk: true, Value: { } record }) return; // Tried again at the next tick.
            if (record.Snapshot is { } snapshot)
            {
                _core.Load(snapshot.Schema, SnapshotContent.Restore(snapshot, _window));
                _before = _snapshot = snapshot.EntitySeq;
            }
            foreach (var row in record.Rows)
            {
                if (row.EntitySeq != Last + 1) cluster.World.Violated("7.6", $"{life.Inc} loads {name}, whose row {Last + 1} is missing: {row.EntitySeq} follows.");
                _rows.Add(row);
                _core.Apply(_core.Decode(row.Kind, row.Payload.Span), row.EntitySeq);
                if (row.Command is { } id) _window.NoteExecuted(id, row.EntitySeq, row.AtUnixMs);
            }
            _committed = Last;
            if (cluster.Plan.Timers) LoadTimers();
            else Loaded();
        });
    }

    private void LoadTimers()
    {
        _loading = true;
        cluster.Store.Data(life, "ReadTimers", false, () => cluster.Store.Database.ReadTimers(shard, name, cluster.Store.NowUnixMs), page =>
        {
            if (_dropped) return;
            if (page is not { IsOk: true, Value: { } timers })
            {
                life.After(TimeSpan.FromMilliseconds(100), LoadTimers);
                return;
            }
            _loading = false;
            life.Timers.ClockRead(timers.NowUnixMs);
            foreach (var row in timers.Timers) _timers[row.Timer.Key] = row.Timer.No;
            Loaded();
        });
    }

    private void Loaded()
    {
        _loaded = true;
        foreach (var (relay, last) in _subscribers.ToArray()) FanOut(relay, last);
        while (_waiting.TryDequeue(out var request)) Turn(request);
        while (_due.TryDequeue(out var due)) Fire(due.Due, due.Ended);
    }

    public void Handle(RoomRequest request)
    {
        if (_loaded) Turn(request);
        else _waiting.Enqueue(request);
    }

    public void Subscribe(Incarnation relay, long last)
    {
        _subscribers[relay] = last;
        if (_loaded) FanOut(relay, last);
        else Load();
    }

    public void RefuseWaiting()
    {
        while (_waiting.TryDequeue(out var request)) Answer(request, new RoomAnswer(RoomEnd.Unavailable, 0, true, Now));
    }

    public void Drop()
    {
        _dropped = true;
        RefuseWaiting();
        foreach (var (_, dropped) in _held.Values.SelectMany(h => h)) dropped();
        _held.Clear();
        while (_due.TryDequeue(out var due)) due.Ended(TimerEnd.Again);
    }

    public void RowCommitted(long entitySeq)
    {
        if (_dropped) return;
        _committed = entitySeq;
        while (_held.Count > 0 && _held.First() is var (seq, answers) && seq <= _committed)
        {
            _held.Remove(seq);
            foreach (var (committed, _) in answers) committed();
        }
        foreach (var (relay, last) in _subscribers.ToArray()) FanOut(relay, last);
        if (_core.HasSnapshots && _committed - _snapshot >= SnapshotEvery && (_committed == Last || cluster.Plan.Mutation == SimMutation.SnapshotOfSpeculation)) SaveSnapshot(); // Of committed state only.
    }

    /// <summary>A timer of the room is due: its effect and its end are one row.</summary>
    public void Fire(TimerRow due, Action<TimerEnd> ended)
    {
        if (!_loaded)
        {
            _due.Enqueue((due, ended));
            Load();
            return;
        }
        var timer = due.Timer;
        var hasIt = _timers.GetValueOrDefault(timer.Key, -1) == timer.No || cluster.Plan.Mutation == SimMutation.FiresUnasked;
        if (!hasIt || timer.No / DurableTimer.PerEntityMax % 5 == 0) // Some have nothing to do when their time comes.
        {
            if (hasIt) _timers.Remove(timer.Key);
            Hold(Last, () =>
            {
                if (hasIt) cluster.Checkers.TimerIdle(name, timer.No);
                RemoveTimer(due, ended);
            }, () => ended(TimerEnd.Again));
            return;
        }
        if (cluster.Plan.Mutation == SimMutation.RemovesTimersFirst) RemoveTimer(due, static _ => { });
        var row = Take(new RoomEvent.Said("timer", timer.Key), null, null, timer.Command, [new TimerChange(timer.Key, null)]);
        Hold(row.EntitySeq, () => ended(TimerEnd.Gone), () => ended(TimerEnd.Again));
        if (!host.Add(shard, epoch, row, this)) Drop();
    }

    private void RemoveTimer(TimerRow due, Action<TimerEnd> ended) => cluster.Store.Data(
        life, "RemoveTimer", true, () => cluster.Store.Database.RemoveTimer(shard, epoch, life.Inc, name, due.Timer.No),
        removed => ended(removed.IsOk || removed.Verdict == StoreVerdict.Fenced ? TimerEnd.Gone : TimerEnd.Again));

    private void Turn(RoomRequest request)
    {
        if (request.CommandId is not { } id)
        {
            Read(request);
            return;
        }
        var known = cluster.Plan.Mutation == SimMutation.NoDeduplication ? CommandKnowledge.Fresh : _window.Find(id, out _);
        if (known == CommandKnowledge.Repeat)
        {
            _window.Find(id, out var seq);
            if (cluster.Plan.Entity is null) Hold(seq, request, new RoomAnswer(RoomEnd.Done, seq, false, Now, Reply: _core.DecodeReply(request.Command!, seq, default)));
            else Hold(seq, () => AnswerFromJournal(request, seq), () => Answer(request, new RoomAnswer(RoomEnd.StoreUnavailable, 0, true, Now)));
            return;
        }
        if (known is CommandKnowledge.TooOld or CommandKnowledge.Overtaken && cluster.Plan.Mutation != SimMutation.IgnoresClientOrder)
        {
            Hold(Last, request, new RoomAnswer(RoomEnd.TooOld, 0, false, Now));
            return;
        }
        if (request.After > 0 && !_window.HasHandled(id.Client, request.After) && cluster.Plan.Mutation != SimMutation.IgnoresClientOrder)
        {
            Hold(Last, request, new RoomAnswer(RoomEnd.OutOfOrder, 0, false, Now));
            return;
        }
        var decision = _core.Decide(request.Command!);
        if (decision.Event is not { } happened)
        {
            _window.NoteHandled(id);
            Hold(Last, request, new RoomAnswer(decision.IsRefused ? RoomEnd.Refused : RoomEnd.Done, decision.KnownSeq, false, Now, Reply: Copied(request.Command!, decision.KnownSeq, decision.Reply))); // It rests on state that may not commit.
            return;
        }
        Happened(request, id, happened, decision.Reply);
    }

    /// <summary>Whoever may have been replaced asks the store, once and after the read has come, before memory is believed.</summary>
    private void Read(RoomRequest request)
    {
        if (request.Command is not null)
        {
            Ask(request, request.Command);
            return;
        }
        var seq = _committed;
        if (life.MayReadUnmarked) Answer(request, new RoomAnswer(RoomEnd.Done, seq, Marked: life.Node.Hidden is not null, Now)); // Before the first sign nobody here can know, so it is not judged.
        else if (life.Mode is not (NodeMode.Serving or NodeMode.Degraded)) Answer(request, new RoomAnswer(RoomEnd.Done, seq, true, Now));
        else if (_confirmed && cluster.Plan.Mutation == SimMutation.ReusesAReadCheck) Answer(request, new RoomAnswer(RoomEnd.Done, seq, false, Now, Confirmed: true));
        else
        {
            cluster.Store.Data(life, "Confirm", false, () => cluster.Store.Database.Confirm(life.Inc, [(shard, epoch)]), confirmed =>
            {
                _confirmed = confirmed.IsOk && !confirmed.Value.IsEmpty;
                Answer(request, _confirmed ? new RoomAnswer(RoomEnd.Done, seq, false, Now, Confirmed: true) : new RoomAnswer(confirmed.IsOk ? RoomEnd.Unavailable : RoomEnd.StoreUnavailable, 0, true, Now));
            });
        }
    }

    private void SaveSnapshot()
    {
        var seq = _snapshot = Last;
        var (schema, state) = _core.Save();
        var snapshot = new EntitySnapshot(name, seq, schema, SnapshotContent.Of(_window, state));
        cluster.Store.Data(life, "SaveSnapshot", true, () =>
        {
            var saved = cluster.Store.Database.SaveSnapshot(shard, epoch, life.Inc, snapshot);
            if (saved.IsOk) cluster.Checkers.SnapshotSaved(life, name, seq);
            return saved;
        }, static _ => { });
    }

    private void Happened(RoomRequest request, CommandId id, object happened, object? reply)
    {
        var row = Take(happened, request.Command, reply, id, cluster.Plan.Timers && happened is RoomEvent.Said ? TimersOf(id, Last + 1) : []);
        var seq = row.EntitySeq;
        var answer = new RoomAnswer(RoomEnd.Done, seq, false, Now, Reply: row.Result is { } kept ? _core.DecodeReply(request.Command!, seq, kept.Span) : null);
        if (cluster.Plan.Mutation == SimMutation.FanOutBeforeCommit)
            foreach (var relay in _subscribers.Keys) host.Reply(relay, new SimFrame.FanOut(name, shard, epoch, [row], row.EntitySeq));
        if (cluster.Plan.Mutation == SimMutation.AckBeforeCommit) Answer(request, answer);
        else Hold(seq, request, answer);
        if (!host.Add(shard, epoch, row, this)) Drop();
    }

    /// <summary>The turn's effect on memory.</summary>
    private JournalRow Take(object happened, object? command, object? reply, CommandId id, ImmutableArray<TimerChange> timers)
    {
        var seq = Last + 1;
        var (kind, payload) = _core.Encode(happened);
        _core.Apply(happened, seq);
        var row = new JournalRow(name, seq, id, kind, payload, Kept(command, seq, reply ?? _core.ReplyFor(happened, seq)), life.Node.WallUnixMs) { Timers = timers };
        _rows.Add(row);
        _window.NoteExecuted(id, seq, row.AtUnixMs);
        foreach (var (key, timer) in timers)
        {
            if (timer is null) _timers.Remove(key);
            else _timers[key] = timer.No;
        }
        return row;
    }

    /// <summary>One message in three sets one of four timers, one in seven ends one.</summary>
    private ImmutableArray<TimerChange> TimersOf(CommandId id, long seq)
    {
        var key = string.Create(CultureInfo.InvariantCulture, $"t{id.Sequence % 4}");
        if (id.Sequence % 7 == 0) return [new TimerChange(key, null)];
        if (id.Sequence % 3 != 0) return [];
        return [new TimerChange(key, new DurableTimer(key, DurableTimer.Number(seq, 0), life.Timers.NowUnixMs + (id.Sequence * 7919 % 12_000), "remind.v1", new byte[] { 1 }))];
    }

    private void Hold(long seq, RoomRequest request, RoomAnswer answer) => Hold(
        seq, () => Answer(request, answer with { At = Now }), () => Answer(request, new RoomAnswer(RoomEnd.StoreUnavailable, 0, true, Now)));

    private void Hold(long seq, Action committed, Action dropped)
    {
        if (seq <= _committed)
        {
            committed();
            return;
        }
        if (!_held.TryGetValue(seq, out var answers)) _held.Add(seq, answers = []);
        answers.Add((committed, dropped));
    }

    private void Answer(RoomRequest request, RoomAnswer answer) => host.Reply(request.Gateway, new SimFrame.Answer(request.Id, answer));

    private void FanOut(Incarnation relay, long last)
    {
        if (_committed <= last) return;
        _subscribers[relay] = _committed;
        host.Reply(relay, new SimFrame.FanOut(name, shard, epoch, [.. _rows.Skip((int)(last - _before)).Take((int)(_committed - Math.Max(last, _before)))], _committed));
    }

    private ReadOnlyMemory<byte>? Kept(object? command, long seq, object? reply) => _core.EncodeReply(command!, seq, reply) is { } kept ? new ReadOnlyMemory<byte>(kept) : null;

    /// <summary>A reply as it comes out at another node.</summary>
    private object? Copied(object command, long seq, object? reply) =>
        cluster.Plan.Entity is null ? reply : _core.EncodeReply(command, seq, reply) is { } sent ? _core.DecodeReply(command, seq, sent) : null;

    /// <summary>A repeat is answered by what its first copy was told.</summary>
    private void AnswerFromJournal(RoomRequest request, long seq) => cluster.Store.Data(life, "ReadJournal", false, () => cluster.Store.Database.ReadJournal(name, seq, 1), read =>
    {
        if (!read.IsOk) Answer(request, new RoomAnswer(RoomEnd.StoreUnavailable, 0, true, Now));
        else if (read.Value is not [{ EntitySeq: var found } row, ..] || found != seq) Answer(request, new RoomAnswer(RoomEnd.TooOld, 0, false, Now)); // Truncated since.
        else Answer(request, new RoomAnswer(RoomEnd.Done, seq, false, Now, Reply: row.Result is { } kept ? _core.DecodeReply(request.Command!, seq, kept.Span) : null));
    });

    /// <summary>A read of a user's entity: answered by what turns have reached, once that has committed, as the product does.</summary>
    private void Ask(RoomRequest request, object message)
    {
        var decision = _core.Decide(message);
        if (decision.Event is not null) throw new InvalidOperationException($"{name} decides an event for the read {message}.");
        var answer = new RoomAnswer(RoomEnd.Done, Last, life.Node.Hidden is not null, Now, Reply: Copied(message, 0, decision.Reply));
        if (life.MayReadUnmarked)
        {
            Hold(Last, request, answer);
            return;
        }
        cluster.Store.Data(life, "Confirm", false, () => cluster.Store.Database.Confirm(life.Inc, [(shard, epoch)]), confirmed =>
        {
            if (_dropped || !confirmed.IsOk || confirmed.Value.IsEmpty) Answer(request, new RoomAnswer(confirmed.IsOk ? RoomEnd.Unavailable : RoomEnd.StoreUnavailable, 0, true, Now));
            else Hold(answer.Seq, request, answer with { Marked = false, Confirmed = true });
        });
    }
}

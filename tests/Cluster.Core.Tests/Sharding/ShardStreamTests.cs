using ActorCluster.Primitives;
using ActorCluster.Sharding;

namespace ActorCluster.Tests.Sharding;

/// <summary>An outbox and the inboxes of the owners that follow each other, over links that break.</summary>
public class ShardStreamTests
{
    [Fact]
    public void Over_refusals_moves_and_broken_links_order_holds_and_nothing_unrepeatable_runs_twice()
    {
        for (var seed = 1; seed <= 400; seed++) new Stream(seed).Run();
    }

    [Fact] // Seed 1741 of the simulator's first version: a gateway held a request for ever.
    public void A_reply_that_died_with_its_link_is_asked_for_again()
    {
        var port = new Port();
        var box = new ShardOutbox<Message>(new ShardNo(1), port);
        var message = new Message(1, repeatable: true);
        box.Routed(new Epoch(1), new Incarnation(5), TimeSpan.Zero);
        box.Post(message, TimeSpan.Zero);
        box.LinkLost(new Incarnation(5)); // The owner had taken and answered it; both notes died.
        box.LinkUp(new Incarnation(5), TimeSpan.Zero);
        box.Taken(new Epoch(1), 1);
        Assert.Equal([1L, 1L, 2L], port.Sent);
        message.Done = true;
        box.Taken(new Epoch(1), 2);
        Assert.True(box.IsEmpty);
    }

    [Fact]
    public void A_second_channel_that_comes_up_repeats_nothing_that_was_taken()
    {
        var port = new Port();
        var box = new ShardOutbox<Message>(new ShardNo(1), port);
        box.Routed(new Epoch(1), new Incarnation(5), TimeSpan.Zero);
        box.Post(new Message(1, repeatable: false), TimeSpan.Zero);
        box.Taken(new Epoch(1), 1);
        box.Post(new Message(2, repeatable: false), TimeSpan.Zero);
        box.Refused(new Epoch(1), 2, new Epoch(1), TimeSpan.Zero);
        box.LinkUp(new Incarnation(5), TimeSpan.Zero);
        Assert.Equal([1L, 2L, 2L], port.Sent);
    }

    [Fact]
    public void An_old_route_after_a_refusal_from_a_higher_epoch_starts_no_second_count()
    {
        var port = new Port();
        var box = new ShardOutbox<Message>(new ShardNo(1), port);
        box.Routed(new Epoch(1), new Incarnation(5), TimeSpan.Zero);
        box.Post(new Message(1, repeatable: true), TimeSpan.Zero);
        box.Refused(new Epoch(1), 1, known: new Epoch(2), TimeSpan.Zero);
        box.Routed(new Epoch(1), new Incarnation(5), TimeSpan.Zero);
        Assert.Equal([1L], port.Sent);
        box.Routed(new Epoch(2), new Incarnation(6), TimeSpan.Zero);
        Assert.Equal([1L, 1L], port.Sent);
    }

    [Fact]
    public void A_closed_shard_refuses_a_stream_once()
    {
        var inbox = new ShardInbox();
        Assert.Equal(StreamVerdict.Refuse, inbox.Arrived(new Incarnation(1), new ShardNo(1), new Epoch(1), 1, open: false));
        Assert.Equal(StreamVerdict.Ignore, inbox.Arrived(new Incarnation(1), new ShardNo(1), new Epoch(1), 2, open: false));
        Assert.Equal(StreamVerdict.Take, inbox.Arrived(new Incarnation(1), new ShardNo(1), new Epoch(1), 1, open: true));
    }

    private sealed class Message(long id, bool repeatable) : IOutgoing
    {
        public long Id => id;

        public bool Done { get; set; }

        public bool IsRepeatable => repeatable;

        public int Size => 10;

        public bool AwaitsReply => !Done;

        public int Ends { get; set; }

        public void Fail(Undelivered why) => (Done, Ends) = (true, Ends + 1);
    }

    private sealed class Port : IOutboxPort<Message>
    {
        public List<long> Sent { get; } = [];

        public bool Send(Incarnation owner, ShardNo shard, Epoch epoch, long number, Message? message)
        {
            Sent.Add(number);
            return true;
        }

        public void RouteWanted(ShardNo shard) { }
    }

    private sealed class Stream : IOutboxPort<Message>
    {
        private static readonly ShardNo Shard = new(1);
        private static readonly Incarnation Sender = new(100);
        private readonly int _seed;
        private readonly Random _random;
        private readonly ShardOutbox<Message> _box;
        private readonly List<Message> _messages = [];
        private readonly Queue<(Epoch Epoch, long Number, Message? What)> _there = new();
        private readonly Queue<Action> _back = new();
        private readonly Dictionary<long, int> _ran = [];
        private ShardInbox _inbox = new();
        private Epoch _epoch = new(1);
        private bool _open = true;
        private bool _linked = true;
        private long _lastRun;
        private TimeSpan _now = TimeSpan.FromSeconds(1);

        public Stream(int seed)
        {
            (_seed, _random) = (seed, new Random(seed));
            _box = new ShardOutbox<Message>(Shard, this);
            _box.Routed(_epoch, Owner, _now);
        }

        private Incarnation Owner => new(_epoch.Value);

        public void Run()
        {
            for (var step = 0; step < 300; step++) Step(_random.Next(100));
            (_open, _now) = (true, _now + TimeSpan.FromSeconds(1));
            for (var step = 0; step < 5_000 && !_box.IsEmpty; step++) Step(_linked ? 20 + _random.Next(60) : 95);
            Assert.True(_box.IsEmpty, $"Seed {_seed}: the outbox is not empty.");
            Assert.All(_messages, m => Assert.True(m.Done && m.Ends <= 1, $"Seed {_seed}: message {m.Id} has ended {m.Ends} times, done: {m.Done}."));
        }

        private void Step(int choice)
        {
            _now += TimeSpan.FromMilliseconds(20);
            switch (choice)
            {
                case < 20:
                    var message = new Message(_messages.Count + 1, _random.Next(2) == 0);
                    _messages.Add(message);
                    Assert.True(_box.Post(message, _now));
                    break;
                case < 50 when _there.TryDequeue(out var arrived):
                    Arrive(arrived.Epoch, arrived.Number, arrived.What);
                    break;
                case < 80 when _back.TryDequeue(out var back):
                    back();
                    break;
                case < 84:
                    _open = !_open;
                    break;
                case < 86:
                    Move();
                    break;
                case < 90 when _linked:
                    _linked = false;
                    _there.Clear();
                    _back.Clear();
                    _box.LinkLost(Owner);
                    break;
                case > 90 when !_linked:
                    _linked = true;
                    _box.LinkUp(Owner, _now);
                    break;
                default:
                    break;
            }
            _box.Tick(_now);
        }

        /// <summary>The next owner; what was under way to the old one arrives nowhere.</summary>
        private void Move()
        {
            (_epoch, _inbox, _linked) = (new Epoch(_epoch.Value + 1), new ShardInbox(), true);
            _there.Clear();
            _back.Clear();
            _lastRun = 0;
            _box.Routed(_epoch, Owner, _now);
        }

        private void Arrive(Epoch epoch, long number, Message? what)
        {
            switch (_inbox.Arrived(Sender, Shard, epoch, number, _open))
            {
                case StreamVerdict.Take:
                    _back.Enqueue(() => _box.Taken(epoch, number));
                    if (what is not null) Execute(what);
                    break;
                case StreamVerdict.Duplicate:
                    var upTo = _inbox.TakenUpTo(Sender, Shard, epoch);
                    _back.Enqueue(() => _box.Taken(epoch, upTo));
                    break;
                case StreamVerdict.Refuse:
                    _back.Enqueue(() => _box.Refused(epoch, number, epoch, _now));
                    break;
                default:
                    break;
            }
        }

        private void Execute(Message what)
        {
            var times = _ran[what.Id] = _ran.GetValueOrDefault(what.Id) + 1;
            Assert.True(times == 1 || what.IsRepeatable, $"Seed {_seed}: message {what.Id} ran twice.");
            if (times == 1) Assert.True(what.Id > _lastRun, $"Seed {_seed}: message {what.Id} ran after {_lastRun}.");
            _lastRun = Math.Max(_lastRun, what.Id);
            _back.Enqueue(() => what.Done = true);
        }

        bool IOutboxPort<Message>.Send(Incarnation owner, ShardNo shard, Epoch epoch, long number, Message? message)
        {
            if (!_linked) return false;
            _there.Enqueue((epoch, number, message));
            return true;
        }

        void IOutboxPort<Message>.RouteWanted(ShardNo shard) { }
    }
}

using ActorCluster.Links;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Two links, control and data, between every two nodes; in order while they last, and lost as TCP loses.</summary>
/// <remarks>A cut stalls a link: what is sent waits, what is under way too. After two seconds the link breaks on both sides and what waited is
/// gone; healed before, it arrives.</remarks>
internal sealed class SimNetwork
{
    public static readonly TimeSpan UsualDelay = TimeSpan.FromMilliseconds(0.5);

    private static readonly TimeSpan UserTimeout = TimeSpan.FromSeconds(2);
    private static readonly LinkChannel[] Channels = [LinkChannel.Control, LinkChannel.Data];

    private readonly SimWorld _world;
    private readonly SimNode[] _nodes;
    private readonly bool[,,] _cut;
    private readonly SimLink[,,] _links;
    private readonly bool[,] _full;

    public SimNetwork(SimWorld world, ulong seed, SimNode[] nodes)
    {
        (_world, _nodes) = (world, nodes);
        _full = new bool[nodes.Length, nodes.Length];
        _cut = new bool[nodes.Length, nodes.Length, 2];
        _links = new SimLink[nodes.Length, nodes.Length, 2];
        for (var a = 0; a < nodes.Length; a++)
            for (var b = a + 1; b < nodes.Length; b++)
                foreach (var channel in Channels) _links[a, b, (int)channel] = _links[b, a, (int)channel] = new SimLink(a, b, channel, seed);
    }

    /// <summary>Mean one-way delay; spikes raise it.</summary>
    public TimeSpan Delay { get; set; } = UsualDelay;

    /// <summary>Probability that a packet is lost; TCP sends it again.</summary>
    public double Loss { get; set; }

    /// <summary>Probability that a message takes up to 10 s.</summary>
    public double Spikes { get; set; }

    /// <summary>Probability that a message outside the numbered streams comes twice.</summary>
    public double Duplicates { get; set; }

    /// <summary>Messages that died with their link.</summary>
    public long Lost { get; private set; }

    public bool IsCut(int from, int to, LinkChannel channel) => _cut[from, to, (int)channel];

    /// <summary>A link from one node to another takes no frames of streams now; what it took before arrives.</summary>
    public bool IsFull(int from, int to) => _full[from, to];

    public void Fill(int from, int to, bool full) => _full[from, to] = full;

    /// <summary>Both directions work on some channel.</summary>
    public bool AreConnected(int a, int b) => a == b || Channels.Any(c => !IsCut(a, b, c) && !IsCut(b, a, c));

    public void Cut(int from, int to, LinkChannel channel, bool cut)
    {
        if (from == to || _cut[from, to, (int)channel] == cut) return;
        _cut[from, to, (int)channel] = cut;
        var link = _links[from, to, (int)channel];
        if (!link.IsUp) return;
        if (cut)
        {
            if (link.IsStalled) return;
            link.IsStalled = true;
            var life = link.Life;
            _world.After(UserTimeout, () =>
            {
                if (link.IsStalled && link.Life == life && (IsCut(from, to, channel) || IsCut(to, from, channel))) Break(link);
            });
        }
        else
        {
            link.IsStalled = IsCut(to, from, channel);
            var waiting = link.Stalled(from);
            while (waiting.TryDequeue(out var frame)) Carry(link, from, frame);
        }
    }

    public bool HasLink(SimLife from, int to, LinkChannel channel) =>
        to != from.Node.Index && _links[from.Node.Index, to, (int)channel] is var link && (link.Joins(from) || link.Believes?.End == from);

    /// <summary>Hands a frame to a link; false when there is none.</summary>
    public bool Send(SimLife from, SimLife? to, LinkChannel channel, SimFrame frame)
    {
        if (to is null || to == from) return false;
        var link = _links[from.Node.Index, to.Node.Index, (int)channel];
        if (link.Believes is { } believes && believes.End == from && believes.Gone == to)
        {
            Lost++; // Nobody is at the other end, and nobody has said so.
            return true;
        }
        if (!link.Joins(from) || !link.Joins(to)) return false;
        if (IsCut(from.Node.Index, to.Node.Index, channel) || link.Stalled(from.Node.Index).Count > 0) link.Stalled(from.Node.Index).Enqueue(frame);
        else Carry(link, from.Node.Index, frame);
        return true;
    }

    /// <summary>The life at the other end of a link, whoever it is.</summary>
    public SimLife? Peer(SimLife from, int to, LinkChannel channel) => _links[from.Node.Index, to, (int)channel].Other(from);

    /// <summary>Tries to open what is not open to a node.</summary>
    public void Dial(SimLife from, SimNode to)
    {
        foreach (var channel in Channels)
        {
            var link = _links[from.Node.Index, to.Index, (int)channel];
            if (link.IsUp || link.Believes?.End == from || link.IsDialled || link.Unnoticed > 0 || IsCut(from.Node.Index, to.Index, channel) || IsCut(to.Index, from.Node.Index, channel)) continue;
            link.IsDialled = true;
            _world.After(link.Random.Exponential(2 * Delay) + TimeSpan.FromMilliseconds(1), () =>
            {
                link.IsDialled = false;
                if (link.IsUp || from.IsEnded || from.Node.IsPaused || to is not { IsAlive: true, IsPaused: false, Life: { IsEnded: false } life }) return;
                if (IsCut(from.Node.Index, to.Index, channel) || IsCut(to.Index, from.Node.Index, channel)) return;
                if (life.RefusesAsDown(from))
                {
                    from.ToldDown(life);
                    return;
                }
                if (from.KnowsDown(life.Inc)) return; // Nobody wants it any more.
                link.Undeceive(); // As a connection that takes another's place.
                link.Open(from, life);
                from.ChannelUp(life, channel);
                life.ChannelUp(from, channel);
            });
        }
    }

    /// <summary>Breaks links at once, as a reset does; both ends notice soon, unless they are cut from each other.</summary>
    public void Reset(int a, int b)
    {
        foreach (var channel in Channels)
            if (_links[a, b, (int)channel].IsUp) Break(_links[a, b, (int)channel]);
    }

    /// <summary>One end of the links is gone and the other does not hear of it: it sends into nothing until its user time-out, or until a new link takes the place.</summary>
    public void HalfOpen(int closed, int open)
    {
        foreach (var channel in Channels)
        {
            var link = _links[closed, open, (int)channel];
            if (!link.IsUp) continue;
            var (gone, end) = (link.EndAt(closed)!, link.EndAt(open)!);
            Lost += link.Stalled(closed).Count + link.Stalled(open).Count;
            link.Shut();
            var belief = link.Believes = new HalfLink(end, gone, channel);
            _world.After(UserTimeout, () =>
            {
                if (link.Believes == belief) link.Undeceive();
            });
            gone.ChannelLost(end, channel);
        }
    }

    /// <summary>A process or a life has ended: its ends of all links are closed.</summary>
    public void Close(SimLife life)
    {
        for (var other = 0; other < _nodes.Length; other++)
        {
            if (other == life.Node.Index) continue;
            foreach (var channel in Channels)
            {
                var link = _links[life.Node.Index, other, (int)channel];
                if (link.Joins(life)) Break(link);
                if (link.Believes?.End == life) link.Believes = null;
            }
        }
    }

    private void Carry(SimLink link, int from, SimFrame frame)
    {
        var delay = link.Random.Exponential(Delay) + TimeSpan.FromMilliseconds(0.1);
        if (Loss > 0)
            for (var again = TimeSpan.FromMilliseconds(200); again < TimeSpan.FromSeconds(4) && link.Random.Chance(Loss); again *= 2) delay += again;
        if (Spikes > 0 && link.Random.Chance(Spikes)) delay += link.Random.Spread(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(10));
        var arrives = link.Arrival(from, _world.Now + delay);
        var generation = link.Life;
        if (Duplicates > 0 && frame is SimFrame.Beat or SimFrame.Hint or SimFrame.Announce or SimFrame.Subscribe or SimFrame.FanOut && link.Random.Chance(Duplicates))
        {
            _world.After(arrives - _world.Now + link.Random.Spread(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(2)), () =>
            {
                if (link.Life == generation && link.IsUp && !link.IsStalled) link.EndAt(from == link.A ? link.B : link.A)!.Receive(link.EndAt(from)!, frame);
            });
        }
        _world.After(arrives - _world.Now, () =>
        {
            if (link.Life != generation || !link.IsUp)
            {
                Lost++;
                return;
            }
            var to = from == link.A ? link.B : link.A;
            if (IsCut(from, to, link.Channel) || link.Stalled(from).Count > 0) link.Stalled(from).Enqueue(frame);
            else link.EndAt(to)!.Receive(link.EndAt(from)!, frame);
        });
    }

    private void Break(SimLink link)
    {
        var (a, b) = (link.EndAt(link.A)!, link.EndAt(link.B)!);
        Lost += link.Stalled(link.A).Count + link.Stalled(link.B).Count;
        // Whoever is cut off hears nothing of it before its own time-out.
        var silent = link.IsStalled || IsCut(link.A, link.B, link.Channel) || IsCut(link.B, link.A, link.Channel);
        link.Shut();
        foreach (var (end, gone) in new[] { (a, b), (b, a) })
        {
            if (silent && gone.IsEnded)
            {
                _world.After(UserTimeout, () => end.ChannelLost(gone, link.Channel));
                continue;
            }
            link.Unnoticed++; // Nobody opens the next link before this one's end has been told.
            _world.After(link.Random.Exponential(Delay), () =>
            {
                link.Unnoticed--;
                end.ChannelLost(gone, link.Channel);
            });
        }
    }

    /// <summary>A link that only one end believes in.</summary>
    private sealed class HalfLink(SimLife end, SimLife gone, LinkChannel channel)
    {
        public SimLife End => end;

        public SimLife Gone => gone;

        public LinkChannel Channel => channel;
    }

    private sealed class SimLink(int a, int b, LinkChannel channel, ulong seed)
    {
        public SimRandom Random { get; } = new(seed, $"link {a} {b} {channel}");

        private readonly Queue<SimFrame>[] _stalled = [new(), new()];
        private readonly TimeSpan[] _lastArrival = new TimeSpan[2];
        private SimLife? _endA;
        private SimLife? _endB;

        public int A => a;

        public int B => b;

        public LinkChannel Channel => channel;

        public bool IsUp => _endA is not null;

        public bool IsStalled { get; set; }

        public bool IsDialled { get; set; }

        public int Unnoticed { get; set; }

        /// <summary>The end that does not know of the link's end.</summary>
        public HalfLink? Believes { get; set; }

        public void Undeceive()
        {
            if (Believes is not { } was) return;
            Believes = null;
            was.End.ChannelLost(was.Gone, was.Channel);
        }

        /// <summary>Raised at each opening.</summary>
        public long Life { get; private set; }

        public void Open(SimLife dialler, SimLife other)
        {
            (_endA, _endB) = dialler.Node.Index == a ? (dialler, other) : (other, dialler);
            Life++;
        }

        public void Shut()
        {
            (_endA, _endB, IsStalled) = (null, null, false);
            foreach (var waiting in _stalled) waiting.Clear();
        }

        public SimLife? EndAt(int node) => node == a ? _endA : _endB;

        public bool Joins(SimLife life) => life == _endA || life == _endB;

        public SimLife? Other(SimLife life) => life == _endA ? _endB : life == _endB ? _endA : null;

        public Queue<SimFrame> Stalled(int from) => _stalled[from == a ? 0 : 1];

        public TimeSpan Arrival(int from, TimeSpan at)
        {
            ref var last = ref _lastArrival[from == a ? 0 : 1];
            return last = at > last ? at : last + TimeSpan.FromTicks(1);
        }
    }
}

using System.Buffers;

namespace ActorCluster.Links;

/// <summary>
/// Frames that wait for one connection: a lane per channel, control before data, blocks of bytes that leave in one send each.
/// </summary>
/// <remarks>
/// Not thread-safe: the connection's lock owns it. The block that is being sent is out of reach of appends, so it is sent
/// outside the lock while new frames gather in the next one. Frames never span blocks, so the lanes can take turns between blocks.
/// </remarks>
internal sealed class SendQueue(int hardLimit)
{
    public const int BlockBytes = 64 * 1024;
    private const int SparesMax = 4;

    private readonly Lane[] _lanes = [new(), new()];
    private readonly Stack<Block> _spares = new(SparesMax);
    private Block? _leaving;
    private Lane? _leavingLane;

    /// <summary>Unsent bytes of a channel, those being sent counted.</summary>
    public int Unsent(LinkChannel channel) => _lanes[(int)channel].Unsent;

    /// <summary>Whether nothing waits.</summary>
    public bool IsEmpty => _lanes[0].Unsent == 0 && _lanes[1].Unsent == 0;

    /// <summary>Adds a frame; false when its lane would pass the hard limit, then nothing was added.</summary>
    public bool TryAppend(LinkChannel channel, byte type, ReadOnlySpan<byte> payload)
    {
        var lane = _lanes[(int)channel];
        var size = FrameFormat.HeaderBytes + payload.Length;
        if (lane.Unsent > 0 && lane.Unsent + size > hardLimit) return false;

        if (lane.Tail is not { } tail || tail.Bytes.Length - tail.End < size) lane.Blocks.Enqueue(lane.Tail = tail = Rent(size));
        FrameFormat.WriteHeader(tail.Bytes.AsSpan(tail.End), type, payload.Length);
        payload.CopyTo(tail.Bytes.AsSpan(tail.End + FrameFormat.HeaderBytes));
        tail.End += size;
        lane.Unsent += size;
        return true;
    }

    /// <summary>The bytes to send next; empty when nothing waits. Stays valid until <see cref="Sent"/> or <see cref="Clear"/>.</summary>
    public ArraySegment<byte> Next()
    {
        if (_leaving is null)
        {
            _leavingLane = _lanes[0].Blocks.Count > 0 ? _lanes[0] : _lanes[1];
            if (!_leavingLane.Blocks.TryDequeue(out _leaving)) return default;
            if (_leavingLane.Tail == _leaving) _leavingLane.Tail = null;
        }
        return new ArraySegment<byte>(_leaving.Bytes, _leaving.Start, _leaving.End - _leaving.Start);
    }

    /// <summary>That many bytes of <see cref="Next"/> are through.</summary>
    public void Sent(int count)
    {
        _leavingLane!.Unsent -= count;
        _leaving!.Start += count;
        if (_leaving.Start < _leaving.End) return;
        Return(_leaving);
        _leaving = null;
    }

    /// <summary>Drops what waits. Only when no send is under way, since its buffer goes back to the pool.</summary>
    public void Clear()
    {
        if (_leaving is not null) Return(_leaving);
        _leaving = null;
        foreach (var lane in _lanes)
        {
            while (lane.Blocks.TryDequeue(out var block)) Return(block);
            lane.Tail = null;
            lane.Unsent = 0;
        }
        while (_spares.TryPop(out var spare)) ArrayPool<byte>.Shared.Return(spare.Bytes);
    }

    private Block Rent(int size)
    {
        if (size <= BlockBytes && _spares.TryPop(out var spare)) return spare;
        return new Block(ArrayPool<byte>.Shared.Rent(Math.Max(size, BlockBytes)));
    }

    private void Return(Block block)
    {
        if (_spares.Count < SparesMax && block.Bytes.Length == BlockBytes)
        {
            block.Start = block.End = 0;
            _spares.Push(block);
        }
        else ArrayPool<byte>.Shared.Return(block.Bytes);
    }

    private sealed class Block(byte[] bytes)
    {
        public readonly byte[] Bytes = bytes;
        public int Start;
        public int End;
    }

    private sealed class Lane
    {
        public readonly Queue<Block> Blocks = new();
        public Block? Tail;
        public int Unsent;
    }
}

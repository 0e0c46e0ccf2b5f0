using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ActorCluster.Links.Wire;
using Google.Protobuf;

namespace ActorCluster.Links;

/// <summary>How a handshake step failed on the wire.</summary>
internal enum HandshakeFault
{
    Refused,
    Closed,
    TimedOut,
    Unreachable,
    Garbage,
}

/// <summary>A handshake cannot go on.</summary>
internal sealed class HandshakeException(HandshakeFault fault, string message) : IOException(message)
{
    public HandshakeFault Fault { get; } = fault;
}

/// <summary>Sends and receives handshake steps on a blocking socket, all of them within one limit.</summary>
/// <remarks>It never reads past a frame, so the frames after the handshake stay in the socket for the link's reader.</remarks>
internal sealed class HandshakeSocket(Socket socket, TimeSpan limit)
{
    private readonly long _started = Stopwatch.GetTimestamp();

    private TimeSpan Left => limit - Stopwatch.GetElapsedTime(_started);

    /// <summary>Connects within the limit.</summary>
    public void Connect(IPEndPoint endpoint)
    {
        socket.SendTimeout = Milliseconds(); // On Linux the send limit bounds a blocking connect too.
        try { socket.Connect(endpoint); }
        catch (SocketException failed)
        {
            throw new HandshakeException(failed.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => HandshakeFault.Refused,
                SocketError.ConnectionReset => HandshakeFault.Closed,
                SocketError.TimedOut or SocketError.WouldBlock or SocketError.InProgress => HandshakeFault.TimedOut,
                _ => HandshakeFault.Unreachable,
            }, $"connect to {endpoint}: {failed.Message}");
        }
    }

    public void Send(Handshake step)
    {
        var size = step.CalculateSize();
        var frame = new byte[FrameFormat.HeaderBytes + size];
        FrameFormat.WriteHeader(frame, FrameFormat.HandshakeType, size);
        step.WriteTo(frame.AsSpan(FrameFormat.HeaderBytes));
        socket.SendTimeout = Milliseconds();
        var sent = 0;
        while (sent < frame.Length)
        {
            sent += socket.Send(frame.AsSpan(sent), SocketFlags.None, out var fault);
            if (fault != SocketError.Success) throw Failed(fault);
        }
    }

    public Handshake Receive()
    {
        Span<byte> header = stackalloc byte[FrameFormat.HeaderBytes];
        Fill(header);
        var length = FrameFormat.ReadLength(header);
        if (length is 0 or > HandshakeRules.FrameBytesMax || header[FrameFormat.LengthBytes] != FrameFormat.HandshakeType)
            throw new HandshakeException(HandshakeFault.Garbage, $"the first bytes are no handshake frame: length {length}, limit {HandshakeRules.FrameBytesMax}, type {header[FrameFormat.LengthBytes]}");
        var payload = new byte[length - 1];
        Fill(payload);
        try { return Handshake.Parser.ParseFrom(payload); }
        catch (InvalidProtocolBufferException broken) { throw new HandshakeException(HandshakeFault.Garbage, broken.Message); }
    }

    /// <summary>Reads and forgets until the peer closes or the limit passes.</summary>
    public void AwaitEnd()
    {
        Span<byte> waste = stackalloc byte[256];
        try
        {
            for (; ; ) Fill(waste);
        }
        catch (HandshakeException) { } // The awaited end, or the limit: both are it.
    }

    private void Fill(Span<byte> target)
    {
        while (!target.IsEmpty)
        {
            socket.ReceiveTimeout = Milliseconds();
            var count = socket.Receive(target, SocketFlags.None, out var fault);
            if (fault != SocketError.Success) throw Failed(fault);
            if (count == 0) throw new HandshakeException(HandshakeFault.Closed, "closed by the peer");
            target = target[count..];
        }
    }

    private int Milliseconds()
    {
        var left = (int)Left.TotalMilliseconds;
        return left > 0 ? left : throw new HandshakeException(HandshakeFault.TimedOut, $"not done within {limit.TotalMilliseconds:0} ms");
    }

    private HandshakeException Failed(SocketError fault) => fault switch
    {
        SocketError.TimedOut or SocketError.WouldBlock => new(HandshakeFault.TimedOut, $"not done within {limit.TotalMilliseconds:0} ms"),
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => new(HandshakeFault.Closed, "closed by the peer"),
        _ => new(HandshakeFault.Unreachable, fault.ToString()),
    };
}

using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ActorCluster.Links;

/// <summary>A connected socket that one thread reads blocking while any thread sends without blocking.</summary>
/// <remarks>
/// .NET knows non-blocking only for a whole socket, and then emulates blocking reads over its event loop: a thread hop per receive.
/// On Linux each send therefore says MSG_DONTWAIT itself; elsewhere the socket is non-blocking and the reader polls.
/// </remarks>
internal sealed partial class LinkSocket
{
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;
    private const int TcpLevel = 6;
    private const int TcpUserTimeout = 18;

    private readonly Socket _socket;
    private readonly SafeSocketHandle _handle;
    private readonly bool _perCall = OperatingSystem.IsLinux();

    public LinkSocket(Socket socket, TimeSpan userTimeout)
    {
        (_socket, _handle) = (socket, socket.SafeHandle);
        socket.NoDelay = true;
        socket.ReceiveTimeout = 0;
        socket.SendTimeout = 0;
        if (_perCall) socket.SetRawSocketOption(TcpLevel, TcpUserTimeout, BitConverter.GetBytes((int)userTimeout.TotalMilliseconds));
        else socket.Blocking = false;
    }

    /// <summary>The socket itself, to wait on several at once.</summary>
    public Socket Socket => _socket;

    /// <summary>Sends what fits now. Returns the bytes taken, 0 when the system's buffer is full; a fault ends the connection.</summary>
    public int TrySend(ArraySegment<byte> bytes, out SocketError fault)
    {
        try { return TrySendAlive(bytes, out fault); }
        catch (ObjectDisposedException) // The reader ended the connection between the caller's look and its send.
        {
            fault = SocketError.Shutdown;
            return 0;
        }
    }

    /// <summary>Waits for bytes. Returns 0 at the end of the stream; a fault ends the connection.</summary>
    public int Receive(Span<byte> target, out SocketError fault)
    {
        for (; ; )
        {
            if (_perCall)
            {
                var read = ReceiveRaw(_handle, ref MemoryMarshal.GetReference(target), target.Length, 0);
                fault = SocketError.Success;
                if (read >= 0) return (int)read;
                fault = FaultOf(Marshal.GetLastPInvokeError());
                if (fault == SocketError.Interrupted) continue;
                if (fault != SocketError.WouldBlock) return 0;
                _socket.Poll(Timeout.InfiniteTimeSpan, SelectMode.SelectRead);
                continue;
            }
            var count = _socket.Receive(target, SocketFlags.None, out fault);
            if (fault == SocketError.Success) return count;
            if (fault == SocketError.Interrupted) continue;
            if (fault != SocketError.WouldBlock) return 0;
            _socket.Poll(Timeout.InfiniteTimeSpan, SelectMode.SelectRead);
        }
    }

    /// <summary>Wakes the reader, which then owns the disposal. Harmless at any time.</summary>
    public void Shutdown()
    {
        try { _socket.Shutdown(SocketShutdown.Both); }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException) { } // Ended already: that is what was wanted.
    }

    /// <summary>What a fault says of the peer. Unknown ones count as silence, which is no evidence of a crash.</summary>
    public static ChannelLoss Loss(SocketError fault) => fault switch
    {
        SocketError.Success => ChannelLoss.Closed,
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => ChannelLoss.Reset,
        _ => ChannelLoss.Silent,
    };

    private int TrySendAlive(ArraySegment<byte> bytes, out SocketError fault)
    {
        if (!_perCall)
        {
            var taken = _socket.Send(bytes, SocketFlags.None, out fault);
            if (fault is SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable) fault = SocketError.Success;
            return fault == SocketError.Success ? Math.Max(taken, 0) : 0;
        }

        for (; ; )
        {
            var sent = SendRaw(_handle, ref MemoryMarshal.GetReference(bytes.AsSpan()), bytes.Count, DontWait | NoSignal);
            fault = SocketError.Success;
            if (sent >= 0) return (int)sent;
            fault = FaultOf(Marshal.GetLastPInvokeError());
            if (fault == SocketError.Interrupted) continue;
            if (fault == SocketError.WouldBlock) fault = SocketError.Success;
            return 0;
        }
    }

    private static SocketError FaultOf(int error) => error switch
    {
        4 => SocketError.Interrupted, // EINTR
        11 or 105 => SocketError.WouldBlock, // EAGAIN, ENOBUFS
        32 or 104 => SocketError.ConnectionReset, // EPIPE, ECONNRESET
        110 => SocketError.TimedOut,
        113 => SocketError.HostUnreachable,
        101 => SocketError.NetworkUnreachable,
        _ => SocketError.SocketError,
    };

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint ReceiveRaw(SafeHandle socket, ref byte buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint SendRaw(SafeHandle socket, ref byte buffer, nint length, int flags);
}

using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using ActorCluster.Hosting;
using ActorCluster.Links;
using ActorCluster.Membership;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Links;

/// <summary>A path that carries small packets and loses large ones, as one with a wrong MTU does.</summary>
public class BlackHoleTests
{
    [Fact]
    public async Task A_path_that_loses_large_packets_of_data_gets_no_data_connection_and_control_carries_its_frames()
    {
        await using var older = new LinkNode(1);
        await using var younger = new LinkNode(2, with: o => o.HandshakeTimeout = TimeSpan.FromMilliseconds(300));
        using var path = new NarrowPath(older.Peer.Address);
        younger.Transport.SetPeers([older.Peer with { Address = path.Address }]);
        older.Transport.SetPeers([younger.Peer]);
        await younger.SeesAsync($"up {older.Inc} Control");
        await path.StopsDataAsync(times: 2); // Dialled again, and stopped again.
        Assert.False(younger.Transport.IsUp(older.Inc, LinkChannel.Data));
        Assert.Equal(LinkSend.Sent, younger.Transport.Send(older.Inc, LinkChannel.Data, 9, [1, 2, 3]));
        await older.SeesAsync("frame #2 Data 9 010203");

        path.IsNarrow = false;
        await younger.SeesAsync($"up {older.Inc} Data");
        await older.SeesAsync($"up {younger.Inc} Data");
    }

    [Fact]
    public void One_in_ten_heartbeats_of_data_is_as_large_as_data_and_none_of_control()
    {
        var sizes = Enumerable.Range(1, 100).SelectMany(seq =>
        {
            var beat = new Heartbeat(new Incarnation(1), seq, 2, NodeMode.Serving, true, 0, true, []);
            return new[] { (LinkChannel.Control, true), (LinkChannel.Data, true), (LinkChannel.Data, false) }.Select(c => (c.Item1, c.Item2, Size: NodeLife.ToWire(beat, c.Item1, c.Item2).CalculateSize()));
        }).ToLookup(s => (s.Item1, s.Item2), s => s.Size);
        Assert.Equal(10, sizes[(LinkChannel.Data, true)].Count(s => s is >= 8 * 1024 and < 9 * 1024));
        Assert.All(sizes[(LinkChannel.Data, true)].Where(s => s < 8 * 1024).Concat(sizes[(LinkChannel.Control, true)]).Concat(sizes[(LinkChannel.Data, false)]), s => Assert.InRange(s, 1, 100));
    }

    /// <summary>A relay in front of a node: a connection of data that is to carry a frame above 1,500 bytes carries nothing from then on.</summary>
    private sealed class NarrowPath : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly ConcurrentBag<TcpClient> _ends = [];
        private readonly string _target;
        private readonly SemaphoreSlim _stopped = new(0);

        public NarrowPath(string target)
        {
            _target = target;
            _listener.Start();
            _ = RunAsync();
        }

        public string Address => _listener.LocalEndpoint.ToString()!;

        public bool IsNarrow { get; set; } = true;

        public async Task StopsDataAsync(int times)
        {
            for (var i = 0; i < times; i++) Assert.True(await _stopped.WaitAsync(TimeSpan.FromSeconds(20)), "Waited 20 s for a data connection to be stopped by the path.");
        }

        public void Dispose()
        {
            _listener.Dispose();
            foreach (var end in _ends) end.Dispose();
        }

        private async Task RunAsync()
        {
            try
            {
                while (true)
                {
                    var near = await _listener.AcceptTcpClientAsync();
                    var far = new TcpClient();
                    _ends.Add(near);
                    _ends.Add(far);
                    await far.ConnectAsync(IPEndPoint.Parse(_target));
                    var isData = new TaskCompletionSource<bool>();
                    _ = PumpAsync(near.GetStream(), far.GetStream(), isData);
                    _ = PumpAsync(far.GetStream(), near.GetStream(), isData);
                }
            }
            catch (Exception over) when (over is ObjectDisposedException or SocketException)
            {
            }
        }

        /// <summary>Frame by frame; the opening of the dialer tells the channel.</summary>
        private async Task PumpAsync(Stream from, Stream to, TaskCompletionSource<bool> isData)
        {
            try
            {
                for (var header = new byte[4]; ;)
                {
                    await from.ReadExactlyAsync(header);
                    var frame = new byte[4 + BinaryPrimitives.ReadInt32LittleEndian(header)];
                    header.CopyTo(frame, 0);
                    await from.ReadExactlyAsync(frame.AsMemory(4));
                    if (!isData.Task.IsCompleted) isData.TrySetResult(HandshakeRules.ReadHello(ActorCluster.Links.Wire.Handshake.Parser.ParseFrom(frame.AsSpan(5)).Opening.Hello)!.Channel == (uint)LinkChannel.Data);
                    if (IsNarrow && frame.Length > 1_500 && await isData.Task)
                    {
                        _stopped.Release();
                        return; // The connection stands; nothing passes any more.
                    }
                    await to.WriteAsync(frame);
                }
            }
            catch (Exception over) when (over is IOException or ObjectDisposedException)
            {
                from.Dispose();
                to.Dispose();
            }
        }
    }
}

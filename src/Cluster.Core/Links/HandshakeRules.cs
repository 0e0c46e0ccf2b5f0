using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ActorCluster.Links.Wire;
using Google.Protobuf;

namespace ActorCluster.Links;

/// <summary>What both ends of a handshake compute and compare. Knows no socket, no clock and no randomness.</summary>
internal static class HandshakeRules
{
    public const int FrameBytesMax = 4096;
    public const int NonceBytes = 32;

    /// <summary>Of the data channel's last step each way: more than a usual packet, and with the rest less than a frame may have, in earlier releases too.</summary>
    public const int PaddingBytes = 3_500;
    public const int RecentViewsMax = 16;
    public const int NameCharsMax = 255;
    private const int MacsMax = 2;

    private static ReadOnlySpan<byte> DialerRole => "actorcluster.links.v1 dialer"u8;
    private static ReadOnlySpan<byte> AcceptorRole => "actorcluster.links.v1 acceptor"u8;

    /// <summary>A hello that can be worked with, or null. Checks shape alone: nothing in it is believed before the MAC is.</summary>
    public static Hello? ReadHello(ByteString bytes)
    {
        Hello hello;
        try { hello = Hello.Parser.ParseFrom(bytes); }
        catch (InvalidProtocolBufferException) { return null; }
        var usable = hello.Cluster.Length == 16 && hello.Nonce.Length == NonceBytes && hello.Channel <= (uint)LinkChannel.Data
            && hello.Name.Length is > 0 and <= NameCharsMax && hello.RecentViews.Count <= RecentViewsMax && hello.ProtoMin <= hello.ProtoMax;
        return usable ? hello : null;
    }

    /// <summary>One MAC per secret, over both hellos as they were sent.</summary>
    public static IEnumerable<ByteString> Macs(IReadOnlyList<string> secrets, bool ofDialer, ByteString dialerHello, ByteString acceptorHello)
    {
        foreach (var secret in secrets) yield return ByteString.CopyFrom(Mac(secret, ofDialer, dialerHello, acceptorHello));
    }

    /// <summary>Whether any of the peer's MACs was made with any of my secrets.</summary>
    public static bool SharesSecret(IReadOnlyList<string> secrets, bool ofDialer, ByteString dialerHello, ByteString acceptorHello, IReadOnlyList<ByteString> macs)
    {
        if (macs.Count > MacsMax) return false;
        var shared = false;
        foreach (var secret in secrets)
        {
            var mine = Mac(secret, ofDialer, dialerHello, acceptorHello);
            foreach (var theirs in macs) shared |= CryptographicOperations.FixedTimeEquals(mine, theirs.Span); // No early end: its time would tell which one.
        }
        return shared;
    }

    /// <summary>Why the two ends live on different stores, or null. A view that only one of them knows is lag, not a conflict.</summary>
    public static string? StoreConflict(Hello mine, Hello theirs)
    {
        var peer = $"{theirs.Name}#{theirs.Inc}";
        if (!mine.Cluster.Equals(theirs.Cluster))
            return $"Cluster id differs: {peer} lives in {new Guid(theirs.Cluster.Span)}, this node in {new Guid(mine.Cluster.Span)}. Point both nodes at the same store.";
        if (mine.StoreGeneration != theirs.StoreGeneration)
            return $"Store generation differs: {peer} has {theirs.StoreGeneration}, this node has {mine.StoreGeneration}. The store was recovered; restart the node with the lower one.";
        var known = new Dictionary<long, ulong>();
        foreach (var view in mine.RecentViews) known[view.Number] = view.Hash;
        foreach (var view in theirs.RecentViews)
        {
            if (known.TryGetValue(view.Number, out var hash) && hash != view.Hash)
                return $"View {view.Number} differs: {peer} has hash {view.Hash:x16}, this node has {hash:x16}. Point both nodes at the same store.";
        }
        return null;
    }

    /// <summary>Whether a protocol version exists that both ends speak.</summary>
    public static bool RangesOverlap(Hello mine, Hello theirs) => mine.ProtoMin <= theirs.ProtoMax && theirs.ProtoMin <= mine.ProtoMax;

    private static byte[] Mac(string secret, bool ofDialer, ByteString dialerHello, ByteString acceptorHello)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(secret));
        hmac.AppendData(ofDialer ? DialerRole : AcceptorRole);
        AppendWithLength(hmac, dialerHello);
        AppendWithLength(hmac, acceptorHello);
        return hmac.GetHashAndReset();
    }

    private static void AppendWithLength(IncrementalHash hmac, ByteString bytes)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hmac.AppendData(length);
        hmac.AppendData(bytes.Span);
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using ActorCluster.Links.Wire;
using ActorCluster.Primitives;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace ActorCluster.Links;

/// <summary>What a finished handshake found.</summary>
internal enum HandshakeEnd
{
    /// <summary>Both ends proved the secret and agree: the connection carries frames now.</summary>
    Ready,

    /// <summary>A probe was answered.</summary>
    Probed,

    /// <summary>Another life than the one that was meant.</summary>
    OtherIncarnation,

    /// <summary>No link, for a reason that was logged.</summary>
    Refused,

    /// <summary>A test's filter cuts this peer.</summary>
    Cut,
}

/// <summary>Runs both roles of the handshake in links.proto over a blocking socket.</summary>
/// <remarks>
/// Order matters: nothing that a peer says is acted on before its MAC is verified, since a store mismatch stops the node. Then the
/// acceptor judges and answers, and the dialer judges after that answer, so that both ends of a mismatch hear of it.
/// </remarks>
internal sealed class Handshaker(LinkIdentity self, LinkOptions options, ILinkHandler handler, ILogger log)
{
    private static readonly TimeSpan ComplaintInterval = TimeSpan.FromSeconds(10);
    private static readonly ByteString Padding = UnsafeByteOperations.UnsafeWrap(new byte[HandshakeRules.PaddingBytes]);
    private readonly ConcurrentDictionary<Refused.Types.Reason, long> _complained = new();

    /// <summary>As dialer: opens, proves, and waits for Ready. A probe ends with the acceptor's answer.</summary>
    public HandshakeEnd Dial(HandshakeSocket socket, LinkPeer peer, LinkChannel channel, bool probe)
    {
        var mine = HelloFor(peer.Inc, channel, probe);
        var mineBytes = mine.ToByteString();
        socket.Send(new Handshake { Opening = new Opening { Hello = mineBytes } });

        var reply = socket.Receive();
        if (reply.StepCase == Handshake.StepOneofCase.Refused) return RefusedBy(peer, channel, reply.Refused.Reason, isProved: false);
        if (reply.StepCase != Handshake.StepOneofCase.Answer || HandshakeRules.ReadHello(reply.Answer.Hello) is not { } theirs) throw Unexpected(reply);

        if (!HandshakeRules.SharesSecret(options.Secrets, ofDialer: false, mineBytes, reply.Answer.Hello, reply.Answer.Macs))
        {
            if (MayComplain(Refused.Types.Reason.SecretDiffers)) log.SecretDiffers(peer.Name, peer.Address);
            socket.Send(Refusal(Refused.Types.Reason.SecretDiffers));
            handler.SecretDiffers(peer.Inc);
            return HandshakeEnd.Refused;
        }
        var other = theirs.Inc != peer.Inc.Value;
        if (probe) return other && theirs.Cluster.Equals(mine.Cluster) ? HandshakeEnd.OtherIncarnation : HandshakeEnd.Probed;

        var proof = new Proof { Padding = PaddingOf(channel) };
        proof.Macs.AddRange(HandshakeRules.Macs(options.Secrets, ofDialer: true, mineBytes, reply.Answer.Hello));
        socket.Send(new Handshake { Proof = proof });
        var verdict = socket.Receive();

        if (HandshakeRules.StoreConflict(mine, theirs) is { } conflict) return Mismatch(conflict, mine, theirs);
        if (other)
        {
            if (MayComplain(Refused.Types.Reason.OtherIncarnation)) log.OtherIncarnation(peer.Address, peer.Name, peer.Inc, new Incarnation(theirs.Inc));
            return HandshakeEnd.OtherIncarnation;
        }
        return verdict.StepCase switch
        {
            Handshake.StepOneofCase.Ready => HandshakeEnd.Ready,
            Handshake.StepOneofCase.Refused => RefusedBy(peer, channel, verdict.Refused.Reason, isProved: true),
            _ => throw Unexpected(verdict),
        };
    }

    /// <summary>As acceptor: answers, verifies the proof, judges. The peer and channel are those the dialer proved.</summary>
    public HandshakeEnd Accept(HandshakeSocket socket, EndPoint? remote, Func<Incarnation, LinkChannel, bool> passes, out Incarnation peer, out LinkChannel channel)
    {
        (peer, channel) = (default, default);
        var opening = socket.Receive();
        if (opening.StepCase != Handshake.StepOneofCase.Opening || HandshakeRules.ReadHello(opening.Opening.Hello) is not { } theirs) throw Unexpected(opening);
        (peer, channel) = (new Incarnation(theirs.Inc), (LinkChannel)theirs.Channel);
        if (!passes(peer, channel))
        {
            socket.AwaitEnd(); // Closing would tell a prober that nobody is here; a cut link tells nothing.
            return HandshakeEnd.Cut;
        }

        var mine = HelloFor(peer, channel, theirs.Probe);
        var answer = new Answer { Hello = mine.ToByteString() };
        answer.Macs.AddRange(HandshakeRules.Macs(options.Secrets, ofDialer: false, opening.Opening.Hello, answer.Hello));
        socket.Send(new Handshake { Answer = answer });
        if (theirs.Probe)
        {
            socket.AwaitEnd();
            return HandshakeEnd.Probed;
        }

        var reply = socket.Receive();
        if (reply.StepCase is not (Handshake.StepOneofCase.Proof or Handshake.StepOneofCase.Refused)) throw Unexpected(reply);
        if (reply.StepCase == Handshake.StepOneofCase.Refused || !HandshakeRules.SharesSecret(options.Secrets, ofDialer: true, opening.Opening.Hello, answer.Hello, reply.Proof.Macs))
        {
            if (MayComplain(Refused.Types.Reason.SecretDiffers)) log.SecretDiffers(theirs.Name, remote?.ToString() ?? "an unknown address");
            if (reply.StepCase == Handshake.StepOneofCase.Proof) socket.Send(Refusal(Refused.Types.Reason.SecretDiffers));
            return HandshakeEnd.Refused;
        }

        var conflict = HandshakeRules.StoreConflict(mine, theirs);
        if (Objection(conflict, mine, theirs) is { } reason)
        {
            if (MayComplain(reason)) log.RefusesPeer(theirs.Name, peer, channel, reason);
            socket.Send(Refusal(reason));
            return conflict is null ? HandshakeEnd.Refused : Mismatch(conflict, mine, theirs);
        }
        socket.Send(new Handshake { Ready = new Ready { Padding = PaddingOf(channel) } });
        return HandshakeEnd.Ready;
    }

    private Refused.Types.Reason? Objection(string? storeConflict, Hello mine, Hello theirs)
    {
        if (storeConflict is not null) return Refused.Types.Reason.StoreDiffers;
        if (theirs.TargetInc != self.Inc.Value) return Refused.Types.Reason.OtherIncarnation;
        if (!HandshakeRules.RangesOverlap(mine, theirs)) return Refused.Types.Reason.ProtocolRange;
        if (theirs.Inc <= self.Inc.Value) return Refused.Types.Reason.Direction;
        return handler.MayAccept(new Incarnation(theirs.Inc)) ? null : Refused.Types.Reason.Down;
    }

    private HandshakeEnd RefusedBy(LinkPeer peer, LinkChannel channel, Refused.Types.Reason reason, bool isProved)
    {
        if (isProved && reason == Refused.Types.Reason.Down) handler.ToldDown(peer.Inc);
        if (!MayComplain(reason)) return HandshakeEnd.Refused;
        if (reason == Refused.Types.Reason.SecretDiffers) log.SecretDiffers(peer.Name, peer.Address);
        else log.RefusedByPeer(peer.Name, peer.Inc, channel, reason);
        return HandshakeEnd.Refused;
    }

    /// <summary>One line per reason and interval: a refused peer dials twice a second, for ever.</summary>
    private bool MayComplain(Refused.Types.Reason reason)
    {
        var now = Stopwatch.GetTimestamp();
        if (_complained.TryAdd(reason, now)) return true;
        var last = _complained[reason];
        return Stopwatch.GetElapsedTime(last, now) >= ComplaintInterval && _complained.TryUpdate(reason, now, last);
    }

    /// <summary>A peer of an older generation of the same store has not read of the recovery yet: it is refused, and nothing is wrong here.</summary>
    private HandshakeEnd Mismatch(string conflict, Hello mine, Hello theirs)
    {
        if (!mine.Cluster.Equals(theirs.Cluster) || theirs.StoreGeneration >= mine.StoreGeneration) handler.StoreMismatch(conflict);
        return HandshakeEnd.Refused;
    }

    private Hello HelloFor(Incarnation target, LinkChannel channel, bool probe)
    {
        var hello = new Hello
        {
            Cluster = ByteString.CopyFrom(self.Cluster.ToByteArray()),
            StoreGeneration = self.StoreGeneration,
            Inc = self.Inc.Value,
            TargetInc = target.Value,
            Name = self.Name,
            Channel = (uint)channel,
            ProtoMin = self.ProtoMin,
            ProtoMax = self.ProtoMax,
            Nonce = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(HandshakeRules.NonceBytes)),
            Probe = probe,
        };
        foreach (var (view, hash) in handler.RecentViews.OrderByDescending(v => v.View).Take(HandshakeRules.RecentViewsMax))
            hello.RecentViews.Add(new Hello.Types.View { Number = view, Hash = hash });
        return hello;
    }

    /// <summary>A data connection must carry large packets both ways before it carries anything: while it does not, control carries its frames.</summary>
    private static ByteString PaddingOf(LinkChannel channel) => channel == LinkChannel.Data ? Padding : ByteString.Empty;

    private static Handshake Refusal(Refused.Types.Reason reason) => new() { Refused = new Refused { Reason = reason } };

    private static HandshakeException Unexpected(Handshake step) =>
        new(HandshakeFault.Garbage, $"step {step.StepCase} was not expected here, or its hello cannot be read");
}

using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Sharding;

/// <summary>A message that another node sent, in its entity's mailbox; also takes its answer back to the sender.</summary>
/// <remarks>Decoded in the entity's turn: the codec may be a user's, and a link is read on while it works.
/// A reply that the link does not take is lost; its sender times out or asks again.</remarks>
internal sealed class IncomingMessage : Envelope, IReplySink
{
    private readonly RegionDriver _region;
    private readonly Incarnation _from;
    private readonly long _correlation;
    private readonly MessageType _type;
    private Held _payload;
    private int _answered;

    public IncomingMessage(RegionDriver region, Incarnation from, long correlation, EntityId target, MessageType type, ReadOnlySpan<byte> payload)
    {
        (_region, _from, _correlation, _type, _payload) = (region, from, correlation, type, new Held(payload));
        Address(target, "", correlation == 0 ? null : this, null);
    }

    public override bool IsFromElsewhere => true;

    public override EntityFailure? Open()
    {
        if (_payload.IsEmpty) return null;
        var payload = _payload;
        _payload = default;
        try
        {
            Decoded(_type.Codec.Decode(payload.Bytes));
            return null;
        }
        catch (Exception cause)
        {
            return EntityFailure.Unknown(Target.StoreKey, $"{_type.Name} ({cause.Message})");
        }
        finally
        {
            payload.Return();
        }
    }

    public void Reply(object reply)
    {
        if (Interlocked.Exchange(ref _answered, 1) != 0) return;
        if (_type.ReplyCodec is not { } codec)
        {
            _region.Tell(_from, _correlation, EntityFailure.Unanswered(Target.StoreKey, $"{_type.Name}, which is registered without its reply"));
            return;
        }
        var buffer = EncodeBuffer.Lend();
        try
        {
            codec.Encode(reply, buffer);
        }
        catch (Exception cause)
        {
            _region.Tell(_from, _correlation, EntityFailure.Faulted($"Encoding the reply of {Target.StoreKey} to {_type.Name}", cause, noEffect: false));
            return;
        }
        if (buffer.WrittenCount > _region.PayloadBytesMax)
            _region.Tell(_from, _correlation, EntityFailure.TooLarge(Target.StoreKey, $"the reply to {_type.Name}", buffer.WrittenCount, _region.PayloadBytesMax, noEffect: false));
        else
            _region.Tell(_from, _correlation, buffer.WrittenSpan);
        EncodeBuffer.Return(buffer);
    }

    public void Fail(EntityFailure failure)
    {
        if (Interlocked.Exchange(ref _answered, 1) == 0) _region.Tell(_from, _correlation, failure);
    }
}

using ActorCluster.ChatRooms;
using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Gateway;

/// <summary>The rooms that a client names in its hello: whether the user is in them still, and from where they are streamed.</summary>
internal sealed partial class GatewaySession
{
    /// <summary>A client sends what is unanswered right behind its hello.</summary>
    private static readonly TimeSpan LeaveComesWithin = TimeSpan.FromMilliseconds(300);

    private readonly Dictionary<string, Resuming> _resuming = new(StringComparer.Ordinal);

    /// <summary>A room of the hello: streamed from the cursor if the user is still a member, else the client is told.</summary>
    private void Resume(string room, long after)
    {
        if (life.Rooms is null)
        {
            Answer(ServerFrames.Left(room, "NoSuchRoom", "This server hosts no chat rooms."));
            return;
        }
        lock (_lock)
        {
            if (_resuming.ContainsKey(room)) return; // Named twice.
            _resuming[room] = new Resuming(after, MonotonicClock.Now + gateway.AskTimeout);
        }
        AskMembership(room);
    }

    private void AskMembership(string room) =>
        life.Post(new Envelope(RoomOf(room), new RoomQuestion(user, null), new ResumeSink(this, room)));

    private void MembershipKnown(string room, RoomAnswer answer)
    {
        Resuming resuming;
        lock (_lock)
        {
            if (!_resuming.TryGetValue(room, out resuming)) return; // Answered already, or joined or left meanwhile.
            if (answer.JoinedSeq == 0 && (!resuming.IsGone || LeavesUnderWay(room) > 0))
            {
                // Perhaps by a leave whose answer the client did not get: it comes again, and its answer ends the stream as it should.
                _resuming[room] = resuming with { IsGone = true, AskAt = MonotonicClock.Now + LeaveComesWithin };
                return;
            }
            if (answer.JoinedSeq == 0) _resuming.Remove(room);
        }
        if (answer.JoinedSeq == 0) Answer(ServerFrames.Left(room, "NotInRoom", Explain(RoomRefusal.NotInRoom, room)));
        else Follow(room, resuming.After == 0 ? answer.JoinedSeq : resuming.After, isResumption: true);
    }

    /// <summary>A question about a room of the hello that failed, or whose answer was lost on the way, is asked again.</summary>
    private void AskAgain(TimeSpan now)
    {
        List<string>? late = null;
        lock (_lock)
        {
            foreach (var (room, resuming) in _resuming)
                if (now >= resuming.AskAt) (late ??= []).Add(room);
            foreach (var room in late ?? []) _resuming[room] = _resuming[room] with { AskAt = now + gateway.AskTimeout };
        }
        foreach (var room in late ?? []) AskMembership(room);
    }

    private void AskSoon(string room)
    {
        lock (_lock)
        {
            if (_resuming.TryGetValue(room, out var resuming)) _resuming[room] = resuming with { AskAt = MonotonicClock.Now };
        }
    }

    private sealed class ResumeSink(GatewaySession session, string room) : IReplySink, IAbandonable
    {
        public bool IsAbandoned => session._closing;

        public void Reply(object reply) => session.MembershipKnown(room, (RoomAnswer)reply);

        public void Fail(EntityFailure failure) => session.AskSoon(room); // At the next tick, not at once: whatever fails does so for a while.
    }

    /// <summary>A room of the hello whose membership is being asked.</summary>
    /// <param name="After">Where the client stands.</param>
    /// <param name="AskAt">When to ask again.</param>
    /// <param name="IsGone">The room has answered that the user is no member.</param>
    private readonly record struct Resuming(long After, TimeSpan AskAt, bool IsGone = false);
}

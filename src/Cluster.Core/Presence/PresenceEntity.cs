using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Presence;

/// <summary>All users of one bucket whom a node holds connected.</summary>
internal sealed record PresenceAnnouncement(Incarnation Node, long Version, IReadOnlyList<string> Users);

/// <summary>Asks who of these users of one bucket is connected anywhere.</summary>
internal sealed record PresenceQuestion(IReadOnlyList<string> Users) : IReadRequest;

internal sealed record PresenceAnswer(IReadOnlyList<string> Online);

/// <summary>Presence of one bucket of users: in memory, rebuilt by the nodes' announcements when its shard moves.</summary>
/// <remarks>A bucket, not an entity per user, so that a bulk query of 500 users is a handful of messages.</remarks>
internal sealed class PresenceEntity : Entity
{
    public const string TypeName = "presence";
    public const int Buckets = 256;

    private readonly PresenceDirectory _directory = new();

    /// <summary>The bucket of a user.</summary>
    public static EntityId BucketOf(string user) => new(TypeName, (StableHash.Of("user", user) % Buckets).ToString(System.Globalization.CultureInfo.InvariantCulture));

    public static void Register(MessageCatalog messages)
    {
        messages.Add(typeof(PresenceAnnouncement), "presence.announcement.v1", new WireCodec<PresenceAnnouncement>(
            a => new Wire.Announcement { Node = a.Node.Value, Version = a.Version, Users = { a.Users } },
            b => From(Wire.Announcement.Parser.ParseFrom(b.Span))), null);
        messages.Add(typeof(PresenceQuestion), "presence.question.v1", new WireCodec<PresenceQuestion>(
            q => new Wire.Question { Users = { q.Users } },
            b => new PresenceQuestion(Wire.Question.Parser.ParseFrom(b.Span).Users)), new WireCodec<PresenceAnswer>(
            a => new Wire.Answer { Online = { a.Online } },
            b => new PresenceAnswer(Wire.Answer.Parser.ParseFrom(b.Span).Online)));
    }

    protected internal override bool IsBusy => _directory.HasAnyone(Context.Cell.Host.Ownership.IsLive, MonotonicClock.Now);

    protected internal override ValueTask ReceiveAsync(object message)
    {
        switch (message)
        {
            case PresenceAnnouncement said:
                _directory.Announced(said.Node, said.Version, said.Users, Context.Cell.Host.Ownership.IsLive, MonotonicClock.Now);
                break;
            case PresenceQuestion question:
                Context.Reply(new PresenceAnswer(_directory.OnlineOf(question.Users, Context.Cell.Host.Ownership.IsLive, MonotonicClock.Now)));
                break;
        }
        return ValueTask.CompletedTask;
    }

    private static PresenceAnnouncement From(Wire.Announcement wire) => new(new Incarnation(wire.Node), wire.Version, wire.Users);
}

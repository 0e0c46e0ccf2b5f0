using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Judges a user's entity: by a fresh one that reads its journal (<c>Replay</c>), and by the user's own checker (<c>Checker</c>).</summary>
internal sealed class SimUserChecker(SimWorld world, SimulatedEntity entity)
{
    private readonly SortedDictionary<string, SimUserEntity> _read = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Entity, CommandId Id), object> _sent = []; // Only asked, never iterated.

    /// <summary>A client is about to send a command; repeats are the same.</summary>
    public void Sending(string target, CommandId id, object message) => _sent[(target, id)] = message;

    /// <summary>A row has committed: whoever has read all before it must decide it for the same command, and answer as it did.</summary>
    public void Committed(JournalRow row)
    {
        if (!_read.TryGetValue(row.Entity, out var reader)) _read.Add(row.Entity, reader = entity.Make());
        var happened = reader.Decode(row.Kind, row.Payload.Span);
        if (row.Command is not { } id || !_sent.TryGetValue((row.Entity, id), out var message))
        {
            reader.Apply(happened, row.EntitySeq);
            return;
        }
        var decision = reader.Decide(SimUserEntity.Sent(entity.Messages, message));
        var (kind, payload) = decision.Event is { } again ? reader.Encode(again) : ("", []);
        if (decision.Event is null) Complain(row, $"records {row.Kind} for {message}; one that has read the journal records nothing for it");
        else if (kind != row.Kind || !payload.AsSpan().SequenceEqual(row.Payload.Span)) Complain(row, $"records {happened} for {message}; one that has read the journal records {decision.Event}");
        reader.Apply(happened, row.EntitySeq);
        var reply = decision.Event is null ? null : reader.EncodeReply(message, row.EntitySeq, decision.Reply ?? reader.ReplyFor(happened, row.EntitySeq));
        if (decision.Event is not null && !(row.Result ?? default).Span.SequenceEqual(reply)) Complain(row, $"replies {Text(reader, message, row)} to {message}; one that has read the journal does not");
    }

    /// <summary>All is quiet.</summary>
    public void AtEnd(IEnumerable<SimOp> all, Func<string, IReadOnlyList<JournalRow>> rowsOf)
    {
        foreach (var target in all.GroupBy(o => o.Room).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var commands = target.OrderBy(o => o.At).ThenBy(o => o.Id.Client).ThenBy(o => o.Id.Sequence)
                .Select(o => new SimulatedCommand(o.Id, o.Command, o.State == SimOpState.Acked, o.Reply, o.Seq, o.Attempts)).ToList();
            if (entity.Judge(target.Key, rowsOf(target.Key), commands) is { } complaint) world.Violated("Checker", $"{target.Key}: {complaint}");
        }
    }

    private static string Text(SimUserEntity reader, object message, JournalRow row) => row.Result is { } kept ? $"{reader.DecodeReply(message, row.EntitySeq, kept.Span)}" : "nothing";

    private void Complain(JournalRow row, string what) => world.Violated("Replay", $"{row.Entity} {row.EntitySeq}: the entity {what}. Its state is not what its events make of it, or it decides by something else.");
}

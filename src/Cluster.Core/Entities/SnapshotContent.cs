using ActorCluster.Entities.Wire;
using ActorCluster.Persistence;
using ActorCluster.Primitives;
using Google.Protobuf;

namespace ActorCluster.Entities;

/// <summary>What a snapshot holds: the entity's state and its window of command ids, so that both move with the entity (protocol 7.4).</summary>
internal static class SnapshotContent
{
    public static byte[] Of(CommandWindow window, ReadOnlySpan<byte> state)
    {
        var content = new EntitySnapshotContent { State = ByteString.CopyFrom(state) };
        foreach (var (id, lowWater, lastMs, commands) in window.Contents)
        {
            var client = new EntitySnapshotContent.Types.Client { IdHigh = (ulong)(id.Value >> 64), IdLow = (ulong)id.Value, LowWater = lowWater, LastUnixMs = lastMs };
            foreach (var (sequence, entitySeq) in commands)
            {
                client.Sequences.Add(sequence);
                client.EntitySeqs.Add(entitySeq);
            }
            content.Clients.Add(client);
        }
        return content.ToByteArray();
    }

    /// <summary>Fills an empty window and returns the state.</summary>
    public static ReadOnlySpan<byte> Restore(EntitySnapshot snapshot, CommandWindow window)
    {
        var content = EntitySnapshotContent.Parser.ParseFrom(snapshot.Payload.Span);
        foreach (var client in content.Clients)
            window.Restore(new ClientId(new UInt128(client.IdHigh, client.IdLow)), client.LowWater, client.LastUnixMs, client.Sequences.Zip(client.EntitySeqs));
        return content.State.Span;
    }
}

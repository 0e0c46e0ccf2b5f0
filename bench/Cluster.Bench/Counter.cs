using System.Text.Json.Serialization;
using ActorCluster.Entities;

namespace ActorCluster.Bench;

/// <summary>The message of the ask rows.</summary>
internal sealed record Increment(int By) : IRequest<int>;

/// <summary>The message of the tell row.</summary>
internal sealed record Note(int By);

/// <summary>How many notes have come; asked at the end of a window.</summary>
internal sealed record Count : IRequest<int>;

/// <summary>An entity as a user writes it.</summary>
internal sealed class Counter : Entity
{
    private int _count;

    protected internal override ValueTask ReceiveAsync(object message)
    {
        switch (message)
        {
            case Increment increment:
                Context.Reply(_count += increment.By);
                break;
            case Note note:
                _count += note.By;
                break;
            case Count:
                Context.Reply(_count);
                break;
        }
        return ValueTask.CompletedTask;
    }

    public static void Register(MessageCatalog messages) => messages
        .Add("increment.v1", BenchJson.Default.Increment, BenchJson.Default.Int32)
        .Add("note.v1", BenchJson.Default.Note)
        .Add("count.v1", BenchJson.Default.Count, BenchJson.Default.Int32);
}

[JsonSerializable(typeof(Increment))]
[JsonSerializable(typeof(Note))]
[JsonSerializable(typeof(Count))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(Nodes.Hosted))]
internal sealed partial class BenchJson : JsonSerializerContext;

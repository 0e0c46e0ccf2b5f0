using System.Buffers;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Globalization;
using ActorCluster.Downing;
using ActorCluster.Entities;

namespace ActorCluster.TestKit.Simulation;

/// <summary>Policies and entities as users would write them, each with a bug.</summary>
internal static class PlantedUsers
{
    /// <summary>Its memory is not what its events make of it.</summary>
    public static SimulatedEntity Hasty { get; } = SimulatedEntity.Of("tally", () => new Tally(isHasty: true), Register) with { Draw = static random => random.Next(1, 100) };

    /// <summary>Sound for the simulator; what it is meant to be only its checker knows.</summary>
    public static SimulatedEntity Limitless { get; } = SimulatedEntity.Of("tally", () => new Tally(isHasty: false), Register) with
    {
        Draw = static random => random.Next(1, 100),
        Check = static history =>
        {
            if (history.Events.Sum(e => e.Event) is > 50 and var sum) throw new InvalidOperationException($"{sum} was counted, 50 is the most.");
        },
    };

    private static void Register(MessageCatalog messages) => messages.Add(typeof(int), "add.v1", new Numbers(), new Numbers());

    /// <summary>Lets whichever side asks stay, at once.</summary>
    public sealed class EverySide : SplitBrainResolver
    {
        public override string Name => "every-side";

        protected override DowningClass ClassOf(ImmutableArray<Voter> voters) => DowningClass.Now;
    }

    private sealed class Tally(bool isHasty) : JournaledEntity<int>
    {
        private int _sum;

        protected override IEventCodec<int> Events { get; } = new Numbers();

        protected override Decision<int> Decide(object message) => Decision<int>.Record((int)message, isHasty ? _sum += (int)message : null);

        protected override void Apply(int happened, long seq) => _sum += isHasty ? 0 : happened;

        protected override object? ReplyFor(int happened, long seq) => _sum;
    }

    private sealed class Numbers : IEventCodec<int>, IMessageCodec
    {
        public string Encode(int happened, IBufferWriter<byte> into)
        {
            into.Write(System.Text.Encoding.ASCII.GetBytes(happened.ToString(CultureInfo.InvariantCulture)));
            return "added.v1";
        }

        public int Decode(string kind, ReadOnlySpan<byte> bytes) => (int)Decode(bytes);

        public void Encode(object message, IBufferWriter<byte> into) => Encode((int)message, into);

        public object Decode(ReadOnlySpan<byte> bytes) => Utf8Parser.TryParse(bytes, out int number, out _) ? number : throw new FormatException("It is no number.");
    }
}

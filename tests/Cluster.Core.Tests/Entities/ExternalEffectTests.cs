using ActorCluster.Entities;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Entities;

public class ExternalEffectTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(300);

    private readonly Mixer _mixer = new();

    [Fact]
    public async Task An_entity_acts_while_the_lease_covers_it()
    {
        await using var node = await OfMixersAsync();
        Assert.True(await Ask(node, new Act(Limit)).Is<bool>());
        node.Covered = Limit / 2;
        Assert.False(await Ask(node, new Act(Limit)).Is<bool>());
        Assert.True(await Ask(node, new Act(Limit / 2)).Is<bool>());
    }

    [Fact]
    public async Task Limits_and_types_outside_the_bounds_are_said()
    {
        await using var node = await OfMixersAsync();
        await Ask(node, new Act(TimeSpan.Zero)).Fails(FailureKind.EntityFaulted);
        await Ask(node, new Act(TimeSpan.FromSeconds(1.1))).Fails(FailureKind.EntityFaulted);
        await using var plain = await OfMixersAsync(exclusive: false);
        await Ask(plain, new Act(Limit)).Fails(FailureKind.EntityFaulted);
    }

    [Fact]
    public async Task A_shard_is_not_drained_while_an_effect_is_under_way()
    {
        await using var node = await OfMixersAsync();
        Assert.True(await Ask(node, new Act(Limit, Keep: true)).Is<bool>());
        var drained = node.Shard.DrainAsync(node.Shard.CloseIntake(), TimeSpan.FromMinutes(1));
        await Waiting.Until(() => node.Shard.Effects!.Enter(Limit, _ => true) is not { } entered || Left(entered), () => "the drain has come to the gate and closed it");
        Assert.False(drained.IsCompleted);
        _mixer.Kept!.Dispose();
        await drained.Within("the drain ends with the effect");
        Assert.True(await drained);
    }

    [Fact]
    public async Task A_lost_shard_cancels_what_is_under_way_and_has_ended_when_that_has()
    {
        await using var node = await OfMixersAsync();
        Assert.True(await Ask(node, new Act(TimeSpan.FromSeconds(1), Keep: true)).Is<bool>());
        var ended = node.Host.Stop(node.Shard.No, node.Shard.Epoch);
        Assert.True(_mixer.Kept!.Cancelled.IsCancellationRequested);
        Assert.False(ended.IsCompleted);
        _mixer.Kept.Dispose();
        await ended.Within("the shard has ended with its effect");
    }

    private static bool Left(Effect effect)
    {
        effect.Dispose();
        return false;
    }

    private Task<EntityNode> OfMixersAsync(bool exclusive = true) =>
        EntityNode.OfAsync("mixer", m => m.Add<Act>("act.v1"), () => _mixer, exclusive: exclusive);

    private static Answer Ask(EntityNode node, Act message)
    {
        var answer = new Answer($"{message}");
        Assert.True(node.Shard.TryDeliver(new Envelope(new EntityId("mixer", "m"), message, answer)));
        return answer;
    }

    private sealed record Act(TimeSpan Limit, bool Keep = false) : IRequest<bool>;

    private sealed class Mixer : Entity
    {
        public Effect? Kept { get; private set; }

        protected internal override ValueTask ReceiveAsync(object message)
        {
            var act = (Act)message;
            var may = Context.TryBeginEffect(act.Limit, out var effect);
            if (act.Keep) Kept = effect;
            else effect?.Dispose();
            Context.Reply(may);
            return ValueTask.CompletedTask;
        }
    }
}

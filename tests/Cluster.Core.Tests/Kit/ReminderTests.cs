using System.Buffers;
using System.Text;
using ActorCluster.Entities;
using ActorCluster.TestKit;

namespace Diary;

public sealed record Remind(string What, TimeSpan After) : IRequest<bool>;

public sealed record Due(string What);

public sealed record Told : IRequest<string[]>, IReadRequest;

public sealed class Notebook : JournaledEntity<string>
{
    private readonly List<string> _told = [];

    protected override bool HasDurableTimers => true;

    protected override IEventCodec<string> Events { get; } = new LineCodec();

    protected override Decision<string> Decide(object message) => message switch
    {
        Remind remind => Decision<string>.Record($"asked: {remind.What}", reply: true).SetTimer(remind.What, remind.After, new Due(remind.What)),
        Due due => Decision<string>.Record($"told: {due.What}"),
        _ => Decision<string>.Answer(_told.ToArray()),
    };

    protected override void Apply(string line, long seq)
    {
        if (line.StartsWith("told: ", StringComparison.Ordinal)) _told.Add(line);
    }

    public static void Register(MessageCatalog messages) =>
        messages.Add<Remind>("remind.v1").Add<Due>("due.v1").Add<Told>("told.v1");
}

internal sealed class LineCodec : IEventCodec<string>
{
    public string Encode(string line, IBufferWriter<byte> into)
    {
        Encoding.UTF8.GetBytes(line, into);
        return "line.v1";
    }

    public string Decode(string kind, ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
}

/// <summary>The example of durable timers in docs/guide.md, as it stands there.</summary>
public class ReminderTests
{
    [Fact]
    public async Task A_reminder_fires_once_although_its_node_was_killed()
    {
        await using var cluster = await TestCluster.StartAsync(3, node => node.WithEntity<Notebook>("notebook", Notebook.Register, shards: 16));
        var owner = cluster.OwnerOf<Notebook>("ada")!;
        var other = cluster.Nodes.First(n => n != owner);
        Assert.True(await other.Entity<Notebook>("ada").AskAsync(new Remind("tea", TimeSpan.FromSeconds(1.5))));

        await cluster.KillAsync(owner);
        await cluster.Until("the next owner tells of the tea", async () => (await other.Entity<Notebook>("ada").AskAsync(new Told())).SequenceEqual(["told: tea"]));

        await cluster.RestartAsync(owner);
        await cluster.UntilSettled();
        Assert.Equal(["told: tea"], await owner.Entity<Notebook>("ada").AskAsync(new Told()));
    }

    [Fact]
    public void The_guide_shows_what_is_run_here()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "ActorCluster.sln"))) folder = folder.Parent!;
        var guide = Lines(File.ReadAllText(Path.Combine(folder.FullName, "docs", "guide.md")));
        var (from, to) = (guide.IndexOf("public sealed record Remind(string What, TimeSpan After) : IRequest<bool>;"), guide.IndexOf("_ => Decision<string>.Answer(_told.ToArray()),"));
        Assert.True(from >= 0 && to > from, "docs/guide.md should show the notebook.");
        var run = Lines(File.ReadAllText(Path.Combine(folder.FullName, "tests", "Cluster.Core.Tests", "Kit", "ReminderTests.cs")));
        Assert.Empty(guide[from..(to + 1)].Except(run));
    }

    private static List<string> Lines(string text) => [.. text.Split('\n').Select(l => l.Trim().Replace("protected internal", "protected", StringComparison.Ordinal)).Where(l => l.Length > 0)];
}

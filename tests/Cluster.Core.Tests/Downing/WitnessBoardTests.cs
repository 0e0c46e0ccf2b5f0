using ActorCluster.Downing;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Downing;

public class WitnessBoardTests
{
    private static readonly Witness[] Three = [Witness.Parse("http://router/")!, Witness.Parse("tcp://10.0.0.1:53")!, Witness.Parse("store")!];

    [Theory]
    [InlineData(1, "0", true)]
    [InlineData(2, "0", false)]
    [InlineData(2, "0 2", true)]
    [InlineData(3, "0 2", false)]
    [InlineData(3, "0 1 2", true)]
    [InlineData(1, "", false)]
    public void K_of_n_must_be_seen(int quorum, string seen, bool fresh)
    {
        var board = new WitnessBoard([.. Three], quorum, new ProtocolTimes());
        Assert.Equal(3, board.Due(TimeSpan.Zero).Length);
        for (var i = 0; i < 3; i++) board.Answered(Three[i], seen.Contains($"{i}", StringComparison.Ordinal), "");
        Assert.Equal(fresh, board.IsFresh(TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void An_answer_counts_for_four_seconds_from_its_question_and_one_that_fails_takes_nothing_back()
    {
        var board = new WitnessBoard([Three[0]], 1, new ProtocolTimes());
        board.Due(TimeSpan.FromSeconds(1));
        Assert.False(board.IsFresh(TimeSpan.FromSeconds(1.5)));
        board.Answered(Three[0], true, "status 200");
        Assert.Single(board.Due(TimeSpan.FromSeconds(3)));
        board.Answered(Three[0], false, "no answer within 1 s");
        Assert.True(board.IsFresh(TimeSpan.FromSeconds(5)));
        Assert.False(board.IsFresh(TimeSpan.FromSeconds(5.1)));
        Assert.Equal("http://router/: no answer within 1 s, 2.1 s ago", board.States(TimeSpan.FromSeconds(5.1)).Single().Describe(TimeSpan.FromSeconds(5.1)));
    }

    [Fact]
    public void Each_is_asked_every_two_seconds_and_never_twice_at_once()
    {
        var board = new WitnessBoard([Three[0]], 1, new ProtocolTimes());
        Assert.Single(board.Due(TimeSpan.Zero));
        Assert.Empty(board.Due(TimeSpan.FromSeconds(9)));
        board.Answered(Three[0], true, "");
        Assert.Single(board.Due(TimeSpan.FromSeconds(9)));
        board.Answered(Three[0], true, "");
        Assert.Empty(board.Due(TimeSpan.FromSeconds(10.9)));
        Assert.Single(board.Due(TimeSpan.FromSeconds(11)));
    }

    [Fact]
    public void No_witness_is_never_fresh() => Assert.False(new WitnessBoard([], 1, new ProtocolTimes()).IsFresh(TimeSpan.Zero));

    [Theory]
    [InlineData("http://router", "Url")]
    [InlineData("https://router:8443/status?x=1", "Url")]
    [InlineData("tcp://10.0.0.1:53", "Tcp")]
    [InlineData("file:///mnt/share/alive", "File")]
    [InlineData("store", "Store")]
    [InlineData("router", null)]
    [InlineData("tcp://router", null)]
    [InlineData("tcp://router:53/path", null)]
    [InlineData("/mnt/share/alive", null)]
    [InlineData("file:///", null)]
    [InlineData("ftp://router/", null)]
    [InlineData("http://me:secret@router/", null)]
    public void A_witness_is_read_from_its_text(string text, string? kind) => Assert.Equal(kind, Witness.Parse(text)?.Kind.ToString());
}

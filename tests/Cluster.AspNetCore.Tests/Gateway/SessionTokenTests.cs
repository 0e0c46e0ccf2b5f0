using System.Buffers.Text;
using ActorCluster.AspNetCore.Gateway;
using ActorCluster.Primitives;

namespace ActorCluster.AspNetCore.Tests.Gateway;

public class SessionTokenTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ClientId Client = new(new UInt128(17, 42));
    private readonly SessionToken _tokens = new(["the newest secret", "the one before"]);

    [Fact]
    public void A_token_gives_its_client_back_to_its_user_for_its_lifetime()
    {
        var token = _tokens.Issue("ada", Client, Now);
        Assert.Equal(Client, _tokens.Check(token, "ada", Now + SessionToken.Lifetime, out _));
        Assert.Null(_tokens.Check(token, "ada", Now + SessionToken.Lifetime + TimeSpan.FromMilliseconds(1), out var reason));
        Assert.Contains("more than an hour", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_may_be_away_for_an_hour_even_if_its_token_was_about_to_be_renewed()
    {
        var token = _tokens.Issue("ada", Client, Now);
        Assert.Equal(Client, _tokens.Check(token, "ada", Now + GatewayLimits.TokenEvery + TimeSpan.FromHours(1), out _));
    }

    [Theory]
    [InlineData("bob")]
    [InlineData("Ada")]
    [InlineData("ad")]
    [InlineData("ada ")]
    [InlineData("")]
    public void A_token_is_nothing_to_another_user(string other)
    {
        Assert.Null(_tokens.Check(_tokens.Issue("ada", Client, Now), other, Now, out var reason));
        Assert.Contains("another user", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_with_any_bit_changed_is_refused()
    {
        var token = Base64Url.DecodeFromChars(_tokens.Issue("ada", Client, Now));
        for (var bit = 0; bit < token.Length * 8; bit++)
        {
            var forged = token.ToArray();
            forged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.True(_tokens.Check(Base64Url.EncodeToString(forged), "ada", Now, out _) is null, $"Bit {bit} was flipped and the token passed.");
        }
    }

    [Fact]
    public void A_token_cut_short_or_made_longer_is_refused()
    {
        var token = Base64Url.DecodeFromChars(_tokens.Issue("ada", Client, Now));
        for (var length = 0; length < token.Length; length++) Assert.Null(_tokens.Check(Base64Url.EncodeToString(token.AsSpan(0, length)), "ada", Now, out _));
        Assert.Null(_tokens.Check(Base64Url.EncodeToString([.. token, 0]), "ada", Now, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a token")]
    [InlineData("=====")]
    [InlineData("\ud800")]
    public void Text_that_is_no_token_is_refused_with_a_mend(string text)
    {
        Assert.Null(_tokens.Check(text, "ada", Now, out var reason));
        Assert.Contains("connect again without a token", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void While_the_secret_is_rotated_tokens_of_both_are_good_and_later_those_of_the_old_are_not()
    {
        var old = new SessionToken(["the one before"]).Issue("ada", Client, Now);
        var rotated = new SessionToken(["the newest secret"]);
        Assert.Equal(Client, _tokens.Check(old, "ada", Now, out _));
        Assert.Null(rotated.Check(old, "ada", Now, out _));
        Assert.Equal(Client, rotated.Check(_tokens.Issue("ada", Client, Now), "ada", Now, out _)); // New ones are made with the first.
    }

    [Fact]
    public void Names_beyond_ascii_are_kept_exactly() =>
        Assert.Equal(Client, _tokens.Check(_tokens.Issue("Åsa 愛 🦊", Client, Now), "Åsa 愛 🦊", Now, out _));
}

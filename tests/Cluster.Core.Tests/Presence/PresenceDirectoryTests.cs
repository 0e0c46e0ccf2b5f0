using ActorCluster.Presence;
using ActorCluster.Primitives;

namespace ActorCluster.Tests.Presence;

public class PresenceDirectoryTests
{
    private static readonly Incarnation A = new(1);
    private static readonly Incarnation B = new(2);
    private static readonly TimeSpan Now = TimeSpan.FromMinutes(10);
    private readonly PresenceDirectory _directory = new();

    [Fact]
    public void A_user_is_online_while_any_node_holds_a_connection()
    {
        _directory.Announced(A, 1, ["ann", "bob"], _ => true, Now);
        _directory.Announced(B, 1, ["ann"], _ => true, Now);
        _directory.Announced(A, 2, [], _ => true, Now);
        Assert.Equal(["ann"], Online("ann", "bob", "cid"));
        _directory.Announced(B, 2, [], _ => true, Now);
        Assert.False(_directory.HasAnyone(_ => true, Now));
    }

    [Fact]
    public void An_older_announcement_that_arrives_late_changes_nothing()
    {
        _directory.Announced(A, 2, ["ann"], _ => true, Now);
        _directory.Announced(A, 1, ["bob"], _ => true, Now);
        Assert.Equal(["ann"], Online("ann", "bob"));
        _directory.Announced(A, 4, [], _ => true, Now);
        _directory.Announced(A, 3, ["ann"], _ => true, Now);
        Assert.Empty(Online("ann", "bob"));
    }

    [Fact]
    public void A_node_that_is_gone_or_silent_has_nobody()
    {
        _directory.Announced(A, 1, ["ann"], _ => true, Now);
        _directory.Announced(B, 1, ["bob"], _ => true, Now);
        Assert.Equal(["bob"], _directory.OnlineOf(["ann", "bob"], inc => inc != A, Now));
        Assert.Empty(_directory.OnlineOf(["ann", "bob"], _ => true, Now + PresenceDirectory.SilenceMax + TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void A_node_that_is_gone_or_silent_keeps_nothing_busy_though_nobody_asks()
    {
        _directory.Announced(A, 1, ["ann"], _ => true, Now);
        Assert.True(_directory.HasAnyone(_ => true, Now));
        Assert.False(_directory.HasAnyone(_ => false, Now));
        Assert.False(_directory.HasAnyone(_ => true, Now + PresenceDirectory.SilenceMax + TimeSpan.FromSeconds(1)));
        _directory.Announced(B, 1, [], inc => inc != A, Now); // Anybody's announcement sweeps: a node that is gone does not come back.
        Assert.False(_directory.HasAnyone(_ => true, Now));
    }

    private IReadOnlyList<string> Online(params string[] users) => _directory.OnlineOf(users, _ => true, Now);
}

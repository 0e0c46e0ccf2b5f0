namespace ActorCluster.Client.Tests;

public class HostListTests
{
    [Fact]
    public void Hosts_are_tried_in_the_given_order_and_then_from_the_first() =>
        Assert.Equal("a b c a", Tried(ListOf("a", "b", "c"), 4));

    [Fact]
    public void Pauses_come_after_whole_rounds_only_and_grow_to_two_seconds()
    {
        var hosts = ListOf("a", "b");
        Assert.Equal([0, 0, 0, 0, 100, 0, 200, 0, 400, 0, 800, 0, 1600, 0, 2000, 0, 2000, 0], Pauses(hosts, 18));
    }

    [Fact]
    public void A_connection_that_held_ends_the_pauses()
    {
        var hosts = ListOf("a");
        Pauses(hosts, 10);
        hosts.Settled();
        Assert.Equal([0, 0, 100], Pauses(hosts, 3));
    }

    [Fact]
    public void The_servers_list_is_continued_after_the_current_host_with_the_given_ones_behind_it()
    {
        var hosts = ListOf("a", "z");
        hosts.Next();
        hosts.Replace([new("http://b"), new("http://a"), new("http://c")]);
        Assert.Equal("c z b a", Tried(hosts, 4));
    }

    [Fact]
    public void An_empty_list_of_the_server_changes_nothing()
    {
        var hosts = ListOf("a", "b");
        hosts.Replace([]);
        Assert.Equal("a b", Tried(hosts, 2));
    }

    [Fact]
    public void Staying_tries_the_same_host_again_without_a_pause()
    {
        var hosts = ListOf("a", "b");
        Tried(hosts, 2);
        hosts.Stay();
        Assert.Equal((new Uri("http://b"), TimeSpan.Zero), hosts.Next());
    }

    private static HostList ListOf(params string[] names) => new([.. names.Select(n => new Uri("http://" + n))]);

    private static string Tried(HostList hosts, int times) => string.Join(' ', Enumerable.Range(0, times).Select(_ => hosts.Next().Host.Host));

    private static int[] Pauses(HostList hosts, int times) => [.. Enumerable.Range(0, times).Select(_ => (int)hosts.Next().Pause.TotalMilliseconds)];
}

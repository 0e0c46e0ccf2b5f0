using ActorCluster.Hosting;
using ActorCluster.Primitives;
using ActorCluster.Sql.Operations;

namespace ActorCluster.Sql.Tests;

public class SqlClusterBuilderTests
{
    [Theory] // Connection string | schema given in code | where node and tool look.
    [InlineData("Host=db;Database=chat", "actorcluster", "actorcluster")]
    [InlineData("Host=db;Database=chat;Search Path=mine", "actorcluster", "mine")]
    [InlineData("Host=db;Database=chat;SearchPath=mine", "theirs", "mine")]
    public async Task A_node_and_the_operators_command_line_read_one_string_alike(string text, string schema, string place)
    {
        var node = SqlClusterBuilder.PostgresOf(new ClusterOptions { Store = { Postgres = text } }, schema);
        Assert.Equal(place, node.Schema);
        Assert.Equal(place, Assert.IsType<StoreAddress.Postgres>(StoreAddress.Parse($"postgres:{text}")).Options.Schema);
        await using var store = new PostgresStore(node);
        Assert.EndsWith($"schema {place}", store.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void A_schema_in_code_counts_where_the_string_names_none() =>
        Assert.Equal("theirs", SqlClusterBuilder.PostgresOf(new ClusterOptions { Store = { Postgres = "Host=db" } }, "theirs").Schema);

    [Fact]
    public void The_stores_have_the_time_out_that_the_nodes_times_were_checked_with()
    {
        var options = new ClusterOptions { Store = { Postgres = "Host=db;Search Path=mine", Sqlite = "x.db" }, Times = new ProtocolTimes { CallTimeout = TimeSpan.FromSeconds(0.7) } };
        Assert.Equal(options.Times.CallTimeout, SqlClusterBuilder.PostgresOf(options, "actorcluster").CallTimeout);
        Assert.Equal(options.Times.CallTimeout, SqlClusterBuilder.SqliteOf(options).CallTimeout);
    }

    [Theory]
    [InlineData("Host=db;Multiplexing=true", "The connection string cannot be used: ")]
    [InlineData("Host=db;Search Path=mine,public", "Schema is 'mine,public'; give 1 to 63 characters")]
    [InlineData("Host=db;Colour=red", "The connection string cannot be read: ")]
    public void A_string_that_no_store_can_be_built_of_is_refused_by_node_and_tool(string text, string words)
    {
        Assert.Contains(words, SqlClusterBuilder.PostgresOf(new ClusterOptions { Store = { Postgres = text } }, "actorcluster").Fault(), StringComparison.Ordinal);
        Assert.Contains(words, Assert.Throws<FormatException>(() => StoreAddress.Parse($"postgres:{text}")).Message, StringComparison.Ordinal);
    }
}

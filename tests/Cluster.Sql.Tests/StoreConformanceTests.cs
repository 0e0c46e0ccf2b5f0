using ActorCluster.Persistence;
using ActorCluster.TestKit;
using ActorCluster.Tests.Shared;

namespace ActorCluster.Sql.Tests;

public class StoreConformanceTests(PostgresServer server)
{
    public static TheoryData<string> Names => [.. StoreConformance.Cases.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public Task The_model_store_conforms(string name)
    {
        var database = new ModelDatabase(Guid.NewGuid());
        return Case(name)(() => Task.FromResult<IClusterStore>(new ModelStore(database)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task The_sqlite_store_conforms(string name)
    {
        using var folder = new TempFolder();
        await Case(name)(() => Task.FromResult<IClusterStore>(folder.Store()));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task The_postgres_store_conforms(string name)
    {
        // As a user with no more rights than those that the store asks for when it is opened.
        var schema = PostgresServer.NewSchema();
        var user = await PostgresRightsTests.GrantedAsync(server, schema);
        await Case(name)(() => Task.FromResult<IClusterStore>(server.Store(schema, more: user)));
    }

    [Fact]
    public async Task The_model_store_passes_over_damaged_snapshots()
    {
        var database = new ModelDatabase(Guid.NewGuid());
        await StoreConformance.RunDamagedSnapshotAsync(
            () => Task.FromResult<IClusterStore>(new ModelStore(database)),
            (entity, seq) =>
            {
                database.DamageSnapshot(entity, seq);
                return Task.CompletedTask;
            });
    }

    [Fact]
    public async Task The_sqlite_store_passes_over_damaged_snapshots()
    {
        using var folder = new TempFolder();
        await StoreConformance.RunDamagedSnapshotAsync(
            () => Task.FromResult<IClusterStore>(folder.Store()),
            (entity, seq) =>
            {
                using var session = SqliteSession.Open(folder.File());
                var spoiled = session.Get("UPDATE snapshot SET payload=x'00' WHERE entity=?1 AND entity_seq=?2").Bind(1, entity).Bind(2, seq).Run();
                Assert.Equal(1, spoiled);
                return Task.CompletedTask;
            });
    }

    [Fact]
    public async Task The_postgres_store_passes_over_damaged_snapshots()
    {
        var schema = PostgresServer.NewSchema();
        await StoreConformance.RunDamagedSnapshotAsync(
            () => Task.FromResult<IClusterStore>(server.Store(schema)),
            (entity, seq) =>
            {
                Assert.Equal(seq, server.Execute($"UPDATE {schema}.snapshot SET payload='\\x00' WHERE entity='{entity}' AND entity_seq={seq} RETURNING entity_seq"));
                return Task.CompletedTask;
            });
    }

    [Theory]
    [InlineData(ModelMutation.ReappendAmongTheLiving)]
    [InlineData(ModelMutation.ReappendIgnoresEpochs)]
    [InlineData(ModelMutation.ReappendRepeatsCommands)]
    [InlineData(ModelMutation.RecoverKeepsSnapshotsOfLostRows)]
    [InlineData(ModelMutation.ReappendLeavesTimers)]
    [InlineData(ModelMutation.ReappendForgetsNextSeq)]
    public async Task A_bug_planted_in_the_re_append_is_found_by_its_cases(ModelMutation mutation)
    {
        var found = 0;
        foreach (var (_, run) in ReappendConformance.Cases)
        {
            var database = new ModelDatabase(Guid.NewGuid(), mutation);
            var fault = await Record.ExceptionAsync(() => run(() => Task.FromResult<IClusterStore>(new ModelStore(database))));
            if (fault is not null) found++;
        }
        Assert.NotEqual(0, found);
    }

    [Theory]
    [InlineData(ModelMutation.AppendIgnoresEpoch)]
    [InlineData(ModelMutation.EvictByRowsReadBefore)]
    [InlineData(ModelMutation.AcquireWithoutMemberCheck)]
    [InlineData(ModelMutation.EvictIgnoresLeaseSeq)]
    [InlineData(ModelMutation.TakeExclusiveAtOnce)]
    [InlineData(ModelMutation.FiringLeavesItsTimer)]
    public async Task A_planted_bug_is_found_by_a_case_of_its_own_and_by_random_operations(ModelMutation mutation)
    {
        var failing = new List<string>();
        foreach (var (name, run) in StoreConformance.Cases)
        {
            var database = new ModelDatabase(Guid.NewGuid(), mutation);
            try
            {
                await run(() => Task.FromResult<IClusterStore>(new ModelStore(database)));
            }
            catch (StoreConformanceException)
            {
                failing.Add(name);
            }
        }
        Assert.Contains(failing, name => !name.StartsWith("Random", StringComparison.Ordinal) && !name.Contains("racing", StringComparison.Ordinal));
        Assert.Contains(failing, name => name.StartsWith("Random", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_recovery_that_gives_lost_numbers_again_is_found()
    {
        var database = new ModelDatabase(Guid.NewGuid(), ModelMutation.RecoverWithoutRaise);
        await Assert.ThrowsAsync<StoreConformanceException>(() => Case("A recovery begins a generation in which no epoch and no incarnation of before is given again")(
            () => Task.FromResult<IClusterStore>(new ModelStore(database))));
    }

    [Fact]
    public void The_names_of_the_cases_are_unique() =>
        Assert.Equal(StoreConformance.Cases.Count(), StoreConformance.Cases.DistinctBy(c => c.Name).Count());

    private static Func<Func<Task<IClusterStore>>, Task> Case(string name) => StoreConformance.Cases.Single(c => c.Name == name).Run;
}

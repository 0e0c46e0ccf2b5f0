using System.Collections.Immutable;
using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements on the shared settings, run inside a transaction that the caller opened.</summary>
internal static class SqliteSettings
{
    /// <summary>Writes a new store's settings, or those that an earlier release left only the digest of, and returns the cluster row.</summary>
    public static ClusterRow Seed(SqliteSession db, StoreSeed seed)
    {
        var row = SqliteControl.ReadClusterRow(db);
        if (row.SettingsVersion > 0 || seed.Settings is null || row.ConfigDigest != seed.ConfigDigest) return row;
        Write(db, 1, seed.Settings, seed.ConfigDigest);
        return row with { SettingsVersion = 1 };
    }

    public static StoreResult<StoredSettings> Read(SqliteSession db)
    {
        var values = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        var read = db.Get("SELECT key, value FROM setting");
        while (read.Step()) values.Add(read.GetText(0), read.GetText(1));
        return StoreResult.Ok(new StoredSettings(SqliteControl.ReadClusterRow(db).SettingsVersion, values.ToImmutable()));
    }

    /// <summary>Returns why the settings cannot change now; null when they have.</summary>
    public static string? Change(SqliteSession db, SettingsChange change)
    {
        var version = SqliteControl.ReadClusterRow(db).SettingsVersion;
        if (version != change.BasedOn) return $"Based on version {change.BasedOn} of the settings, but it is {version}.";
        if (db.Get("SELECT inc FROM member WHERE status<>'down'").Scalar() is { } live) return $"#{live} is live and goes by the settings.";
        Write(db, version + 1, change.Values, change.ConfigDigest);
        return null;
    }

    private static void Write(SqliteSession db, long version, ImmutableSortedDictionary<string, string> values, string digest)
    {
        db.Get("DELETE FROM setting").Run();
        foreach (var (key, value) in values) db.Get("INSERT INTO setting(key, value) VALUES(?1, ?2)").Bind(1, key).Bind(2, value).Run();
        db.Get("UPDATE cluster SET settings_ver=?1, cfg_digest=?2 WHERE id=1").Bind(1, version).Bind(2, digest).Run();
    }
}

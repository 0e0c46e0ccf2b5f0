using System.Collections.Immutable;
using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>The statements on the shared settings, run inside a transaction that the caller opened; whoever writes has locked the cluster row, or is alone in preparing the schema.</summary>
internal static class PostgresSettings
{
    /// <summary>Writes a new store's settings, or those that an earlier release left only the digest of, and returns the cluster row.</summary>
    public static ClusterRow Seed(PostgresSession db, StoreSeed seed)
    {
        var row = PostgresControl.ReadClusterRow(db);
        if (row.SettingsVersion > 0 || seed.Settings is null || row.ConfigDigest != seed.ConfigDigest) return row;
        Write(db, 1, seed.Settings, seed.ConfigDigest);
        return row with { SettingsVersion = 1 };
    }

    /// <summary>One statement, so that version and values are of one moment.</summary>
    public static StoreResult<StoredSettings> Read(PostgresSession db)
    {
        var rows = db.Read(
            r => (Version: r.GetInt64(0), Key: r.IsDBNull(1) ? null : r.GetString(1), Value: r.IsDBNull(2) ? "" : r.GetString(2)),
            "SELECT c.settings_ver, s.key, s.value FROM cluster c LEFT JOIN setting s ON true WHERE c.id=1");
        return StoreResult.Ok(new StoredSettings(
            rows.Count > 0 ? rows[0].Version : 0, rows.Where(r => r.Key is not null).ToImmutableSortedDictionary(r => r.Key!, r => r.Value, StringComparer.Ordinal)));
    }

    /// <summary>Returns why the settings cannot change now; null when they have.</summary>
    public static string? Change(PostgresSession db, SettingsChange change)
    {
        var version = PostgresControl.ReadClusterRow(db).SettingsVersion;
        if (version != change.BasedOn) return $"Based on version {change.BasedOn} of the settings, but it is {version}.";
        if (db.Scalar<long>("SELECT inc FROM member WHERE status<>'down' LIMIT 1") is { } live) return $"#{live} is live and goes by the settings.";
        Write(db, version + 1, change.Values, change.ConfigDigest);
        return null;
    }

    private static void Write(PostgresSession db, long version, ImmutableSortedDictionary<string, string> values, string digest)
    {
        db.Run("DELETE FROM setting");
        db.Run("INSERT INTO setting(key, value) SELECT * FROM unnest($1, $2)", values.Keys.ToArray(), values.Values.ToArray());
        db.Run("UPDATE cluster SET settings_ver=$1, cfg_digest=$2 WHERE id=1", version, digest);
    }
}

using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The tables, their version and the way from older versions. The version is SQLite's <c>user_version</c>.</summary>
internal static class SqliteSchema
{
    public const long ApplicationId = 0x41434C53; // "ACLS": tells our file from another program's.

    /// <summary>The i-th text brings a database of version i to version i + 1; a new one goes through all of them.</summary>
    private static readonly string[] Steps =
    [
        """
        CREATE TABLE cluster(
            id INTEGER PRIMARY KEY CHECK (id = 1), uuid BLOB NOT NULL, store_gen INTEGER NOT NULL, view INTEGER NOT NULL,
            hash_ver INTEGER NOT NULL, cfg_digest TEXT NOT NULL, next_inc INTEGER NOT NULL, next_shard INTEGER NOT NULL);
        CREATE TABLE shard_type(type TEXT PRIMARY KEY, shard_count INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE member(
            inc INTEGER PRIMARY KEY, name TEXT NOT NULL, host TEXT NOT NULL, link_address TEXT NOT NULL, client_url TEXT NOT NULL,
            roles TEXT NOT NULL, zone TEXT NOT NULL, weight REAL NOT NULL, proto_min INTEGER NOT NULL, proto_max INTEGER NOT NULL,
            status TEXT NOT NULL, up_view INTEGER NOT NULL, lease_seq INTEGER NOT NULL, lease_at INTEGER NOT NULL,
            lock_path TEXT, lock_boot_id TEXT, lock_device INTEGER, lock_inode INTEGER, lock_nonce TEXT, dead_proof INTEGER NOT NULL,
            down_view INTEGER NOT NULL, down_reason TEXT NOT NULL, down_by INTEGER NOT NULL, down_at INTEGER NOT NULL, started_at INTEGER NOT NULL);
        CREATE UNIQUE INDEX member_name ON member(name) WHERE status <> 'down';
        CREATE UNIQUE INDEX member_link ON member(link_address) WHERE status <> 'down';
        CREATE TABLE view_log(
            view INTEGER PRIMARY KEY, op_id BLOB NOT NULL UNIQUE, by_inc INTEGER NOT NULL, reason TEXT NOT NULL,
            change TEXT NOT NULL, members TEXT NOT NULL, at INTEGER NOT NULL);
        CREATE TABLE shard(
            shard_no INTEGER PRIMARY KEY, type TEXT NOT NULL, key TEXT NOT NULL, epoch INTEGER NOT NULL, owner_inc INTEGER, target_inc INTEGER,
            prev_inc INTEGER, state TEXT NOT NULL, next_seq INTEGER NOT NULL, last_batch BLOB, UNIQUE(type, key));
        CREATE INDEX shard_owner ON shard(owner_inc);
        CREATE INDEX shard_target ON shard(target_inc);
        CREATE TABLE shard_log(
            shard_no INTEGER NOT NULL, epoch INTEGER NOT NULL, owner_inc INTEGER NOT NULL, view INTEGER NOT NULL,
            PRIMARY KEY(shard_no, epoch)) WITHOUT ROWID;
        CREATE TABLE journal(
            row_id INTEGER PRIMARY KEY, shard_no INTEGER NOT NULL, shard_seq INTEGER NOT NULL, entity TEXT NOT NULL, entity_seq INTEGER NOT NULL,
            epoch INTEGER NOT NULL, owner_inc INTEGER NOT NULL, batch_id BLOB NOT NULL, client_id BLOB, client_seq INTEGER,
            kind TEXT NOT NULL, payload BLOB NOT NULL, result BLOB NOT NULL, at INTEGER NOT NULL, UNIQUE(entity, entity_seq));
        CREATE TABLE snapshot(
            entity TEXT NOT NULL, entity_seq INTEGER NOT NULL, epoch INTEGER NOT NULL, schema TEXT NOT NULL, payload BLOB NOT NULL,
            crc32c INTEGER NOT NULL, PRIMARY KEY(entity, entity_seq));
        """,
        // Both NULL in rows of earlier releases. Each type's name stands between line feeds, so that one is found without matching a part of another.
        "ALTER TABLE member ADD COLUMN types TEXT; ALTER TABLE journal ADD COLUMN has_result INTEGER;",
        "ALTER TABLE shard_type ADD COLUMN exclusive INTEGER NOT NULL DEFAULT 0;",
        // first_seq: next row of the journal at the acquire; NULL in rows of earlier releases, of which nobody knows what was written under them.
        "ALTER TABLE shard_log ADD COLUMN first_seq INTEGER; ALTER TABLE cluster ADD COLUMN forgotten_inc INTEGER NOT NULL DEFAULT 0;",
        """
        CREATE TABLE timer(
            shard_no INTEGER NOT NULL, entity TEXT NOT NULL, key TEXT NOT NULL, no INTEGER NOT NULL, due_at INTEGER NOT NULL,
            message TEXT NOT NULL, payload BLOB NOT NULL, PRIMARY KEY(shard_no, entity, key)) WITHOUT ROWID;
        CREATE INDEX timer_due ON timer(due_at, shard_no, entity, key);
        """,
        "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID; ALTER TABLE cluster ADD COLUMN settings_ver INTEGER NOT NULL DEFAULT 0;",
        // Rows of individually placed entities, of which there may be very many: what a poll or an acquire asks for is found without the others.
        """
        ALTER TABLE shard ADD COLUMN ended_at INTEGER;
        DROP INDEX shard_owner; CREATE INDEX shard_owner ON shard(owner_inc, type, epoch);
        DROP INDEX shard_target; CREATE INDEX shard_target ON shard(target_inc) WHERE state='free';
        CREATE INDEX shard_unsettled ON shard(shard_no) WHERE state IN ('free', 'handoff');
        CREATE INDEX shard_previous ON shard(prev_inc) WHERE prev_inc IS NOT NULL;
        CREATE INDEX shard_ended ON shard(ended_at) WHERE ended_at IS NOT NULL;
        """,
        // By the store's clock, unlike at. Rows of earlier releases are at least as old as this step.
        "ALTER TABLE journal ADD COLUMN stored_at INTEGER NOT NULL DEFAULT {now};",
        // A member that is down: who takes what of its placed entities, as a JSON array of incarnations.
        "ALTER TABLE member ADD COLUMN heirs TEXT;",
    ];

    /// <summary>The version that this build writes.</summary>
    public static int Version => Steps.Length;

    /// <summary>Settings of one connection, not of the file.</summary>
    public static void Configure(SqliteSession session, int checkpointPages) => session.Execute(string.Create(
        CultureInfo.InvariantCulture,
        $"PRAGMA busy_timeout=0; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint={checkpointPages}; PRAGMA journal_size_limit=67108864;"));

    /// <summary>Brings a database to this build's version and returns the cluster row, which it writes where there is none.</summary>
    /// <exception cref="StoreUnusableException">A newer version, or somebody else's file.</exception>
    /// <exception cref="SqliteFailure">Busy: try again.</exception>
    public static ClusterRow Prepare(SqliteSession session, SqliteStoreOptions options, StoreSeed seed)
    {
        var mode = session.Get("PRAGMA journal_mode=WAL");
        mode.Step();
        var inWal = mode.GetText(0) == "wal";
        mode.Reset();
        if (!inWal)
            throw new StoreUnusableException($"{options.Path} cannot use a write-ahead log. Put it on a local file system that has shared memory.");

        session.Get("BEGIN IMMEDIATE").Run();
        try
        {
            Migrate(session, options.Path);
            if (options.ClientIndex)
                session.Execute("CREATE UNIQUE INDEX IF NOT EXISTS journal_client ON journal(entity, client_id, client_seq) WHERE client_id IS NOT NULL");
            session.Get("INSERT OR IGNORE INTO cluster(id, uuid, store_gen, view, hash_ver, cfg_digest, next_inc, next_shard) VALUES(1, ?1, 1, 0, ?2, ?3, 1, 1)")
                .Bind(1, Guid.NewGuid()).Bind(2, StableHash.Version).Bind(3, seed.ConfigDigest).Run();
            var row = SqliteSettings.Seed(session, seed);
            session.Get("COMMIT").Run();
            return row;
        }
        catch
        {
            session.TryRollback();
            throw;
        }
    }

    private static void Migrate(SqliteSession session, string path)
    {
        var version = (int)(session.Get("PRAGMA user_version").Scalar() ?? 0);
        var application = session.Get("PRAGMA application_id").Scalar() ?? 0;
        var tables = session.Get("SELECT count(*) FROM sqlite_schema").Scalar() ?? 0;
        if (tables > 0 && application != ApplicationId)
            throw new StoreUnusableException($"{path} belongs to another program (application id {application}). Give the cluster a file of its own.");
        if (version > Version)
            throw new StoreUnusableException($"{path} has schema version {version}; this build knows up to {Version}. Start the newer release, or restore a backup made by this one.");
        if (version == Version) return;
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        foreach (var step in Steps[version..]) session.Execute(step.Replace("{now}", now, StringComparison.Ordinal));
        session.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA application_id={ApplicationId}; PRAGMA user_version={Version};"));
    }
}

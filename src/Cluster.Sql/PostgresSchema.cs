using System.Globalization;
using ActorCluster.Persistence;
using ActorCluster.Primitives;

namespace ActorCluster.Sql;

/// <summary>The tables, their version and the way from older versions.</summary>
internal static class PostgresSchema
{
    private const int LockClass = 0x41434C53; // "ACLS": our advisory locks among others'.

    /// <summary>The i-th text brings a schema of version i to version i + 1; a new one goes through all of them.</summary>
    internal static readonly string[] Steps =
    [
        """
        CREATE TABLE schema_version(version BIGINT NOT NULL);
        INSERT INTO schema_version VALUES(0);
        CREATE TABLE cluster(
            id BIGINT PRIMARY KEY CHECK (id = 1), uuid UUID NOT NULL, store_gen BIGINT NOT NULL, view BIGINT NOT NULL,
            hash_ver BIGINT NOT NULL, cfg_digest TEXT NOT NULL, next_inc BIGINT NOT NULL, next_shard BIGINT NOT NULL);
        CREATE TABLE shard_type(type TEXT COLLATE "C" PRIMARY KEY, shard_count BIGINT NOT NULL, exclusive BOOLEAN NOT NULL);
        CREATE TABLE member(
            inc BIGINT PRIMARY KEY, name TEXT COLLATE "C" NOT NULL, host TEXT NOT NULL, link_address TEXT COLLATE "C" NOT NULL, client_url TEXT NOT NULL,
            roles TEXT NOT NULL, zone TEXT NOT NULL, weight DOUBLE PRECISION NOT NULL, proto_min BIGINT NOT NULL, proto_max BIGINT NOT NULL,
            status TEXT NOT NULL, up_view BIGINT NOT NULL, lease_seq BIGINT NOT NULL, lease_at BIGINT NOT NULL,
            lock_path TEXT, lock_boot_id TEXT, lock_device BIGINT, lock_inode BIGINT, lock_nonce TEXT, dead_proof BOOLEAN NOT NULL,
            down_view BIGINT NOT NULL, down_reason TEXT NOT NULL, down_by BIGINT NOT NULL, down_at BIGINT NOT NULL, started_at BIGINT NOT NULL, types TEXT)
            WITH (fillfactor = 50);
        CREATE UNIQUE INDEX member_name ON member(name) WHERE status <> 'down';
        CREATE UNIQUE INDEX member_link ON member(link_address) WHERE status <> 'down';
        CREATE TABLE view_log(
            view BIGINT PRIMARY KEY, op_id UUID NOT NULL UNIQUE, by_inc BIGINT NOT NULL, reason TEXT NOT NULL,
            change TEXT NOT NULL, members TEXT NOT NULL, at BIGINT NOT NULL);
        CREATE TABLE shard(
            shard_no BIGINT PRIMARY KEY, type TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, epoch BIGINT NOT NULL, owner_inc BIGINT,
            target_inc BIGINT, prev_inc BIGINT, state TEXT NOT NULL, next_seq BIGINT NOT NULL, last_batch UUID, UNIQUE(type, key))
            WITH (fillfactor = 50);
        CREATE INDEX shard_owner ON shard(owner_inc);
        CREATE INDEX shard_target ON shard(target_inc);
        CREATE INDEX shard_prev ON shard(prev_inc) WHERE prev_inc IS NOT NULL;
        CREATE TABLE shard_log(
            shard_no BIGINT NOT NULL, epoch BIGINT NOT NULL, owner_inc BIGINT NOT NULL, view BIGINT NOT NULL, PRIMARY KEY(shard_no, epoch));
        CREATE TABLE journal(
            shard_no BIGINT NOT NULL, shard_seq BIGINT NOT NULL, entity TEXT COLLATE "C" NOT NULL, entity_seq BIGINT NOT NULL,
            epoch BIGINT NOT NULL, owner_inc BIGINT NOT NULL, batch_id UUID NOT NULL, client_id BYTEA, client_seq BIGINT,
            kind TEXT NOT NULL, payload BYTEA NOT NULL, result BYTEA, at BIGINT NOT NULL, PRIMARY KEY(entity, entity_seq));
        CREATE TABLE snapshot(
            entity TEXT COLLATE "C" NOT NULL, entity_seq BIGINT NOT NULL, epoch BIGINT NOT NULL, schema TEXT NOT NULL, payload BYTEA NOT NULL,
            crc32c BIGINT NOT NULL, PRIMARY KEY(entity, entity_seq));
        """,
        // first_seq: next row of the journal at the acquire; NULL in rows of earlier releases, of which nobody knows what was written under them.
        "ALTER TABLE shard_log ADD COLUMN first_seq BIGINT; ALTER TABLE cluster ADD COLUMN forgotten_inc BIGINT NOT NULL DEFAULT 0;",
        """
        CREATE TABLE timer(
            shard_no BIGINT NOT NULL, entity TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, no BIGINT NOT NULL, due_at BIGINT NOT NULL,
            message TEXT NOT NULL, payload BYTEA NOT NULL, PRIMARY KEY(shard_no, entity, key));
        CREATE INDEX timer_due ON timer(due_at, shard_no, entity, key);
        """,
        "CREATE TABLE setting(key TEXT COLLATE \"C\" PRIMARY KEY, value TEXT NOT NULL); ALTER TABLE cluster ADD COLUMN settings_ver BIGINT NOT NULL DEFAULT 0;",
        // Rows of individually placed entities, of which there may be very many: what a poll or an acquire asks for is found without the others.
        """
        ALTER TABLE shard ADD COLUMN ended_at BIGINT;
        DROP INDEX shard_owner; CREATE INDEX shard_owner ON shard(owner_inc, type, epoch) INCLUDE (shard_no);
        DROP INDEX shard_target; CREATE INDEX shard_target ON shard(target_inc) WHERE state='free';
        CREATE INDEX shard_unsettled ON shard(shard_no) WHERE state IN ('free', 'handoff');
        CREATE INDEX shard_ended ON shard(ended_at) WHERE ended_at IS NOT NULL;
        """,
        // By the store's clock, unlike at. Rows of earlier releases are at least as old as this step; a node of theirs that still runs goes on writing.
        // And a slice of a member's shard rows is found in the order in which they are locked, without a look at the others.
        """
        ALTER TABLE journal ADD COLUMN stored_at BIGINT NOT NULL DEFAULT {now}; ALTER TABLE journal ALTER COLUMN stored_at SET DEFAULT (extract(epoch FROM clock_timestamp())*1000)::bigint;
        DROP INDEX shard_owner; CREATE INDEX shard_owner ON shard(owner_inc, shard_no) INCLUDE (type, epoch) WHERE owner_inc IS NOT NULL;
        DROP INDEX shard_target; CREATE INDEX shard_target ON shard(target_inc, shard_no) WHERE state='free';
        DROP INDEX shard_unsettled; CREATE INDEX shard_unsettled ON shard(type, shard_no) WHERE state IN ('free', 'handoff');
        """,
        // A member that is down: who takes what of its placed entities, as a JSON array of incarnations.
        "ALTER TABLE member ADD COLUMN heirs TEXT;",
    ];

    /// <summary>The version that this build writes.</summary>
    public static int Version => Steps.Length;

    /// <summary>Brings the schema to this build's version and returns the cluster row, which it writes where there is none. In one transaction of the caller.</summary>
    /// <exception cref="StoreUnusableException">A newer version, somebody else's schema, a database that cannot hold our texts, or rights that the user lacks.</exception>
    public static StoreResult<ClusterRow> Prepare(PostgresSession db, PostgresStoreOptions options, StoreSeed seed)
    {
        PostgresRights.Require(db, options.Schema);
        if (Begin(db, options.Schema) is { } refusal) return StoreResult.Not<ClusterRow>(StoreVerdict.NotSent, refusal);
        PostgresRights.Require(db, options.Schema); // Again behind the lock: another node may have made the tables meanwhile.
        Create(db, options.Schema);
        // Looked up first: even IF NOT EXISTS asks for the right to create and locks the table.
        if (options.ClientIndex && !Exists(db, options.Schema, "journal_client"))
        {
            PostgresRights.RequireOwner(db, options.Schema, "The index that refuses a second row of one command", creates: true);
            db.Run("CREATE UNIQUE INDEX journal_client ON journal(entity, client_id, client_seq) WHERE client_id IS NOT NULL");
        }
        db.Run("INSERT INTO cluster(id, uuid, store_gen, view, hash_ver, cfg_digest, next_inc, next_shard) VALUES(1, $1, 1, 0, $2, $3, 1, 1) ON CONFLICT DO NOTHING", Guid.NewGuid(), StableHash.Version, seed.ConfigDigest);
        return StoreResult.Ok(PostgresSettings.Seed(db, seed));
    }

    /// <summary>Whoever prepares a schema does so one after the other: what the second reads was read after the first had committed.</summary>
    /// <returns>Why the server cannot be written at the moment; null when it can.</returns>
    /// <exception cref="StoreUnusableException">The database cannot hold our texts.</exception>
    public static string? Begin(PostgresSession db, string schema)
    {
        var (isReplica, encoding) = db.Read(r => (r.GetBoolean(0), r.GetString(1)), "SELECT pg_is_in_recovery(), current_setting('server_encoding')")[0];
        if (isReplica) return "The server is a read-only replica. Point the connection string at the primary, or name all hosts.";
        if (encoding != "UTF8")
            throw new StoreUnusableException($"The database's encoding is {encoding}; the cluster needs UTF8. Create another: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.");
        db.Run("SELECT pg_advisory_xact_lock($1::int, hashtext($2))", LockClass, schema);
        return null;
    }

    /// <summary>Makes the schema and its tables where they are missing, and brings older ones up to date.</summary>
    /// <exception cref="StoreUnusableException">A newer version, or somebody else's schema.</exception>
    public static void Create(PostgresSession db, string schema)
    {
        if (db.Scalar<bool>("SELECT true FROM pg_namespace WHERE nspname=$1", schema) is null)
            db.Run($"CREATE SCHEMA \"{schema}\"");
        Migrate(db, schema);
    }

    /// <summary>How many tables and indexes a schema has; 0 when there is none.</summary>
    public static long Count(PostgresSession db, string schema) => db.Scalar<long>(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname=$1", schema) ?? 0;

    private static void Migrate(PostgresSession db, string schema)
    {
        var isOurs = Exists(db, schema, "schema_version");
        if (!isOurs && Count(db, schema) > 0)
            throw new StoreUnusableException($"The schema {schema} holds another program's tables. Give the cluster a schema of its own.");
        var version = isOurs ? (int)(db.Scalar<long>("SELECT version FROM schema_version") ?? 0) : 0;
        if (version > Version)
            throw new StoreUnusableException($"The schema {schema} has version {version}; this build knows up to {Version}. Start the newer release, or restore a backup made by this one.");
        if (version == Version) return;
        if (isOurs) PostgresRights.RequireOwner(db, schema, string.Create(CultureInfo.InvariantCulture, $"To bring version {version} to {Version}"), creates: Steps[version..].Any(s => s.Contains("CREATE ", StringComparison.Ordinal)));
        // A number and not an expression, so that no row is written anew.
        var now = (db.Scalar<long>($"SELECT {PostgresControl.NowMs}") ?? 0).ToString(CultureInfo.InvariantCulture);
        foreach (var step in Steps[version..]) db.Run(step.Replace("{now}", now, StringComparison.Ordinal));
        db.Run("UPDATE schema_version SET version=$1", Version);
    }

    private static bool Exists(PostgresSession db, string schema, string name) => db.Scalar<bool>(
        "SELECT true FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname=$1 AND c.relname=$2", schema, name) is not null;
}

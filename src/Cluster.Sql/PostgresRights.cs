using System.Globalization;
using ActorCluster.Persistence;

namespace ActorCluster.Sql;

/// <summary>What the user of the connection string must be allowed, asked for at open: a right that is missed later would leave a node up that cannot do its work.</summary>
internal static class PostgresRights
{
    /// <summary>By table. SELECT ... FOR UPDATE or FOR SHARE takes UPDATE, and ON CONFLICT DO UPDATE takes it too. The tables have no sequences, and the schema no functions.</summary>
    private static readonly (string Table, string Rights)[] Tables =
    [
        ("schema_version", "SELECT"),
        ("cluster", "SELECT INSERT UPDATE"),
        ("setting", "SELECT INSERT DELETE"),
        ("shard_type", "SELECT INSERT"),
        ("member", "SELECT INSERT UPDATE DELETE"),
        ("view_log", "SELECT INSERT DELETE"),
        ("shard", "SELECT INSERT UPDATE DELETE"),
        ("shard_log", "SELECT INSERT UPDATE DELETE"),
        ("journal", "SELECT INSERT DELETE"),
        ("snapshot", "SELECT INSERT UPDATE DELETE"),
        ("timer", "SELECT INSERT UPDATE DELETE"),
    ];

    /// <summary>The server's own, which everybody may call until somebody takes that away.</summary>
    private static readonly string[] Functions =
    [
        "pg_catalog.pg_is_in_recovery()", "pg_catalog.hashtext(text)", "pg_catalog.hashtextextended(text,bigint)", "pg_catalog.clock_timestamp()",
        "pg_catalog.pg_advisory_xact_lock(integer,integer)", "pg_catalog.pg_try_advisory_xact_lock(bigint)",
        "pg_catalog.pg_advisory_lock_shared(bigint)", "pg_catalog.pg_advisory_unlock_shared(bigint)",
    ];

    /// <summary>Holds the user to all of them, in one query. Tables that are not there yet are the maker's.</summary>
    /// <exception cref="StoreUnusableException">Some are missing; the message ends with the statements that grant them.</exception>
    public static void Require(PostgresSession db, string schema)
    {
        var wanted = Tables.SelectMany(t => t.Rights.Split(' ').Select(right => (t.Table, right))).ToList();
        var missing = db.Read(
            r => (Kind: r.GetString(0), Object: r.GetString(1), Right: r.GetString(2), User: r.GetString(3)),
            """
            SELECT kind, object, privilege, quote_ident(current_user) FROM (
                SELECT 1, 'SCHEMA', quote_ident(nspname), w.privilege, w.place FROM pg_namespace n, (VALUES('USAGE', 1::bigint), ('CREATE', 2)) w(privilege, place)
                    WHERE nspname=$1 AND NOT has_schema_privilege(n.oid, w.privilege)
                        AND ((w.privilege='USAGE' AND EXISTS (SELECT 1 FROM pg_class v WHERE v.relname='schema_version' AND v.relnamespace=n.oid))
                            OR NOT EXISTS (SELECT 1 FROM pg_class v WHERE v.relnamespace=n.oid))
                UNION ALL SELECT 2, 'TABLE', quote_ident($1) || '.' || quote_ident(relname), w.privilege, w.place
                    FROM unnest($2, $3) WITH ORDINALITY w(name, privilege, place) JOIN pg_class c ON c.relname=w.name JOIN pg_namespace n ON n.oid=c.relnamespace
                    WHERE nspname=$1 AND relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, w.privilege)
                        AND EXISTS (SELECT 1 FROM pg_class v WHERE v.relname='schema_version' AND v.relnamespace=n.oid)
                UNION ALL SELECT 3, 'FUNCTION', w.name, 'EXECUTE', w.place FROM unnest($4) WITH ORDINALITY w(name, place)
                    WHERE NOT has_function_privilege(w.name, 'EXECUTE')) m(sort, kind, object, privilege, place) ORDER BY sort, place
            """,
            schema, wanted.Select(w => w.Table).ToArray(), wanted.Select(w => w.right).ToArray(), Functions);
        if (missing.Count == 0) return;
        // Objects that miss the same are granted together, so that the line stays one that can be read.
        var grants = missing.GroupBy(m => (m.Kind, m.Object, m.User), m => m.Right).Select(g => (g.Key.Kind, g.Key.Object, g.Key.User, Rights: string.Join(", ", g)))
            .GroupBy(o => (o.Kind, o.Rights, o.User), o => o.Object).Select(g => $"GRANT {g.Key.Rights} ON {g.Key.Kind} {string.Join(", ", g)} TO {g.Key.User};");
        throw new StoreUnusableException(string.Create(CultureInfo.InvariantCulture,
            $"The user {missing[0].User} lacks {missing.Count} of the rights that a node needs. Run as an administrator: {string.Join(' ', grants)}"));
    }

    /// <summary>Only an owner may change a table, whatever else is granted; and an owner too makes tables and indexes only where the schema lets it.</summary>
    /// <param name="db">In the transaction that is going to change them.</param>
    /// <param name="schema">Where they lie.</param>
    /// <param name="what">What is to be done, as the end of "... takes the owner of the tables".</param>
    /// <param name="creates">It makes tables or indexes, so that the owner must be allowed to create in the schema.</param>
    /// <exception cref="StoreUnusableException">The user owns not all, or may not create; the message ends with the statements that mend it.</exception>
    public static void RequireOwner(PostgresSession db, string schema, string what, bool creates)
    {
        var (name, user, mayCreate) = db.Read(
            r => (r.GetString(0), r.GetString(1), r.GetBoolean(2)), "SELECT quote_ident(nspname), quote_ident(current_user), has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname=$1", schema)[0];
        var others = db.Read(
            r => (Table: r.GetString(0), Owner: r.GetString(1)),
            """
            SELECT quote_ident(nspname) || '.' || quote_ident(relname), pg_get_userbyid(relowner)
            FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace
            WHERE nspname=$1 AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE') ORDER BY relname
            """,
            schema);
        // Before the tables change hands: their new owner must be allowed to create where they lie.
        var grant = mayCreate ? "" : $"GRANT CREATE ON SCHEMA {name} TO {user};";
        if (others.Count > 0)
            throw new StoreUnusableException(
                $"{what} takes the owner of the tables of schema {schema}, which {user} is not. Start one node of this release once as {string.Join(" or ", others.Select(o => o.Owner).Distinct())}; or run as an administrator: {$"{grant} {string.Join(' ', others.Select(o => $"ALTER TABLE {o.Table} OWNER TO {user};"))}".TrimStart()}");
        if (creates && !mayCreate)
            throw new StoreUnusableException($"{what} makes tables or indexes, and {user} owns the tables of schema {schema} but may not create in it. Run as an administrator: {grant}");
    }
}

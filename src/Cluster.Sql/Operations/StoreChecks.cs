using System.Globalization;
using ActorCluster.Persistence;

namespace ActorCluster.Sql.Operations;

/// <summary>The invariants of the protocol, section 8, that hold at every moment of a store, whether a cluster runs or not.</summary>
internal static class StoreChecks
{
    private const int ShownPerCheck = 10;

    private const string Restore = "Nothing mends it in place: stop the nodes, keep this store for a report, restore a backup that check finds clean";
    private const string Sweep = "A running cluster puts it right within seconds: look again; where no node runs, start one";
    private const string Rebuild = "The journal has what it needs as long as nothing was truncated: delete the row, the entity is rebuilt without it";

    private static readonly Check[] All =
    [
        // I1: at most one owner per shard and epoch, and epochs only grow.
        new("epoch-once", "I1", Restore,
            "SELECT shard_no, epoch, count(*) FROM shard_log GROUP BY shard_no, epoch HAVING count(*)>1 ORDER BY shard_no, epoch",
            r => ($"shard {r[0]}", $"epoch {r[1]} was acquired {r[2]} times")),
        new("epoch-order", "I1", Restore,
            """
            SELECT shard_no, epoch, view, before FROM (SELECT shard_no, epoch, view, lag(view) OVER (PARTITION BY shard_no ORDER BY epoch) AS before FROM shard_log) l
            WHERE view<before ORDER BY shard_no, epoch
            """,
            r => ($"shard {r[0]}", $"epoch {r[1]} was acquired in view {r[2]}, the epoch before it in view {r[3]}")),
        new("epoch-newest", "I1", Restore,
            "SELECT s.shard_no, s.epoch, max(l.epoch) FROM shard s JOIN shard_log l ON l.shard_no=s.shard_no GROUP BY s.shard_no, s.epoch HAVING max(l.epoch)>s.epoch ORDER BY s.shard_no",
            r => ($"shard {r[0]}", $"its epoch is {r[1]}, but epoch {r[2]} was acquired")),
        new("owner-logged", "I1", Restore,
            """
            SELECT s.shard_no, s.owner_inc, s.epoch FROM shard s WHERE s.owner_inc IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM shard_log l WHERE l.shard_no=s.shard_no AND l.epoch=s.epoch AND l.owner_inc=s.owner_inc) ORDER BY s.shard_no
            """,
            r => ($"shard {r[0]}", $"#{r[1]} owns it at epoch {r[2]}, but the log of shards does not say that it acquired that epoch")),
        new("shard-state", "I1", Restore,
            "SELECT shard_no, state, owner_inc FROM shard WHERE (state IN ('owned', 'handoff'))<>(owner_inc IS NOT NULL) OR state NOT IN ('free', 'owned', 'handoff', 'ended') ORDER BY shard_no",
            r => ($"shard {r[0]}", $"its state is {r[1]}, its owner {(r[2] is { } owner ? $"#{owner}" : "nobody")}")),
        new("shard-count", "I1", Restore,
            """
            SELECT t.type, t.shard_count, count(s.shard_no) FROM shard_type t LEFT JOIN shard s ON s.type=t.type WHERE t.shard_count>0
            GROUP BY t.type, t.shard_count HAVING count(s.shard_no)<>t.shard_count ORDER BY t.type
            """,
            r => ($"type {r[0]}", $"it has {r[1]} shards for life, but {r[2]} rows")),
        // I13: no row is a dead member's.
        new("owner-alive", "I13", Sweep,
            """
            SELECT s.shard_no, s.owner_inc, m.name, m.down_view FROM shard s LEFT JOIN member m ON m.inc=s.owner_inc
            WHERE s.owner_inc IS NOT NULL AND (m.inc IS NULL OR m.status='down') ORDER BY s.shard_no
            """,
            r => ($"shard {r[0]}", r[2] is null ? $"its owner #{r[1]} is no member" : $"its owner {r[2]}#{r[1]} is down since view {r[3]}")),
        // I2: a journal row's epoch and writer are the shard's epoch and owner at its commit; nothing is missing between two rows.
        new("journal-epoch", "I2", Restore,
            """
            SELECT shard_no, shard_seq, epoch, before FROM (SELECT shard_no, shard_seq, epoch, lag(epoch) OVER (PARTITION BY shard_no ORDER BY shard_seq) AS before FROM journal) j
            WHERE epoch<before ORDER BY shard_no, shard_seq
            """,
            r => ($"shard {r[0]} row {r[1]}", $"it was written at epoch {r[2]}, the row before it at epoch {r[3]}")),
        // Epochs older than the log of shards are not judged: they may have been pruned.
        new("journal-writer", "I2", Restore,
            """
            SELECT j.shard_no, j.first, j.epoch, j.owner_inc, l.owner_inc
            FROM (SELECT shard_no, epoch, owner_inc, min(shard_seq) AS first FROM journal GROUP BY shard_no, epoch, owner_inc) j
            LEFT JOIN shard_log l ON l.shard_no=j.shard_no AND l.epoch=j.epoch
            WHERE (l.owner_inc IS NULL OR l.owner_inc<>j.owner_inc) AND j.epoch>=coalesce((SELECT min(o.epoch) FROM shard_log o WHERE o.shard_no=j.shard_no), 0)
            ORDER BY j.shard_no, j.first
            """,
            r => ($"shard {r[0]} row {r[1]}", $"#{r[3]} wrote it at epoch {r[2]}, which {(r[4] is { } owner ? $"#{owner}" : "nobody")} owned")),
        new("journal-once", "I2", Restore,
            "SELECT shard_no, shard_seq, count(*) FROM journal GROUP BY shard_no, shard_seq HAVING count(*)>1 ORDER BY shard_no, shard_seq",
            r => ($"shard {r[0]} row {r[1]}", $"there are {r[2]} of it")),
        // Truncation cuts an entity's oldest rows, never its newest, and an entity's rows count from 1: so what was cut can be told from what is missing.
        new("journal-gapless", "I2", Restore,
            """
            WITH e AS (SELECT shard_no, entity, count(*) AS held, min(entity_seq)-1 AS cut, max(shard_seq) AS last FROM journal GROUP BY shard_no, entity),
            t AS (SELECT shard_no, CAST(sum(held) AS BIGINT) AS held, CAST(sum(cut) AS BIGINT) AS cut, max(last) AS last FROM e GROUP BY shard_no)
            SELECT s.shard_no, s.next_seq, coalesce(t.held, 0), coalesce(t.cut, 0), coalesce(t.last, 0) FROM shard s LEFT JOIN t ON t.shard_no=s.shard_no
            WHERE s.next_seq-1<>coalesce(t.held, 0)+coalesce(t.cut, 0) OR s.next_seq-1<>coalesce(t.last, 0) ORDER BY s.shard_no
            """,
            r => ($"shard {r[0]}", $"its next row is {r[1]}, but the last one is {r[4]}, with {r[2]} rows held and {r[3]} truncated")),
        new("entity-gapless", "I2", Restore,
            """
            SELECT entity, count(*), min(entity_seq), max(entity_seq) FROM journal GROUP BY entity HAVING max(entity_seq)-min(entity_seq)+1<>count(*) ORDER BY entity
            """,
            r => ($"entity {r[0]}", $"it has {r[1]} rows between {r[2]} and {r[3]}")),
        // What has ended is deleted from its beginning, over several commits, and nobody loads it.
        new("entity-start", "I2", Restore,
            """
            SELECT j.entity, j.first FROM (SELECT entity, shard_no, min(entity_seq) AS first FROM journal GROUP BY entity, shard_no) j
            WHERE j.first>1 AND NOT EXISTS (SELECT 1 FROM snapshot s WHERE s.entity=j.entity AND s.entity_seq>=j.first-1)
                AND NOT EXISTS (SELECT 1 FROM shard d WHERE d.shard_no=j.shard_no AND d.state='ended') ORDER BY j.entity
            """,
            r => ($"entity {r[0]}", $"its rows begin at {r[1]}, and no snapshot holds what was before")),
        new("entity-one-shard", "I2", Restore,
            "SELECT entity, count(DISTINCT shard_no) FROM journal GROUP BY entity HAVING count(DISTINCT shard_no)>1 ORDER BY entity",
            r => ($"entity {r[0]}", $"its rows lie in {r[1]} shards")),
        new("snapshot-committed", "I2", Rebuild,
            """
            SELECT s.entity, s.entity_seq, j.last FROM snapshot s LEFT JOIN (SELECT entity, max(entity_seq) AS last FROM journal GROUP BY entity) j ON j.entity=s.entity
            WHERE j.last IS NULL OR j.last<s.entity_seq ORDER BY s.entity, s.entity_seq
            """,
            r => ($"snapshot {r[1]} of {r[0]}", $"it is of row {r[1]}, but the journal ends at {r[2] ?? 0L}")),
        // I4: every command at most once.
        new("command-once", "I4", Restore,
            "SELECT entity, client_id, client_seq, count(*) FROM journal WHERE client_id IS NOT NULL GROUP BY entity, client_id, client_seq HAVING count(*)>1 ORDER BY entity, client_seq",
            r => ($"entity {r[0]}", $"command {Convert.ToHexStringLower((byte[])r[1]!)}:{r[2]} took effect {r[3]} times")),
        // I9: a timer was set by a row of its entity, which is in the timer's number; an entity's newest rows are never truncated.
        new("timer-set", "I9", Restore,
            """
            SELECT t.entity, t.key, t.no, t.shard_no FROM timer t
            WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.entity=t.entity AND j.shard_no=t.shard_no AND j.entity_seq>=t.no/64) ORDER BY t.entity, t.key
            """,
            r => ($"timer {r[1]} of {r[0]}", $"its number is {r[2]}, but the journal of shard {r[3]} has no row that set it")),
        // I10: one history of views.
        new("view-gapless", "I10", Restore,
            "SELECT view, before FROM (SELECT view, lag(view) OVER (ORDER BY view) AS before FROM view_log) v WHERE view<>before+1 ORDER BY view",
            r => ($"view {r[0]}", $"the view logged before it is {r[1]}")),
        new("view-newest", "I10", Restore,
            "SELECT c.view, coalesce((SELECT max(view) FROM view_log), 0) FROM cluster c WHERE c.view<>coalesce((SELECT max(view) FROM view_log), 0)",
            r => ("cluster", $"it is at view {r[0]}, the last view logged is {r[1]}")),
        // I16: what was given once is not given again.
        new("number-newest", "I16", Restore,
            """
            SELECT 'incarnation', next_inc, (SELECT max(inc) FROM (SELECT inc FROM member UNION ALL SELECT owner_inc FROM shard_log) i) AS given FROM cluster
            WHERE next_inc<=(SELECT max(inc) FROM (SELECT inc FROM member UNION ALL SELECT owner_inc FROM shard_log) i)
            UNION ALL SELECT 'shard', next_shard, (SELECT max(shard_no) FROM shard) FROM cluster WHERE next_shard<=(SELECT max(shard_no) FROM shard)
            """,
            r => ("cluster", $"its next {r[0]} number is {r[1]}, but {r[2]} was given")),
    ];

    /// <summary>Names of the checks, in the order they run.</summary>
    public static IEnumerable<string> Names => All.Select(c => c.Name).Concat(["snapshot-sound", "down-for-good", "members-logged"]);

    /// <summary>Runs all checks. Reads every row of the store, the payloads of the journal excepted: a gigabyte takes about a minute.</summary>
    /// <returns>What is broken, at most ten of a kind, the last of which then says how many more there are; empty when the store is clean.</returns>
    public static async Task<List<StoreViolation>> RunAsync(StoreReader store)
    {
        var found = new List<StoreViolation>();
        foreach (var check in All)
        {
            await foreach (var row in store.QueryAsync(check.Sql).ConfigureAwait(false))
            {
                var (where, what) = check.Words(row);
                found.Add(new StoreViolation(check.Name, check.Invariant, where, what, $"{check.Mend}."));
            }
        }
        await foreach (var violation in UnsoundSnapshots(store).ConfigureAwait(false)) found.Add(violation);
        await foreach (var violation in ViewsOfTheDown(store).ConfigureAwait(false)) found.Add(violation);
        return [.. found.GroupBy(v => v.Check).SelectMany(Shortened)];
    }

    private static async IAsyncEnumerable<StoreViolation> UnsoundSnapshots(StoreReader store)
    {
        await foreach (var row in store.QueryAsync("SELECT entity, entity_seq, schema, payload, crc32c FROM snapshot ORDER BY entity, entity_seq").ConfigureAwait(false))
        {
            var snapshot = new EntitySnapshot((string)row[0]!, (long)row[1]!, (string)row[2]!, (byte[])row[3]!);
            if (Crc32C.Of(snapshot) != (uint)(long)row[4]!)
                yield return new StoreViolation("snapshot-sound", "I2", $"snapshot {snapshot.EntitySeq} of {snapshot.Entity}", "its check value does not fit its state", $"The older one serves instead. {Rebuild}.");
        }
    }

    /// <summary>Who was seen to leave the list of live members is never on it again, and the table says what the last view's log says.</summary>
    private static async IAsyncEnumerable<StoreViolation> ViewsOfTheDown(StoreReader store)
    {
        var (alive, gone, last) = (new HashSet<string>(), new HashSet<string>(), "");
        await foreach (var row in store.QueryAsync("SELECT view, members FROM view_log ORDER BY view").ConfigureAwait(false))
        {
            last = (string)row[1]!;
            var now = last.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(m => m.Split(':')[0]).ToHashSet();
            foreach (var risen in now.Where(gone.Contains))
                yield return new StoreViolation("down-for-good", "I10", $"view {row[0]}", $"#{risen} is live again after it was down", $"{Restore}.");
            gone.UnionWith(alive.Except(now));
            alive = now;
        }
        var members = string.Join(',', (await store.ListAsync("SELECT inc, status FROM member WHERE status<>'down' ORDER BY inc").ConfigureAwait(false)).Select(m => $"{m[0]}:{m[1]}"));
        if (members != last)
            yield return new StoreViolation("members-logged", "I10", "members", $"live are {Or(members)}, but the last view was logged with {Or(last)}", $"{Restore}.");

        static string Or(string list) => list.Length == 0 ? "none" : list;
    }

    private static IEnumerable<StoreViolation> Shortened(IEnumerable<StoreViolation> ofOneCheck)
    {
        var all = ofOneCheck.ToList();
        if (all.Count <= ShownPerCheck) return all;
        var more = string.Create(CultureInfo.InvariantCulture, $"and {all.Count - ShownPerCheck + 1} more of this kind");
        return all.Take(ShownPerCheck - 1).Append(all[ShownPerCheck - 1] with { Where = "elsewhere", What = more });
    }

    private sealed record Check(string Name, string Invariant, string Mend, string Sql, Func<object?[], (string Where, string What)> Words);
}

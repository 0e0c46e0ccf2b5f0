using System.Collections.Immutable;

namespace ActorCluster.TestKit.Simulation;

/// <summary>What must hold, by its name in protocol section 8, or by the section that says it. Each has a planted bug that breaks it (<see cref="PlantedBugs"/>).</summary>
internal static class SimInvariants
{
    /// <summary>Judged by <see cref="SimCheckers"/>, unless said otherwise.</summary>
    public static ImmutableSortedDictionary<string, string> All { get; } = new Dictionary<string, string>
    {
        ["I1"] = "At most one owner per shard and epoch; epochs only grow.",
        ["I2"] = "A journal row's epoch and writer are the shard's epoch and owner at its commit; rows are gapless per shard.",
        ["I3"] = "Every acknowledged command is in the journal; what was refused at its only attempt is not.",
        ["I4"] = "Every command takes effect at most once.",
        ["I5"] = "All members see the same gapless order, none is missing at the end.",
        ["I6"] = "Per client in order; unmarked reads are at most 2 s old.",
        ["I7"] = "Commands and confirmed reads are linearizable per room, the journal's order being the witness.",
        ["I8"] = "After the first effect outside the store under an epoch there is none under an earlier one, unless the process stood still inside it, or it was taken for crashed though alive and its type opted in.",
        ["I9"] = "The timers of the store are those that commits have set and not ended; each ends once, by its effect or with none to have, and none is missing when all is well.",
        ["I10"] = "Who applied a view has the members of that view; per node views grow.",
        ["I11"] = "What is fanned out is in the journal.",
        ["I12"] = "Nobody is evicted or released by a lease that is live, or while it goes on by the word of all members; no former owner is forgotten before it has stopped.",
        ["I13"] = "15 s after the last fault all shards are served by members that are up and every operation is answered; no row belongs to a dead owner.",
        ["I14"] = "Every message is delivered, refused or unknown to its sender; nothing is left in a buffer.",
        ["I15"] = "A life that lost a shard has nothing of it in memory.",
        ["I16"] = "Who has seen more than the store shows, or is connected to somebody who has, stands still, and records nothing that rests on less.",
        ["I17"] = "Of the components of a split that all reach the store, one at most stays.",
        ["1"] = "A view change that the store refused, and the question what became of one, is not asked again within 200 ms.",
        ["2.2"] = "15 s after the last fault began nobody misses a member that its links reach, or calls an edge broken that links cross.",
        ["2.4"] = "A sick member is given no shard that a well one hosts, has those of which it is the only host, and is relieved only while fewer than half are sick.",
        ["2.5"] = "A death certificate is of the dead.",
        ["2.6"] = "15 s after the last fault began nobody takes a member that no link reaches for connected.",
        ["3.3"] = "Of two sides of a division one at most may claim at once; asked of a policy that is not the project's own.",
        ["3.4"] = "Whoever claims as the larger side, 4 s and more after the last fault began, is on it.",
        ["3.6"] = "Who is down and has reached a member that knows it for 12 s without a fault has stopped, also without the store.",
        ["4.4"] = "Who leaves the frozen state has read its own rows.",
        ["5.1"] = "An individually placed entity has one row, which everybody finds, and none of them is served after its end.",
        ["5.3"] = "A release that was sent is final.",
        ["7.6"] = "A snapshot holds committed state only; what is truncated is not young, and the older snapshot holds it.",
        ["Checker"] = "What a user's own checker asks of a history of the user's entity.",
        ["Exit"] = "No node stops but for having left, been evicted, or been frozen for too long on end; no core throws.",
        ["Replay"] = "What a user's entity recorded and replied, a fresh one that has read its journal records and replies.",
        ["Trace"] = "Equal seed and build give the equal trace; judged by the campaign, one run in a hundred.",
    }.ToImmutableSortedDictionary(StringComparer.Ordinal);
}

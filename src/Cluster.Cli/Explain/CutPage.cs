using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text;
using ActorCluster.Downing;

namespace ActorCluster.Cli.Explain;

/// <summary>The table of cuts as one page that needs no other file and no script.</summary>
internal static class CutPage
{
    private const string Style = """
        :root{--ink:#1c2430;--soft:#5d6b7c;--line:#dde3ea;--page:#f5f7fa;--card:#fff;--live:#14804a;--liveback:#e3f5eb;--stop:#8a94a2;--stopback:#eef0f3;--frozen:#1f6fb2;--frozenback:#e4f0fa;--warn:#b25b00;--warnback:#fff1dd;--bad:#b3261e;--badback:#fde8e6}
        @media (prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b6;--line:#2f3946;--page:#12171e;--card:#1a212b;--live:#63d69b;--liveback:#173526;--stop:#7f8b99;--stopback:#252d37;--frozen:#7cbcf0;--frozenback:#182f44;--warn:#f3b562;--warnback:#3a2b14;--bad:#ff9d95;--badback:#431d1a}}
        *{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}main{max-width:1080px;margin:0 auto;padding:40px 20px 64px}
        h1{font-size:1.8rem;line-height:1.2;margin:0 0 4px}h2{font-size:1.15rem;margin:40px 0 8px}p{margin:0 0 12px;max-width:75ch}.soft{color:var(--soft)}
        .card{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow-x:auto}.advice{padding:16px 20px;border-left:5px solid var(--live);margin-top:20px}
        table{border-collapse:collapse;width:100%}th,td{padding:9px 16px;text-align:left;white-space:nowrap;border-top:1px solid var(--line)}thead th{border-top:0;color:var(--soft);font-size:.82rem;font-weight:600}
        td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}tr.chosen td{font-weight:650}
        .group{display:inline-flex;gap:5px;align-items:center;border:1.5px solid var(--line);border-radius:10px;padding:4px 7px;margin:2px 0}.cut{color:var(--soft);margin:0 7px}
        .node{border-radius:7px;padding:1px 8px;font-weight:650;font-size:.9rem}.serves{background:var(--liveback);color:var(--live)}.stops{background:var(--stopback);color:var(--stop);text-decoration:line-through}.frozen{background:var(--frozenback);color:var(--frozen)}
        .store{font-size:.75rem;color:var(--soft)}.flag{border-radius:7px;padding:2px 9px;font-size:.87rem;font-weight:600;background:var(--warnback);color:var(--warn)}.flag.bad{background:var(--badback);color:var(--bad)}
        .legend{display:flex;flex-wrap:wrap;gap:8px 18px;margin:0 0 12px}
        """;

    /// <param name="strategy">With its parameters, as the scores name it.</param>
    /// <param name="nodes">How many.</param>
    /// <param name="cuts">What the page is about.</param>
    /// <param name="scores">From the best.</param>
    public static string Of(string strategy, int nodes, ImmutableArray<Cut> cuts, ImmutableArray<Score> scores)
    {
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{Safe(strategy)}, {nodes} nodes</title>\n<style>\n{Style}\n</style></head>\n<body><main>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>Who lives after a cut: {Safe(strategy)}, {nodes} nodes</h1>\n<p class=\"soft\">Equal nodes, n1 the oldest. Every cut of the network is decided by the code that decides at run time; seconds count from when the silence is noticed.</p>\n");
        page.Append(CultureInfo.InvariantCulture, $"<div class=\"card advice\"><strong>Recommended</strong><br>{Safe(CutTable.Recommend(scores))}</div>\n");
        page.Append("<h2>Strategies compared</h2>\n<p class=\"soft\">Over all cuts and all sets of groups that may reach the store, but for those in which nobody does: then all freeze under every strategy. A strategy that asks a witness is tried for who sees it too. An ordinary cut makes two sides that both reach it.</p>\n");
        page.Append("<div class=\"card\"><table><thead><tr><th>strategy</th><th class=\"number\">nobody or two sides serve</th><th class=\"number\">a minority serves</th><th class=\"number\">ordinary cut</th><th class=\"number\">mean of all</th></tr></thead><tbody>\n");
        foreach (var score in scores)
        {
            page.Append(CultureInfo.InvariantCulture, $"<tr{(score.Strategy == strategy ? " class=\"chosen\"" : "")}><td>{Safe(score.Strategy)}</td><td class=\"number\">{score.Bad} of {score.Cuts}</td><td class=\"number\">{score.Minority}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td class=\"number\">{score.OrdinarySeconds:F1} s</td><td class=\"number\">{score.Seconds:F1} s</td></tr>\n");
        }
        page.Append(CultureInfo.InvariantCulture, $"</tbody></table></div>\n<h2>{cuts.Length} cuts</h2>\n<p class=\"legend soft\"><span><span class=\"node serves\">n1</span> serves</span><span><span class=\"node frozen\">n1</span> without the store: frozen, marked reads only</span><span><span class=\"node stops\">n1</span> evicted or stopped</span></p>\n");
        page.Append("<div class=\"card\"><table><thead><tr><th>groups that hear each other</th><th class=\"number\">settled after</th><th>to know</th></tr></thead><tbody>\n");
        foreach (var cut in cuts)
        {
            var bad = cut.Flag is Cut.NobodyServes or Cut.TwoSidesServe;
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{string.Join("<span class=\"cut\">|</span>", cut.Groups.Select(g => Group(cut, g)))}</td><td class=\"number\">{(cut.Stops.IsEmpty ? "as it was" : string.Create(CultureInfo.InvariantCulture, $"{cut.Seconds:F1} s"))}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td>{(cut.Flag.Length == 0 ? "" : $"<span class=\"flag{(bad ? " bad" : "")}\">{Safe(cut.Flag)}</span>")}</td></tr>\n");
        }
        return page.Append("</tbody></table></div>\n</main></body></html>\n").ToString();
    }

    private static string Group(Cut cut, string group)
    {
        var store = cut.Store.Contains(group);
        var witness = cut.Witness.Contains(group) ? ", witness" : "";
        var nodes = group.Split(' ').Select(n => $"<span class=\"node {(!cut.Lives.Contains(n) ? "stops" : store ? "serves" : "frozen")}\">{Safe(n)}</span>");
        return $"<span class=\"group\">{string.Concat(nodes)}<span class=\"store\">{(store ? "store" : "no store")}{witness}</span></span>";
    }

    private static string Safe(string text) => WebUtility.HtmlEncode(text);
}

// Why a picture was found: which rankings it is in, at what place, with what score, and what each adds to the whole. A new ranking of the
// service is a line here.

import { make } from "./dom.js";
import { number, say } from "./words.js";

/** By the name in a hit's `rankings`: the field of the score, and `whole`, the score that fills the bar, where scores have such a bound. */
const RANKINGS = {
  meaning: { score: "similarity", digits: 3, whole: 1 },
  words: { score: "text_score", digits: 2 },
  text: { line: "read_line" },
  color: { score: "color_score", digits: 2, whole: 1 },
};

/** Best score of each ranking that has no bound, over all hits. */
export function bestScores(hits) {
  const best = {};
  for (const { score, whole } of Object.values(RANKINGS)) {
    if (whole) best[score] = whole;
    else if (score) best[score] = hits.reduce((most, hit) => Math.max(most, hit[score] ?? 0), 0);
  }
  return best;
}

/** The rankings that know a hit, what gives most first; then scores of those in which it didn't come far enough. */
export function rankingsOf(hit) {
  const found = [...(hit.rankings ?? [])].sort((a, b) => b.share - a.share), named = new Set(found.map(({ by }) => by));
  const others = Object.entries(RANKINGS).filter(([by, { score }]) => score && !named.has(by) && hit[score] !== undefined).map(([by]) => ({ by }));
  return [...found, ...others];
}

/** Places that several share may lie between two. */
const placeOf = (rank) => (rank === undefined ? say("notRanked") : say("rankedAt", { rank: number(rank, Number.isInteger(rank) ? 0 : 1) }));

/** Fills a list with them. */
export function showReasons(list, hit, best) {
  const rankings = rankingsOf(hit);
  list.replaceChildren(...rankings.map(({ by, words, rank, weight, share }) => {
    const { score, digits, line } = RANKINGS[by] ?? {}, value = hit[score], bar = score && make("meter", { min: 0, max: 1, "aria-hidden": "true" });
    if (bar) bar.value = best[score] ? Math.max(0, Math.min(1, (value ?? 0) / best[score])) : 0;
    const told = [
      value === undefined ? "" : `${say(`score_${by}`)} ${number(value, digits)}`, line && hit[line] ? `“${hit[line]}”` : "",
      weight === undefined ? "" : `${say("weighed")} ${number(weight, 2)}`, share === undefined ? "" : `${say("gives")} ${number(share, 4)}`,
    ];
    const name = words && rankings.filter((other) => other.by === by).length > 1 ? `${say(`by_${by}`)}: ${words}` : say(`by_${by}`);
    return make(
      "li", {}, make("span", { class: "ranking", text: name }), make("span", { class: "rank", text: placeOf(rank) }),
      bar, make("span", { class: "score", text: told.filter(Boolean).join(" · ") }));
  }));
  if (!rankings.length) list.append(make("li", { class: "quiet", text: say("browsing") }));
  else if (hit.rank !== undefined) {
    list.append(make("li", { class: "whole" }, make("span", { class: "ranking", text: say("together") }),
      make("span", { class: "rank", text: placeOf(hit.rank) }), make("span", { class: "score", text: `${say("score")} ${number(hit.score, 4)}` })));
  }
}

// Why a picture was found: which rankings it is in, at what place, with what score. A new ranking of the service is a line here.

import { make } from "./dom.js";
import { number, say } from "./words.js";

/** Fields of a hit; `whole` is the score that fills the bar, where scores have such a bound. */
const RANKINGS = [
  { name: "look", rank: "vector_rank", score: "similarity", digits: 3, whole: 1 },
  { name: "text", rank: "text_rank", score: "text_score", digits: 2 },
  { name: "colour", rank: "color_rank", score: "color_score", digits: 2, whole: 1 },
];

/** Best score of each ranking that has no bound, over all hits. */
export function bestScores(hits) {
  const best = {};
  for (const { score, whole } of RANKINGS) {
    if (whole) best[score] = whole;
    else best[score] = hits.reduce((most, hit) => Math.max(most, hit[score] ?? 0), 0);
  }
  return best;
}

/** The rankings that know a hit, best place first. */
export const rankingsOf = (hit) =>
  RANKINGS.filter(({ rank, score }) => hit[rank] !== undefined || hit[score] !== undefined)
    .sort((a, b) => (hit[a.rank] ?? Infinity) - (hit[b.rank] ?? Infinity));

/** Fills a list with them. */
export function showReasons(list, hit, best) {
  const rankings = rankingsOf(hit);
  list.replaceChildren(...rankings.map(({ name, rank, score, digits }) => {
    const value = hit[score], bar = make("meter", { min: 0, max: 1, "aria-hidden": "true" });
    bar.value = best[score] ? Math.max(0, Math.min(1, (value ?? 0) / best[score])) : 0;
    return make(
      "li", {},
      make("span", { class: "ranking", text: say(`by_${name}`) }),
      make("span", { class: "rank", text: hit[rank] === undefined ? say("notRanked") : say("rankedAt", { rank: hit[rank] }) }),
      bar, make("span", { class: "score", text: value === undefined ? "" : `${say(`score_${name}`)} ${number(value, digits)}` }));
  }));
  if (!rankings.length) list.append(make("li", { class: "quiet", text: say("browsing") }));
  else if (hit.rank !== undefined) {
    list.append(make("li", { class: "whole" }, make("span", { class: "ranking", text: say("together") }),
      make("span", { class: "rank", text: say("rankedAt", { rank: hit.rank }) }), make("span", { class: "score", text: `${say("score")} ${number(hit.score, 4)}` })));
  }
}

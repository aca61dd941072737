// The query in the page's address, so that it can be kept, sent, gone back to and loaded again.
//
//     ?q=red+bicycle&t=0.5:street&p=12:-0.5&p=7:1:0.1,0.1,0.5,0.5&folder=/photos&shape=landscape&weight_words=0.5&view=12
//
// The entry of the browser's history has the terms whole: names, and pictures from outside the library, which are too large for addresses.

/** Rankings that have a weight: the names of the service. */
export const RANKINGS = ["meaning", "words", "text", "color"];
const WEIGHTS = RANKINGS.map((name) => `weight_${name}`);
const FILTERS = ["folder", "shape", "side", "format", "tag", "from", "to", "colour", "where", ...WEIGHTS, "cutoff"];
/** Filters that may be there several times. */
const LISTS = new Set(["format", "tag"]);
const LARGEST_WEIGHT = 1000;

/** The library without a search: `show` is clusters or duplicates, `cluster` the number of one, `alike` how much duplicates are. */
const OVERVIEW = ["show", "cluster", "alike"];
const SHOWS = ["clusters", "duplicates"];

/** A query is `{q, terms, filters}`, or `{overview}` beside empty ones. */
export function parametersOf({ q, terms, filters, overview = {} }, view) {
  const parameters = new URLSearchParams();
  if (q) parameters.set("q", q);
  for (const { text, picture, weight, region } of terms) {
    if (text !== undefined) parameters.append("t", `${weight}:${text}`);
    else if (picture !== undefined) parameters.append("p", [picture, weight, region?.join(",")].filter((part) => part !== undefined).join(":"));
  }
  for (const name of FILTERS) for (const value of [filters[name] ?? []].flat()) parameters.append(name, value);
  for (const name of OVERVIEW) if (overview[name]) parameters.set(name, overview[name]);
  if (view !== undefined) parameters.set("view", view);
  return parameters;
}

export function addressOf(query, view) {
  const text = parametersOf(query, view).toString();
  return location.pathname + (text ? `?${text}` : "");
}

const weightOf = (text) => {
  const weight = Number(text);
  return text !== "" && weight !== 0 && Math.abs(weight) <= LARGEST_WEIGHT ? weight : null;
};

function pictureOf(text) {
  const [id, weight = "1", region] = text.split(":"), parts = region?.split(",").map(Number);
  if (!/^\d+$/.test(id) || weightOf(weight) === null || (parts && (parts.length !== 4 || !parts.every(Number.isFinite)))) return null;
  return { picture: Number(id), weight: weightOf(weight), region: parts };
}

function textOf(text) {
  const colon = text.indexOf(":"), weight = weightOf(text.slice(0, Math.max(0, colon)));
  return weight === null || !text.slice(colon + 1) ? null : { text: text.slice(colon + 1), weight };
}

/** What the address says; what can't be understood in it is passed over. `state` is that of the history's entry. */
export function read(search, state) {
  const parameters = new URLSearchParams(search), filters = {};
  for (const name of FILTERS) {
    const values = parameters.getAll(name).filter(Boolean);
    if (values.length) filters[name] = LISTS.has(name) ? values : values[0];
  }
  const terms = state?.terms ?? [...parameters.getAll("t").map(textOf), ...parameters.getAll("p").map(pictureOf)].filter(Boolean);
  const view = /^\d+$/.test(parameters.get("view") ?? "") ? Number(parameters.get("view")) : undefined;
  const overview = SHOWS.includes(parameters.get("show")) ? Object.fromEntries(OVERVIEW.map((name) => [name, parameters.get(name) ?? undefined])) : {};
  return { query: { q: parameters.get("q") ?? "", terms, filters, overview }, view };
}

/** Tells whether two queries are the same. */
export const sameness = ({ q, terms, filters, overview }) =>
  JSON.stringify([q, terms.map(({ text, picture, image, weight, region }) => [text, picture, image, weight, region]), parametersOf({ terms: [], filters, overview }).toString()]);

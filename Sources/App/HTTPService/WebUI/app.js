// The page as a whole: what is looked for becomes a search, its hits the grid, and both the address, so that back and reload work.

import { addressOf, read, sameness } from "./address.js";
import * as api from "./api.js";
import { askForKey, prepareDialogs } from "./dialogs.js";
import { find, keep, make, stored } from "./dom.js";
import { explain } from "./errors.js";
import { Filters } from "./filters.js";
import { Grid, nameOf } from "./grid.js";
import { LibraryPanel } from "./library.js";
import { Overviews } from "./overviews.js";
import { bestScores } from "./reasons.js";
import { LESS, Terms, termOf } from "./terms.js";
import { Viewer } from "./viewer.js";
import { language, number, say, setLanguage, translate } from "./words.js";

/** Hits that are asked for. */
const MOST = 10_000;
/** Milliseconds after the last key before what is typed is searched for. */
const PAUSE = 280;
/** Milliseconds between two looks whether the service answers again. */
const RETRY = 3_000;

const words = find("words");
const terms = new Terms(find("terms"), () => run());
const filters = new Filters(() => run());
const panel = new LibraryPanel(() => { loadFacets(); run({ isNew: false }); });
const grid = new Grid(find("grid"), {
  open: (place) => openViewer(place),
  more: (item) => mix({ picture: item.id, name: nameOf(item), weight: 1 }),
  less: (item) => mix({ picture: item.id, name: nameOf(item), weight: LESS }),
  leave: () => words.focus(),
});
const viewer = new Viewer({
  search: (term) => mix(term),
  filter(name, value) {
    closeViewer();
    if (name === "tag") filters.toggle("tag", value, true);
    else filters.change({ ...filters.values, [name]: value });
  },
  turned(place) { history.replaceState(history.state, "", addressOf(shown.query, viewer.items[place].id)); },
  closed(place) {
    if (history.state?.isViewing) history.back();
    else history.replaceState(history.state, "", addressOf(shown.query));
    if (viewer.items === grid.items) grid.focus(place);
  },
});
const overviews = new Overviews({
  show(overview) {
    words.value = "";
    terms.set([]);
    filters.set({});
    run({ overview });
  },
  open: (items, place) => openViewer(place, items),
});
/** The query whose hits are shown, and the best scores among them. */
const shown = { query: { q: "", terms: [], filters: {}, overview: {} }, best: {} };
let going, typing, retrying;
/** The overview that is shown, if one is: whatever else is asked for ends it. */
let overview = {};

const asked = () => ({ q: words.value.trim(), terms: terms.list.map((term) => ({ ...term })), filters: filters.values, overview });

/** Adds a part to what is looked for; the viewer's entry of the history becomes that of the new search. */
function mix(term) {
  closeViewer();
  guard(() => { terms.add(term); return run(); });
}

async function guard(body) {
  try { await body(); } catch (error) { complain(error); }
}

// The address

/** @param isNew Whether going back leads to the query before. While somebody types the entry stays one. */
function remember(query, isNew, isTyped) {
  if (!isNew && viewer.isOpen) return;
  const state = { isTyped, terms: query.terms.length ? query.terms : undefined };
  const isOver = history.state?.isViewing || (isTyped && history.state?.isTyped);
  const enter = (whole) => {
    if (isNew && !isOver) history.pushState(whole, "", addressOf(query));
    else history.replaceState(whole, "", addressOf(query));
  };
  if (isNew) history.replaceState({ ...history.state, scroll: scrollY }, "");
  // A browser keeps only so much: then without the pictures from outside.
  try { enter(state); } catch { enter({}); }
}

function recall() {
  const { query, view } = read(location.search, history.state);
  if (sameness(query) === sameness(shown.query) && (grid.items.length || !find("overview").hidden)) {
    if (view !== undefined) return showViewer(view);
    if (!viewer.isOpen) return;
    viewer.close();
    if (viewer.items === grid.items) grid.focus(viewer.place);
    return;
  }
  if (viewer.isOpen) viewer.close();
  words.value = query.q;
  terms.set(query.terms);
  filters.set(query.filters);
  overview = query.overview;
  guard(async () => {
    const scroll = history.state?.scroll ?? 0;
    await run({ isNew: false });
    scrollTo(0, scroll);
    if (view !== undefined) showViewer(view);
  });
}

// Searching

/** Searches for what the page says; with nothing said, all pictures are listed. */
async function run({ isNew = true, isTyped = false, ...other } = {}) {
  if (isNew) overview = other.overview ?? {};
  clearTimeout(typing);
  clearTimeout(retrying);
  going?.abort();
  const stop = going = new AbortController(), query = asked();
  remember(query, isNew && sameness(query) !== sameness(read(location.search, history.state).query), isTyped);
  busy(true);
  try {
    const found = await hits(query, stop.signal);
    if (stop.signal.aborted) return;
    show(found, query);
  } catch (error) {
    if (!stop.signal.aborted) complain(error);
  } finally {
    if (going === stop) busy(false);
  }
}

async function hits(query, signal) {
  if (query.overview.show) return overviews.fetch(query.overview, signal);
  const isSearch = query.q || terms.list.length || filters.values.colour, { where, in: folder, ...rest } = filters.asked;
  if (!isSearch) {
    const parameters = Object.entries({ where, in: folder, limit: MOST }).filter(([, value]) => value !== undefined);
    return { hits: (await api.list(parameters, signal)).pictures };
  }
  if (!query.q && !rest.color && terms.isOnlyTakenAway) throw new Error(say("onlyAway"));
  return api.search({ ...rest, where, in: folder, q: query.q || undefined, terms: terms.list.length ? terms.asked : undefined, limit: MOST }, signal);
}

/** Pictures go grey only where a search takes long enough to be noticed; that is the style sheet's part. */
function busy(isBusy) {
  find("results").setAttribute("aria-busy", String(isBusy));
}

function show(found, query) {
  const isSame = sameness(query) === sameness(shown.query);
  const items = found.hits ?? [], isOverview = Boolean(query.overview.show);
  [shown.query, shown.best] = [query, bestScores(items)];
  find("problem").hidden = true;
  filters.blame(null);
  overviews.draw(found, query.overview);
  grid.show(items, isSame ? grid.current : 0);
  if (!isSame) scrollTo(0, 0);
  const count = items.length;
  find("tile-size").hidden = isOverview && !found.hits;
  find("summary").textContent = isOverview ? overviews.summary(found) : count ? say(count === MOST ? "firstOf" : "found", { count }) : say("noneTitle");
  find("seconds").textContent = found.seconds === undefined ? "" : say("inSeconds", { seconds: number(found.seconds, 2) });
  const note = isOverview ? overviews.note(found) : found.words_as_text_because && say("textOnly", { reason: found.words_as_text_because });
  find("note").hidden = !note;
  find("note").textContent = note ?? "";
  document.title = [query.q, "Sensorium"].filter(Boolean).join(" · ");
  showCut(found, count);
  showEmpty(count === 0 && !isOverview && (query.q || query.terms.length || !filters.isEmpty ? "none" : "empty"));
}

/** Where the hits ended: what isn't shown is no more similar than chance has it. */
function showCut({ cutoff, seconds }, count) {
  // A list that isn't searched has no end but its own.
  const isOff = filters.values.cutoff === "off" && seconds !== undefined, isCut = cutoff?.threshold !== undefined;
  find("cut").hidden = !(isOff || isCut);
  if (!isOff && !isCut) return;
  const similarity = isCut ? number(cutoff.threshold, 3) : "";
  find("cut-text").textContent = isOff ? say("cutOff") : cutoff.cut === 0 ? say("cutNothing", { similarity }) : say(count ? "cutRest" : "cutAll", { similarity });
  find("cut-toggle").textContent = say(isOff ? "cutAgain" : "showAll");
  find("cut-toggle").hidden = !isOff && cutoff.cut === 0;
  find("cut").querySelector("details").hidden = cutoff?.median === undefined;
  if (cutoff?.median === undefined) return;
  const [median, spread] = [number(cutoff.median, 3), number(cutoff.spread, 3)];
  find("cut-how").textContent = say("cutWhy", { sample: cutoff.sample, median, spread, part: number(100 * cutoff.false_share) });
}

/** @param kind `none`, `empty` or false. */
function showEmpty(kind) {
  find("empty").hidden = !kind;
  if (!kind) return;
  find("empty-title").textContent = say(`${kind}Title`);
  find("empty-text").textContent = say(`${kind}Text`);
  const acts = [];
  if (kind === "none" && !filters.isEmpty) acts.push(make("button", { type: "button", text: say("removeFilters"), click: () => filters.change({}) }));
  if (kind === "empty") acts.push(make("button", { type: "button", class: "main", text: say("library"), click: () => panel.open() }));
  find("empty-acts").replaceChildren(...acts);
}

function complain(error) {
  if (error.name === "AbortError") return;
  if (error.code === "no_library") {
    show({ hits: [] }, asked());
    return showEmpty("empty");
  }
  const { text, detail } = explain(error);
  if (error.code === "invalid_filter") filters.blame(`${text} ${detail}`.trim());
  find("problem").hidden = false;
  find("problem-text").textContent = text;
  find("problem-detail").textContent = detail;
  find("summary").textContent = "";
  find("seconds").textContent = "";
  if (error instanceof api.Unreachable) retrying = setTimeout(retry, RETRY);
}

async function retry() {
  if (await api.health()) run({ isNew: false });
  else retrying = setTimeout(retry, RETRY);
}

// The viewer

function openViewer(place, items = grid.items) {
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  history.pushState({ ...history.state, isViewing: true }, "", addressOf(shown.query, items[place].id));
  viewer.open(items, place, shown.best);
}

/** One that the address names; it needn't be among the hits. */
function showViewer(id) {
  const place = grid.items.findIndex((item) => item.id === id);
  history.replaceState(history.state, "", addressOf(shown.query, id));
  if (place >= 0) return viewer.open(grid.items, place, shown.best);
  return guard(async () => viewer.open([await api.picture(id)], 0, {}));
}

function closeViewer() { if (viewer.isOpen) viewer.close(); }

find("cut-toggle").addEventListener("click", () => {
  filters.change({ ...filters.values, cutoff: filters.values.cutoff === "off" ? "" : "off" });
  words.focus();
});

// Words and files

find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
words.addEventListener("input", (event) => {
  clearTimeout(typing);
  if (event.isComposing) return;
  // What is half typed may be no query yet.
  const isWhole = !/(^|\s)[-+−]\s*$|:\s*$/.test(words.value);
  if (isWhole) typing = setTimeout(() => run({ isTyped: true }), PAUSE);
});
words.addEventListener("compositionend", () => { typing = setTimeout(() => run({ isTyped: true }), PAUSE); });
words.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "ArrowDown" && grid.items.length) {
    event.preventDefault();
    grid.focus(grid.current);
  } else if (event.key === "Enter" && event.shiftKey) {
    event.preventDefault();
    addWords();
  }
});

/** What stands in the search field becomes a part of the mix with a weight of its own. */
function addWords() {
  const text = words.value.trim();
  if (!text) return words.focus();
  words.value = "";
  mix({ text, weight: 1 });
  words.focus();
}
find("add-words").addEventListener("click", addWords);

async function addFiles(files) {
  await guard(async () => {
    if (!files.length) throw new Error(say("onlyFiles"));
    for (const file of files) terms.add(await termOf(file));
    closeViewer();
    await run();
  });
}

find("add-picture").addEventListener("click", () => find("files").click());
find("files").addEventListener("change", (event) => {
  addFiles([...event.target.files]);
  event.target.value = "";
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length) return;
  event.preventDefault();
  addFiles(files);
});
const isFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  if (!isFiles(event)) return;
  event.preventDefault();
  find("drop").hidden = false;
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) find("drop").hidden = true; });
addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").hidden = true;
  addFiles([...(event.dataTransfer?.files ?? [])]);
});

// Keys, language, light and dark

addEventListener("keydown", (event) => {
  const isTyping = event.target.matches?.("input:not([type=range], [type=color]), select, textarea");
  if (isTyping || event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    event.preventDefault();
    words.focus();
    words.select();
  } else if (event.key === "?") {
    find("open-help").click();
  } else if (event.key === "f") {
    find("toggle-filters").click();
    event.preventDefault();
  }
});

find("language").addEventListener("click", () => {
  setLanguage(language() === "zh" ? "en" : "zh");
  terms.draw();
  filters.draw();
  run({ isNew: false });
});

const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
find("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  keep("theme", document.documentElement.dataset.theme);
});

const size = find("tile-size");
size.addEventListener("input", () => {
  grid.rowHeight = Number(size.value);
  keep("tile", size.value);
});

const loadFacets = () => api.facets().then((facets) => { filters.facets = facets; }, () => {});

// The start

if (["light", "dark"].includes(stored("theme"))) document.documentElement.dataset.theme = stored("theme");
if (Number(stored("tile")) >= Number(size.min)) size.value = stored("tile");
grid.height = Number(size.value);
translate();
filters.draw();
prepareDialogs();
api.access.ask = askForKey;
find("retry").addEventListener("click", () => run({ isNew: false }));
history.scrollRestoration = "manual";
addEventListener("popstate", recall);
addEventListener("online", () => { if (!find("problem").hidden) run({ isNew: false }); });
addEventListener("visibilitychange", () => { if (!document.hidden) panel.look(); });
recall();
loadFacets();
panel.look();

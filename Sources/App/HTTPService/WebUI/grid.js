// The results: only the rows near the window are in the page, so ten thousand hits cost what fifty do.

import { imageAddress, thumbnailPath } from "./api.js";
import { icon, make } from "./dom.js";
import { layOut, neighbour, placesOf, rowAt } from "./layout.js";
import { say } from "./words.js";

const GAP = 8;
/** Pixels above and below the window for which rows are there already. */
const AHEAD = 700;
/** Whoever scrolls faster than this part of the window in a frame sees tiles go by; their pictures aren't asked for. */
const FAST = 0.6;
/** Milliseconds without scrolling after which they are. */
const REST = 90;
const SIDES = [320, 480, 640];

/** The title, or the file's name. */
export const nameOf = (item) => item.title || item.path.slice(item.path.lastIndexOf("/") + 1);

export class Grid {
  /** @param act `{open(place), more(item), less(item), leave()}`; `leave` when the first row is left upwards. */
  constructor(box, act) {
    this.box = box;
    this.act = act;
    this.items = [];
    /** Rows that are in the page, by number; tiles that are, by the picture's id. */
    this.rows = new Map();
    this.tiles = new Map();
    this.current = 0;
    this.height = 200;
    this.layout = layOut([], 1, 1, GAP);
    this.isFast = false;
    addEventListener("scroll", () => this.schedule(), { passive: true });
    addEventListener("resize", () => this.schedule());
    new ResizeObserver(([{ contentRect }]) => this.fit(contentRect.width)).observe(box);
    // What lies above may have become higher.
    new ResizeObserver(() => this.measure()).observe(document.body);
    box.addEventListener("keydown", (event) => this.onKey(event));
    box.addEventListener("click", (event) => this.onClick(event));
    box.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.choose(Number(tile.dataset.place));
    });
  }

  /** Shows other pictures. Tiles of pictures that were there before are moved, not made again. */
  show(items, current = 0) {
    const hadFocus = this.box.contains(document.activeElement);
    this.items = items;
    this.current = Math.min(current, Math.max(0, items.length - 1));
    if (items.length) this.box.setAttribute("role", "grid");
    else this.box.removeAttribute("role");
    this.arrange();
    if (hadFocus) this.focus(this.current);
  }

  fit(width) {
    if (width === 0 || Math.abs(width - this.width) < 0.5) return;
    this.width = width;
    this.arrange();
  }

  /** The height that rows are near to. What is at the window's upper edge stays there. */
  set rowHeight(height) {
    this.height = height;
    this.arrange();
  }

  arrange() {
    this.width ??= this.box.clientWidth;
    this.layout = layOut(this.items, this.width, this.width < 500 ? this.height * 0.72 : this.height, GAP);
    this.box.style.height = `${this.layout.total}px`;
    this.box.setAttribute("aria-rowcount", this.layout.firsts.length);
    // Rows are made anew around the tiles that stay.
    for (const { element } of this.rows.values()) element.remove();
    this.rows.clear();
    this.measure();
    const shown = new Set([...this.rows.values()].flatMap(({ tiles }) => tiles));
    for (const tile of this.tiles.values()) if (!shown.has(tile)) this.drop(tile);
  }

  measure() {
    this.offset = this.box.getBoundingClientRect().top + scrollY;
    this.draw();
  }

  schedule() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      const moved = Math.abs(scrollY - (this.lastY ?? scrollY));
      this.lastY = scrollY;
      this.isFast = moved > innerHeight * FAST;
      this.draw();
      clearTimeout(this.resting);
      if (this.isFast) this.resting = setTimeout(() => { this.isFast = false; this.load(); }, REST);
    });
  }

  /** Puts the rows near the window into the page and takes the others out. Reads no layout: heights are known. */
  draw() {
    const { layout } = this;
    if (!layout.count) return;
    const top = scrollY - this.offset - AHEAD, end = scrollY - this.offset + innerHeight + AHEAD;
    const first = rowAt(layout, top), last = rowAt(layout, end);
    for (const [row, entry] of this.rows) {
      // What has the focus stays, wherever it is.
      if ((row >= first && row <= last) || entry.element.contains(document.activeElement)) continue;
      entry.element.remove();
      for (const tile of entry.tiles) this.drop(tile);
      this.rows.delete(row);
    }
    for (let row = first; row <= last; row += 1) if (!this.rows.has(row)) this.rows.set(row, this.makeRow(row));
    if (!this.isFast) this.load();
  }

  makeRow(row) {
    const { layout } = this, [first, end] = placesOf(layout, row), element = make("div", { role: "row", class: "row", "aria-rowindex": row + 1 });
    element.style.transform = `translateY(${layout.tops[row]}px)`;
    element.style.height = `${layout.heights[row]}px`;
    const tiles = [];
    for (let place = first; place < end; place += 1) tiles.push(this.tile(place, place - first));
    element.append(...tiles);
    // In the order of the rows, for those who hear the page.
    const after = [...this.rows.keys()].filter((other) => other > row).sort((a, b) => a - b)[0];
    this.box.insertBefore(element, after === undefined ? null : this.rows.get(after).element);
    return { element, tiles };
  }

  /** The tile of a picture, the one that is there already where there is one. */
  tile(place, column) {
    const item = this.items[place], tile = this.tiles.get(item.id) ?? this.makeTile(item);
    tile.dataset.place = place;
    tile.setAttribute("aria-colindex", column + 1);
    tile.style.width = `${this.layout.widths[place]}px`;
    tile.querySelector(".open").tabIndex = place === this.current ? 0 : -1;
    return tile;
  }

  makeTile(item) {
    const name = nameOf(item), image = make("img", { alt: name, decoding: "async", draggable: "false" });
    const quick = (act) => make(
      "button", { type: "button", class: "quick", tabindex: "-1", title: say(`${act}LikeThis`), "aria-label": say(`${act}LikeThis`), data: { act } },
      icon(act));
    const tile = make(
      "div", { role: "gridcell", class: "tile", data: { id: item.id } },
      make("button", { type: "button", class: "open", title: item.path, "aria-keyshortcuts": "Enter m l" }, image),
      make("span", { class: "caption", "aria-hidden": "true", text: name }), make("span", { class: "quicks" }, quick("more"), quick("less")));
    image.addEventListener("load", () => tile.classList.add("loaded"));
    image.addEventListener("error", () => this.retry(tile, image));
    this.tiles.set(item.id, tile);
    return tile;
  }

  /** Asks for the pictures of the tiles that are in the page. */
  load() {
    for (const { tiles } of this.rows.values()) for (const tile of tiles) if (!tile.stop) this.ask(tile);
  }

  ask(tile) {
    const stop = tile.stop = new AbortController(), id = Number(tile.dataset.id);
    const pixels = this.height * 1.2 * devicePixelRatio, side = SIDES.find((one) => one >= pixels) ?? SIDES.at(-1);
    imageAddress(thumbnailPath(id, side), stop.signal).then((found) => {
      if (stop.signal.aborted) return found.release();
      stop.signal.addEventListener("abort", found.release);
      tile.querySelector("img").src = found.address;
    }, () => { if (!stop.signal.aborted) tile.classList.add("failed"); });
  }

  /** A service that was too busy is asked again, a few times. */
  retry(tile, image) {
    if (!image.getAttribute("src")) return;
    tile.tries = (tile.tries ?? 0) + 1;
    if (tile.tries > 2) return tile.classList.add("failed");
    const stop = tile.stop;
    setTimeout(() => { if (!stop.signal.aborted) { image.removeAttribute("src"); this.ask(tile); } }, 1_000 * tile.tries);
  }

  drop(tile) {
    // A picture that isn't there yet need not come any more.
    tile.stop?.abort();
    tile.querySelector("img").removeAttribute("src");
    tile.remove();
    this.tiles.delete(Number(tile.dataset.id));
  }

  /** The tile that the Tab key leads to. */
  choose(place) {
    for (const [at, index] of [[this.current, -1], [place, 0]]) {
      const tile = this.items[at] && this.tiles.get(this.items[at].id);
      if (tile) tile.querySelector(".open").tabIndex = index;
    }
    this.current = place;
  }

  /** Brings a picture into view and gives it the focus. */
  focus(place) {
    if (place < 0 || place >= this.items.length) return;
    const row = this.layout.rowOf[place], top = this.offset + this.layout.tops[row], end = top + this.layout.heights[row];
    const head = document.querySelector("header").offsetHeight + GAP;
    if (top - head < scrollY) scrollTo(0, top - head);
    else if (end + GAP > scrollY + innerHeight) scrollTo(0, end + GAP - innerHeight);
    this.draw();
    this.choose(place);
    this.tiles.get(this.items[place].id)?.querySelector(".open").focus({ preventScroll: true });
  }

  onClick(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    const place = Number(tile.dataset.place), act = event.target.closest(".quick")?.dataset.act;
    if (act) this.act[act](this.items[place]);
    else this.act.open(place);
  }

  onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.items.length) return;
    const { current, layout } = this, last = this.items.length - 1;
    const page = () => Math.max(1, Math.floor((innerHeight - 120) / (this.height + GAP)));
    const jump = (rows) => { let place = current; for (let step = 0; step < page(); step += 1) place = neighbour(layout, place, rows); return place; };
    const moves = {
      ArrowLeft: () => current - 1, ArrowRight: () => current + 1, ArrowDown: () => neighbour(layout, current, 1), ArrowUp: () => neighbour(layout, current, -1),
      PageUp: () => jump(-1), PageDown: () => jump(1), Home: () => 0, End: () => last,
    };
    if (moves[event.key]) {
      event.preventDefault();
      if (event.key === "ArrowUp" && layout.rowOf[current] === 0) return this.act.leave();
      this.focus(Math.min(last, Math.max(0, moves[event.key]())));
    } else if (event.key === "m" || event.key === "l") {
      event.preventDefault();
      this.act[event.key === "m" ? "more" : "less"](this.items[current]);
    }
  }
}

// One picture, large: what is known of it, why it was found, and searches that start from it or from a part of it.

import { filePath, imageAddress, picture, thumbnailPath } from "./api.js";
import { define, find, make } from "./dom.js";
import { explain } from "./errors.js";
import { nameOf } from "./grid.js";
import { Lines } from "./lines.js";
import { showReasons } from "./reasons.js";
import { LESS } from "./terms.js";
import { bytes, dateTime, number, say } from "./words.js";

/** What every browser shows; of the rest the service makes a JPEG. */
const SHOWN = new Set(["jpeg", "png", "webp", "gif", "bmp", "avif", "svg"]);
const LARGE = 2048;
const LARGEST_SCALE = 4;
/** A box smaller than this part of the picture was a click. */
const LEAST_REGION = 0.02;
/** Pixels that a finger moves to turn to another picture. */
const SWIPE = 60;

export class Viewer {
  /** @param act `{search(term), filter(name, value), turned(place), closed(place)}` */
  constructor(act) {
    this.act = act;
    this.dialog = find("viewer");
    this.image = find("viewer-image");
    /** Lies exactly over the picture, so that what is marked on it can be placed in parts of it. */
    this.frame = find("viewer-frame");
    this.lines = new Lines();
    find("viewer-more").addEventListener("click", () => this.searchLike(1));
    find("viewer-less").addEventListener("click", () => this.searchLike(LESS));
    find("viewer-region").addEventListener("click", () => this.select(!this.isSelecting));
    find("previous").addEventListener("click", () => this.turn(-1));
    find("next").addEventListener("click", () => this.turn(1));
    this.dialog.addEventListener("close", () => this.onClose());
    this.dialog.addEventListener("keydown", (event) => this.onKey(event));
    this.image.addEventListener("load", () => this.fit());
    this.image.addEventListener("error", () => { if (this.image.getAttribute("src")) this.complain(say("notShown")); });
    new ResizeObserver(() => this.fit()).observe(find("stage"));
    this.prepareStage();
  }

  get isOpen() { return this.dialog.open; }
  get item() { return this.items[this.place]; }

  /** @param best The best scores of the rankings. */
  open(items, place, best) {
    [this.items, this.best, this.isQuiet] = [items, best, false];
    if (!this.dialog.open) this.dialog.showModal();
    this.show(place);
  }

  /** Closes without telling. */
  close() {
    this.isQuiet = true;
    this.dialog.close();
  }

  onClose() {
    this.stop?.abort();
    this.select(false);
    this.image.removeAttribute("src");
    if (!this.isQuiet) this.act.closed(this.place);
  }

  turn(step) {
    const place = this.place + step;
    if (place < 0 || place >= this.items.length) return;
    this.show(place);
    this.act.turned(place);
  }

  async show(place) {
    this.place = place;
    this.select(false);
    this.stop?.abort();
    const stop = this.stop = new AbortController(), { item } = this;
    find("previous").disabled = place === 0;
    find("next").disabled = place === this.items.length - 1;
    find("viewer-name").textContent = nameOf(item);
    find("viewer-count").textContent = say("ofAll", { place: place + 1, count: this.items.length });
    this.complain("");
    this.image.alt = nameOf(item);
    this.image.removeAttribute("src");
    this.fit();
    define(find("facts"), []);
    this.lines.show([], item);
    showReasons(find("reasons"), item, this.best);
    find("original").href = filePath(item.id);
    const show = async (path, isFirst) => {
      const found = await imageAddress(path, stop.signal);
      stop.signal.addEventListener("abort", found.release);
      if (stop.signal.aborted) return found.release();
      // The small version is there already, the large one takes its place.
      if (!isFirst || !this.image.getAttribute("src")) this.image.src = found.address;
      return found.address;
    };
    try {
      show(thumbnailPath(item.id, 320), true).catch(() => {});
      const info = await picture(item.id, stop.signal);
      if (stop.signal.aborted) return;
      define(find("facts"), this.facts(info));
      this.lines.show(info.lines ?? [], item);
      const address = await show(SHOWN.has(info.format) ? filePath(item.id) : thumbnailPath(item.id, LARGE));
      if (address?.startsWith("blob:")) find("original").href = address;
    } catch (error) {
      if (!stop.signal.aborted) this.complain(explain(error).text);
    }
  }

  complain(text) {
    find("viewer-problem").hidden = !text;
    find("viewer-problem").textContent = text;
  }

  searchLike(weight, region) {
    this.act.search({ picture: this.item.id, name: nameOf(this.item), weight, region });
  }

  onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const act = {
      ArrowLeft: () => this.turn(-1), ArrowRight: () => this.turn(1), m: () => this.searchLike(1), l: () => this.searchLike(LESS),
      r: () => this.select(!this.isSelecting), t: () => this.lines.toggle(),
    }[event.key];
    if (event.key === "Escape" && this.isSelecting) {
      event.preventDefault();
      this.select(false);
    } else if (act) {
      event.preventDefault();
      act();
    }
  }

  /** Makes the frame as large as the picture is shown: it fits into the stage, and isn't blown up without end. */
  fit() {
    if (!this.isOpen) return;
    const stage = find("stage"), width = this.item.width || this.image.naturalWidth, height = this.item.height || this.image.naturalHeight;
    const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height, LARGEST_SCALE);
    this.frame.style.width = `${width * scale}px`;
    this.frame.style.height = `${height * scale}px`;
  }

  facts(info) {
    const link = (text, name, value) => make("button", {
      type: "button", class: "link", text, title: say("filterByThis"), click: () => this.act.filter(name, value),
    });
    const colours = (info.colors ?? []).map(({ hex, share }) => {
      const label = `${hex} ${number(share * 100)} %`;
      const swatch = make("button", { type: "button", class: "swatch", title: label, "aria-label": `${say("colour")} ${label}`, click: () => this.act.filter("colour", hex) });
      swatch.style.background = hex;
      return swatch;
    });
    const place = info.latitude === undefined ? undefined : `${number(info.latitude, 5)}, ${number(info.longitude, 5)}`;
    const folder = info.path.slice(0, Math.max(1, info.path.lastIndexOf("/")));
    return [
      [say("title"), info.title], [say("description"), info.description], [say("tags"), (info.tags ?? []).map((tag) => link(tag, "tag", tag))],
      [say("size"), info.width ? `${info.width} × ${info.height}` : ""], [say("format"), `${(info.format ?? "").toUpperCase()}, ${bytes(info.size)}`],
      [say("taken"), info.taken ? dateTime(info.taken) : ""], [say("camera"), [info.make, info.model].filter(Boolean).join(" ")], [say("place"), place],
      [say("colours"), colours], [say("file"), info.path.slice(folder.length).replace(/^\//, "")], [say("folder"), [link(folder, "folder", folder)]],
      [say("modified"), dateTime(info.modified)], [say("copies"), info.copies?.join("\n")], ["SHA-256", info.sha256],
    ];
  }

  // Drawing a box on the picture; where none is drawn, a finger turns to the next one.

  get isSelecting() { return find("viewer-region").getAttribute("aria-pressed") === "true"; }

  select(isOn) {
    find("viewer-region").setAttribute("aria-pressed", String(isOn));
    find("region-hint").hidden = !isOn;
    find("stage").classList.toggle("selecting", isOn);
    find("selection").hidden = true;
  }

  prepareStage() {
    const stage = find("stage"), selection = find("selection");
    let start = null, from = null, region = null;
    const within = (event) => {
      const box = this.frame.getBoundingClientRect(), part = (value) => Math.min(1, Math.max(0, value));
      return [part((event.clientX - box.left) / box.width), part((event.clientY - box.top) / box.height)];
    };
    const draw = (event) => {
      if (!start) return;
      const end = within(event), x = Math.min(start[0], end[0]), y = Math.min(start[1], end[1]);
      region = [x, y, Math.abs(end[0] - start[0]), Math.abs(end[1] - start[1])].map((part) => Number(part.toFixed(4)));
      selection.hidden = false;
      ["left", "top", "width", "height"].forEach((side, place) => { selection.style[side] = `${region[place] * 100}%`; });
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = event.pointerType === "touch" && !this.isSelecting ? event.clientX : null;
      if (!this.isSelecting) return;
      event.preventDefault();
      stage.setPointerCapture(event.pointerId);
      [start, region] = [within(event), null];
    });
    stage.addEventListener("pointermove", draw);
    stage.addEventListener("pointerup", (event) => {
      if (from !== null && Math.abs(event.clientX - from) > SWIPE) this.turn(event.clientX < from ? 1 : -1);
      draw(event);
      const isBox = start && region && region[2] > LEAST_REGION && region[3] > LEAST_REGION;
      start = from = null;
      if (isBox) this.searchLike(1, region);
      else selection.hidden = true;
    });
    stage.addEventListener("pointercancel", () => { start = from = null; });
  }
}

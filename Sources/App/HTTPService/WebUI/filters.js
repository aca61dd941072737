// What narrows the results, and how rankings are weighted: a panel of fields, and from them the service's filter language.

import { RANKINGS } from "./address.js";
import { find, make } from "./dom.js";
import { nameOfPath, treeOf } from "./folders.js";
import { number, say } from "./words.js";

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
/** Conditions of the filter language, by the name of the field. */
const CONDITIONS = {
  shape: (value) => `orientation = ${value}`,
  side: (value) => `(width >= ${value} or height >= ${value})`,
  format: (values) => `format in (${values.join(", ")})`,
  tag: (values) => values.map((value) => `tag = ${quoted(value)}`).join(" and "),
  from: (value) => `taken >= ${value}`,
  to: (value) => `taken <= ${value}`,
  where: (value) => `(${value})`,
};
const FORMATS = ["jpeg", "png", "webp", "gif", "tiff", "bmp", "svg", "heif", "avif"];
const COLOURS = {
  red: "#d62828", orange: "#f08c22", yellow: "#f4d03f", green: "#3a9a46", cyan: "#2ba8b8", blue: "#2d62c8", purple: "#7d3fb5", pink: "#ea86b6",
  brown: "#7a4e2d", black: "#141414", grey: "#8a8a8a", white: "#fafafa",
};
/** Weights of rankings: the largest, and what they are where nobody moved them. */
const WEIGHT = { most: 3, usual: 1 };
const MOST_TAGS = 18;

export class Filters {
  /** @param changed called when a filter has changed. */
  constructor(changed) {
    this.changed = changed;
    this.panel = find("filters");
    this.values = {};
    this.known = { folders: [], tags: [], formats: [] };
    find("toggle-filters").addEventListener("click", () => this.reveal(this.panel.hidden));
    find("close-filters").addEventListener("click", () => { this.reveal(false); find("toggle-filters").focus(); });
    find("clear-filters").addEventListener("click", () => this.change({}));
    for (const name of ["folder", "side", "from", "to", "where"]) {
      this.field(name).addEventListener("change", (event) => this.change({ ...this.values, [name]: event.target.value.trim() }));
    }
    find("add-tag").addEventListener("change", (event) => {
      const tag = event.target.value.trim();
      event.target.value = "";
      if (tag) this.toggle("tag", tag, true);
    });
    this.draw();
  }

  field(name) { return this.panel.querySelector(`[name=${name}]`); }

  reveal(isOpen) {
    this.panel.hidden = !isOpen;
    document.body.classList.toggle("filtering", isOpen);
    find("toggle-filters").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.panel.querySelector("select").focus();
  }

  set(values) {
    this.values = Object.fromEntries(Object.entries(values).filter(([, value]) => value?.length));
    this.draw();
  }

  change(values) {
    this.set(values);
    this.changed();
  }

  /** Puts a value into a list of values, or takes it out. */
  toggle(name, value, isIn) {
    const others = (this.values[name] ?? []).filter((other) => other !== value);
    this.change({ ...this.values, [name]: isIn ? [...others, value] : others });
  }

  /** What the library has, to choose from. */
  set facets(known) {
    this.known = known;
    this.draw();
  }

  get isEmpty() { return Object.keys(this.values).length === 0; }

  /** The fields of a search. */
  get asked() {
    const { values } = this, where = Object.keys(CONDITIONS).filter((name) => values[name]).map((name) => CONDITIONS[name](values[name]));
    const weights = RANKINGS.filter((name) => values[`weight_${name}`]).map((name) => [name, Number(values[`weight_${name}`])]);
    return {
      where: where.length ? where.join(" and ") : undefined, in: values.folder, color: values.colour,
      weights: weights.length ? Object.fromEntries(weights) : undefined, cutoff: values.cutoff ?? "auto",
    };
  }

  /** Marks the field that the service didn't understand. */
  blame(problem) {
    const field = this.field("where");
    field.setAttribute("aria-invalid", String(Boolean(problem)));
    find("where-problem").textContent = problem ?? "";
    if (problem && this.panel.hidden) this.reveal(true);
  }

  draw() {
    const count = Object.keys(this.values).length, badge = find("filter-count");
    badge.hidden = count === 0;
    badge.textContent = String(count);
    find("toggle-filters").setAttribute("aria-label", count ? say("filtersSet", { count }) : say("filters"));
    find("clear-filters").disabled = count === 0;
    for (const name of ["side", "from", "to", "where"]) this.field(name).value = this.values[name] ?? "";
    this.drawFolders();
    this.drawChoices("shape", ["landscape", "portrait", "square"], (value) => say(value));
    this.drawColours();
    const formats = this.known.formats.map(({ format }) => format);
    this.drawBoxes("format", formats.length ? formats : FORMATS, (value) => value.toUpperCase());
    const tags = this.known.tags.map(({ tag }) => tag), set = this.values.tag ?? [];
    this.drawBoxes("tag", [...set, ...tags.filter((tag) => !set.includes(tag)).slice(0, MOST_TAGS)], (value) => value);
    find("tags").replaceChildren(...tags.map((tag) => make("option", { value: tag })));
    this.drawWeights();
  }

  drawFolders() {
    const field = this.field("folder"), folders = treeOf(this.known.folders), chosen = this.values.folder ?? "";
    const options = folders.map(({ path, depth, name, count }) =>
      make("option", { value: path, text: `${"\u2003".repeat(depth)}${name} (${number(count)})` }));
    if (chosen && !folders.some(({ path }) => path === chosen)) options.unshift(make("option", { value: chosen, text: nameOfPath(chosen) }));
    field.replaceChildren(make("option", { value: "", text: say("all_folders") }), ...options);
    field.value = chosen;
  }

  /** One of several, or none. */
  drawChoices(name, choices, label) {
    this.fill(name, choices.map((choice) => this.option(name, choice, label(choice), this.values[name] === choice, (isOn) => {
      this.change({ ...this.values, [name]: isOn ? choice : "" });
    })));
  }

  /** Any of several. */
  drawBoxes(name, choices, label) {
    this.fill(name, choices.map((choice) =>
      this.option(name, choice, label(choice), this.values[name]?.includes(choice) ?? false, (isOn) => this.toggle(name, choice, isOn))));
  }

  option(name, value, label, isOn, act) {
    return make(
      "button", { type: "button", class: "choice", "aria-pressed": String(isOn), data: { name, value }, text: label, click: () => act(!isOn) });
  }

  drawColours() {
    const chosen = this.values.colour, own = chosen && !Object.values(COLOURS).includes(chosen);
    const swatches = Object.entries(COLOURS).map(([name, value]) => {
      const isOn = chosen === value;
      const swatch = make("button", {
        type: "button", class: "swatch", "aria-pressed": String(isOn), "aria-label": say(`colour_${name}`), title: say(`colour_${name}`),
        data: { name: "colour", value }, click: () => this.change({ ...this.values, colour: isOn ? "" : value }),
      });
      swatch.style.background = value;
      return swatch;
    });
    const other = make("input", { type: "color", "aria-label": say("otherColour"), title: say("otherColour"), class: own ? "chosen" : undefined });
    other.value = chosen ?? "#808080";
    other.addEventListener("change", () => this.change({ ...this.values, colour: other.value }));
    this.fill("colour", [...swatches, other]);
  }

  drawWeights() {
    this.fill("weights", RANKINGS.map((ranking) => {
      const name = `weight_${ranking}`, slider = make("input", { type: "range", name, min: 0, max: WEIGHT.most, step: 0.25, id: name });
      const told = make("output", { for: name });
      const tell = () => {
        told.textContent = Number(slider.value) === 0 ? say("leftOut") : `× ${number(Number(slider.value), 2)}`;
        slider.setAttribute("aria-valuetext", told.textContent);
      };
      slider.value = this.values[name] ?? String(WEIGHT.usual);
      slider.addEventListener("input", tell);
      slider.addEventListener("change", () => this.change({ ...this.values, [name]: Number(slider.value) === WEIGHT.usual ? "" : slider.value }));
      tell();
      return make("div", { class: "weight" }, make("label", { for: name, text: say(name) }), slider, told);
    }));
  }

  /** What had the focus keeps it, though it is made anew. */
  fill(name, elements) {
    const box = this.panel.querySelector(`[data-choices=${name}]`), place = [...box.children].findIndex((child) => child.contains(document.activeElement));
    const isInside = place >= 0 && document.activeElement !== box.children[place];
    box.replaceChildren(...elements);
    if (place >= 0) (isInside ? box.children[place]?.querySelector("input") : box.children[place])?.focus();
  }
}

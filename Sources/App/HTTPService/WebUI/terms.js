// What is looked for besides the words in the search field: words, pictures and parts of pictures, each with a weight.

import { imageAddress, thumbnailPath } from "./api.js";
import { icon, make } from "./dom.js";
import { number, say } from "./words.js";

export const MOST_TERMS = 16;
const LARGEST_FILE = 20 << 20;
/** No model looks at more pixels than this, and smaller pictures are sent sooner. */
const SENT_SIDE = 1024;
const SENT_AS_IT_IS = 300 << 10;
/** What "less like this" takes away: less than what is asked for, or nothing would be left of it. */
export const LESS = -0.5;

/**
 * A term is `{text}`, `{picture}` by its id, or `{image}` with base64 of a file; all have a `weight`, pictures may have a `region`
 * ([x, y, width, height] as parts of the whole) and a `name`, an `image` has a `preview`, which is an address.
 */
export class Terms {
  /** @param changed called when what is looked for has changed. */
  constructor(box, changed) {
    this.box = box;
    this.changed = changed;
    this.list = [];
  }

  add(term) {
    const same = this.list.find((other) =>
      !other.region && !term.region && (term.picture !== undefined ? other.picture === term.picture : term.text !== undefined && other.text === term.text));
    if (same) same.weight = term.weight ?? 1;
    else if (this.list.length >= MOST_TERMS) throw new Error(say("tooMany", { count: MOST_TERMS }));
    else this.list.push({ weight: 1, ...term });
    this.draw();
  }

  set(list) {
    this.list = list;
    this.draw();
  }

  /** As the service takes them. */
  get asked() {
    return this.list.map(({ text, picture, image, weight, region }) => ({ text, picture, image, weight, region }));
  }

  get isOnlyTakenAway() { return this.list.length > 0 && this.list.every(({ weight }) => weight < 0); }

  draw() {
    this.box.hidden = this.list.length === 0;
    this.box.replaceChildren(...this.list.map((term) => this.chip(term)));
  }

  chip(term) {
    const label = this.label(term), told = make("output"), weight = make(
      "input", { type: "range", min: -2, max: 2, step: 0.25, "aria-label": `${say("weight")}: ${label}` });
    weight.value = String(term.weight);
    const chip = make(
      "li", { class: "term" }, this.picture(term), make("span", { class: "words", text: label, title: label }), weight, told,
      make("button", { type: "button", class: "plain", "aria-label": `${say("remove")}: ${label}`, title: say("remove"), click: () => this.remove(term) }, icon("close")));
    const tell = () => {
      told.textContent = `${term.weight < 0 ? "−" : "+"} ${number(Math.abs(term.weight), 2)}`;
      weight.setAttribute("aria-valuetext", `${number(term.weight, 2)}`);
      chip.classList.toggle("taken-away", term.weight < 0);
    };
    weight.addEventListener("input", () => {
      // A weight of nothing asks for nothing.
      term.weight = Number(weight.value) || (term.weight > 0 ? -0.25 : 0.25);
      tell();
    });
    weight.addEventListener("change", () => { weight.value = String(term.weight); this.changed(); });
    tell();
    return chip;
  }

  label(term) {
    const name = term.text ?? term.name ?? `${say("picture")} ${term.picture ?? ""}`.trim();
    return term.region ? `${name} (${say("part")})` : name;
  }

  picture(term) {
    if (term.text !== undefined) return undefined;
    const image = make("img", { alt: "" });
    image.addEventListener("error", () => image.replaceWith(icon("picture")));
    if (term.preview) image.src = term.preview;
    else if (term.picture === undefined) return icon("picture");
    else imageAddress(thumbnailPath(term.picture, 96)).then(({ address }) => { image.src = address; }, () => image.replaceWith(icon("picture")));
    return image;
  }

  remove(term) {
    const place = this.list.indexOf(term);
    this.list.splice(place, 1);
    this.draw();
    // The focus goes where the next one is removed.
    const buttons = this.box.querySelectorAll("button");
    (buttons[Math.min(place, buttons.length - 1)] ?? document.getElementById("words")).focus();
    this.changed();
  }
}

/**
 * A picture's file as a term. Large ones are made smaller here, where the browser can read them; what it can't read (HEIC, TIFF) goes to
 * the service as it is.
 */
export async function termOf(file) {
  const name = file.name || say("ownPicture");
  if (file.type && !file.type.startsWith("image/")) throw new Error(say("notAPicture", { name }));
  if (file.size > LARGEST_FILE) throw new Error(say("tooLarge", { name, size: LARGEST_FILE >> 20 }));
  const small = await smaller(file).catch(() => null), address = await dataAddress(small ?? file, name);
  return { image: address.slice(address.indexOf(",") + 1), name, preview: small || file.size <= SENT_AS_IT_IS ? address : undefined };
}

/** null where the file is small as it is. */
async function smaller(file) {
  if (file.type === "image/svg+xml") return null;
  const picture = await createImageBitmap(file), scale = SENT_SIDE / Math.max(picture.width, picture.height);
  try {
    if (scale >= 1 && file.size <= SENT_AS_IT_IS) return null;
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(picture.width * Math.min(1, scale))), Math.max(1, Math.round(picture.height * Math.min(1, scale))));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    // WebP keeps what is transparent.
    return await canvas.convertToBlob({ type: "image/webp", quality: 0.92 });
  } finally {
    picture.close();
  }
}

function dataAddress(blob, name) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(new Error(say("notAPicture", { name }))));
    reader.readAsDataURL(blob);
  });
}

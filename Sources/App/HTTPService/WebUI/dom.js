// Elements, made without markup: nothing that was read from elsewhere is ever taken for HTML.

export const find = (id) => document.getElementById(id);

/**
 * An element. `attributes` are attributes, but `class`, `text`, `data` (of dataset) and functions, which become listeners; what is
 * undefined or null is left out.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** One of the drawings in index.html. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg"), use = document.createElementNS(space, "use");
  drawing.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  drawing.append(use);
  return drawing;
}

/** Fills a list of definitions with `[name, text or nodes]`; those without a meaning are left out. */
export function define(list, pairs) {
  list.replaceChildren(...pairs.filter(([, value]) => value?.length).flatMap(([name, value]) => [
    make("dt", { text: name }), make("dd", {}, ...(Array.isArray(value) ? value : [value])),
  ]));
}

/** What the browser keeps for this page; it may refuse to. */
export function stored(name, storage = "localStorage") {
  try { return window[storage].getItem(`sensorium.${name}`); } catch { return null; }
}

export function keep(name, value, storage = "localStorage") {
  try { window[storage].setItem(`sensorium.${name}`, value); } catch { /* without storage it lasts as long as the page */ }
}

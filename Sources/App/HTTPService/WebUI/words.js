// The page's words in English and Chinese. An element names its text with data-words, its placeholder with data-words-placeholder, its
// label with data-words-label and its title with data-words-title.

import { keep, stored } from "./dom.js";
import { ENGLISH } from "./words-en.js";
import { CHINESE } from "./words-zh.js";

export const LANGUAGES = { en: ENGLISH, zh: CHINESE };

let chosen = stored("language");
if (!LANGUAGES[chosen]) chosen = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";

export const language = () => chosen;
export const has = (name) => name in LANGUAGES[chosen];

/** A text, its `{names}` replaced. Where there are two, the first is for one of what `count` counts. */
export function say(name, values = {}) {
  const found = LANGUAGES[chosen][name] ?? name, text = Array.isArray(found) ? found[values.count === 1 ? 0 : 1] : found;
  return text.replace(/\{(\w+)\}/g, (whole, key) => (typeof values[key] === "number" ? number(values[key]) : values[key] ?? whole));
}

export function setLanguage(name) {
  chosen = name;
  keep("language", name);
  translate();
}

export function translate() {
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  const all = (attribute, put) => document.querySelectorAll(`[${attribute}]`).forEach((element) => put(element, say(element.getAttribute(attribute))));
  all("data-words", (element, text) => { element.textContent = text; });
  all("data-words-placeholder", (element, text) => { element.placeholder = text; });
  all("data-words-label", (element, text) => element.setAttribute("aria-label", text));
  all("data-words-title", (element, text) => { element.title = text; });
}

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(chosen, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);

export function duration(seconds) {
  if (seconds === undefined) return "…";
  const [count, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return new Intl.NumberFormat(chosen, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }).format(count);
}

export function bytes(count) {
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${number(count / 1024 ** power, power > 0 ? 1 : 0)} ${["B", "KB", "MB", "GB"][power]}`;
}

/** A moment; one without a zone, as cameras write it, stays as it is. */
export function dateTime(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : date.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}

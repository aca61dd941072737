// Text that was read in a picture: marked where it stands, and listed for those who don't see it there.

import { find, keep, make, stored } from "./dom.js";
import { say } from "./words.js";

const SPACE = "http://www.w3.org/2000/svg";
const folded = (text) => text.normalize("NFKC").toLowerCase();

/** Tells of a line whether it is what was looked for: as a whole, or one of its words. */
function finder(hit) {
  const asked = (hit.rankings ?? []).filter(({ by }) => by === "text").map(({ words }) => folded(words ?? ""));
  const parts = asked.flatMap((words) => [words, ...words.split(/[^\p{L}\p{N}]+/u)]).filter(Boolean);
  return (text) => text === hit.read_line || parts.some((part) => folded(text).includes(part));
}

export class Lines {
  constructor() {
    this.drawing = find("lines");
    this.button = find("toggle-lines");
    this.button.addEventListener("click", () => this.toggle());
    this.mark(stored("lines") !== "off");
  }

  toggle() {
    this.mark(this.button.getAttribute("aria-pressed") !== "true");
    keep("lines", this.button.getAttribute("aria-pressed") === "true" ? "on" : "off");
  }

  mark(isOn) {
    this.button.setAttribute("aria-pressed", String(isOn));
    this.drawing.toggleAttribute("hidden", !isOn);
  }

  /** @param lines As the service tells them: corners as parts of the picture's sides. @param hit What was found; its rankings say what was asked. */
  show(lines, hit) {
    const isMatch = finder(hit);
    find("read").hidden = !lines.length;
    const marks = lines.map(({ text, corners }) => {
      const mark = document.createElementNS(SPACE, "polygon");
      mark.setAttribute("points", corners.map((point) => point.join(",")).join(" "));
      mark.setAttribute("class", isMatch(text) ? "match" : "");
      return mark;
    });
    // What was looked for lies on top.
    this.drawing.replaceChildren(...marks.filter((mark) => !mark.matches(".match")), ...marks.filter((mark) => mark.matches(".match")));
    find("read-lines").replaceChildren(...lines.map(({ text }, place) => {
      const told = isMatch(text) ? make("mark", { text }) : make("span", { text });
      const point = (isOn) => () => marks[place].classList.toggle("pointed", isOn);
      return make(
        "li", { lang: "", mouseenter: point(true), mouseleave: point(false) }, told,
        isMatch(text) ? make("span", { class: "hidden-text", text: say("matches") }) : undefined);
    }));
  }
}

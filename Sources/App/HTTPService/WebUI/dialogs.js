// The small dialogs: help, and the key.

import { define, find, make } from "./dom.js";
import { say } from "./words.js";

const KEYS = [
  [["/"], "keySearch"], [["Shift", "Enter"], "keyMix"], [["←", "→", "↑", "↓"], "keyMove"], [["Home", "End"], "keyEnds"], [["Enter"], "keyOpen"],
  [["←", "→"], "keyTurn"], [["M"], "keyMore"], [["L"], "keyLess"], [["R"], "keyRegion"], [["T"], "markText"], [["F"], "filters"], [["Esc"], "keyClose"], [["?"], "keyHelp"],
];

export function prepareDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelector(".close")?.addEventListener("click", () => dialog.close());
    // A click beside it closes it, too.
    dialog.addEventListener("pointerdown", ({ target, clientX: x, clientY: y }) => {
      const { left, right, top, bottom } = dialog.getBoundingClientRect();
      if (target === dialog && (x < left || x > right || y < top || y > bottom)) dialog.close();
    });
  }
  find("open-help").addEventListener("click", () => {
    define(find("keys"), KEYS.map(([keys, name]) => [say(name), keys.map((key) => make("kbd", { text: key }))]));
    find("help-dialog").showModal();
  });
}

/** Resolves with a key, or with null. `reason` is the service's code for what was wrong with the last one. */
export function askForKey(reason) {
  const dialog = find("key-dialog"), field = find("key");
  field.value = "";
  find("key-problem").hidden = reason !== "invalid_key";
  field.setAttribute("aria-invalid", String(reason === "invalid_key"));
  return new Promise((resolve) => {
    let given = null;
    const take = (event) => {
      event.preventDefault();
      given = field.value.trim() || null;
      dialog.close();
    };
    find("key-form").addEventListener("submit", take);
    dialog.addEventListener("close", () => {
      find("key-form").removeEventListener("submit", take);
      resolve(given);
    }, { once: true });
    dialog.showModal();
    field.focus();
  });
}

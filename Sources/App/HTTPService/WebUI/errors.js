// What went wrong, in the language of the page: what to do first, the service's own words after it.

import { ServiceError, Unreachable } from "./api.js";
import { has, language, say } from "./words.js";

/** `{text, detail}`; the detail is empty where the text says it all. */
export function explain(error) {
  if (error instanceof Unreachable) return { text: say("offline"), detail: "" };
  // Further lines point at places in a line above them, which takes letters of equal width.
  const [message] = error.message.split("\n");
  if (!(error instanceof ServiceError)) return { text: message, detail: "" };
  const name = `error_${error.code}`, text = has(name) ? say(name) : say("errorOther", { status: error.status });
  // The service speaks English: where that is the page's language its own words are the better ones.
  return language() === "en" && !has(name) ? { text: message, detail: "" } : { text, detail: message };
}

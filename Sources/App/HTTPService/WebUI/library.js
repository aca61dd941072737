// What the library holds, and indexing: started here, followed as it goes, stopped.

import { ServiceError, cancelJob, followJob, jobs, library, models, problems, startJob } from "./api.js";
import { define, find, make } from "./dom.js";
import { explain } from "./errors.js";
import { duration, number, say } from "./words.js";

/** What reads the text in pictures. */
const READER = "ppocr-small";

export class LibraryPanel {
  /** @param changed called when an indexing run has ended. */
  constructor(changed) {
    this.changed = changed;
    this.dialog = find("library-dialog");
    find("open-library").addEventListener("click", () => this.open());
    find("indexing").addEventListener("click", () => this.open());
    find("job-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    find("job-model").addEventListener("change", () => this.explainModel());
    find("cancel-job").addEventListener("click", () => this.guard(() => cancelJob(this.job.id)));
    find("problems").addEventListener("toggle", () => { if (find("problems").open) this.guard(() => this.showProblems()); });
  }

  async open() {
    this.dialog.showModal();
    await this.guard(() => this.showAll());
    await this.look();
  }

  async guard(body) {
    this.complain("");
    try { await body(); } catch (error) {
      const { text, detail } = explain(error);
      this.complain(detail ? `${text} (${detail})` : text);
    }
  }

  complain(text) {
    find("job-problem").hidden = !text;
    find("job-problem").textContent = text;
  }

  /** Takes up the last job. A key that doesn't open indexing shows none of it. */
  async look() {
    try {
      const [last] = (await jobs()).jobs;
      if (last) this.take(last);
      else this.tell(say("noJob"));
      find("indexing-part").hidden = false;
    } catch (error) {
      if (error instanceof ServiceError && error.status === 403) find("indexing-part").hidden = true;
      else if (this.dialog.open) this.complain(explain(error).text);
    }
  }

  /** Without a library there are models all the same. */
  async showAll() {
    try { await this.showFacts(); } finally { await this.showModels(); }
  }

  async showFacts() {
    const status = await library();
    const indexes = (status.indexes ?? []).map(({ model, vectors, pending, active }) => [
      say(active ? "modelInUse" : "otherModel"), [model, say("vectors", { count: vectors }), pending ? say("pending", { count: pending }) : ""].filter(Boolean).join(", "),
    ]);
    define(find("library-facts"), [
      [say("pictures"), number(status.pictures)], [say("files"), number(status.files)], [say("folders"), status.roots?.join("\n")],
      [say("failed"), status.failed ? number(status.failed) : ""], [say("missing"), status.missing ? number(status.missing) : ""], ...indexes,
    ]);
    find("problems").hidden = !status.problems;
    this.current = status.indexes?.find(({ active }) => active)?.model;
  }

  /** The models that are here, the one in use first. */
  async showModels() {
    const all = (await models()).models;
    find("job-read-part").hidden = !all.some((model) => model.name === READER && model.here && model.offered);
    const others = all.filter((model) => model.embeds_pictures && model.here && model.offered && model.name !== this.current);
    const option = (value, text) => make("option", { value, text });
    find("job-model").replaceChildren(
      option("", this.current ? say("keepModel", { model: this.current }) : say("standardModel")),
      ...others.map(({ name, embeds_text: isForWords }) => option(name, isForWords ? name : say("picturesOnly", { model: name }))));
    this.explainModel();
  }

  explainModel() {
    const model = find("job-model").value, note = find("job-model-note");
    note.hidden = !model || !this.current;
    note.textContent = note.hidden ? "" : say("switchNote", { model, current: this.current });
  }

  start() {
    const folder = find("job-folder").value.trim(), retry = find("job-retry").checked, model = find("job-model").value, isRead = find("job-read").checked;
    return this.guard(async () => {
      this.take(await startJob({ folders: folder ? [folder] : undefined, retry: retry || undefined, model: model || undefined, read_text: isRead || undefined }));
      find("job-folder").value = "";
    });
  }

  take(job) {
    this.job = job;
    if (job.ended) return this.showEnd(job);
    if (job.reading) this.showReading(job.reading);
    else this.show(job.progress);
    if (this.following === job.id) return;
    this.following = job.id;
    followJob(job.id, (name, data) => {
      if (name === "progress") this.show(data);
      else if (name === "reading") this.showReading(data);
      else if (name !== "problem") this.end(data);
    }).catch((error) => this.complain(explain(error).text)).finally(() => {
      this.following = undefined;
      find("indexing").hidden = true;
    });
  }

  show(progress) {
    const done = progress.embedded + progress.unchanged + progress.duplicates + progress.moved + progress.failed;
    const isCounting = progress.walking || !progress.found;
    const text = isCounting
      ? say("walking", { done, found: progress.found })
      : say("running", { done, found: progress.found, rate: number(progress.rate ?? 0, 1), left: duration(progress.remaining) });
    const { model } = this.job;
    this.tell(model && model !== this.current ? say("switching", { model, text }) : text);
    this.showBar(done, isCounting ? undefined : progress.found);
  }

  showReading({ read, failed, pending, lines }) {
    const done = read + failed, found = done + pending;
    this.tell(say("readingText", { done, found, lines }));
    this.showBar(done, found || undefined);
  }

  /** @param all undefined while it isn't known. */
  showBar(done, all) {
    const bar = find("job-progress");
    bar.hidden = false;
    if (all === undefined) bar.removeAttribute("value");
    else [bar.max, bar.value] = [all, Math.min(done, all)];
    find("start-job").disabled = true;
    find("cancel-job").hidden = false;
    find("indexing").hidden = false;
    find("indexing-share").textContent = all === undefined ? number(done) : `${number((100 * done) / all)} %`;
  }

  end(job) {
    this.job = job;
    this.showEnd(job);
    if (this.dialog.open) this.guard(() => this.showAll());
    this.changed();
  }

  showEnd(job) {
    find("job-progress").hidden = true;
    find("start-job").disabled = false;
    find("cancel-job").hidden = true;
    find("indexing").hidden = true;
    const { embedded, failed } = job.progress;
    this.tell(say("ended", { outcome: say(`outcome_${job.outcome}`), embedded, failed }));
    if (job.error) this.complain(job.error);
  }

  tell(text) { find("job").textContent = text; }

  async showProblems() {
    const found = (await problems()).problems;
    find("problems").querySelector("ul").replaceChildren(...found.map(({ path, reason }) =>
      make("li", {}, make("span", { text: path }), make("span", { class: "quiet", text: reason }))));
  }
}

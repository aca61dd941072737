// The library without a search: what belongs together, and what is there twice.

import { clusters, duplicates, imageAddress, thumbnailPath } from "./api.js";
import { find, make } from "./dom.js";
import { nameOf } from "./grid.js";
import { bytes, number, say } from "./words.js";

/** Pictures of a cluster on its card, and groups of duplicates on the page. */
const ON_CARD = 4;
const MOST_GROUPS = 200;
const THRESHOLDS = [0.9, 0.95, 0.98, 1];
const USUAL = 0.95;
export const MOST_IN_CLUSTER = 10_000;

const nameOfCluster = ({ words, cluster }) => words.join(", ") || say("clusterUnnamed", { cluster });

export class Overviews {
  /** @param act `{show(overview), open(items, place)}`; an overview is `{show, cluster, alike}` as the address has it. */
  constructor(act) {
    this.act = act;
    this.box = find("overview");
    for (const button of find("shows").querySelectorAll("button")) {
      button.addEventListener("click", () => act.show(button.dataset.show ? { show: button.dataset.show } : {}));
    }
  }

  /** What an overview shows: `{hits}` for the grid, `{groups}` or `{clusters}` for `draw`. */
  async fetch({ show, cluster, alike }, signal) {
    if (show === "duplicates") return { ...await duplicates({ threshold: alike ?? USUAL, limit: MOST_GROUPS }, signal), alike: Number(alike ?? USUAL) };
    if (!cluster) return clusters({ limit: ON_CARD }, signal);
    const [found] = (await clusters({ cluster, limit: MOST_IN_CLUSTER }, signal)).clusters;
    return { hits: found.pictures, of: found };
  }

  /** @param found What `fetch` gave; without groups and clusters the page is the grid's. */
  draw(found, { show }) {
    for (const button of find("shows").querySelectorAll("button")) button.setAttribute("aria-pressed", String((show ?? "") === button.dataset.show));
    this.stop?.abort();
    this.stop = new AbortController();
    this.box.hidden = !found.groups && !found.clusters;
    if (found.groups) this.box.replaceChildren(this.choice(found.alike), ...found.groups.map((group) => this.group(group)));
    else if (found.clusters) this.box.replaceChildren(make("ul", { class: "cards" }, ...found.clusters.map((cluster) => this.card(cluster))));
    else this.box.replaceChildren();
  }

  /** What the line above says. */
  summary(found) {
    if (found.groups) return found.count ? say(found.count > found.groups.length ? "firstGroups" : "groupsFound", { count: found.groups.length }) : say("noDuplicates");
    if (found.clusters) return say("clustersFound", { count: found.clusters.length });
    return found.of && `${nameOfCluster(found.of)} · ${say("found", { count: found.of.count })}`;
  }

  note(found) {
    if (found.groups && found.compared < found.pictures) return say("comparedPart", { compared: found.compared, pictures: found.pictures });
    if (found.clusters && found.clustered < found.pictures) return say("clusteredPart", { clustered: found.clustered, pictures: found.pictures });
    return "";
  }

  image(item, alt) {
    const image = make("img", { alt, loading: "lazy", decoding: "async" }), { signal } = this.stop;
    imageAddress(thumbnailPath(item.id, 320), signal).then((found) => {
      if (signal.aborted) return found.release();
      signal.addEventListener("abort", found.release);
      image.src = found.address;
    }, () => {});
    return image;
  }

  card(cluster) {
    const pictures = cluster.pictures.map((item) => this.image(item, ""));
    return make("li", {}, make(
      "button", { type: "button", class: "card", data: { cluster: cluster.cluster }, click: () => this.act.show({ show: "clusters", cluster: String(cluster.cluster) }) },
      make("span", { class: "mosaic", "aria-hidden": "true" }, ...pictures), make("span", { class: "name", text: nameOfCluster(cluster) }),
      make("span", { class: "quiet", text: say("found", { count: cluster.count }) })));
  }

  choice(alike) {
    const list = make("select", { id: "alike" }, ...THRESHOLDS.map((value) => make("option", { value, text: say("alikeFrom", { part: number(100 * value) }) })));
    list.value = String(alike);
    list.addEventListener("change", () => this.act.show({ show: "duplicates", alike: Number(list.value) === USUAL ? undefined : list.value }));
    return make("label", { class: "alike" }, make("span", { text: say("alike") }), list);
  }

  group({ count, pictures }) {
    const least = Math.min(...pictures.map(({ similarity }) => similarity));
    return make(
      "section", { class: "group" }, make("h2", { text: say("groupOf", { count, part: number(Math.floor(1000 * least) / 10, 1) }) }),
      make("ul", {}, ...pictures.map((item, place) => make("li", {}, make(
        "button", { type: "button", class: "member", title: item.path, click: () => this.act.open(pictures, place) },
        this.image(item, nameOf(item)), make("span", { class: "name", text: item.path.slice(item.path.lastIndexOf("/") + 1) }),
        make("span", { class: "quiet", text: `${item.width} × ${item.height} · ${bytes(item.size)}` }))))));
  }
}

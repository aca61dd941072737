// Folders of the library as a tree: the service tells those that hold pictures, those above them belong to it, too.

const above = (path) => path.slice(0, Math.max(1, path.lastIndexOf("/")));

export const nameOfPath = (path) => path.slice(path.lastIndexOf("/") + 1) || path;

/** `[{path, count}]` becomes `[{path, name, depth, count}]` in the order of a tree; counts are of all beneath. */
export function treeOf(folders) {
  const counts = new Map();
  for (const { path, count } of folders) {
    for (let one = path; ; one = above(one)) {
      counts.set(one, (counts.get(one) ?? 0) + count);
      if (one === "/" || !one.includes("/")) break;
    }
  }
  // The way down to the folder that holds all says nothing.
  const paths = [...counts.keys()].sort((a, b) => (`${a}/` < `${b}/` ? -1 : 1)), all = folders.reduce((sum, { count }) => sum + count, 0);
  const tree = paths.slice(Math.max(0, paths.findLastIndex((path) => counts.get(path) === all)));
  const depth = (path) => path.split("/").length, least = Math.min(...tree.map(depth));
  return tree.map((path) => ({ path, name: nameOfPath(path), depth: depth(path) - least, count: counts.get(path) }));
}

// Pictures in rows of equal height that fill the width, each picture as wide as its shape asks for.

/** Beyond these shapes (width : height) a tile shows the middle of its picture. */
const NARROWEST = 0.55, WIDEST = 2.6;
/** Tiles of a row that would have to grow more than this stay smaller, and leave room at its end. */
const STRETCH = 1.35;

const shape = ({ width, height }) => (width > 0 && height > 0 ? Math.min(WIDEST, Math.max(NARROWEST, width / height)) : 1);

/**
 * Where each of `items` lies: `firsts[row]` is the place of a row's first picture, `tops` and `heights` are of rows, `lefts` and
 * `widths` of pictures, `total` is the height of all; in pixels.
 */
export function layOut(items, width, target, gap) {
  const count = items.length, lefts = new Float32Array(count), widths = new Float32Array(count), rowOf = new Int32Array(count);
  const firsts = [], tops = [], heights = [];
  let top = 0, start = 0;
  while (start < count) {
    let end = start, sum = 0, height = Infinity;
    while (end < count && height > target) {
      const next = sum + shape(items[end]), lower = (width - gap * (end - start)) / next;
      // The last picture of a row stays out where that is nearer to the height that is wanted.
      if (lower < target && end > start && height - target < target - lower && height <= target * STRETCH) break;
      [sum, height] = [next, lower];
      end += 1;
    }
    height = Math.min(height, height > target * STRETCH ? target : height);
    let left = 0;
    for (let place = start; place < end; place += 1) {
      lefts[place] = left;
      widths[place] = Math.min(width, shape(items[place]) * height);
      rowOf[place] = firsts.length;
      left += widths[place] + gap;
    }
    firsts.push(start);
    tops.push(top);
    heights.push(height);
    top += height + gap;
    start = end;
  }
  return { firsts, tops, heights, lefts, widths, rowOf, count, total: Math.max(0, top - gap) };
}

/** The row at a height: the last whose top isn't below it. */
export function rowAt({ tops }, y) {
  let low = 0, high = tops.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tops[middle] <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The places of a row, the end excluded. */
export const placesOf = ({ firsts, count }, row) => [firsts[row], firsts[row + 1] ?? count];

/** The picture in another row that is nearest below or above one. */
export function neighbour(layout, place, step) {
  const row = layout.rowOf[place] + step;
  if (row < 0 || row >= layout.firsts.length) return place;
  const middle = layout.lefts[place] + layout.widths[place] / 2, [first, end] = placesOf(layout, row);
  for (let other = first; other < end; other += 1) if (layout.lefts[other] + layout.widths[other] >= middle) return other;
  return end - 1;
}

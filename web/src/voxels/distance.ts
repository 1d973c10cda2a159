/** Signed distances in a plane, exact (Felzenszwalb and Huttenlocher, Theory of Computing 2012). */

const FAR = 1e20;

/** An image of a plane: row after row. */
export interface Flags {
  rows: number;
  columns: number;
  pixels: Uint8Array;
}

/**
 * How far each pixel's centre lies from the outline's other side: negative inside, positive outside.
 *
 * @param row, column what a step along rows and columns measures.
 */
export function signedDistance({ rows, columns, pixels }: Flags, row = 1, column = 1): Float64Array {
  const outside = squaredDistances(pixels, 1, rows, columns, row, column);
  const inside = squaredDistances(pixels, 0, rows, columns, row, column);
  return outside.map((value, at) => Math.sqrt(value) - Math.sqrt(inside[at]));
}

/** Squared distance of every pixel to the nearest one of this value. */
function squaredDistances(pixels: Uint8Array, value: 0 | 1, rows: number, columns: number, row: number, column: number) {
  const squared = Float64Array.from(pixels, (pixel) => (pixel === value ? 0 : FAR));
  for (let c = 0; c < columns; c++) transformLine(squared, c, columns, rows, row);
  for (let r = 0; r < rows; r++) transformLine(squared, r * columns, 1, columns, column);
  return squared;
}

/** The lower envelope of parabolas along one line of an array, in place. */
function transformLine(values: Float64Array, base: number, stride: number, count: number, step: number): void {
  const line = Float64Array.from({ length: count }, (_, at) => values[base + at * stride]);
  const roots = new Int32Array(count);
  const bounds = new Float64Array(count + 1);
  let last = 0;
  bounds[0] = -Infinity;
  bounds[1] = Infinity;
  const meeting = (a: number, b: number) =>
    (line[a] + (a * step) ** 2 - line[b] - (b * step) ** 2) / (2 * step * (a - b));
  for (let at = 1; at < count; at++) {
    let border = meeting(at, roots[last]);
    while (border <= bounds[last]) border = meeting(at, roots[--last]);
    roots[++last] = at;
    bounds[last] = border;
    bounds[last + 1] = Infinity;
  }
  for (let at = 0, root = 0; at < count; at++) {
    while (bounds[root + 1] < at * step) root++;
    values[base + at * stride] = ((at - roots[root]) * step) ** 2 + line[roots[root]];
  }
}

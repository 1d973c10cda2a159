/** The outline of a mask along the edges of its pixels: what lies within it is tumour, to the voxel. */

import type { PlaneSlice } from "../space/geometry";

/** Lines in pixel corners, (0, 0) the upper left of the first pixel: x, y of one end and x, y of the other. */
export type Edges = number[];

export function edgesOf(mask: ArrayLike<number>, plane: PlaneSlice): Edges {
  const { rows, columns } = plane;
  const width = columns + 2;
  const framed = withBorder(mask, plane);
  const edges: Edges = [];
  lines(framed, { first: 1, line: width, along: 1 }, rows, columns, (line, from, to) => edges.push(from, line, to, line));
  lines(framed, { first: width, line: 1, along: width }, columns, rows, (line, from, to) => edges.push(line, from, line, to));
  return edges;
}

/** The plane's pixels with a border of 0 around them. */
function withBorder(mask: ArrayLike<number>, { base, rows, columns, rowStride, columnStride }: PlaneSlice): Uint8Array {
  const framed = new Uint8Array((rows + 2) * (columns + 2));
  for (let row = 0, at = columns + 3; row < rows; row++, at += 2)
    for (let column = 0, index = base + row * rowStride; column < columns; column++, at++, index += columnStride) framed[at] = mask[index];
  return framed;
}

/** Steps through pixels with a border: to the first beside an edge, from line to line, and along a line. */
interface Steps {
  first: number;
  line: number;
  along: number;
}

/** Runs of edges along each of the lines between pixels. */
function lines(
  framed: Uint8Array, steps: Steps, count: number, length: number, draw: (line: number, from: number, to: number) => void,
): void {
  for (let line = 0; line <= count; line++) {
    let start = -1;
    for (let at = 0, pixel = steps.first + line * steps.line; at <= length; at++, pixel += steps.along) {
      const edge = at < length && framed[pixel] !== framed[pixel + steps.line];
      if (edge && start < 0) start = at;
      if (!edge && start >= 0) {
        draw(line, start, at);
        start = -1;
      }
    }
  }
}

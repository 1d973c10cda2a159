/** The outline of a mask along the edges of its pixels: what lies within it is tumour, to the voxel. */

import type { PlaneSlice } from "../space/geometry";

/** Lines in pixel corners, (0, 0) the upper left of the first pixel: x, y of one end and x, y of the other. */
export type Edges = number[];

export function edgesOf(mask: ArrayLike<number>, plane: PlaneSlice): Edges {
  const { rows, columns } = plane;
  const isInside = (row: number, column: number) =>
    row >= 0 && column >= 0 && row < rows && column < columns &&
    mask[plane.base + row * plane.rowStride + column * plane.columnStride] === 1;
  const edges: Edges = [];
  lines(rows, columns, (line, at) => isInside(line - 1, at) !== isInside(line, at), (line, from, to) => edges.push(from, line, to, line));
  lines(columns, rows, (line, at) => isInside(at, line - 1) !== isInside(at, line), (line, from, to) => edges.push(line, from, line, to));
  return edges;
}

/** Runs of edges along each of the lines between pixels. */
function lines(
  count: number,
  length: number,
  isEdge: (line: number, at: number) => boolean,
  draw: (line: number, from: number, to: number) => void,
): void {
  for (let line = 0; line <= count; line++) {
    let start = -1;
    for (let at = 0; at <= length; at++) {
      const edge = at < length && isEdge(line, at);
      if (edge && start < 0) start = at;
      if (!edge && start >= 0) {
        draw(line, start, at);
        start = -1;
      }
    }
  }
}

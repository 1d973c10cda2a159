/**
 * Outlines between outlined slices, by signed distances (Raya and Udupa, IEEE Trans. Med. Imaging 1990).
 *
 * Both outlines are first moved to where a straight line between their centres passes, so that a tumour that leans is
 * filled too, and not only one whose outlines overlap.
 */

import { type Geometry, pixelSize, type Plane, planeSlice, type PlaneSlice } from "../space/geometry";
import type { Mask } from "./change";
import { type Flags, signedDistance } from "./distance";

/** The pixels of a plane of a mask. */
export function flagsOf(mask: Mask, plane: PlaneSlice): Flags {
  const pixels = new Uint8Array(plane.rows * plane.columns);
  for (let row = 0, at = 0; row < plane.rows; row++)
    for (let column = 0; column < plane.columns; column++, at++)
      pixels[at] = mask[plane.base + row * plane.rowStride + column * plane.columnStride];
  return { rows: plane.rows, columns: plane.columns, pixels };
}

/** The outline at a share of the way from one to another, neither of them empty. */
export function between(a: Flags, b: Flags, share: number, row = 1, column = 1): Flags {
  const [distanceA, distanceB] = [a, b].map((flags) => signedDistance(flags, row, column));
  const [centreA, centreB] = [centreOf(a), centreOf(b)];
  const lean = { row: centreB.row - centreA.row, column: centreB.column - centreA.column };
  const pixels = new Uint8Array(a.pixels.length);
  for (let r = 0, at = 0; r < a.rows; r++)
    for (let c = 0; c < a.columns; c++, at++) {
      const fromA = sample(distanceA, a, r - share * lean.row, c - share * lean.column);
      const fromB = sample(distanceB, b, r + (1 - share) * lean.row, c + (1 - share) * lean.column);
      pixels[at] = (1 - share) * fromA + share * fromB < 0 ? 1 : 0;
    }
  return { rows: a.rows, columns: a.columns, pixels };
}

/**
 * What the slices between outlined ones should hold: flat indices to become tumour and to cease to be.
 *
 * @param outlined the slices that stay as they are; those that are empty end no gap.
 */
export function interpolated(mask: Mask, geometry: Geometry, plane: Plane, outlined: readonly number[]) {
  const size = pixelSize(geometry, plane);
  const found = { on: [] as number[], off: [] as number[] };
  const flags = (slice: number) => flagsOf(mask, planeSlice(geometry, plane, slice));
  const keys = [...outlined].sort((a, b) => a - b).filter((slice) => flags(slice).pixels.includes(1));
  for (let key = 1; key < keys.length; key++)
    for (let slice = keys[key - 1] + 1; slice < keys[key]; slice++) {
      const share = (slice - keys[key - 1]) / (keys[key] - keys[key - 1]);
      const drawn = between(flags(keys[key - 1]), flags(keys[key]), share, size.row, size.column);
      collect(mask, planeSlice(geometry, plane, slice), drawn, found);
    }
  return found;
}

function collect(mask: Mask, plane: PlaneSlice, drawn: Flags, found: { on: number[]; off: number[] }): void {
  for (let row = 0, at = 0; row < plane.rows; row++)
    for (let column = 0; column < plane.columns; column++, at++) {
      const index = plane.base + row * plane.rowStride + column * plane.columnStride;
      if (mask[index] !== drawn.pixels[at]) (drawn.pixels[at] ? found.on : found.off).push(index);
    }
}

function centreOf({ columns, pixels }: Flags): { row: number; column: number } {
  let [row, column, count] = [0, 0, 0];
  pixels.forEach((pixel, at) => {
    if (!pixel) return;
    row += Math.floor(at / columns);
    column += at % columns;
    count++;
  });
  return { row: row / count, column: column / count };
}

/** Distances between pixels, linear; beyond the border those of the border. */
function sample(distances: Float64Array, { rows, columns }: Flags, row: number, column: number): number {
  const r = Math.min(Math.max(row, 0), rows - 1);
  const c = Math.min(Math.max(column, 0), columns - 1);
  const [r0, c0] = [Math.min(Math.floor(r), Math.max(rows - 2, 0)), Math.min(Math.floor(c), Math.max(columns - 2, 0))];
  const [r1, c1] = [Math.min(r0 + 1, rows - 1), Math.min(c0 + 1, columns - 1)];
  const upper = distances[r0 * columns + c0] * (1 - (c - c0)) + distances[r0 * columns + c1] * (c - c0);
  const lower = distances[r1 * columns + c0] * (1 - (c - c0)) + distances[r1 * columns + c1] * (c - c0);
  return upper * (1 - (r - r0)) + lower * (r - r0);
}

/** Regions: what is connected to a voxel, and the holes in a slice. */

import type { Triple } from "../space/affine";
import type { PlaneSlice } from "../space/geometry";
import type { Mask } from "./change";

/** Neighbours that share a face, or also those that share an edge or a corner, as glioseg counts tumour components. */
export type Connectivity = 6 | 26;

/** Flat indices of all voxels that are reached from the seeds through voxels that belong. */
export function flood(
  shape: Triple,
  seeds: Iterable<number>,
  belongs: (index: number) => boolean,
  connectivity: Connectivity,
): number[] {
  const seen = new Uint8Array(shape[0] * shape[1] * shape[2]);
  const found: number[] = [];
  const visit = (index: number) => {
    if (seen[index] || !belongs(index)) return;
    seen[index] = 1;
    found.push(index);
  };
  for (const seed of seeds) visit(seed);
  const each = neighbours(shape, connectivity);
  for (let at = 0; at < found.length; at++) each(found[at], visit);
  return found;
}

/** The component of a mask that holds a voxel; none where the voxel is not tumour. */
export function component(mask: Mask, shape: Triple, seed: number): number[] {
  return flood(shape, [seed], (index) => mask[index] === 1, 26);
}

/** Flat indices of the holes of one plane: pixels that no way leads to from the border, by faces. */
export function holes(mask: Mask, plane: PlaneSlice): number[] {
  const { rows, columns } = plane;
  const index = (pixel: number) =>
    plane.base + Math.floor(pixel / columns) * plane.rowStride + (pixel % columns) * plane.columnStride;
  const isBorder = (pixel: number) =>
    pixel < columns || pixel >= (rows - 1) * columns || pixel % columns === 0 || pixel % columns === columns - 1;
  const pixels = Array.from({ length: rows * columns }, (_, pixel) => pixel);
  const outside = flood([1, rows, columns], pixels.filter(isBorder), (pixel) => mask[index(pixel)] === 0, 6);
  const reached = new Uint8Array(rows * columns);
  for (const pixel of outside) reached[pixel] = 1;
  return pixels.filter((pixel) => !reached[pixel] && mask[index(pixel)] === 0).map(index);
}

/** Calls back for each neighbour of a voxel. */
export function neighbours(shape: Triple, connectivity: Connectivity): (index: number, visit: (index: number) => void) => void {
  const [slices, rows, columns] = shape;
  const steps = stepsOf(connectivity).map(([s, r, c]) => ({ s, r, c, flat: (s * rows + r) * columns + c }));
  const isInner = (at: number, size: number) => at > 0 && at < size - 1;
  const isOn = (at: number, size: number) => at >= 0 && at < size;
  return (index, visit) => {
    const slice = Math.floor(index / (rows * columns));
    const row = Math.floor(index / columns) % rows;
    const column = index % columns;
    if (isInner(slice, slices) && isInner(row, rows) && isInner(column, columns)) {
      for (let at = 0; at < steps.length; at++) visit(index + steps[at].flat);
      return;
    }
    for (const { s, r, c, flat } of steps) if (isOn(slice + s, slices) && isOn(row + r, rows) && isOn(column + c, columns)) visit(index + flat);
  };
}

function stepsOf(connectivity: Connectivity): Triple[] {
  const one = [-1, 0, 1];
  const all = one.flatMap((s) => one.flatMap((r) => one.map((c): Triple => [s, r, c])));
  const farthest = connectivity === 6 ? 1 : 3;
  return all.filter((step) => step.some(Boolean) && step.filter(Boolean).length <= farthest);
}

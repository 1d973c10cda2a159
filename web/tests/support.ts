/** Grids and masks to draw by hand. */

import type { Affine, Triple } from "../src/space/affine";
import { type Geometry, geometryOf } from "../src/space/geometry";
import type { Mask } from "../src/voxels/change";

/** A grid as a radiologist hangs it: slices up, rows back, columns to the left; steps in millimetres. */
export function hung(shape: Triple, [slice, row, column]: Triple = [1, 1, 1]): Geometry {
  const affine: Affine = [
    [0, 0, -column, 0],
    [0, -row, 0, 0],
    [slice, 0, 0, 0],
    [0, 0, 0, 1],
  ];
  return geometryOf(shape, affine);
}

/** A mask from images of its slices, `#` for tumour. */
export function drawn(...slices: string[][]): Mask {
  return Uint8Array.from(slices.flatMap((rows) => rows.flatMap((row) => [...row].map((pixel) => (pixel === "#" ? 1 : 0)))));
}

/** Pictures of the slices of a mask. */
export function images(mask: ArrayLike<number>, [slices, rows, columns]: Triple): string[][] {
  return Array.from({ length: slices }, (_, s) =>
    Array.from({ length: rows }, (_, r) =>
      Array.from({ length: columns }, (_, c) => (mask[(s * rows + r) * columns + c] ? "#" : ".")).join(""),
    ),
  );
}

/** A mask of these voxels. */
export function maskOf(indices: Iterable<number>, [slices, rows, columns]: Triple): Mask {
  const mask = new Uint8Array(slices * rows * columns);
  for (const index of indices) mask[index] = 1;
  return mask;
}

/** The flat indices of a mask's voxels. */
export function voxelsOf(mask: Mask): number[] {
  return [...mask.keys()].filter((index) => mask[index] === 1);
}

/** Chance that is the same every time (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
